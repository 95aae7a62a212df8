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

from dataclasses import dataclass, field, replace

import numpy as np

from mm_fusion.config import TrackerConfig
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.geometry.rigid import invert, yaw_of
from mm_fusion.objects import CLASSES, UNKNOWN, Objects
from mm_fusion.records import NS_PER_S, Float64, Int64
from mm_fusion.tracking.association import associate
from mm_fusion.tracking.motion import predict, update

UNMEASURED_VARIANCE = 1e6  # m^2/s^2, of a velocity nobody measured
SMALLEST_M = 0.2  # sizes below this say nothing
TURNING_SPEED_MPS = 2.0  # from here on the direction of motion says where the front is


@dataclass(slots=True)
class _Tracks:
    """All tracks, a row each, in the map; `objects` holds what is not estimated here."""

    states: Float64 = field(default_factory=lambda: np.zeros((0, 4)))  # x, y, vx, vy
    covariances: Float64 = field(default_factory=lambda: np.zeros((0, 4, 4)))
    objects: Objects = field(default_factory=Objects.none)  # as last detected, in the map
    votes: Float64 = field(default_factory=lambda: np.zeros((0, len(CLASSES))))
    hits: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    seen_ns: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def rows(self, keep: Int64) -> _Tracks:
        return _Tracks(
            states=self.states[keep],
            covariances=self.covariances[keep],
            objects=self.objects[keep],
            votes=self.votes[keep],
            hits=self.hits[keep],
            seen_ns=self.seen_ns[keep],
        )


