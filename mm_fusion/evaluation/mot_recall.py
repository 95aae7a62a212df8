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

"""Scores of tracking averaged over recall: sAMOTA, AMOTA, AMOTP.

Source: Weng, Wang, Held and Kitani, "3D Multi-Object Tracking: A Baseline and New Evaluation
Metrics", IROS 2020, and its public evaluation: a recall nobody reaches adds nothing to
the sums, which are over 40 all the same, and AMOTA is not kept above zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.mot_counts import Counter, Counts
from mm_fusion.evaluation.mot_kitti import TrackingCase
from mm_fusion.records import Float64

RECALLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallScore:
    """The averages over recall, and what the best threshold gives; NaN without a label."""

    samota: float
    amota: float
    amotp: float
    threshold: float  # of the best MOTA; -inf where none is above 0: every track
    best: Counts


def recall_score(case: TrackingCase, iou: float) -> RecallScore:
    """Score a case whose results must overlap their labels by at least `iou`."""
    counter = Counter(case, iou)
    everything = counter.count(-np.inf)
    points = recall_points(counter.hit_scores(), everything.hits + everything.misses)
    counts = [counter.count(threshold) for threshold, _ in points]
    thresholds, recalls = zip(*points, strict=True) if points else ((), ())
    scaled = [scaled_mota(c, recall) for c, recall in zip(counts, recalls, strict=True)]
    found = zip(counts, thresholds, strict=True)
    best, threshold = max(found, key=lambda pair: pair[0].mota, default=(everything, -np.inf))
    if not best.mota > 0:
        best, threshold = everything, -np.inf
    some = 1.0 if everything.labels else float("nan")
    return RecallScore(
        samota=some * sum(scaled) / RECALLS,
        amota=some * sum(c.mota for c in counts) / RECALLS,
        amotp=some * sum(c.motp for c in counts) / RECALLS,
        threshold=float(threshold),
        best=best,
    )


def scaled_mota(counts: Counts, recall: float) -> float:
    """Return sMOTA: MOTA against the best that this recall allows, within 0 and 1."""
    errors = counts.misses + counts.false_alarms + counts.switches
    most = recall * counts.labels
    if not most:
        return float("nan")
    return float(np.clip(1 - (errors - (1 - recall) * counts.labels) / most, 0.0, 1.0))


def recall_points(hit_scores: Float64, labels: int) -> list[tuple[float, float]]:
    """Return the scores at which recall comes nearest to 1/40, 2/40, ..., and those recalls.

    The lowest score serves the first recall that is out of reach. There are fewer points than 40
    where there are few labels, however good the tracks.

    Args:
        hit_scores: (P,) a hit each.
        labels: all that a recall of 1 would find.
    """
    ranked = np.sort(hit_scores)[::-1].tolist()
    points: list[tuple[float, float]] = []
    wanted = 0.0
    for rank, score in enumerate(ranked, start=1):
        nearer_next = (rank + 1) / labels - wanted < wanted - rank / labels
        if rank < len(ranked) and nearer_next:
            continue
        points.append((score, wanted))
        wanted += 1 / RECALLS
    return points[1:]  # a recall of 0 says nothing
