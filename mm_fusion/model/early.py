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

"""Early fusion: points that carry what the image shows, and one cloud of points and returns.

Sources: Vora et al., "PointPainting", CVPR 2020, with features of the image for its classes (as
Wang et al., "PointAugmenting", CVPR 2021); Yang et al., "RadarNet", ECCV 2020 (LiDAR and radar as
one input).

Axis letters: P points of all frames, F columns, I images of all frames, C channels, h, w features,
E columns of paint.
"""

from __future__ import annotations

import torch
from torch import nn

from mm_fusion.model.camera import STRIDE, ImageFeatures
from mm_fusion.model.inputs import LIDAR_COLUMNS, RADAR_COLUMNS, PointInputs
from mm_fusion.model.sample_columns import feature_pixels

PAINT = 16  # columns that the image gives a point, and one that says whether one shows it
JOINT_COLUMNS = (*LIDAR_COLUMNS, *RADAR_COLUMNS[3:], "is_radar")


class Painter(nn.Module):
    """Gives every point the features of the images it lies in."""

    def __init__(self, image_channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(image_channels, PAINT, 1)

    def forward(self, points: PointInputs, images: ImageFeatures | None) -> PointInputs:
        """Append PAINT + 1 columns to the points (P, F); where no image shows a point, zeros."""
        count = len(points.points)
        paint = points.points.new_zeros(count, PAINT + 1)
        if images is None:
            return _with(points, paint)
        colors = self.mix(images.features).float()
        for image in range(len(images.frame)):
            of_frame = torch.nonzero(points.frame == images.frame[image]).flatten()
            pixels, ahead = feature_pixels(
                points.points[of_frame, :3][None],
                images.intrinsics[image : image + 1],
                images.ego_from_camera[image : image + 1],
                stride=STRIDE,
            )
            seen, shown = _looked_up(colors[image], pixels[0, 0], ahead[0, 0])
            told = torch.cat([shown, shown.new_ones(len(shown), 1)], dim=1)
            paint = paint.index_add(0, of_frame[seen], told)
        return _with(points, paint / paint[:, -1:].clamp(min=1))  # the mean of those that show it


def _looked_up(
    colors: torch.Tensor, pixels: torch.Tensor, ahead: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which places (P, 2) an image's features (E, h, w) hold, and what is there (S, E)."""
    size = pixels.new_tensor([colors.shape[2], colors.shape[1]])  # w, h
    inside = (pixels >= -0.5).all(dim=1) & (pixels < size - 0.5).all(dim=1)
    seen = torch.nonzero(ahead & inside).flatten()
    grid = (pixels[seen] + 0.5) / size * 2 - 1  # edges of the outer features at -1 and 1
    shown = nn.functional.grid_sample(
        colors[None], grid[None, None], padding_mode="border", align_corners=False
    )
    return seen, shown[0, :, 0].T


def joined(lidar: PointInputs, radar: PointInputs) -> PointInputs:
    """Make one cloud with the columns JOINT_COLUMNS; what a sensor does not tell is zero."""
    points, returns = lidar.points, radar.points
    silent = len(RADAR_COLUMNS) - 3
    return PointInputs(
        points=torch.cat(
            [
                torch.cat([points, points.new_zeros(len(points), silent + 1)], dim=1),
                torch.cat(
                    [
                        returns[:, :3],
                        returns.new_zeros(len(returns), len(LIDAR_COLUMNS) - 3),
                        returns[:, 3:],
                        returns.new_ones(len(returns), 1),
                    ],
                    dim=1,
                ),
            ]
        ),
        frame=torch.cat([lidar.frame, radar.frame]),
    )


def _with(points: PointInputs, columns: torch.Tensor) -> PointInputs:
    return PointInputs(points=torch.cat([points.points, columns], dim=1), frame=points.frame)
