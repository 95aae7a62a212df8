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

"""Depth along a camera's axis: its bins, what the LiDAR says of it, and the loss between the two.

Axis letters: I images, D depth bins, h and w rows and columns of the feature map, N points.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from mm_fusion.errors import ConfigError
from mm_fusion.geometry.pinhole import MIN_DEPTH_M

UNKNOWN = -1  # the bin of a feature pixel that no LiDAR point falls on


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthBins:
    """Depths from first to last in equal steps, or in steps that grow with the depth."""

    first_m: float = 2.0
    last_m: float = 58.0
    count: int = 56
    spacing: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        if not 0 < self.first_m < self.last_m or self.count < 1:
            raise ConfigError(
                f"depth bins: {self.count} from {self.first_m} to {self.last_m} m; need at least "
                "one and 0 < first_m < last_m"
            )
        if self.spacing not in ("linear", "log"):
            raise ConfigError(f"depth bins: spacing {self.spacing!r}; known: linear, log")

    @property
    def edges_m(self) -> tuple[float, ...]:
        """The D + 1 depths where a bin begins or the last one ends."""
        shares = [index / self.count for index in range(self.count + 1)]
        if self.spacing == "log":
            return tuple(self.first_m * (self.last_m / self.first_m) ** share for share in shares)
        return tuple(self.first_m + (self.last_m - self.first_m) * share for share in shares)

    @property
    def centers_m(self) -> tuple[float, ...]:
        """The D depths amid the edges."""
        edges = self.edges_m
        return tuple((near + far) / 2 for near, far in pairwise(edges))

    def bin_of(self, depth_m: Tensor) -> Tensor:
        """Return the int64 bin of each depth; a bin holds its nearer edge. Outside: -1."""
        edges = torch.tensor(self.edges_m, dtype=depth_m.dtype, device=depth_m.device)
        index = torch.bucketize(depth_m.contiguous(), edges, right=True) - 1
        return torch.where(index < self.count, index, UNKNOWN)


def depth_targets(
    points_ego: Tensor,
    point_frame: Tensor,
    intrinsics: Tensor,
    ego_from_camera: Tensor,
    frame: Tensor,
    *,
    depths: DepthBins,
    size: tuple[int, int],
    stride: int,
) -> Tensor:
    """Return the depth bin of the nearest LiDAR point on each feature pixel.

    Args:
        points_ego: (N, 3) m, of all frames of the batch.
        point_frame: (N,) int64, the frame of each.
        intrinsics: (I, 3, 3) px of the images; pixel centres at whole coordinates.
        ego_from_camera: (I, 4, 4) optical axes into ego.
        frame: (I,) int64, the frame of each image.
        depths: the bins.
        size: h, w of the feature map.
        stride: image pixels to a feature.

    Returns:
        (I, h, w) int64; -1 where no point falls or the nearest lies outside the bins.
    """
    height, width = size
    nearest_m = points_ego.new_full((len(frame), height * width), torch.inf)
    for image in range(len(frame)):
        points = points_ego[point_frame == frame[image]]
        origin = ego_from_camera[image, :3, 3]
        camera_from_ego = torch.linalg.inv(ego_from_camera[image, :3, :3].double())
        points_camera = (points - origin).double() @ camera_from_ego.T
        points_camera = points_camera[points_camera[:, 2] > MIN_DEPTH_M]
        depth_m = points_camera[:, 2]
        pixels = (points_camera @ intrinsics[image].T.double())[:, :2] / depth_m[
            :, None
        ]  # (N, 2) u, v
        column, row = ((pixels + 0.5) / stride).floor().long().unbind(-1)
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        feature = (row * width + column)[inside]
        nearest_m[image].scatter_reduce_(0, feature, depth_m[inside].to(nearest_m.dtype), "amin")
    return depths.bin_of(nearest_m).reshape(len(frame), height, width)


def depth_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy over the known feature pixels; 0 where none is known.

    Args:
        logits: (I, D, h, w)
        targets: (I, h, w) int64 bins, -1 unknown
    """
    total = F.cross_entropy(logits.float(), targets, ignore_index=UNKNOWN, reduction="sum")
    return total / (targets != UNKNOWN).sum().clamp(min=1)
