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

"""Lifts image features by a depth distribution and splats them onto the bird's-eye-view grid.

"Lift, Splat, Shoot" (Philion and Fidler, ECCV 2020, arXiv:2008.05711). The outer product of
features and depths is never made: every cell of the grid is a weighted sum of rows of the
feature map, which `torch.nn.functional.embedding_bag` computes with both gradients. On 2 CPU
cores that took half the time of a loop of `index_add_` over the depths and of a sparse product.

Axis letters: B frames, I images of all frames, C channels, D depth bins, h and w rows and columns
of the feature map, X and Y cells (x forward, y left), R rows, E entries.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.depth import DepthBins

OUTSIDE = -1  # the cell of a point that the grid does not hold


def frustum_ego(
    intrinsics: Tensor,
    ego_from_camera: Tensor,
    depths_m: Tensor,
    *,
    size: tuple[int, int],
    stride: int,
) -> Tensor:
    """Return where each feature pixel lies at each depth.

    Args:
        intrinsics: (I, 3, 3) px of the images; pixel centres at whole coordinates.
        ego_from_camera: (I, 4, 4) optical axes (x right, y down, z forward) into ego.
        depths_m: (D,) along z.
        size: h, w.
        stride: image pixels to a feature.

    Returns:
        (I, D, h, w, 3) m in ego.
    """
    height, width = size
    # float64 keeps the matrix products out of the reach of autocast and TF32
    steps = torch.arange(max(size), dtype=torch.float64, device=intrinsics.device)
    centers = (steps + 0.5) * stride - 0.5  # of the features, in the image
    v, u = torch.meshgrid(centers[:height], centers[:width], indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1).reshape(-1, 3)  # (h*w, 3)
    ego_from_pixels = ego_from_camera[:, :3, :3].double() @ torch.linalg.inv(intrinsics.double())
    rays = (pixels @ ego_from_pixels.mT).to(depths_m.dtype)  # (I, h*w, 3) of depth 1
    origins = ego_from_camera[:, None, None, :3, 3]  # (I, 1, 1, 3)
    points: Tensor = origins + depths_m[:, None, None] * rays[:, None]  # (I, D, h*w, 3)
    return points.reshape(*points.shape[:2], height, width, 3)


def cells_of(
    points_ego: Tensor, frame: Tensor, grid: BevGrid, *, z_min_m: float, z_max_m: float
) -> Tensor:
    """Return the cell (frame * X + x) * Y + y that holds each point, -1 where none does.

    Args:
        points_ego: (I, ..., 3) m
        frame: (I,) int64
        grid: extent and cell size
        z_min_m: points below are outside
        z_max_m: points from here up are outside

    Returns:
        (I, ...) int64
    """
    cells_x, cells_y = grid.shape
    corner = points_ego.new_tensor([grid.x_min_m, grid.y_min_m])
    # floored before it is an integer: truncation would pull the row below the grid into cell 0
    x, y = ((points_ego[..., :2] - corner) / grid.cell_m).floor().long().unbind(-1)
    z = points_ego[..., 2]
    inside = (x >= 0) & (x < cells_x) & (y >= 0) & (y < cells_y) & (z >= z_min_m) & (z < z_max_m)
    first = frame.reshape(-1, *[1] * (x.ndim - 1)) * cells_x  # (I, 1, ...)
    return torch.where(inside, (first + x) * cells_y + y, OUTSIDE)


def sum_into_cells(
    rows: Tensor, row: Tensor, weight: Tensor, cell: Tensor, cell_count: int
) -> Tensor:
    """Add weighted rows to the cells named with them.

    Args:
        rows: (R, C)
        row: (E,) int64, which row
        weight: (E,) how much of it; gradients reach both it and the rows
        cell: (E,) int64, to which cell
        cell_count: of the result

    Returns:
        (cell_count, C); zeros where nothing was added.
    """
    cells = rows.new_zeros(cell_count, rows.shape[1])
    if not len(cell):
        return cells
    order = cell.argsort(stable=True)
    filled, counts = torch.unique_consecutive(cell[order], return_counts=True)
    sums = F.embedding_bag(
        row[order],
        rows,
        counts.cumsum(0) - counts,  # where each cell's entries begin
        mode="sum",
        per_sample_weights=weight[order],
    )
    return cells.index_copy(0, filled, sums)


def splat(features: Tensor, probabilities: Tensor, cells: Tensor, cell_count: int) -> Tensor:
    """Spread each feature over its depths' cells.

    Args:
        features: (I, C, h, w)
        probabilities: (I, D, h, w)
        cells: (I, D, h, w) int64, -1 outside
        cell_count: B * X * Y

    Returns:
        (cell_count, C)
    """
    images, depths, height, width = probabilities.shape
    pixel = torch.arange(images * height * width, device=cells.device)
    pixel = pixel.reshape(images, 1, -1).expand(-1, depths, -1).flatten()
    (kept,) = (cells.flatten() != OUTSIDE).nonzero(as_tuple=True)  # (E,)
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)  # (I*h*w, C)
    return sum_into_cells(
        rows, pixel[kept], probabilities.flatten()[kept], cells.flatten()[kept], cell_count
    )


class LiftSplat(nn.Module):
    """Image features to a bird's-eye-view map, through a depth distribution per feature pixel."""

    centers_m: Tensor

    def __init__(
        self,
        grid: BevGrid,
        depths: DepthBins,
        *,
        in_channels: int,
        channels: int,
        z_min_m: float = -2.0,
        z_max_m: float = 4.0,
    ) -> None:
        """Build with random weights.

        Args:
            grid: of the map.
            depths: bins of the distribution.
            in_channels: of the image features.
            channels: of the map.
            z_min_m: what is lifted lower than this, in ego, is dropped.
            z_max_m: what is lifted this high or higher is dropped.
        """
        super().__init__()
        self.grid, self.depths, self.channels = grid, depths, channels
        self.z_min_m, self.z_max_m = z_min_m, z_max_m
        self.register_buffer("centers_m", torch.tensor(depths.centers_m), persistent=False)
        self.head = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, depths.count + channels, kernel_size=1),
        )

    def forward(
        self,
        features: Tensor,
        intrinsics: Tensor,
        ego_from_camera: Tensor,
        frame: Tensor,
        *,
        batch_size: int,
        stride: int,
        grid: BevGrid | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Lift and splat.

        Args:
            features: (I, C_in, h, w); I may be 0.
            intrinsics: (I, 3, 3) px of the images; pixel centres at whole coordinates.
            ego_from_camera: (I, 4, 4) optical axes into ego at the frame's stamp.
            frame: (I,) int64, whose image each is, below batch_size.
            batch_size: B.
            stride: image pixels to a feature.
            grid: of the map, instead of its own.

        Returns:
            bev: (B, C, X, Y); zeros where no camera looks.
            depth_logits: (I, D, h, w), for `depth.depth_loss`.
        """
        grid = grid or self.grid
        if len(frame) == 0:
            no_logits = features.new_zeros(0, self.depths.count, *features.shape[2:])
            return features.new_zeros(batch_size, self.channels, *grid.shape), no_logits
        split = (self.depths.count, self.channels)
        logits, context = self.head(features).float().split(split, dim=1)
        points_ego = frustum_ego(
            intrinsics, ego_from_camera, self.centers_m, size=logits.shape[2:], stride=stride
        )
        heights = {"z_min_m": self.z_min_m, "z_max_m": self.z_max_m}
        cells = cells_of(points_ego, frame, grid, **heights)
        cells_x, cells_y = grid.shape
        flat = splat(context, logits.softmax(dim=1), cells, batch_size * cells_x * cells_y)
        bev = flat.reshape(batch_size, cells_x, cells_y, -1).permute(0, 3, 1, 2)
        return bev, logits
