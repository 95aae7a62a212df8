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

"""KITTI's average precision, by the overlap of boxes on the ground or in space.

Sources: Geiger, Lenz and Urtasun, "Are we ready for Autonomous Driving?", CVPR 2012, and the
evaluation of its object benchmark, whose rules these are; Simonelli et al., "Disentangling
Monocular 3D Object Detection", ICCV 2019 (40 positions of recall instead of 11).

Difficulty is the level of occlusion: easy 0, moderate up to 1, hard up to 2; a label that is more
hidden is neither found nor missed. Limits on the size in the image and on truncation, which KITTI
has beside, are not taken: not every data set labels them.

Axis letters: G labels, D detections of a frame; T thresholds, F frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.geometry.boxes import iou_3d, iou_bev
from mm_fusion.objects import CLASSES, UNKNOWN_OCCLUSION
from mm_fusion.records import Bool, Float64, Int64

LEVELS: Mapping[str, int] = {"easy": 0, "moderate": 1, "hard": 2}
OVERLAPS = {"bev": iou_bev, "3d": iou_3d}
TOUCHING = 0.1  # overlap with an object of no scored class that excuses a detection
POSITIONS = 40  # of recall, from 1/40 to 1
LEAST_OVERLAPS: Mapping[str, tuple[float, ...]] = {
    "car": (0.5, 0.7),
    "truck": (0.5, 0.7),
    "bus": (0.5, 0.7),
    "trailer": (0.5, 0.7),
}
LEAST_OVERLAPS_OF_SMALL = (0.25, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverlapFrame:
    """One frame of one class: how far its labels and detections overlap."""

    scores: Float64  # (D,)
    overlap: Float64  # (G, D)
    counted: Bool  # (G,)
    excused: Bool  # (D,) lies where nothing was labelled
    level: Int64  # (G,) of occlusion, 0 where unknown
    label_m: Float64  # (G,) distance on the ground
    found_m: Float64  # (D,)

    def hidden_at_most(self, hardest: int) -> OverlapFrame:
        """Let only labels count that are no more hidden than this level."""
        return replace(self, counted=self.counted & (self.level <= hardest))

    def within(self, low_m: float, high_m: float) -> OverlapFrame:
        """Let only labels count, and detections be wrong, that are at such distances."""
        here = (self.label_m >= low_m) & (self.label_m < high_m)
        there = (self.found_m < low_m) | (self.found_m >= high_m)
        return replace(self, counted=self.counted & here, excused=self.excused | there)


@dataclass(frozen=True, slots=True, kw_only=True)
class KittiAp:
    """Average precision in percent; NaN without a label."""

    r40: float
    r11: float
    labels: int
    low: float = float("nan")  # of the 95 % interval of r40, by resampling frames
    high: float = float("nan")


def overlap_frame(frame: ScoredFrame, occlusion: Int64, label: int, metric: str) -> OverlapFrame:
    """Measure the overlaps of one class of a frame once, for every level and least overlap.

    Args:
        frame: detections beside truth.
        occlusion: (K,) level of each label; -1 where unknown.
        label: index of the class.
        metric: bev or 3d.
    """
    rows = np.flatnonzero(frame.truth.labels == label)
    found = np.flatnonzero(frame.detections.labels == label)
    truth, detections = frame.truth[rows], frame.detections[found]
    overlap = OVERLAPS[metric]
    ignored = np.zeros(len(found), np.bool_)
    if len(found) and len(frame.ignored):
        touched = overlap(detections.boxes, frame.ignored.boxes) > TOUCHING
        ignored = np.asarray(touched.any(axis=1))
    return OverlapFrame(
        scores=detections.scores,
        overlap=overlap(truth.boxes, detections.boxes),
        counted=frame.counted[rows],
        excused=frame.excused[found] | ignored,
        level=np.where(occlusion[rows] == UNKNOWN_OCCLUSION, 0, occlusion[rows]),
        label_m=np.linalg.norm(truth.centers_ego[:, :2], axis=1),
        found_m=np.linalg.norm(detections.centers_ego[:, :2], axis=1),
    )


def average_precision(
    frames: Sequence[OverlapFrame], least: float, resamples: int = 0, seed: int = 0
) -> KittiAp:
    """Score frames of one class.

    The interval comes from resampled runs of ten frames, with precision read off between the
    thresholds of the whole set instead of at ones chosen anew.

    Args:
        frames: in the order of time.
        least: overlap from which a label is found.
        resamples: how often frames are drawn anew for the interval; 0: none.
        seed: of the draws.
    """
    labels = sum(int(frame.counted.sum()) for frame in frames)
    if not labels:
        return KittiAp(r40=np.nan, r11=np.nan, labels=0)
    hits = np.concatenate([_hit_scores(frame, least) for frame in frames])
    thresholds = _thresholds(hits, labels)
    counts = np.array([[_counts(f, least, t) for t in thresholds] for f in frames])
    counts = counts.reshape(len(frames), len(thresholds), 2)
    precision = _interpolated(counts.sum(axis=0))
    low, high = np.nan, np.nan
    if resamples:
        low, high = _interval(frames, counts, resamples, seed)
    return KittiAp(
        r40=100 * float(precision[1:].sum() / POSITIONS),
        r11=100 * float(precision[::4].sum() / 11),
        labels=labels,
        low=low,
        high=high,
    )


def _hit_scores(frame: OverlapFrame, least: float) -> Float64:
    """Return the scores of the best scored detections that labels which count can take."""
    free = np.ones(len(frame.scores), np.bool_)
    hits = []
    for overlap, counted in zip(frame.overlap, frame.counted, strict=True):
        able = np.flatnonzero(free & (overlap > least))
        if len(able):
            best = able[frame.scores[able].argmax()]
            free[best] = False
            if counted:
                hits.append(frame.scores[best])
    return np.array(hits, np.float64)


def _thresholds(hits: Float64, labels: int) -> Float64:
    """Return the scores (T,) at which recall is nearest to 0, 1/40, 2/40, ..."""
    ranked = np.sort(hits)[::-1]
    chosen: list[float] = []
    wanted = 0.0
    for rank, score in enumerate(ranked.tolist(), start=1):
        here, coming = rank / labels, min(rank + 1, len(ranked)) / labels
        if coming - wanted < wanted - here and rank < len(ranked):
            continue
        chosen.append(score)
        wanted += 1 / POSITIONS
    return np.array(chosen[: POSITIONS + 1], np.float64)


def _counts(frame: OverlapFrame, least: float, threshold: float) -> tuple[int, int]:
    """Return hits and false alarms of a frame's detections from a score on."""
    free = frame.scores >= threshold
    hits = 0
    for overlap, counted in zip(frame.overlap, frame.counted, strict=True):
        able = np.flatnonzero(free & (overlap > least))
        if len(able):
            free[able[overlap[able].argmax()]] = False
            hits += bool(counted)
    return hits, int((free & ~frame.excused).sum())


