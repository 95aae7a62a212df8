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

"""Which track met which label, counted as nuScenes' tracking task counts.

Source: the definitions of nuScenes' tracking challenge and its public evaluation. A label stays
with the track that met it last, through gaps as well. Durations are told by the stamps.

Axis letters: G labels, R results of a frame; N counted labels of all frames; K trajectories.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.mot_distance import FOUND, PlacedCase
from mm_fusion.evaluation.mot_kitti import TrackingFrame, mota, pairs_of
from mm_fusion.records import Bool, Float64, Int64

TRACKED, LOST = 0.8, 0.2  # shares of a life: mostly tracked from the first, mostly lost below


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Following:
    """Which track met each counted label, frame by frame."""

    frame: Int64  # (N,) index of the frame
    trajectory: Int64  # (N,)
    row: Int64  # (N,) of the frame's labels
    track: Int64  # (N,) that met it; -1: missed
    column: Int64  # (N,) of the frame's results; -1: missed
    switched: Bool  # (N,) met by another track than the last time
    similarity: Float64  # (N,) 0 where missed
    false_alarms: int

    @property
    def met(self) -> Bool:
        """(N,) labels that some track met."""
        return np.asarray(self.track >= 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackCounts:
    """What one set of tracks gives."""

    labels: int
    matches: int  # switches not among them
    switches: int
    misses: int
    false_alarms: int
    fragments: int
    trajectories: int
    mostly_tracked: int  # trajectories
    mostly_lost: int
    motp_m: float  # mean distance of the met; NaN where nothing was
    tid_s: float  # mean time until a trajectory is met; NaN where none ever is
    lgd_s: float  # mean of the longest gaps

    @property
    def recall(self) -> float:
        """Share of the labels that were met; NaN without a label."""
        return (self.matches + self.switches) / self.labels if self.labels else float("nan")

    @property
    def mota(self) -> float:
        """One less all errors over all labels, not below 0; NaN without a label."""
        errors = (self.misses, self.false_alarms, self.switches)
        return float(np.maximum(mota(self.labels, *errors), 0.0))

    @property
    def motar(self) -> float:
        """MOTA against what this recall allows, not below 0; NaN where nothing matched."""
        if not self.matches:
            return float("nan")
        errors = self.misses + self.switches + self.false_alarms
        unreached = self.labels - self.matches
        return max(0.0, 1 - (errors - unreached) / self.matches)


def follow(placed: PlacedCase, threshold: float = -np.inf) -> Following:
    """Pair labels and tracks frame by frame, those that belonged together last first.

    Args:
        placed: what to pair.
        threshold: mean score from which a track takes part.
    """
    good = placed.case.scores >= threshold
    newest: dict[int, int] = {}  # trajectory -> the track that met it last
    parts = [np.zeros((6, 0), np.int64)]
    similarities = [np.zeros(0)]
    false_alarms = 0
    for index, frame in enumerate(placed.case.frames):
        kept = np.flatnonzero(good[frame.tracks])
        last = np.array([newest.get(one, -1) for one in frame.labels.tolist()], np.int64)
        rows, columns = _pairs(frame, kept, last)
        column = np.full(len(frame.labels), -1, np.int64)
        column[rows] = columns
        track = np.r_[frame.tracks, -1][column]
        newest.update(zip(frame.labels[rows].tolist(), track[rows].tolist(), strict=True))
        switched = (track >= 0) & (last >= 0) & (track != last)
        row = np.flatnonzero(~frame.ignored)
        table = np.stack([frame.labels, np.arange(len(column)), track, column, switched])
        parts.append(np.vstack([np.full((1, len(row)), index), table[:, row]]))
        near = np.zeros(len(frame.labels))
        near[rows] = frame.overlap[rows, columns]
        similarities.append(near[row])
        false_alarms += int((~frame.excused[np.setdiff1d(kept, columns)]).sum())
    frame_of, trajectory, row, track, column, switched = np.concatenate(parts, axis=1)
    return Following(
        frame=frame_of,
        trajectory=trajectory,
        row=row,
        track=track,
        column=column,
        switched=switched.astype(np.bool_),
        similarity=np.concatenate(similarities),
        false_alarms=false_alarms,
    )


def _pairs(frame: TrackingFrame, kept: Int64, last: Int64) -> tuple[Int64, Int64]:
    """Return rows (P,) and columns (P,) of a frame's pairs, given the tracks met last (G,)."""
    stay = (last[:, None] == frame.tracks[None, kept]) & (frame.overlap[:, kept] >= FOUND)
    rows, at = np.nonzero(stay)
    free_rows = np.setdiff1d(np.arange(len(frame.labels)), rows)
    free = np.delete(kept, at)
    more, others = pairs_of(frame.overlap[np.ix_(free_rows, free)], FOUND)
    return np.r_[rows, free_rows[more]], np.r_[kept[at], free[others]]


def count(placed: PlacedCase, following: Following) -> TrackCounts:
    """Count what came of the labels."""
    met, switches = following.met, int(following.switched.sum())
    lives = [life for life in _lives(following) if len(life)]
    waits_s, gaps_s = _durations(placed, following, lives)
    shares = np.array([met[life].mean() for life in lives])
    tracked = int((shares >= TRACKED).sum())
    apart_m = placed.apart_m(following.similarity[met])
    return TrackCounts(
        labels=len(met),
        matches=int(met.sum()) - switches,
        switches=switches,
        misses=int((~met).sum()),
        false_alarms=following.false_alarms,
        fragments=sum(_fragments(met[life]) for life in lives),
        trajectories=len(lives),
        mostly_tracked=tracked,
        mostly_lost=int((shares < LOST).sum()),
        motp_m=float(apart_m.mean()) if met.any() else float("nan"),
        tid_s=float(waits_s.mean()) if len(waits_s) else float("nan"),
        lgd_s=float(gaps_s.mean()) if len(gaps_s) else float("nan"),
    )


def _lives(following: Following) -> list[Int64]:
    """Return the places of each trajectory's labels, in the order of time."""
    order = np.argsort(following.trajectory, kind="stable")
    cuts = np.flatnonzero(np.diff(following.trajectory[order])) + 1
    return np.split(order, cuts)


def _fragments(met: Bool) -> int:
    """Count the gaps between the first and the last time a trajectory (L,) was met."""
    places = np.flatnonzero(met)
    return int((np.diff(places) > 1).sum())


def _durations(
    placed: PlacedCase, following: Following, lives: list[Int64]
) -> tuple[Float64, Float64]:
    """Return how long each trajectory that is met ever waited for it (K,), and its longest gap."""
    stamps_s = placed.stamps_s
    period_s = float(np.median(np.diff(stamps_s))) if len(stamps_s) > 1 else 0.0
    lasts_s = np.diff(stamps_s, append=stamps_s[-1:] + period_s)  # a frame, until the next one
    waits_s, gaps_s = [], []
    for life in lives:
        frame, met = following.frame[life], following.met[life]
        if met.any():
            missed_s = np.where(met, 0.0, lasts_s[frame])
            gap = np.cumsum(met)  # labels of one gap share their number
            waits_s.append(stamps_s[frame[met][0]] - stamps_s[frame[0]])
            gaps_s.append(float(np.bincount(gap, missed_s).max()))
    return np.array(waits_s), np.array(gaps_s)
