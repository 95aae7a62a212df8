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

"""The bird's-eye grid: square cells of the ground, x forward first, then y to the left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.errors import ConfigError
from mm_fusion.records import Bool, Float32, Float64, Int64

ROUNDING = 1e-6  # of a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class BevGrid:
    """Extent and cell of one grid, in ego; a cell holds its lower edges and not its upper ones."""

    x_min_m: float
    x_max_m: float
    y_min_m: float
    y_max_m: float
    cell_m: float

    def __post_init__(self) -> None:
        if not self.cell_m > 0:
            raise ConfigError(f"grid: a cell of {self.cell_m:g} m cannot be; it must be above 0")
        for axis, low_m, high_m in (
            ("x", self.x_min_m, self.x_max_m),
            ("y", self.y_min_m, self.y_max_m),
        ):
            cells = (high_m - low_m) / self.cell_m
            if not cells >= 1 - ROUNDING or abs(cells - round(cells)) > ROUNDING * max(cells, 1):
                raise ConfigError(
                    f"grid: {axis} from {low_m:g} to {high_m:g} m is {cells:g} cells of "
                    f"{self.cell_m:g} m; it must be a whole number of them"
                )

    @property
    def shape(self) -> tuple[int, int]:
        """How many cells there are along x and along y."""
        return (
            round((self.x_max_m - self.x_min_m) / self.cell_m),
            round((self.y_max_m - self.y_min_m) / self.cell_m),
        )

    def cells(self, points_ego: Float64 | Float32) -> tuple[Int64, Bool]:
        """Return the cell of each point and whether the grid holds it.

        Args:
            points_ego: (N, 2 or more) m

        Returns:
            (N, 2) index along x and y, 0 outside; (N,) inside
        """
        corner = np.array([self.x_min_m, self.y_min_m])
        place = np.floor((np.asarray(points_ego, np.float64)[:, :2] - corner) / self.cell_m)
        inside = ((place >= 0) & (place < self.shape)).all(axis=1)  # False for NaN
        return np.where(inside[:, None], place, 0).astype(np.int64), np.asarray(inside)

    def centers(self) -> Float64:
        """Return the centre (X, Y, 2) of every cell, m."""
        x = self.x_min_m + (np.arange(self.shape[0]) + 0.5) * self.cell_m
        y = self.y_min_m + (np.arange(self.shape[1]) + 0.5) * self.cell_m
        return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)

    def coarser(self, factor: int) -> BevGrid:
        """Return the same extent in cells so many times as long.

        Raises:
            ConfigError: the extent is not a whole number of such cells.
        """
        return BevGrid(
            x_min_m=self.x_min_m,
            x_max_m=self.x_max_m,
            y_min_m=self.y_min_m,
            y_max_m=self.y_max_m,
            cell_m=self.cell_m * factor,
        )
