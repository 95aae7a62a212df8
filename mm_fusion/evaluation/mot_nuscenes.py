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

"""The averages of nuScenes' tracking task over recall: AMOTA and AMOTP.

Source: the definitions of nuScenes' tracking challenge and its public evaluation. Its customs: a
track counts with its mean score; recall is asked for from 0.1 on in 40 steps, and what is out of
reach scores worst; MOTA and MOTAR are kept above zero. Nothing is interpolated through gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.mot_distance import PlacedCase
from mm_fusion.evaluation.mot_following import Following, TrackCounts, count, follow
from mm_fusion.records import Float64

RECALLS = np.linspace(0.1, 1.0, 40).round(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class NuscenesScore:
    """Means over recall, and the counts at the threshold of the best MOTA; NaN without a label."""

    amota: float
    amotp_m: float
    threshold: float  # mean score of a track from which it counts; -inf: all do
    best: TrackCounts


def nuscenes_score(placed: PlacedCase) -> NuscenesScore:
    """Score a case over all recalls."""
    everything = follow(placed)
    labels = len(everything.trajectory)
    if not labels:
        counts = count(placed, everything)
        return NuscenesScore(amota=np.nan, amotp_m=np.nan, threshold=-np.inf, best=counts)
    thresholds = _thresholds(placed, everything)
    reached = np.unique(thresholds[np.isfinite(thresholds)])
    known = {float(t): count(placed, follow(placed, float(t))) for t in reached}
    motar, motp = np.zeros(len(thresholds)), np.full(len(thresholds), placed.distance_m)
    for index, threshold in enumerate(thresholds.tolist()):
        if threshold in known:
            motar[index] = np.nan_to_num(known[threshold].motar, nan=0.0)
            motp[index] = np.nan_to_num(known[threshold].motp_m, nan=placed.distance_m)
    best = max(known, key=lambda threshold: known[threshold].mota, default=-np.inf)
    return NuscenesScore(
        amota=float(motar.mean()),
        amotp_m=float(motp.mean()),
        threshold=best,
        best=known.get(best) or count(placed, everything),
    )


def _thresholds(placed: PlacedCase, everything: Following) -> Float64:
    """Return the scores at which each of RECALLS is reached (40,); NaN where it is not."""
    matched = everything.met & ~everything.switched
    scores = np.sort(placed.case.scores[everything.track[matched]])[::-1]
    if not len(scores):
        return np.full(len(RECALLS), np.nan)
    recalls = np.arange(1, len(scores) + 1) / len(everything.trajectory)
    return np.where(recalls[-1] < RECALLS, np.nan, np.interp(RECALLS, recalls, scores))