class Tracker:
    """Constant-velocity Kalman filters with optimal assignment; ids are never used again."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._next_id = 1
        self.reset()

    def retune(self, config: TrackerConfig) -> None:
        """Take over changed settings; tracks stay."""
        self._config = config

    def reset(self) -> None:
        """End every track; ids go on."""
        self._tracks = _Tracks()
        self._stamp_ns: int | None = None

    def update(self, objects: Objects, map_from_ego: Float64, stamp_ns: int) -> Objects:
        """Take the detections of one frame and return the confirmed tracks at its stamp.

        Args:
            objects: detections in the ego frame at `stamp_ns`.
            map_from_ego: (4, 4) pose of the vehicle at `stamp_ns`.
            stamp_ns: stamp of the frame; one older than the frame before starts afresh.
        """
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        self._advance(stamp_ns)
        detected = _carried(objects, map_from_ego)
        measured, noises = _measurements(detected)
        tracks = self._tracks
        matched, used = associate(
            tracks.states[:, :2],
            tracks.covariances[:, :2, :2],
            measured[:, :2],
            noises[:, :2, :2],
            self._config.gate,
            self._config.size_cost * _unlike(tracks.objects.sizes_m, detected.sizes_m),
        )
        self._correct(matched, detected[used], (measured[used], noises[used]), stamp_ns)
        fresh = np.setdiff1d(np.arange(len(detected)), used)
        self._begin(detected[fresh], measured[fresh], noises[fresh], stamp_ns)
        self._end(stamp_ns)
        return self._confirmed(map_from_ego, stamp_ns)

    def _advance(self, stamp_ns: int) -> None:
        elapsed_s = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns = stamp_ns
        self._tracks.states, self._tracks.covariances = predict(
            self._tracks.states,
            self._tracks.covariances,
            elapsed_s,
            self._config.acceleration_std_mps2,
        )

    def _correct(
        self, rows: Int64, detected: Objects, measurement: tuple[Float64, Float64], stamp_ns: int
    ) -> None:
        tracks = self._tracks
        tracks.states[rows], tracks.covariances[rows] = update(
            tracks.states[rows], tracks.covariances[rows], *measurement
        )
        kept = tracks.objects
        columns = {
            name: getattr(kept, name).copy()
            for name in ("centers_ego", "sizes_m", "yaws_rad", "scores", "evidence")
        }
        columns["centers_ego"][rows] = detected.centers_ego
        columns["sizes_m"][rows] += 0.3 * (detected.sizes_m - kept.sizes_m[rows])
        columns["yaws_rad"][rows] = _turned(kept.yaws_rad[rows], detected.yaws_rad)
        columns["scores"][rows] += 0.3 * (detected.scores - kept.scores[rows])
        columns["evidence"][rows] = detected.evidence
        tracks.objects = replace(kept, **columns)
        tracks.votes[rows, detected.labels] += detected.scores
        tracks.hits[rows] += 1
        tracks.seen_ns[rows] = stamp_ns

    def _begin(self, detected: Objects, measured: Float64, noises: Float64, stamp_ns: int) -> None:
        count = len(detected)
        ids = np.arange(self._next_id, self._next_id + count, dtype=np.int64)
        self._next_id += count
        prior = np.diag([0.0, 0.0, *[self._config.birth_speed_std_mps**2] * 2])
        start = np.concatenate([measured[:, :2], np.zeros((count, 2))], axis=1)
        wide = prior + np.diag([UNMEASURED_VARIANCE] * 2 + [0.0, 0.0])
        states, covariances = update(start, np.tile(wide, (count, 1, 1)), measured, noises)
        votes = np.zeros((count, len(CLASSES)))
        votes[np.arange(count), detected.labels] = detected.scores
        tracks = self._tracks
        self._tracks = _Tracks(
            states=np.concatenate([tracks.states, states]),
            covariances=np.concatenate([tracks.covariances, covariances]),
            objects=Objects.joined(tracks.objects, replace(detected, ids=ids)),
            votes=np.concatenate([tracks.votes, votes]),
            hits=np.concatenate([tracks.hits, np.ones(count, np.int64)]),
            seen_ns=np.concatenate([tracks.seen_ns, np.full(count, stamp_ns, np.int64)]),
        )

    def _end(self, stamp_ns: int) -> None:
        """End what was not seen for its lifetime; a tentative track ends at its first miss."""
        unseen_ns = stamp_ns - self._tracks.seen_ns
        tentative = self._tracks.hits < self._config.confirm_hits
        alive = np.where(tentative, unseen_ns == 0, unseen_ns <= self._config.lifetime_s * NS_PER_S)
        self._tracks = self._tracks.rows(np.flatnonzero(alive))

    def _confirmed(self, map_from_ego: Float64, stamp_ns: int) -> Objects:
        confirmed = self._tracks.hits >= self._config.confirm_hits
        unseen_ns = stamp_ns - self._tracks.seen_ns
        shown = confirmed & (unseen_ns <= self._config.coast_s * NS_PER_S)
        tracks = self._tracks.rows(np.flatnonzero(shown))
        centers = tracks.objects.centers_ego.copy()
        centers[:, :2] = tracks.states[:, :2]
        speed = np.linalg.norm(tracks.states[:, 2:], axis=1)
        heading = np.arctan2(tracks.states[:, 3], tracks.states[:, 2])
        backwards = np.cos(heading - tracks.objects.yaws_rad) < 0
        yaws = tracks.objects.yaws_rad + np.pi * (backwards & (speed > TURNING_SPEED_MPS))
        unseen_s = (stamp_ns - tracks.seen_ns) / NS_PER_S
        in_map = replace(
            tracks.objects,
            centers_ego=centers,
            yaws_rad=wrap_angle(yaws),
            velocities_ego=tracks.states[:, 2:].copy(),
            scores=tracks.objects.scores * np.clip(1 - unseen_s / self._config.lifetime_s, 0.05, 1),
            labels=_elected(tracks.votes),
            covariances=tracks.covariances.copy(),
        )
        return _carried(in_map, invert(map_from_ego))


def _unlike(sizes_a_m: Float64, sizes_b_m: Float64) -> Float64:
    """Return how unlike sizes (A, 3) and (B, 3) are, (A, B): the sum of their log ratios."""
    logs_a, logs_b = (np.log(np.maximum(sizes, SMALLEST_M)) for sizes in (sizes_a_m, sizes_b_m))
    return np.asarray(np.abs(logs_a[:, None] - logs_b[None]).sum(axis=2))


def _elected(votes: Float64) -> Int64:
    """Return the class with the most evidence; `unknown` only where nothing else has any."""
    known = votes.copy()
    known[:, UNKNOWN] *= 1e-3
    return np.asarray(known.argmax(axis=1), np.int64)


def _turned(kept_rad: Float64, seen_rad: Float64) -> Float64:
    """Follow the seen yaw halfway, taking front and back of a box as the same."""
    difference = wrap_angle(2 * (seen_rad - kept_rad)) / 2
    return wrap_angle(kept_rad + 0.5 * difference)


def _carried(objects: Objects, target_from_source: Float64) -> Objects:
    """Bring objects into another frame, covariances and velocities turned with them."""
    rotation = target_from_source[:2, :2]
    turn = np.zeros((4, 4))
    turn[:2, :2] = turn[2:, 2:] = rotation
    centers = objects.centers_ego @ target_from_source[:3, :3].T + target_from_source[:3, 3]
    return replace(
        objects,
        centers_ego=centers,
        yaws_rad=wrap_angle(objects.yaws_rad + yaw_of(target_from_source)),
        velocities_ego=objects.velocities_ego @ rotation.T,
        covariances=turn @ objects.covariances @ turn.T,
    )


def _measurements(detected: Objects) -> tuple[Float64, Float64]:
    """Return x, y, vx, vy (D, 4) with covariances (D, 4, 4); an unknown velocity has no weight."""
    known = np.asarray(np.isfinite(detected.velocities_ego).all(axis=1))
    velocity = np.where(known[:, None], detected.velocities_ego, 0.0)
    noises = detected.covariances.copy()
    unknown = np.flatnonzero(~known)
    noises[unknown, 2:, :] = noises[unknown, :, 2:] = 0.0
    noises[unknown, 2, 2] = noises[unknown, 3, 3] = UNMEASURED_VARIANCE
    return np.concatenate([detected.centers_ego[:, :2], velocity], axis=1), noises
