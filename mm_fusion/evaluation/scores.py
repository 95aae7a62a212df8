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

"""Precision, recall, F1, AP, NDS: the figures of a detection run.

Sources: Caesar et al., "nuScenes", CVPR 2020, section 3.1 (AP over centre distances, true-positive
errors, NDS); Simonelli et al., "Disentangling Monocular 3D Object Detection", ICCV 2019 (AP at 40
recall positions).

Axis letters: B bins of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mm_fusion.evaluation.matching import Matches, ScoredFrame, match
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import CLASSES
from mm_fusion.records import Float64

AP_DISTANCES_M = (0.5, 1.0, 2.0, 4.0)
TP_DISTANCE_M = 2.0  # of the true-positive errors
BINS = 10  # of scores
LOW = 0.1  # recall and precision below this do not count for AP


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """The figures of one class."""

    name: str
    objects: int
    detections: int
    precision: float
    recall: float
    f1: float
    recall_any: float  # found by a detection of whatever class
    ap: dict[str, float]  # by centre distance, m
    mean_ap: float
    translation_m: float  # mean errors of the true positives within 2 m
    scale: float  # 1 - IoU of the aligned boxes
    yaw_rad: float
    velocity_mps: float
    calibration: float  # mean distance of a score from the share of hits among its like


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The figures of one run."""

    frames: int
    distance_m: float
    range_m: float
    min_lidar_points: int
    classes: tuple[ClassScore, ...]
    any_class: ClassScore
    mean_ap: float
    nds: float  # attributes are not estimated: their error counts as 1

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def score(
    frames: Sequence[ScoredFrame], *, distance_m: float, range_m: float, min_lidar_points: int
) -> Score:
    """Score frames that were cut to their scope (see `scope.scoped`)."""
    present = sorted({int(label) for f in frames for label in f.truth.labels[f.counted]})
    classes = tuple(_class_score(frames, label, distance_m) for label in present)
    mean_ap = float(np.mean([c.mean_ap for c in classes])) if classes else float("nan")
    return Score(
        frames=len(frames),
        distance_m=distance_m,
        range_m=range_m,
        min_lidar_points=min_lidar_points,
        classes=classes,
        any_class=_class_score(frames, None, distance_m),
        mean_ap=mean_ap,
        nds=_nds(classes, mean_ap),
    )


def _class_score(frames: Sequence[ScoredFrame], label: int | None, distance_m: float) -> ClassScore:
    found = match(frames, distance_m, label)
    aps = {f"{d:g}": average_precision(match(frames, d, label)) for d in AP_DISTANCES_M}
    errors = _errors(frames, match(frames, TP_DISTANCE_M, label))
    return ClassScore(
        name="any" if label is None else CLASSES[label],
        objects=found.objects,
        detections=len(found.hit),
        precision=found.precision,
        recall=found.recall,
        f1=found.f1,
        recall_any=match(frames, distance_m, label, as_any=True).recall,
        ap=aps,
        mean_ap=float(np.mean(list(aps.values()))),
        translation_m=errors[0],
        scale=errors[1],
        yaw_rad=errors[2],
        velocity_mps=errors[3],
        calibration=calibration_error(found),
    )


def average_precision(matches: Matches) -> float:
    """Return nuScenes' AP: precision over recall, the parts below 10 % cut off, normalised."""
    if not matches.objects:
        return float("nan")
    if not len(matches.hit):
        return 0.0
    hits = matches.hit.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    at = np.linspace(0, 1, 101)
    over_recall = np.interp(at, hits / matches.objects, precision, right=0)
    above = np.clip(over_recall[round(100 * LOW) + 1 :] - LOW, 0, None)
    return float(above.mean()) / (1 - LOW)


def reliability(matches: Matches) -> Float64:
    """Return mean score, share of hits and count (B, 3) of each tenth of scores that has any."""
    tenth = np.minimum((matches.scores * BINS).astype(np.int64), BINS - 1)
    rows = [
        [matches.scores[of].mean(), matches.hit[of].mean(), of.sum()]
        for of in (tenth == number for number in range(BINS))
        if of.any()
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def calibration_error(matches: Matches) -> float:
    """Return how far scores are from the share of hits, over tenths; NaN without a detection.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. (3).
    """
    score, hits, count = reliability(matches).T
    return float(np.abs(score - hits) @ count / count.sum()) if len(count) else float("nan")


def average_precision_r40(matches: Matches) -> float:
    """Return KITTI's AP: the best precision at or beyond each of 40 recalls, averaged."""
    if not matches.objects:
        return float("nan")
    hits = matches.hit.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / matches.objects
    best = [precision[recall >= r - 1e-9].max(initial=0.0) for r in np.arange(1, 41) / 40]
    return float(np.mean(best))


def _errors(frames: Sequence[ScoredFrame], matches: Matches) -> Float64:
    """Return the mean translation, scale, yaw and velocity errors of the hits; NaN for none."""
    rows = []
    for k in np.flatnonzero(matches.hit):
        frame = frames[matches.frame[k]]
        a, b = frame.detections, frame.truth
        i, j = matches.detection[k], matches.truth[k]
        smaller = np.minimum(a.sizes_m[i], b.sizes_m[j]).prod()
        union = a.sizes_m[i].prod() + b.sizes_m[j].prod() - smaller
        rows.append(
            [
                np.linalg.norm(a.centers_ego[i, :2] - b.centers_ego[j, :2]),
                1 - smaller / union,
                abs(wrap_angle(a.yaws_rad[i] - b.yaws_rad[j])),
                np.linalg.norm(a.velocities_ego[i] - b.velocities_ego[j]),
            ]
        )
    table = np.array(rows, np.float64).reshape(-1, 4)
    return np.array([_mean_known(column) for column in table.T])


def _mean_known(values: Float64) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _nds(classes: Sequence[ClassScore], mean_ap: float) -> float:
    """Return the nuScenes detection score; an error nobody could measure counts as 1."""
    if not classes:
        return float("nan")
    table = np.array([[c.translation_m, c.scale, c.yaw_rad, c.velocity_mps] for c in classes])
    errors = np.minimum(np.where(np.isfinite(table), table, 1.0).mean(axis=0), 1.0)
    return float((5 * mean_ap + (1 - errors).sum() + 0.0) / 10)
