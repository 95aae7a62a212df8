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

"""What one threshold of confidence gives, counted as KITTI and AB3DMOT count.

Source: Weng, Wang, Held and Kitani, "3D Multi-Object Tracking: A Baseline and New Evaluation
Metrics", IROS 2020, and its public evaluation. Its customs: labels that are ignored but found count
as found in recall, precision and MOTP, not in MOTA's number of labels; a switch is one from one
frame to the next only, not one behind a gap.

Axis letters: G labels, R results of a frame; N labels of all frames, trajectory by trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.mot_kitti import TrackingCase, TrackingFrame, mota, pairs_of
from mm_fusion.records import Bool, Float64, Int64

TRACKED, LOST = 0.8, 0.2  # shares of a life; mostly tracked is above, mostly lost below
NO_INDEX = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameCount:
    """What came of one frame."""

    false_alarms: int
    overlap: float  # sum over the hits
    followed: Int64  # (G,) track that met the label, -1 where none did
    hits: Int64  # (P,) the tracks that met a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Hits and errors of all frames."""

    labels: int  # those not ignored
    hits: int  # ignored labels included
    misses: int
    false_alarms: int
    switches: int
    fragments: int
    overlap: float  # sum over the hits
    mostly_tracked: float  # share of the trajectories that are not ignored for life
    mostly_lost: float

    @property
    def mota(self) -> float:
        """One less all errors over all labels; NaN without a label."""
        return mota(self.labels, self.misses, self.false_alarms, self.switches)

    @property
    def motp(self) -> float:
        """Mean overlap of the hits."""
        return self.overlap / self.hits if self.hits else 0.0

    @property
    def recall(self) -> float:
        """Share of the labels that were found."""
        return self.hits / (self.hits + self.misses) if self.hits else 0.0

    @property
    def precision(self) -> float:
        """Share of the results that found a label."""
        return self.hits / (self.hits + self.false_alarms) if self.hits else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.hits / max(2 * self.hits + self.misses + self.false_alarms, 1)


class Counter:
    """Counts a case at many thresholds; what a frame gives is worked out once a set of tracks."""

    def __init__(self, case: TrackingCase, iou: float) -> None:
        self._case, self._iou = case, iou
        self._known: dict[tuple[int, int], FrameCount] = {}  # by frame and number of tracks kept
        trajectory = np.concatenate([NO_INDEX, *(f.labels for f in case.frames)])
        self._order = np.argsort(trajectory, kind="stable")
        ignored = np.concatenate([NO_INDEX.astype(np.bool_), *(f.ignored for f in case.frames)])
        self._ignored: Bool = ignored[self._order]
        self._trajectory: Int64 = trajectory[self._order]

    def hit_scores(self) -> Float64:
        """Return the scores (P,) of the tracks of all hits, when every track is kept."""
        hits = [count.hits for count in self._frames(-np.inf)]
        return np.asarray(self._case.scores[np.concatenate([NO_INDEX, *hits])])

    def count(self, threshold: float) -> Counts:
        """Count with those tracks whose score is at least the threshold."""
        frames = self._frames(threshold)
        followed = np.concatenate([NO_INDEX, *(count.followed for count in frames)])[self._order]
        switches, fragments = breaks(followed, self._ignored, self._trajectory)
        tracked, lost = shares(followed, self._ignored, self._trajectory)
        return Counts(
            labels=int((~self._ignored).sum()),
            hits=int((followed >= 0).sum()),
            misses=int((~self._ignored & (followed < 0)).sum()),
            false_alarms=sum(count.false_alarms for count in frames),
            switches=switches,
            fragments=fragments,
            overlap=float(sum(count.overlap for count in frames)),
            mostly_tracked=tracked,
            mostly_lost=lost,
        )

    def _frames(self, threshold: float) -> list[FrameCount]:
        good = self._case.scores >= threshold
        counts = []
        for index, frame in enumerate(self._case.frames):
            kept = good[frame.tracks]
            key = (index, int(kept.sum()))  # a higher threshold's tracks are among a lower one's
            if key not in self._known:
                self._known[key] = _count_frame(frame, np.flatnonzero(kept), self._iou)
            counts.append(self._known[key])
        return counts


def _count_frame(frame: TrackingFrame, kept: Int64, iou: float) -> FrameCount:
    overlap = frame.overlap[:, kept]
    rows, columns = pairs_of(overlap, iou)
    followed = np.full(len(frame.labels), -1, np.int64)
    followed[rows] = frame.tracks[kept[columns]]
    alone = np.delete(kept, columns)
    return FrameCount(
        false_alarms=int((~frame.excused[alone]).sum()),
        overlap=float(overlap[rows, columns].sum()),
        followed=followed,
        hits=followed[rows],
    )


def breaks(followed: Int64, ignored: Bool, trajectory: Int64) -> tuple[int, int]:
    """Count switches of identity and fragments.

    A label that is ignored ends what was followed until then. A fragment begins where a trajectory
    is met again, or by another track, and is still met in the next frame, if there is one.

    Args:
        followed: (N,) track that met each label, -1 none; the labels of a trajectory in a row.
        ignored: (N,) labels that do not count.
        trajectory: (N,) rising.
    """
    if not len(followed):
        return 0, 0
    place = np.arange(len(followed))
    first = np.r_[True, trajectory[1:] != trajectory[:-1]]
    last = np.r_[first[1:], True]
    start = np.maximum.accumulate(np.where(first, place, 0))
    met = np.maximum.accumulate(np.where((followed >= 0) & (first | ~ignored), place, -1))
    ended = np.maximum.accumulate(np.where(ignored & ~first, place, -1))
    met, ended, before = (np.r_[-1, known[:-1]] for known in (met, ended, followed))
    following = (met >= start) & (met > ended)
    changed = ~first & ~ignored & (followed >= 0) & (followed != before)
    goes_on = np.r_[followed[1:], -1] >= 0
    switches = changed & following & (before >= 0)
    fragments = changed & np.where(last, True, following & goes_on)
    return int(switches.sum()), int(fragments.sum())


def shares(followed: Int64, ignored: Bool, trajectory: Int64) -> tuple[float, float]:
    """Return the shares of trajectories mostly tracked and mostly lost; arguments as `breaks`'.

    The first label of a trajectory counts as tracked even where it is ignored.
    """
    _, index, own = np.unique(trajectory, return_index=True, return_inverse=True)
    first = np.zeros(len(trajectory), np.bool_)
    first[index] = True
    met = np.bincount(own.reshape(-1), (followed >= 0) & (first | ~ignored))
    life = np.bincount(own.reshape(-1), ~ignored)
    counted = life > 0
    if not counted.any():
        return 0.0, 0.0
    share = met[counted] / life[counted]
    return float((share > TRACKED).mean()), float((share < LOST).mean())
