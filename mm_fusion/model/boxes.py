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

"""Boxes of the head's channels, and how far two boxes overlap, for learning.

Axis letters: P cells, C channels of the head.
"""

from __future__ import annotations

import torch

from mm_fusion.model import outputs as o

LARGEST_LOG_SIZE = 4.0  # 55 m: longer than anything on a road


def yaw_of(said: torch.Tensor) -> torch.Tensor:
    """Return the yaw (P,) of channels (P, C), in (-pi, pi]."""
    axis = torch.atan2(said[:, o.AXIS][:, 1], said[:, o.AXIS][:, 0]) / 2
    behind = said[:, o.FRONT].squeeze(1) < 0
    turned = torch.where(axis > 0, axis - torch.pi, axis + torch.pi)
    return torch.where(behind, turned, axis)


def size_of(said: torch.Tensor) -> torch.Tensor:
    """Return length, width and height (P, 3), m, of channels (P, C)."""
    return said[:, o.LOG_SIZE].clamp(max=LARGEST_LOG_SIZE).exp()


def along_and_across(axes: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Return offsets (P, 2) of x and y in the axes of boxes of these yaws (P,)."""
    cos, sin = torch.cos(axes), torch.sin(axes)
    x, y = offset.unbind(dim=1)
    return torch.stack([x * cos + y * sin, y * cos - x * sin], dim=1)


def overlap_of(
    said: torch.Tensor, true: torch.Tensor, truth: torch.Tensor, cell_m: float
) -> torch.Tensor:
    """Return how far the boxes of channels overlap the true ones, by volume, (P,) in [0, 1].

    Both are taken to lie along the true box's axes; the angle between them costs its cosine's
    square. Exact where the angle is 0.

    Args:
        said: (P, C) of the head.
        true: (P, C) what it should say; the rise over the ground NaN where that is unknown.
        truth: (P, 7) the true boxes in ego.
        cell_m: of the head's map.
    """
    away = (said[:, o.OFFSET] - true[:, o.OFFSET]) * cell_m
    shift = along_and_across(truth[:, 6], away)  # (P, 2)
    size = size_of(said)
    rise = said[:, o.BOTTOM_RISE] - true[:, o.BOTTOM_RISE]
    rise = torch.where(torch.isfinite(rise), rise, said[:, o.BOTTOM] - true[:, o.BOTTOM])
    up = rise + (size[:, 2:] - truth[:, 5:6]) / 2  # between the centres
    shift = torch.cat([shift, up], dim=1)  # (P, 3)
    low = torch.maximum(shift - size / 2, -truth[:, 3:6] / 2)
    high = torch.minimum(shift + size / 2, truth[:, 3:6] / 2)
    shared = (high - low).clamp(min=0).prod(dim=1)
    either = size.prod(dim=1) + truth[:, 3:6].prod(dim=1) - shared
    turned = (said[:, o.AXIS] * true[:, o.AXIS]).sum(dim=1)
    turned = turned / said[:, o.AXIS].norm(dim=1).clamp(min=1e-3)  # cosine of twice the angle
    overlap: torch.Tensor = shared / either.clamp(min=1e-6) * (1 + turned) / 2
    return overlap