def _interpolated(counts: Float64) -> Float64:
    """Return the best precision (41,) at each recall or a higher one; counts are (T, 2)."""
    hits, false = counts.T
    precision = np.zeros(POSITIONS + 1)
    precision[: len(hits)] = hits / np.maximum(hits + false, 1)
    return np.maximum.accumulate(precision[::-1])[::-1]


def _interval(
    frames: Sequence[OverlapFrame], counts: Float64, resamples: int, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of R40 over draws of runs of ten frames."""
    rng = np.random.default_rng(seed)
    labels = np.array([frame.counted.sum() for frame in frames])
    runs = np.array_split(np.arange(len(frames)), max(1, len(frames) // 10))
    scores = []
    for _ in range(resamples):
        drawn = np.concatenate([runs[k] for k in rng.integers(len(runs), size=len(runs))])
        hits, false = counts[drawn].sum(axis=0).T
        recall = hits / max(labels[drawn].sum(), 1)
        precision = np.maximum.accumulate((hits / np.maximum(hits + false, 1))[::-1])[::-1]
        at = np.searchsorted(recall, np.arange(1, POSITIONS + 1) / POSITIONS - 1e-9)
        reached = at < len(recall)
        scores.append(100 * precision[at[reached]].sum() / POSITIONS)
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def least_overlaps(label: int) -> tuple[float, ...]:
    """Return the overlaps from which an object of a class is found."""
    return LEAST_OVERLAPS.get(CLASSES[label], LEAST_OVERLAPS_OF_SMALL)
