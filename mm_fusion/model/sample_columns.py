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

"""Fetches image features for every cell of the bird's-eye-view grid, without a depth.

A column of points stands on each cell; each point takes the feature it projects to, as Simple-BEV
does (Harley et al., ICRA 2023, arXiv:2206.07959). One linear map a height joins the points of a
column; both it and the sampling are linear, so it is applied in the image, where there are fewer
pixels than the grid has cells.

Axis letters: B frames, I images of all frames, C channels, Z heights, h and w rows and columns of
the feature map, X and Y cells (x forward, y left), E points in view.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.geometry.pinhole import MIN_DEPTH_M
from mm_fusion.model.lift import sum_into_cells


def column_points(grid: BevGrid, heights_m: tuple[float, ...]) -> Tensor:
    """Return the points above the cells' middles, (Z, X*Y, 3) m in ego."""
    cells_x, cells_y = grid.shape
    x = grid.x_min_m + (torch.arange(cells_x) + 0.5) * grid.cell_m
    y = grid.y_min_m + (torch.arange(cells_y) + 0.5) * grid.cell_m
    z, x, y = torch.meshgrid(torch.tensor(heights_m), x, y, indexing="ij")
    return torch.stack([x, y, z], dim=-1).flatten(1, 2)


def feature_pixels(
    points_ego: Tensor, intrinsics: Tensor, ego_from_camera: Tensor, *, stride: int
) -> tuple[Tensor, Tensor]:
    """Project points into feature maps.

    Args:
        points_ego: (Z, K, 3) m
        intrinsics: (I, 3, 3) px of the images; pixel centres at whole coordinates.
        ego_from_camera: (I, 4, 4) optical axes into ego.
        stride: image pixels to a feature.

    Returns:
        pixels: (I, Z, K, 2) column and row, feature centres at whole coordinates.
        ahead: (I, Z, K) False behind the camera, where the pixels mean nothing.
    """
    # float64 keeps the matrix products out of the reach of autocast and TF32
    whole = ego_from_camera.double()
    rotation, origin = whole[:, :3, :3], whole[:, :3, 3:]
    image_from_ego = intrinsics.double() @ rotation.mT  # (I, 3, 3)
    shift = image_from_ego @ origin  # (I, 3, 1)
    rays = (
        points_ego.flatten(0, 1).double() @ image_from_ego.mT - shift.mT
    )  # (I, Z*K, 3) u*z, v*z, z
    ahead = rays[..., 2] > MIN_DEPTH_M
    depth_m = rays[..., 2:].clamp(min=MIN_DEPTH_M)
    pixels = ((rays[..., :2] / depth_m + 0.5) / stride - 0.5).to(points_ego.dtype)
    levels, cells, _ = points_ego.shape
    return pixels.reshape(-1, levels, cells, 2), ahead.reshape(-1, levels, cells)


def bilinear_taps(pixels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the four features about each place (E, 2) and their weights, each (E, 4).

    Features are numbered row * w + column; past the outer centres the edge is repeated.
    """
    height, width = size
    corner = pixels.floor()
    right, low = (pixels - corner).unbind(-1)  # (E,) each, in [0, 1)
    column, row = corner.long().unbind(-1)
    columns = torch.stack([column, column + 1], dim=-1).clamp(0, width - 1)  # (E, 2)
    rows = torch.stack([row, row + 1], dim=-1).clamp(0, height - 1)
    across = torch.stack([1 - right, right], dim=-1)
    down = torch.stack([1 - low, low], dim=-1)
    taps = rows[:, :, None] * width + columns[:, None, :]  # (E, 2, 2)
    return taps.flatten(1), (down[:, :, None] * across[:, None, :]).flatten(1)


class SampleColumns(nn.Module):
    """Image features to a bird's-eye-view map, by projecting columns of points."""

    def __init__(
        self, grid: BevGrid, heights_m: tuple[float, ...], *, in_channels: int, channels: int
    ) -> None:
        """Build with random weights.

        Args:
            grid: of the map.
            heights_m: z of the points of a column, in ego.
            in_channels: of the image features.
            channels: of the map.
        """
        super().__init__()
        self.grid, self.channels, self.heights_m = grid, channels, heights_m
        self.by_height = nn.Conv2d(
            in_channels, len(heights_m) * channels, kernel_size=1, bias=False
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
    ) -> Tensor:
        """Sample.

        Args:
            features: (I, C_in, h, w); I may be 0.
            intrinsics: (I, 3, 3) px of the images; pixel centres at whole coordinates.
            ego_from_camera: (I, 4, 4) optical axes into ego at the frame's stamp.
            frame: (I,) int64, whose image each is, below batch_size.
            batch_size: B.
            stride: image pixels to a feature.
            grid: of the map, instead of its own.

        Returns:
            (B, C, X, Y); the mean over the cameras that see a point, summed over the column;
            zeros where no camera looks.
        """
        grid = grid or self.grid
        if len(frame) == 0:
            return features.new_zeros(batch_size, self.channels, *grid.shape)
        height, width = features.shape[2:]
        points_ego = column_points(grid, self.heights_m).to(features.device)
        heights, cells = points_ego.shape[:2]
        pixels, ahead = feature_pixels(points_ego, intrinsics, ego_from_camera, stride=stride)
        nearest = pixels.round()
        inside = (nearest >= 0).all(-1) & (nearest < nearest.new_tensor([width, height])).all(-1)
        seen = (ahead & inside).nonzero(as_tuple=True)
        image, level, place = seen  # (E,) each
        taps, weights = bilinear_taps(pixels[seen], (height, width))  # (E, 4)

        point = (frame[image] * heights + level) * cells + place
        cameras = torch.bincount(point, minlength=batch_size * heights * cells)[point]  # (E,)
        cell = frame[image] * cells + place
        row = ((image * heights + level) * height * width)[:, None] + taps
        maps = self.by_height(features).float().unflatten(1, (heights, self.channels))
        flat = sum_into_cells(
            maps.permute(0, 1, 3, 4, 2).flatten(0, 3),  # (I*Z*h*w, C)
            row.flatten(),
            (weights / cameras[:, None]).flatten(),
            cell[:, None].expand(-1, 4).flatten(),
            batch_size * cells,
        )
        return flat.reshape(batch_size, *grid.shape, self.channels).permute(0, 3, 1, 2)
