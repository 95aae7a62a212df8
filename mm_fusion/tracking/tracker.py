# Copyright 2026 The mm_fusion authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Follows objects through frames in the map and gives them identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.config import TrackerConfig
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.geometry.rigid import invert
from mm_fusion.objects import Objects
from mm_fusion.records import NS_PER_S, Bool, Float64, Int64
from mm_fusion.tracking.carrying import (
    UNMEASURED_VARIANCE,
    carried,
    measurements,
    standing,
    turned_halfway,
)
from mm_fusion.tracking.existence import UNTOLD, after_detection, after_miss, after_time
from mm_fusion.tracking.history import History, Look
from mm_fusion.tracking.matching import match
from mm_fusion.tracking.merging import merge
from mm_fusion.tracking.motion import TURN, predict, update
from mm_fusion.tracking.range_rates import Returns, correct
from mm_fusion.tracking.tracks import TURNING, Tracks
from mm_fusion.tracking.visibility import Visibility

LONGEST_LOOK_S = 0.25  # nobody looked in a pause between frames: no more of it counts as missed
PARKED_MPS = 1.0  # a vehicle slower than this, when nothing is seen of it, stands
LEAST_GAIN = 0.3  # weight of the newest size and score, however many there were


class Tracker:
    """Extended Kalman filters with optimal assignment and existence; ids are never used again."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._next_id = 1
        self._history = History()
        self.reset()

    @property
    def late(self) -> int:
        """Count of frames that came after a newer one and took their place."""
        return self._history.late

    def retune(self, config: TrackerConfig) -> None:
        """Take over changed settings; tracks stay."""
        self._config = config

    def reset(self) -> None:
        """End every track; ids go on."""
        self._tracks = Tracks()
        self._stamp_ns: int | None = None
        self._history.clear()

    def update(
        self,
        objects: Objects,
        map_from_ego: Float64,
        stamp_ns: int,
        *,
        visibility: Visibility | None = None,
        returns: Returns | None = None,
    ) -> Objects:
        """Take the detections of one frame and return the confirmed tracks at its stamp.

        A frame that comes after a newer one takes its place among those of `history_s`; tracks
        keep their ids. One older than that starts afresh: the clock was set back.

        Args:
            objects: detections in the ego frame at `stamp_ns`.
            map_from_ego: (4, 4) pose of the vehicle at `stamp_ns`, in a frame that never jumps.
            stamp_ns: stamp of the frame.
            visibility: what could be seen; None: everything.
            returns: radar returns; they measure velocities, which those of detections that a
                radar saw must then not do a second time.
        """
        look = Look(
            stamp_ns=stamp_ns,
            detected=carried(objects, map_from_ego),
            map_from_ego=map_from_ego,
            visibility=visibility,
            returns=returns,
        )
        later: list[Look] = []
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            undone = self._history.undo(stamp_ns)
            if undone is None:
                self.reset()
            else:
                self._tracks, self._stamp_ns, later = undone
        self._take(look)
        shown = self._confirmed(map_from_ego)
        for newer in later:
            self._take(newer)
        return shown

    def _take(self, look: Look) -> None:
        """Advance the tracks to a frame and let them learn from it."""
        self._history.keep(look, self._tracks, self._stamp_ns, self._config.history_s)
        looked_s = self._advance(look.stamp_ns)
        boxes = carried(self._tracks.placed(), invert(look.map_from_ego)).boxes
        count = len(self._tracks)
        seeable = (
            np.full(count, UNTOLD)
            if look.visibility is None
            else look.visibility.probability(boxes)
        )
        measured, noises = measurements(look.detected, without_radar=look.returns is not None)
        rows, used = match(
            self._tracks, look.detected, measured, noises, look.stamp_ns, self._config
        )
        self._correct(rows, look.detected[used], (measured[used], noises[used]), look.stamp_ns)
        self._tracks.existence[rows] = after_detection(
            self._tracks.existence[rows], look.detected.scores[used], seeable[rows]
        )
        fresh = np.setdiff1d(np.arange(len(look.detected)), used)
        fresh = fresh[look.detected.scores[fresh] >= self._config.birth_score]
        self._begin(look.detected, fresh, (measured[fresh], noises[fresh]), look.stamp_ns)
        one = merge(self._tracks, look.stamp_ns)
        moving = self._hear(look)
        missed = np.setdiff1d(np.arange(count), np.union1d(rows, moving))
        self._miss(missed, seeable[missed], looked_s)
        self._end(one, look.stamp_ns)

    def _advance(self, stamp_ns: int) -> float:
        """Predict all to the stamp; return how much of the time somebody was looking, s."""
        elapsed_s = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns = stamp_ns
        tracks, turns = self._tracks, TURNING[self._tracks.labels]
        tracks.objects.yaws_rad[:] = wrap_angle(
            tracks.objects.yaws_rad + tracks.states[:, TURN] * elapsed_s
        )
        tracks.states, tracks.covariances = predict(
            tracks.states,
            tracks.covariances,
            elapsed_s,
            self._config.acceleration_std_mps2,
            self._config.turn_std_radps * turns,
        )
        tracks.existence = after_time(tracks.existence, elapsed_s)
        return min(elapsed_s, LONGEST_LOOK_S)

    def _correct(
        self, rows: Int64, detected: Objects, measurement: tuple[Float64, Float64], stamp_ns: int
    ) -> None:
        tracks = self._tracks
        tracks.states[rows], tracks.covariances[rows] = update(
            tracks.states[rows], tracks.covariances[rows], *measurement
        )
        kept = tracks.objects
        gain = np.maximum(LEAST_GAIN, 1 / (tracks.hits[rows] + 1))
        kept.centers_ego[rows] = detected.centers_ego
        kept.sizes_m[rows] += gain[:, None] * (detected.sizes_m - kept.sizes_m[rows])
        kept.yaws_rad[rows] = turned_halfway(kept.yaws_rad[rows], detected.yaws_rad)
        kept.scores[rows] += gain * (detected.scores - kept.scores[rows])
        kept.evidence[rows] = detected.evidence
        tracks.votes[rows, detected.labels] += detected.scores
        tracks.hits[rows] += 1
        self._see(rows, stamp_ns)

    def _see(self, rows: Int64, stamp_ns: int) -> None:
        self._tracks.seen_ns[rows] = stamp_ns
        self._tracks.missed_s[rows] = 0.0

    def _begin(
        self,
        detected: Objects,
        fresh: Int64,
        measurement: tuple[Float64, Float64],
        stamp_ns: int,
    ) -> None:
        count = len(fresh)
        began = detected[fresh]
        prior = np.diag([UNMEASURED_VARIANCE] * 2 + [self._config.birth_speed_std_mps**2] * 2 + [0])
        wide = np.tile(prior, (count, 1, 1))
        wide[:, TURN, TURN] = np.square(self._config.turn_std_radps * TURNING[began.labels])
        start = np.concatenate([measurement[0][:, :2], np.zeros((count, 3))], axis=1)
        states, covariances = update(start, wide, *measurement)
        ids = np.array([self._named(stamp_ns, row) for row in fresh.tolist()], np.int64)
        more = Tracks.begun(replace(began, ids=ids), states, covariances, stamp_ns)
        self._tracks = self._tracks.joined(more)

    def _named(self, stamp_ns: int, row: int) -> int:
        """Return the id of what begins with that detection, the same one when it begins again."""
        ident = self._history.born.setdefault((stamp_ns, row), self._next_id)
        self._next_id += ident == self._next_id
        return ident

    def _hear(self, look: Look) -> Int64:
        """Let radar returns correct velocities; return the rows in which something moves."""
        if look.returns is None or not len(self._tracks):
            return np.zeros(0, np.int64)
        moving = correct(self._tracks, look.returns, look.stamp_ns)
        self._see(moving, look.stamp_ns)
        return moving

    def _miss(self, rows: Int64, seeable: Float64, looked_s: float) -> None:
        tracks = self._tracks
        slow = np.linalg.norm(tracks.states[rows, 2:4], axis=1) < PARKED_MPS
        parked = rows[slow & TURNING[tracks.labels[rows]]]
        tracks.states[parked], tracks.covariances[parked] = update(
            tracks.states[parked], tracks.covariances[parked], *standing(tracks.states[parked])
        )
        tracks.existence[rows] = after_miss(tracks.existence[rows], seeable)
        tracks.missed_s[rows] += looked_s * np.minimum(seeable / UNTOLD, 1)

    def _end(self, alive: Bool, stamp_ns: int) -> None:
        """End what was looked for in vain for too long, or hidden for too long, or merged."""
        tracks, config = self._tracks, self._config
        alive &= tracks.existence >= config.end_existence
        alive &= tracks.missed_s <= config.lifetime_s
        alive &= stamp_ns - tracks.seen_ns <= config.hidden_s * NS_PER_S
        self._tracks = tracks.rows(np.flatnonzero(alive))

    def _confirmed(self, map_from_ego: Float64) -> Objects:
        """Return what is sure enough to be published, in the vehicle's frame."""
        tracks, config = self._tracks, self._config
        sure = tracks.existence >= config.confirm_existence
        tracks.confirmed |= (tracks.hits >= config.confirm_hits) & sure
        shown = tracks.confirmed & (tracks.missed_s <= config.coast_s)
        return carried(tracks.rows(np.flatnonzero(shown)).published(), invert(map_from_ego))
