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

"""A spinning LiDAR in the street: every column of beams at its own instant.

A beam returns where enough of its light does: the power falls with the square of the range, with
the reflectivity and with the cosine of incidence (Lambert).
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import Float64, Int64, LidarScan
from mm_fusion.simulation.materials import Material, is_line, is_window, laser_reflectivity
from mm_fusion.simulation.rig import LidarModel
from mm_fusion.simulation.world import Hits, World

SECTORS = 8  # parts of a revolution; within one the street's movers stand still
DETECTED = 0.1  # reflectivity times cosine that is just seen at `LidarModel.range_m`
FADING = 0.25  # standard deviation of a return's power, relative
NEAREST_M = 0.8


class Lidar:
    """Scans; stamped when it looks forward, in the middle of its revolution from rear to rear."""

    def __init__(self, model: LidarModel) -> None:
        self._model = model
        azimuth = np.pi * (1 - 2 * (np.arange(model.columns) + 0.5) / model.columns)  # clockwise
        elevation = np.linspace(model.highest_rad, model.lowest_rad, model.beams)
        across = np.cos(elevation)
        self._directions = np.stack(  # (columns, beams, 3) in the frame of the sensor
            [
                np.cos(azimuth)[:, None] * across,
                np.sin(azimuth)[:, None] * across,
                np.tile(np.sin(elevation), (model.columns, 1)),
            ],
            axis=-1,
        )
        self._offsets_s = model.period_s * ((np.arange(model.columns) + 0.5) / model.columns - 0.5)

    def scan(
        self, world: World, time_s: float, stamp_ns: int, rng: np.random.Generator
    ) -> LidarScan:
        """Measure one revolution about `time_s` of the drive."""
        columns = np.arange(self._model.columns)
        parts = [
            self._sector(world, time_s, sector, rng) for sector in np.array_split(columns, SECTORS)
        ]
        points, intensity, offset_s, ring = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        return LidarScan(
            stamp_ns=stamp_ns,
            points_lidar=points.astype(np.float32),
            intensity=intensity.astype(np.float32),
            offset_s=offset_s.astype(np.float32),
            ring=ring.astype(np.uint16),
        )

    def _sector(
        self, world: World, time_s: float, columns: Int64, rng: np.random.Generator
    ) -> tuple[Float64, Float64, Float64, Int64]:
        """Cast some columns; returns points, intensity, time offset and ring of what returned."""
        model, offsets_s = self._model, self._offsets_s[columns]
        street_from_lidar = world.street.ego.poses(time_s + offsets_s) @ model.ego_from_lidar
        directions = self._directions[columns]  # (C, beams, 3)
        in_street = np.einsum("cij,cbj->cbi", street_from_lidar[:, :3, :3], directions)
        origins = np.repeat(street_from_lidar[:, :3, 3], model.beams, axis=0)
        moment = world.at(time_s + float(offsets_s.mean()), origins[0])
        hits = moment.cast(origins, in_street.reshape(-1, 3))
        range_m, intensity = self._returns(world, hits, origins, in_street.reshape(-1, 3), rng)
        back = np.isfinite(range_m)
        points = directions.reshape(-1, 3)[back] * range_m[back, None]
        ring = np.tile(np.arange(model.beams), len(columns))[back]
        return points, intensity[back], np.repeat(offsets_s, model.beams)[back], ring

    def _returns(
        self,
        world: World,
        hits: Hits,
        origins: Float64,
        directions: Float64,
        rng: np.random.Generator,
    ) -> tuple[Float64, Float64]:
        """Return range and intensity of each beam; an infinite range where nothing came back."""
        model = self._model
        met = hits.met
        range_m = np.where(met, hits.range_m, 0.0).astype(np.float64)
        points = (origins + directions * range_m[:, None]).astype(np.float32)
        reflectivity = laser_reflectivity(
            hits.materials,
            hits.colors,
            is_window(points, hits.normals, hits.materials),
            is_line(points, hits.materials, world.street.crossings_m),
        )
        cosine = np.abs(np.einsum("nc,nc->n", hits.normals, directions))
        intensity = np.clip(reflectivity * cosine, 0.0, 1.0)
        power = intensity * np.clip(rng.normal(1.0, FADING, len(met)), 0.1, None)
        needed = DETECTED * (range_m / model.range_m) ** 2
        seen = met & (power > needed) & (range_m > NEAREST_M)
        seen &= (hits.materials != Material.GLASS) | (
            rng.random(len(met)) < cosine
        )  # mirrored away
        noisy = range_m + rng.normal(0.0, model.range_std_m, len(met))
        stray = rng.random(len(met)) < model.stray_share
        nearer = rng.uniform(NEAREST_M, np.maximum(np.where(met, range_m, model.range_m), 1.0))
        noisy = np.where(stray, nearer, np.where(seen, noisy, np.inf))
        return noisy, np.where(stray, 0.02, intensity)
