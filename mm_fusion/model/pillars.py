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

"""Points into the bird's-eye map: pillars of any number of points, without padding or a limit.

Sources: Lang et al., "PointPillars", CVPR 2019 (features of a point, the maximum over a pillar);
Zhou et al., "End-to-End Multi-View Fusion for 3D Object Detection in LiDAR Point Clouds", CoRL 2019
(no limit: points are scattered).

Points are sorted by pillar: on a CPU the gradient of a maximum over runs costs less than half of
that of a scattered one, which makes training cheaper; the answer costs the same either way.

Axis letters: B frames, P points of all frames, F columns of a point, Q pillars that hold any, C
channels, X, Y cells, S slices of height.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.inputs import PointInputs

SCALES = {  # a unit of each column, so that all are near 1
    "x": 50.0,
    "y": 50.0,
    "z": 2.0,
    "intensity": 0.5,
    "above_ground": 2.0,
    "radial_speed": 10.0,
    "rcs": 50.0,
    "ray_x": 1.0,
    "ray_y": 1.0,
    "is_radar": 1.0,
}
MANY = 4.0  # log of the points of a full pillar
SLICES = 8
SLICE_M = 0.4  # of height over the ground, from SLICED_FROM_M up
SLICED_FROM_M = -0.4


class PillarEncoder(nn.Module):
    """Describes each point, takes the most of each pillar, and lays the pillars out as a map."""

    units: torch.Tensor

    def __init__(
        self,
        grid: BevGrid,
        columns: Sequence[str],
        channels: int,
        *,
        slices_of: str = "",
        painted: int = 0,
    ) -> None:
        """Make an encoder.

        Args:
            grid: of the pillars.
            columns: names of the points' columns; x, y and z come first.
            channels: of the map.
            slices_of: a column whose occupied heights are told pillar by pillar; empty: none.
            painted: further columns, which an image tells.
        """
        super().__init__()
        self.grid = grid
        self.channels = channels
        self._sliced = columns.index(slices_of) if slices_of else -1
        units = torch.tensor([1 / SCALES[name] for name in columns] + [1.0] * painted)
        self.register_buffer("units", units)
        features = len(units) + 5  # and from the pillar's mean (3) and centre (2)
        # a layer norm knows no batch: an absent sensor or a single point cannot shift it
        self.point = nn.Sequential(nn.Linear(features, channels), nn.LayerNorm(channels), nn.ReLU())
        told = channels + 1 + (SLICES if slices_of else 0)
        self.pillar = nn.Sequential(nn.Linear(told, channels), nn.LayerNorm(channels), nn.ReLU())

    def forward(
        self, inputs: PointInputs, frames: int, grid: BevGrid | None = None
    ) -> torch.Tensor:
        """Return the map (B, C, X, Y) of points; cells without any are zero.

        Args:
            inputs: the points.
            frames: B.
            grid: instead of the encoder's own, of the same cells.
        """
        grid = grid or self.grid
        x_cells, y_cells = grid.shape
        points, pillar, centre = _kept(inputs, grid)
        flat, where, count = torch.unique_consecutive(
            pillar, return_inverse=True, return_counts=True
        )  # (Q,), (P,), (Q,)
        features = self.point(self._features(points, centre, where, count))  # (P, C)
        told = [_most(features, count), (count.float().log() / MANY)[:, None]]
        if self._sliced >= 0:
            told.append(self._occupied(points[:, self._sliced], where, len(flat)))
        pillars = self.pillar(torch.cat(told, dim=1))  # (Q, C)
        bev: torch.Tensor = pillars.new_zeros(frames * x_cells * y_cells, self.channels)
        bev = bev.index_copy(0, flat, pillars)
        return bev.view(frames, x_cells, y_cells, self.channels).permute(0, 3, 1, 2)

    def _features(
        self, points: torch.Tensor, centre: torch.Tensor, where: torch.Tensor, count: torch.Tensor
    ) -> torch.Tensor:
        """Return what is told of each point (P, F + 5)."""
        xyz = points[:, :3]
        mean = xyz.new_zeros(len(count), 3).index_add_(0, where, xyz) / count[:, None]
        return torch.cat(
            [
                points * self.units,
                (xyz - mean[where]) / self.grid.cell_m,
                (points[:, :2] - centre) / self.grid.cell_m,
            ],
            dim=1,
        )

    def _occupied(self, height: torch.Tensor, where: torch.Tensor, pillars: int) -> torch.Tensor:
        """Return the log count of points in each slice of height of each pillar (Q, S)."""
        step = ((height - SLICED_FROM_M) / SLICE_M).floor().clamp(0, SLICES - 1).long()
        counts = torch.zeros(pillars * SLICES, device=height.device)
        counts.index_add_(0, where * SLICES + step, torch.ones_like(height))
        return counts.view(pillars, SLICES).log1p() / MANY


def _kept(inputs: PointInputs, grid: BevGrid) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the points a grid holds (P, F), their pillar (P,) and its centre (P, 2).

    They are in the order of their pillars.
    """
    x_cells, y_cells = grid.shape
    corner = inputs.points.new_tensor([grid.x_min_m, grid.y_min_m])
    # floored while still a float: truncation would pull the row below the grid into cell 0
    cells = ((inputs.points[:, :2] - corner) / grid.cell_m).floor()
    inside = (cells >= 0).all(dim=1) & (cells[:, 0] < x_cells) & (cells[:, 1] < y_cells)
    inside &= torch.isfinite(inputs.points).all(dim=1)
    cells = cells[inside].long()
    pillar = (inputs.frame[inside] * x_cells + cells[:, 0]) * y_cells + cells[:, 1]
    pillar, order = pillar.sort(stable=True)
    return inputs.points[inside][order], pillar, corner + (cells[order] + 0.5) * grid.cell_m


def _most(features: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Return the maximum (Q, C) over each run of so many rows (Q,) of features (P, C)."""
    if not len(count):
        return features  # no rows, no runs; `segment_reduce` refuses these
    return torch.segment_reduce(features, "max", lengths=count, axis=0)
