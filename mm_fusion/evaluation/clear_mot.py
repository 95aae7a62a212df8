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

"""Scores of tracking: CLEAR MOT, and its averages over recall.

MOTA: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics", 2008. AMOTA and sAMOTA: Weng, Wang, Held and Kitani, "3D Multi-Object Tracking: A Baseline
and New Evaluation Metrics", IROS 2020, equations 3 to 6: the mean over 40 recalls of what remains
when only tracks above a score count, a track's score being the mean of its boxes'.

Axis letters: G labels, R results of a frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from mm_fusion.records import Bool, Float64

RECALLS = 40
FAR = 1e3  # cost of a pair that overlaps too little


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotFrame:
    """One frame to be scored."""

    sequence: str  # ids mean something within one sequence only
    truth_ids: Sequence[Hashable]  # G
    ignored: Bool  # (G,) labels that count neither found nor missed
    track_ids: Sequence[Hashable]  # R
    scores: Float64  # (R,)
    excused: Bool  # (R,) results that are no false alarms where they meet no label
    overlap: Float64  # (G, R) intersection over union


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What one threshold gives."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    switches: int = 0  # a label followed by another track than before
    scores: tuple[float, ...] = field(default=(), repr=False)  # of the tracks that hit

    @property
    def labels(self) -> int:
        """How many labels there were."""
        return self.hits + self.misses

    @property
    def mota(self) -> float:
        """One less all errors over all labels."""
        errors = self.misses + self.false_alarms + self.switches
        return 1 - errors / max(self.labels, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotScore:
    """The figures of one class."""

    labels: int
    samota: float
    amota: float
    best: Counts  # at the threshold where MOTA is highest


def mot_score(frames: Sequence[MotFrame], iou: float) -> MotScore:
    """Score frames in the order of time.

    Args:
        frames: of one class; all frames of a sequence in a row.
        iou: least overlap of a result with its label.
    """
    means = _mean_scores(frames)
    everything = count(frames, iou, means, -np.inf)
    counted, scaled, plain = [], [], []
    for threshold, recall in _thresholds(everything):
        counts = count(frames, iou, means, threshold)
        counted.append(counts)
        plain.append(max(counts.mota, 0.0))
        errors = counts.false_alarms + counts.switches + counts.misses
        unavoidable = (1 - recall) * counts.labels
        scaled.append(
            float(np.clip(1 - (errors - unavoidable) / (recall * counts.labels), 0.0, 1.0))
        )
    return MotScore(
        labels=everything.labels,
        samota=sum(scaled) / RECALLS,
        amota=sum(plain) / RECALLS,
        best=max(counted, key=lambda counts: counts.mota, default=everything),
    )


def count(
    frames: Sequence[MotFrame],
    iou: float,
    means: dict[tuple[str, Hashable], float],
    threshold: float,
) -> Counts:
    """Count hits and errors of the tracks whose mean score is at least the threshold."""
    misses = false_alarms = switches = 0
    scores: list[float] = []
    followed: dict[tuple[str, Hashable], Hashable] = {}
    for frame in frames:
        mean = np.array([means[frame.sequence, ident] for ident in frame.track_ids])
        kept = np.flatnonzero(mean >= threshold) if len(mean) else np.zeros(0, np.int64)
        pairs = _pairs(frame.overlap[:, kept], iou)
        for label, column in pairs:
            if frame.ignored[label]:
                continue
            result = kept[column]
            key, ident = (frame.sequence, frame.truth_ids[label]), frame.track_ids[result]
            switches += followed.get(key, ident) != ident
            followed[key] = ident
            scores.append(float(mean[result]))
        found = np.zeros(len(frame.truth_ids), np.bool_)
        found[[label for label, _ in pairs]] = True
        misses += int((~found & ~frame.ignored).sum())
        alone = np.setdiff1d(np.arange(len(kept)), [column for _, column in pairs])
        false_alarms += int((~frame.excused[kept[alone]]).sum())
    return Counts(
        hits=len(scores),
        misses=misses,
        false_alarms=false_alarms,
        switches=switches,
        scores=tuple(scores),
    )


def _pairs(overlap: Float64, iou: float) -> list[tuple[int, int]]:
    cost = np.where(overlap >= iou, 1 - overlap, FAR)
    labels, results = linear_sum_assignment(cost)
    enough = overlap[labels, results] >= iou
    return list(zip(labels[enough].tolist(), results[enough].tolist(), strict=True))


def _mean_scores(frames: Sequence[MotFrame]) -> dict[tuple[str, Hashable], float]:
    all_scores: defaultdict[tuple[str, Hashable], list[float]] = defaultdict(list)
    for frame in frames:
        for ident, score in zip(frame.track_ids, frame.scores.tolist(), strict=True):
            all_scores[frame.sequence, ident].append(score)
    return {key: float(np.mean(scores)) for key, scores in all_scores.items()}


def _thresholds(everything: Counts) -> list[tuple[float, float]]:
    """Return the scores at which recall comes nearest to 1/40, 2/40, ..., and those recalls.

    As KITTI's and AB3DMOT's evaluations choose them: the lowest score serves the first recall that
    is out of reach.
    """
    ranked = sorted(everything.scores, reverse=True)
    found: list[tuple[float, float]] = []
    recall = 0.0
    for rank, score in enumerate(ranked, start=1):
        here, after = rank / everything.labels, (rank + 1) / everything.labels
        if rank < len(ranked) and after - recall < recall - here:
            continue
        found.append((score, recall))
        recall += 1 / RECALLS
    return found[1 : RECALLS + 1]  # a recall of 0 says nothing
