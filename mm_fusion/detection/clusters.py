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

Points that share a cell are one: what follows works on the cells, so that a wall next to the
vehicle costs no more than one far away, and weighs no more.

Axis letters: N points, C cells, K clusters, L coarse cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mm_fusion.config import GeometricConfig
from mm_fusion.records import Bool, Float32, Float64, Int64

Values = TypeVar("Values", Float32, Float64)

OVERHEAD_M = 2.0  # a cell with nothing below this is a branch or a sign that one passes under
FINER = 2  # cells along the edge of a clustering cell
SPLIT_LENGTH_M = 6.5  # a cluster longer than this is linked again, more closely
TIGHT = 1.5  # cells apart at most when linked closely: touching ones, corners included


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Cells sorted by cluster: cluster k holds rows start[k] to start[k + 1]."""

    xy: Float64  # (C, 2) m, mean of the points of each cell
    low: Float64  # (C,) m above the ground, of the lowest point
    high: Float64  # (C,) m above the ground, of the highest
    points: Int64  # (C,) how many
    start: Int64  # (K + 1,)
    whole: Bool  # (K,) False for a part of something larger

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def cells(self) -> Int64:
        """Cells in each cluster (K,)."""
        return np.diff(self.start)

    @property
    def owner(self) -> Int64:
        """The cluster of each cell (C,)."""
        return np.repeat(np.arange(len(self)), self.cells)

    def least(self, values: Values) -> Values:
        """Return the least of the cells' values (C, ...) in each cluster (K, ...)."""
        return _reduced(np.minimum, values, self.start)

    def greatest(self, values: Values) -> Values:
        """Return the greatest of the cells' values (C, ...) in each cluster (K, ...)."""
        return _reduced(np.maximum, values, self.start)

    def total(self, values: Values) -> Values:
        """Return the sum of the cells' values (C, ...) in each cluster (K, ...)."""
        return _reduced(np.add, values, self.start)

    def chosen(self, rows: Bool) -> Clusters:
        """Keep only the clusters that `rows` (K,) says."""
        counts = self.cells
        return self.regrouped(np.repeat(rows, counts), counts[rows], self.whole[rows])

    def regrouped(self, rows: Int64 | Bool, counts: Int64, whole: Bool) -> Clusters:
        """Select cells (C,) that make clusters of so many each (K,)."""
        return Clusters(
            xy=self.xy[rows],
            low=self.low[rows],
            high=self.high[rows],
            points=self.points[rows],
            start=np.concatenate([[0], counts.cumsum()]).astype(np.int64),
            whole=whole,
        )


def _reduced(how: np.ufunc, values: Values, start: Int64) -> Values:
    if len(start) == 1:
        return values[:0]
    reduced: Values = how.reduceat(values, start[:-1], axis=0)
    return reduced


def cluster(xy: Float32, height: Float32, config: GeometricConfig) -> Clusters:
    """Group points by their ground plan; groups of few points are left out.

    Cells of `voxel_m` are linked when their centres are closer than `link_m`, which grows by
    `link_growth` with range because beams diverge. What is then longer than a vehicle is linked
    once more, only where cells touch: it may be a vehicle beside a hedge.

    Args:
        xy: (N, 2) m.
        height: (N,) m above the ground.
        config: settings of the detector.
    """
    index, cells = _celled(xy, height, config)
    standing = cells.low < OVERHEAD_M
    cells = cells.regrouped(standing, np.array([standing.sum()]), cells.whole)
    label, whole = _linked(index[standing], cells.xy, config)
    sizes = np.bincount(label, weights=cells.points)
    kept = np.flatnonzero(sizes >= config.min_points)
    number = np.full(len(sizes), -1)
    number[kept] = np.arange(len(kept))
    label = number[label]
    order = np.argsort(label, kind="stable")
    order = order[int((label < 0).sum()) :]
    counts = np.bincount(label[order], minlength=len(kept))
    return cells.regrouped(order, counts, whole[kept])


