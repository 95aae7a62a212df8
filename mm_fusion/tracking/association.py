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

"""Which detection belongs to which track: gated, optimal assignment.

Only pairs within reach of each other are looked at, so that the cost grows with their number and
not with tracks times detections. Axis letters: T tracks, D detections, P pairs.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mm_fusion.records import Float64, Int64

REFUSED = 1e6  # cost of a pair outside the gate; larger than any sum of gated costs
SMALLEST_M = 0.2  # sizes below this say nothing
NOBODY = np.zeros(0, np.int64)


def associate(
    predicted: Float64,
    covariances: Float64,
    measured: Float64,
    noises: Float64,
    gate: float,
    *,
    reach_m: float | Float64 = np.inf,
    sizes_m: tuple[Float64, Float64] | None = None,
    size_cost: float = 0.0,
) -> tuple[Int64, Int64]:
    """Pair tracks with detections by squared Mahalanobis distance of the position.

    Args:
        predicted: (T, 2) m.
        covariances: (T, 2, 2) m^2, of the predicted.
        measured: (D, 2) m.
        noises: (D, 2, 2) m^2, of the measured.
        gate: largest squared distance of a pair; chi-square with two degrees of freedom.
        reach_m: largest distance of a pair, () or (T,), however uncertain either is.
        sizes_m: (T, 3) of the tracks and (D, 3) of the detections.
        size_cost: what each e-fold between two sizes adds to the squared distance.

    Returns:
        rows of tracks and of detections, paired, each (P,).
    """
    if not len(predicted) or not len(measured):
        return NOBODY, NOBODY
    widest_m = np.sqrt(gate * (_largest_variance(covariances) + _largest_variance(noises).max()))
    tracks, detections = _within(np.minimum(widest_m, reach_m), predicted, measured)
    spread = covariances[tracks] + noises[detections]  # (P, 2, 2)
    x, y = (measured[detections] - predicted[tracks]).T
    determinant = spread[:, 0, 0] * spread[:, 1, 1] - spread[:, 0, 1] ** 2
    distance = (
        spread[:, 1, 1] * x**2 - 2 * spread[:, 0, 1] * x * y + spread[:, 0, 0] * y**2
    ) / determinant
    # the determinant keeps a vague track from winning over a sharp one at the same distance
    cost = distance + np.log(np.maximum(determinant, 1e-9))
    if sizes_m is not None:
        ours, theirs = (np.log(np.maximum(sizes, SMALLEST_M)) for sizes in sizes_m)
        cost += size_cost * np.abs(ours[tracks] - theirs[detections]).sum(axis=1)
    gated = distance <= gate
    return _assigned(tracks[gated], detections[gated], cost[gated])


def _within(reach_m: Float64, predicted: Float64, measured: Float64) -> tuple[Int64, Int64]:
    """Return all pairs (P,) of tracks and detections that are no farther apart than (T,) m."""
    near = cKDTree(measured).query_ball_point(predicted, reach_m, return_sorted=False)
    counts = np.fromiter(map(len, near), np.int64, len(near))
    if not counts.any():
        return NOBODY, NOBODY
    detections = np.concatenate([np.asarray(rows, np.int64) for rows in near])
    return np.repeat(np.arange(len(predicted)), counts), detections


def _largest_variance(covariances: Float64) -> Float64:
    """Return the largest eigenvalue (T,) of each (T, 2, 2)."""
    middle = (covariances[:, 0, 0] + covariances[:, 1, 1]) / 2
    half = (covariances[:, 0, 0] - covariances[:, 1, 1]) / 2
    return np.asarray(middle + np.hypot(half, covariances[:, 0, 1]))


def _assigned(tracks: Int64, detections: Int64, cost: Float64) -> tuple[Int64, Int64]:
    """Choose as many pairs as there can be, of the least cost; islands of pairs one by one."""
    if not len(tracks):
        return NOBODY, NOBODY
    own, track = np.unique(tracks, return_inverse=True)
    seen, detection = np.unique(detections, return_inverse=True)
    count = len(own) + len(seen)
    links = coo_matrix((np.ones(len(track)), (track, detection + len(own))), (count, count))
    _, island = connected_components(links, directed=False)
    order = np.argsort(island[track], kind="stable")
    starts = np.flatnonzero(np.diff(island[track][order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    alone = order[starts[sizes == 1]]
    chosen = [alone]
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        chosen.append(_of_island(order[start : start + size], track, detection, cost))
    rows = np.concatenate(chosen)
    return own[track[rows]], seen[detection[rows]]


def _of_island(pairs: Int64, track: Int64, detection: Int64, cost: Float64) -> Int64:
    """Return the pairs chosen among those (P,) of one island."""
    own, row = np.unique(track[pairs], return_inverse=True)
    seen, column = np.unique(detection[pairs], return_inverse=True)
    table = np.full((len(own), len(seen)), REFUSED)
    which = np.full((len(own), len(seen)), -1)
    table[row, column], which[row, column] = cost[pairs], pairs
    chosen = which[linear_sum_assignment(table)]
    return np.asarray(chosen[chosen >= 0], np.int64)
