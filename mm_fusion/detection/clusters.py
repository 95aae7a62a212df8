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

"""Which points belong together: cells of the ground plan, linked over gaps that grow with range.

Axis letters: N points, C cells, K clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mm_fusion.config import GeometricConfig
from mm_fusion.records import Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Points sorted by cluster: cluster k holds rows start[k] to start[k + 1]."""

    points: Float64  # (N, 3) m
    start: Int64  # (K + 1,)

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def counts(self) -> Int64:
        """Points in each cluster (K,)."""
        return np.diff(self.start)

    def spread(self, values: Float64) -> Float64:
        """Repeat one value per cluster (K, ...) for each of its points (N, ...)."""
        return np.repeat(values, self.counts, axis=0)


def cluster(points: Float32, config: GeometricConfig) -> Clusters:
    """Group points (N, 3) by their ground plan; small groups are left out.

    Cells of `voxel_m` are linked when their centres are closer than `link_m`, which grows by
    `link_growth` with range because beams diverge.
    """
    if not len(points):
        return Clusters(points=np.zeros((0, 3)), start=np.zeros(1, np.int64))
    index = np.floor(points[:, :2] / config.voxel_m).astype(np.int64)
    lowest = index.min(axis=0)
    width = int(index[:, 1].max() - lowest[1]) + 1
    key = (index[:, 0] - lowest[0]) * width + index[:, 1] - lowest[1]
    occupied = np.flatnonzero(np.bincount(key))
    place = np.zeros(int(occupied[-1]) + 1, np.int64)  # key -> row of its cell
    place[occupied] = np.arange(len(occupied))
    cells = np.column_stack(np.divmod(occupied, width)) + lowest + 0.5
    label = _linked(cells * config.voxel_m, config)[place[key]]
    kept = _kept(points, label, config)
    label = kept[label]
    points, label = points[label >= 0], label[label >= 0]
    order = np.argsort(label, kind="stable")
    sizes = np.bincount(label, minlength=int(kept.max(initial=-1)) + 1)
    return Clusters(
        points=points[order].astype(np.float64),
        start=np.concatenate([[0], sizes.cumsum()]).astype(np.int64),
    )


def _kept(points: Float32, label: Int64, config: GeometricConfig) -> Int64:
    """Number the clusters that are neither too small nor too long; -1 for the others."""
    sizes = np.bincount(label)
    kept = sizes >= config.min_points
    for axis in (0, 1):
        low = np.full(len(sizes), np.inf, np.float32)
        high = np.full(len(sizes), -np.inf, np.float32)
        np.minimum.at(low, label, points[:, axis])
        np.maximum.at(high, label, points[:, axis])
        kept &= high - low <= config.max_extent_m
    return np.where(kept, kept.cumsum() - 1, -1)


def _linked(cells: Float64, config: GeometricConfig) -> Int64:
    """Return the component of each cell (C,)."""
    reach = config.link_m + config.link_growth * np.hypot(cells[:, 0], cells[:, 1])
    pairs = cKDTree(cells).query_pairs(float(reach.max()), output_type="ndarray")
    gap = np.linalg.norm(cells[pairs[:, 0]] - cells[pairs[:, 1]], axis=1)
    pairs = pairs[gap <= np.minimum(reach[pairs[:, 0]], reach[pairs[:, 1]])]
    links = coo_matrix(
        (np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(len(cells),) * 2
    )
    return np.asarray(connected_components(links, directed=False)[1], np.int64)