def _celled(xy: Float32, height: Float32, config: GeometricConfig) -> tuple[Int64, Clusters]:
    """Gather points into fine cells; returns each cell's index (C, 2) and the cells as one."""
    fine_m = config.voxel_m / FINER
    side = 2 * int(np.ceil(config.range_m / fine_m)) + 2 * FINER
    x, y = (np.floor(a / fine_m).astype(np.int32) + side // 2 for a in xy.T)
    key = x * side + y
    taken = np.zeros(side * side, np.bool_)  # a table is faster than sorting
    taken[key] = True
    occupied = np.flatnonzero(taken)
    row = np.zeros(side * side, np.int32)
    row[occupied] = np.arange(len(occupied))
    row = row[key]
    points = np.bincount(row, minlength=len(occupied))
    low, high = np.full(len(occupied), np.inf), np.full(len(occupied), -np.inf)
    np.minimum.at(low, row, height.astype(np.float64))
    np.maximum.at(high, row, height.astype(np.float64))
    mean = [np.bincount(row, weights=xy[:, a], minlength=len(points)) / points for a in (0, 1)]
    cells = Clusters(
        xy=np.stack(mean, axis=1),
        low=low,
        high=high,
        points=points,
        start=np.array([0, len(points)], np.int64),
        whole=np.ones(1, np.bool_),
    )
    return np.column_stack(np.divmod(occupied, side)), cells


def _linked(index: Int64, xy: Float64, config: GeometricConfig) -> tuple[Int64, Bool]:
    """Return the component of each fine cell (C,), the long ones linked a second time.

    Also tell which components (K,) are as they were linked first.
    """
    grid = _Grid(index // FINER)
    middle = grid.mean(xy)
    reach = config.link_m + config.link_growth * np.hypot(middle[:, 0], middle[:, 1])
    label = grid.components(reach / config.voxel_m)
    extent = _extent(label, middle)
    long = (extent > SPLIT_LENGTH_M)[label]
    if long.any():
        tight = np.where(long, np.minimum(TIGHT, reach / config.voxel_m), 0.0)
        again = grid.components(tight)
        label = np.where(long, again + label.max() + 1, label)
        label = np.unique(label, return_inverse=True)[1].reshape(-1)
    whole = np.ones(int(label.max(initial=-1)) + 1, np.bool_)
    whole[label[long]] = False
    return np.asarray(label[grid.row]), whole


def _extent(label: Int64, xy: Float64) -> Float64:
    """Return the diagonal (K,) of what surrounds each component."""
    count = int(label.max(initial=-1)) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, label, xy)
    np.maximum.at(high, label, xy)
    return np.asarray(np.hypot(*(high - low).T))


class _Grid:
    """Coarse cells (L), found again by their place."""

    def __init__(self, index: Int64) -> None:
        self._side = int(index.max(initial=0)) + 1
        key = index[:, 0] * self._side + index[:, 1]
        self._key, self.row = np.unique(key, return_inverse=True)
        self.row = self.row.reshape(-1)

    def mean(self, values: Float64) -> Float64:
        """Average values (C, 2) over each coarse cell (L, 2)."""
        counts = np.bincount(self.row, minlength=len(self._key))
        sums = [np.bincount(self.row, weights=v, minlength=len(counts)) for v in values.T]
        return np.stack(sums, axis=1) / counts[:, None]

    def components(self, reach: Float64) -> Int64:
        """Link cells no farther apart than either reaches (L,), in cells; returns (L,) labels."""
        far = int(np.ceil(reach.max(initial=0.0)))
        width = self._side + 2 * far + 1
        farthest_first = np.argsort(-reach, kind="stable")
        reach = reach[farthest_first]
        x, y = np.divmod(self._key[farthest_first], self._side)
        key = (x + far) * width + y + far
        place = np.full(width * width, -1, np.int32)
        place[key] = np.arange(len(key))
        pairs = [np.zeros((2, 0), np.int64)]
        for dx, dy in _half_disc(far):
            reaching = int(np.searchsorted(-reach, -np.hypot(dx, dy), side="right"))
            other = place[key[:reaching] + (dx * width + dy)]
            one = np.flatnonzero((other >= 0) & (other < reaching))
            pairs.append(np.stack([one, other[one]]))
        a, b = np.concatenate(pairs, axis=1)
        links = coo_matrix((np.ones(len(a), np.bool_), (a, b)), shape=(len(key),) * 2)
        label = np.empty(len(key), np.int64)
        label[farthest_first] = connected_components(links, directed=False)[1]
        return label


def _half_disc(radius: int) -> Iterator[tuple[int, int]]:
    """Yield each pair of opposite offsets within a radius once."""
    for dx in range(radius + 1):
        for dy in range(-radius if dx else 1, radius + 1):
            if dx * dx + dy * dy <= radius * radius:
                yield dx, dy
