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

"""Images to a bird's-eye map: image encoder and view transform.

Axis letters: B frames, I images of all frames, C channels, X, Y cells, D depths, h, w features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from mm_fusion.errors import ConfigError
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.backbone import conv_norm
from mm_fusion.model.depth import DepthBins
from mm_fusion.model.image_encoder import ImageEncoder
from mm_fusion.model.inputs import CameraInputs
from mm_fusion.model.lift import LiftSplat
from mm_fusion.model.network_config import NetworkConfig
from mm_fusion.model.sample_columns import SampleColumns

STRIDE = 16  # image pixels to a feature
HEIGHTS_M = (-1.0, 0.0, 1.0, 2.0)  # of the points of a column that are looked up in the images
LOWEST_M, HIGHEST_M = -4.0, 8.0  # of what is lifted, in ego: roads rise and fall
NEAREST_M = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFeatures:
    """What the image encoder makes of some images."""

    features: torch.Tensor  # (I, C, h, w), STRIDE pixels apart
    frame: torch.Tensor  # (I,) index in the batch
    intrinsics: torch.Tensor  # (I, 3, 3) px of the images
    ego_from_camera: torch.Tensor  # (I, 4, 4)


class CameraBranch(nn.Module):
    """Any number of images of each frame to one map."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.image_encoder = ImageEncoder(config.image_channels, stride=STRIDE, frozen_norms=True)
        self.depths = depth_bins(config)
        grid, shape = (
            config.map_grid,
            {
                "in_channels": config.image_channels,
                "channels": config.channels,
            },
        )
        self.lift: nn.Module
        if config.lift == "splat":
            self.lift = LiftSplat(grid, self.depths, z_min_m=LOWEST_M, z_max_m=HIGHEST_M, **shape)
        elif config.lift == "columns":
            self.lift = SampleColumns(grid, HEIGHTS_M, **shape)
        else:
            raise ConfigError(f"lift {config.lift!r} is not known; choose splat or columns")
        self.around = nn.Sequential(conv_norm(config.channels, config.channels), nn.ReLU())

    def encode(self, cameras: CameraInputs, shown: torch.Tensor) -> ImageFeatures:
        """Return the features of the images (I,) that are shown."""
        return ImageFeatures(
            features=self.image_encoder(cameras.images[shown]),
            frame=cameras.frame[shown],
            intrinsics=cameras.intrinsics[shown],
            ego_from_camera=cameras.ego_from_camera[shown],
        )

    def forward(
        self, images: ImageFeatures, rows: torch.Tensor, grid: BevGrid
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the map (R, C, X, Y) of some frames, and the logits of depth (I, D, h, w).

        Args:
            images: of these frames and no others.
            rows: (R,) their numbers in the batch, in order.
            grid: of the map.
        """
        frame = torch.searchsorted(rows, images.frame)
        given = (images.features, images.intrinsics, images.ego_from_camera, frame)
        lifted = self.lift(*given, batch_size=len(rows), stride=STRIDE, grid=grid)
        bev, logits = lifted if isinstance(lifted, tuple) else (lifted, None)
        return self.around(bev), logits


def depth_bins(config: NetworkConfig) -> DepthBins:
    """Return the depths that images are lifted to: as far as the grid reaches."""
    farthest_m = max(abs(config.grid.x_max_m), abs(config.grid.x_min_m))
    count = max(1, round((farthest_m - NEAREST_M) / config.depth_step_m))
    return DepthBins(first_m=NEAREST_M, last_m=farthest_m, count=count)
