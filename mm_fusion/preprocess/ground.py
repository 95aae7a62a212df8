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

"""Where the ground is, on slopes and under traffic.

A plane is fitted robustly to the lowest points near the vehicle; what remains is followed cell by
cell by a morphological opening, wider than a vehicle, so that vehicles do not count as ground.
Source of the opening: Zhang et al., "A progressive morphological filter for removing nonground
measurements from airborne LIDAR data", IEEE TGRS 41(4), 2003.

Axis letters: N points, X, Y cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mm_fusion.config import GeometricConfig
from mm_fusion.records import Bool, Float32, Float64, Int64

NEAR_M = 30.0  # the plane is fitted to what lies closer than this
OPENING_M = 7.0  # wider than a car is long, so that a car does not lift the ground
SMOOTHING_M = 2.0
BELOW_M = 1.0  # points this far below the plane are reflections, not ground
ROUNDS = 12  # of reweighting the plane
SAMPLE = 20_000  # points are enough to know the highest beam
SIGHT_M = 5.0  # nearer points are seen from more than one place: tell no beam's slope
MIN_CELLS = 6  # fewer cells carry no plane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """The height of the ground in the vehicle's frame."""

    plane: Float64  # (3,) a, b, c of z = a x + b y + c
    rise: Float32  # (X, Y) m above the plane, per cell
    cell_m: float
    range_m: float

    def height(self, xy: Float64 | Float32) -> Float64:
        """Return the height of the ground (N,) m below or above points (N, 2)."""
        flat, inside = _cells(xy, self.range_m, self.cell_m, len(self.rise))
        rise = np.where(inside, self.rise.ravel()[flat], 0.0)
        return self._level(xy) + rise

    def above_plane(self, points: Float64 | Float32) -> Float64:
        """Return how far points (N, 3) m are above the plane alone, (N,) m."""
        return np.asarray(points[:, 2] - self._level(points))

    def highest_sight(self, points: Float32, viewpoint: Float64) -> tuple[float, float]:
        """Return the line of the highest beam: m above the plane at no range, rise over run.

        Args:
            points: (N, 3) m, all that was seen.
            viewpoint: (3,) m, from where.
        """
        start = float(self.above_plane(viewpoint[None])[0])
        points = points[:: max(1, len(points) // SAMPLE)]
        away = np.hypot(*(points[:, :2] - viewpoint[:2]).T)
        far = away > SIGHT_M
        slopes = (self.above_plane(points[far]) - start) / away[far]
        return start, float(slopes.max(initial=0.0))

    def _level(self, xy: Float64 | Float32) -> Float64:
        a, b, c = self.plane
        return np.asarray(xy[:, 0] * a + xy[:, 1] * b + c)


def find_ground(points_ego: Float32, config: GeometricConfig) -> Ground:
    """Estimate the ground from points (N, 3) of the vehicle's frame; without points it is z = 0."""
    cell_m, range_m = config.ground_cell_m, config.range_m
    count = int(np.ceil(2 * range_m / cell_m))
    if not len(points_ego):
        empty = np.zeros((count, count), np.float32)
        return Ground(plane=np.zeros(3), rise=empty, cell_m=cell_m, range_m=range_m)
    flat, inside = _cells(points_ego, range_m, cell_m, count)
    x, y, z = points_ego.compress(inside, axis=0).T
    flat = flat[inside]
    plane = _plane(_lowest(flat, z, count), config)
    a, b, c = plane.astype(np.float32)
    residual = z - (x * a + y * b + c)
    solid = residual > -BELOW_M - config.ground_bend * np.hypot(x, y)
    rise = _followed(_lowest(flat[solid], residual[solid], count), config)
    return Ground(plane=plane, rise=rise, cell_m=cell_m, range_m=range_m)


def _lowest(flat: Int64, height: Float32, count: int) -> Float32:
    """Return the lowest height in each cell (X, Y); inf where there is none."""
    lowest = np.full(count * count, np.inf, np.float32)
    np.minimum.at(lowest, flat, height)
    return lowest.reshape(count, count)


def _centres(count: int, config: GeometricConfig) -> Float64:
    return np.asarray((np.arange(count) + 0.5) * config.ground_cell_m - config.range_m)


def _cells(xy: Float64 | Float32, range_m: float, cell_m: float, count: int) -> tuple[Int64, Bool]:
    """Return the flat index (N,) of the cell of each point, 0 outside, and which are inside."""
    x, y = (np.floor((xy[:, axis] + range_m) / cell_m) for axis in (0, 1))
    inside = (x >= 0) & (x < count) & (y >= 0) & (y < count)
    return np.where(inside, x * count + y, 0).astype(np.int64), inside


def _plane(lowest: Float32, config: GeometricConfig) -> Float64:
    """Fit the plane of the lower envelope by reweighted least squares, started at a low quantile.

    What lies above the plane weighs less (it stands on the ground) than what lies near it.
    """
    centre = _centres(len(lowest), config)
    near = np.isfinite(lowest) & (np.hypot(centre[:, None], centre[None, :]) < NEAR_M)
    low_z = lowest[near].astype(np.float64)
    if len(low_z) < MIN_CELLS:
        known = lowest[np.isfinite(lowest)]
        return np.array([0.0, 0.0, float(np.quantile(known, 0.1)) if len(known) else 0.0])
    rows, columns = np.nonzero(near)
    low_xy = np.column_stack([centre[rows], centre[columns]])
    design = np.column_stack([low_xy, np.ones(len(low_xy))])
    plane = np.array([0.0, 0.0, float(np.quantile(low_z, 0.25))])
    for spread in np.geomspace(1.0, 0.1, ROUNDS):
        error = low_z - design @ plane
        weight = 1 / (1 + (error / spread) ** 2) ** 2
        weight[error > 0] *= 0.5
        weighted = design * weight[:, None]
        stiff = weighted.T @ design + np.diag([1.0, 1.0, 1e-9]) * 1e-3 * len(low_z)
        plane = np.linalg.solve(stiff, weighted.T @ low_z)
        steep = float(np.hypot(*plane[:2]))
        if steep > config.ground_slope:
            plane[:2] *= config.ground_slope / steep
    return plane


def _followed(lowest: Float32, config: GeometricConfig) -> Float32:
    """Follow the lowest residuals (X, Y), inf where there is none, over the plane."""
    window = max(3, round(OPENING_M / config.ground_cell_m) | 1)
    known = np.isfinite(lowest)
    eroded = ndimage.minimum_filter(lowest, window, mode="nearest")
    eroded[~np.isfinite(eroded)] = -np.inf
    opened = ndimage.maximum_filter(eroded, window, mode="nearest")
    opened[~np.isfinite(opened)] = 0.0
    opened = np.minimum(opened, np.where(known, lowest, np.inf))
    centre = _centres(len(lowest), config)
    distance = np.hypot(centre[:, None], centre[None, :])
    limit = config.ground_bend * distance + config.ground_margin_m
    trusted = known & (np.abs(opened) <= limit)
    sigma = SMOOTHING_M / config.ground_cell_m
    weight = ndimage.gaussian_filter(trusted.astype(np.float32), sigma)
    value = ndimage.gaussian_filter(np.where(trusted, opened, 0.0).astype(np.float32), sigma)
    return np.asarray(value / np.maximum(weight, 0.02), np.float32)
