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

"""Which detection belongs to which track: gated, optimal assignment."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from mm_fusion.records import Float64, Int64

REFUSED = 1e6  # cost of a pair outside the gate; larger than any sum of gated costs


def associate(
    predicted: Float64,
    covariances: Float64,
    measured: Float64,
    noises: Float64,
    gate: float,
    extra: Float64 | float = 0.0,
) -> tuple[Int64, Int64]:
    """Pair tracks with detections by squared Mahalanobis distance of the position.

    Args:
        predicted: (T, 2) m.
        covariances: (T, 2, 2) m^2, of the predicted.
        measured: (D, 2) m.
        noises: (D, 2, 2) m^2, of the measured.
        gate: largest squared distance of a pair; chi-square with two degrees of freedom.
        extra: (T, D), what else speaks against a pair, in squared distances.

    Returns:
        rows of tracks and of detections, paired, each (P,).
    """
    if not len(predicted) or not len(measured):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    difference = measured[None] - predicted[:, None]  # (T, D, 2)
    spread = covariances[:, None] + noises[None]  # (T, D, 2, 2)
    determinant = spread[..., 0, 0] * spread[..., 1, 1] - spread[..., 0, 1] ** 2
    x, y = difference[..., 0], difference[..., 1]
    distance = (
        spread[..., 1, 1] * x**2 - 2 * spread[..., 0, 1] * x * y + spread[..., 0, 0] * y**2
    ) / determinant
    # the determinant keeps a vague track from winning over a sharp one at the same distance
    cost = distance + np.log(np.maximum(determinant, 1e-9)) + extra
    cost = np.where(distance <= gate, cost, REFUSED)
    tracks, detections = linear_sum_assignment(cost)
    paired = distance[tracks, detections] <= gate
    return tracks[paired], detections[paired]
