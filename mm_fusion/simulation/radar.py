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

"""A radar in the street: cells of range, azimuth and range rate that return enough become points.

The power falls with the fourth power of the range. What a cell holds is summed from rays, each
standing for the surface it covers. Axis letters: N rays, M returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.records import Float64, RadarScan
from mm_fusion.simulation.materials import RADAR
from mm_fusion.simulation.rig import RadarModel
from mm_fusion.simulation.world import SCENERY, World

STEP_RAD = np.radians(0.5)  # between two rays
SPECKLE = 0.5  # of a cell's cross section, as the standard deviation of its logarithm
NEAREST_M = 1.0
CLUTTER_RATE_MPS = 15.0  # false returns have any range rate up to this
CLUTTER_DBSM = (-5.0, 4.0)  # mean and standard deviation of their strength


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Echoes:
    """What comes back: of each ray, or of each cell."""

    spherical: Float64  # (M, 3) range m, azimuth rad, elevation rad
    range_rate_mps: Float64  # (M,)
    section_m2: Float64  # (M,) radar cross section


class Radar:
    """Sweeps; every return of a sweep is of one instant."""

    def __init__(self, model: RadarModel) -> None:
        self._model = model
        azimuth = np.arange(-model.azimuth_rad, model.azimuth_rad + 1e-9, STEP_RAD)
        elevation = np.arange(-model.elevation_rad, model.elevation_rad + 1e-9, STEP_RAD)
        self._angles = np.stack(np.meshgrid(azimuth, elevation, indexing="ij"), -1).reshape(-1, 2)
        self._rays_radar = directions(self._angles)  # (N, 3)

    def scan(
        self, world: World, time_s: float, stamp_ns: int, rng: np.random.Generator
    ) -> RadarScan:
        """Measure one sweep at `time_s` of the drive."""
        echoes = self._seen(self._cells(self.cast(world, time_s)), rng)
        echoes = _joined(echoes, self._clutter(rng))
        points_radar = echoes.spherical[:, :1] * directions(echoes.spherical[:, 1:])
        return RadarScan(
            stamp_ns=stamp_ns,
            points_radar=points_radar.astype(np.float32),
            range_rate_mps=echoes.range_rate_mps.astype(np.float32),
            rcs_dbsm=(10 * np.log10(echoes.section_m2)).astype(np.float32),
        )

    def cast(self, world: World, time_s: float) -> Echoes:
        """Cast every ray; returns the exact echoes of those that met something in reach."""
        ego = world.street.ego
        street_from_radar = ego.pose(time_s) @ self._model.ego_from_radar
        origin = street_from_radar[:3, 3]
        rays = self._rays_radar @ street_from_radar[:3, :3].T
        hits = world.at(time_s, origin).cast(origin, rays)
        met = np.flatnonzero((hits.range_m > NEAREST_M) & (hits.range_m < self._model.range_m))
        rays, actors = rays[met], hits.actors[met]
        range_m = hits.range_m[met].astype(np.float64)
        points = origin + rays * range_m[:, None]
        velocities = np.tile(-ego.point_velocities(origin[None], time_s), (len(met), 1))
        for index in np.unique(actors[actors != SCENERY]):
            rows = actors == index
            path = world.street.actors[index].path
            velocities[rows] += path.point_velocities(points[rows], time_s)
        covered_m2 = (range_m * STEP_RAD) ** 2  # of the sphere about the radar
        cosine = np.abs(np.einsum("nc,nc->n", hits.normals[met], rays))
        return Echoes(
            spherical=np.column_stack([range_m, self._angles[met]]),
            range_rate_mps=np.einsum("nc,nc->n", velocities, rays),
            section_m2=RADAR[hits.materials[met]] * covered_m2 * cosine,
        )

    def _cells(self, rays: Echoes) -> Echoes:
        """Sum the rays of each cell; a cell's return lies where its strength does."""
        model = self._model
        columns = np.column_stack([rays.spherical, rays.range_rate_mps])
        sizes = np.array([model.range_cell_m, model.azimuth_cell_rad, np.inf, model.rate_cell_mps])
        keys = np.floor(columns / sizes).astype(np.int64)
        _, cell = np.unique(keys[:, [0, 1, 3]], axis=0, return_inverse=True)
        cell = cell.reshape(-1)
        total = np.bincount(cell, rays.section_m2).astype(np.float64)
        strong = total > 0
        sums = np.stack([np.bincount(cell, rays.section_m2 * c) for c in columns.T], axis=1)
        mean = sums[strong] / total[strong, None]
        return Echoes(spherical=mean[:, :3], range_rate_mps=mean[:, 3], section_m2=total[strong])

    def _seen(self, cells: Echoes, rng: np.random.Generator) -> Echoes:
        """Keep what is strong enough, as the radar measures it."""
        model, count = self._model, len(cells.section_m2)
        section = cells.section_m2 * np.exp(rng.normal(0.0, SPECKLE, count))
        weakest = 10 ** (model.weakest_dbsm / 10) * (cells.spherical[:, 0] / model.range_m) ** 4
        weakest = np.maximum(weakest, 10 ** (model.floor_dbsm / 10))
        stds = (model.range_std_m, model.azimuth_std_rad, model.elevation_std_rad)
        spherical = cells.spherical + rng.normal(0.0, 1.0, (count, 3)) * np.array(stds)
        rates = cells.range_rate_mps + rng.normal(0.0, model.rate_std_mps, count)
        seen = section > weakest
        return Echoes(
            spherical=spherical[seen], range_rate_mps=rates[seen], section_m2=section[seen]
        )

    def _clutter(self, rng: np.random.Generator) -> Echoes:
        model = self._model
        count = int(rng.poisson(model.clutter))
        dbsm = rng.normal(*CLUTTER_DBSM, count)
        low = np.array([2.0, -model.azimuth_rad, -model.elevation_rad])
        high = np.array([model.range_m, model.azimuth_rad, model.elevation_rad])
        return Echoes(
            spherical=rng.uniform(low, high, (count, 3)),
            range_rate_mps=rng.uniform(-CLUTTER_RATE_MPS, CLUTTER_RATE_MPS, count),
            section_m2=np.asarray(10 ** (dbsm / 10), np.float64),
        )


def directions(angles_rad: Float64) -> Float64:
    """Return unit vectors (N, 3) for azimuths and elevations (N, 2)."""
    azimuth, elevation = angles_rad.T
    across = np.cos(elevation)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), np.sin(elevation)], axis=1)


def _joined(one: Echoes, other: Echoes) -> Echoes:
    return Echoes(
        spherical=np.concatenate([one.spherical, other.spherical]),
        range_rate_mps=np.concatenate([one.range_rate_mps, other.range_rate_mps]),
        section_m2=np.concatenate([one.section_m2, other.section_m2]),
    )
