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

"""The centre head: in which cells centres are, and what boxes they have.

Source: Yin, Zhou and Krahenbuhl, "Center-based 3D Object Detection and Tracking", CVPR 2021.

Axis letters: B frames, K classes, C channels, X cells forward, Y cells to the left.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from mm_fusion.model.backbone import conv_norm
from mm_fusion.model.outputs import BOX_CHANNELS, HeadMaps

RARE = 0.01  # what a cell's chance of holding a centre is taken to be before training


class CentreHead(nn.Module):
    """Reads a map and answers for every cell."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.heat_around = conv_norm(channels, channels)
        self.box_around = conv_norm(channels, channels)
        self.heat = _rare(nn.Conv2d(channels, classes, 1))
        self.box = nn.Conv2d(channels, BOX_CHANNELS, 1)

    def forward(self, bev: torch.Tensor) -> HeadMaps:
        """Answer for every cell of a map (B, C, X, Y)."""
        return HeadMaps(
            heat=self.heat(torch.relu(self.heat_around(bev))),
            box=self.box(torch.relu(self.box_around(bev))),
        )


class SmallHead(nn.Module):
    """Answers cell by cell: makes one modality's map say by itself what it can, in training."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.heat = _rare(nn.Conv2d(channels, classes, 1))
        self.box = nn.Conv2d(channels, BOX_CHANNELS, 1)

    def forward(self, bev: torch.Tensor) -> HeadMaps:
        """Answer for every cell of a map (B, C, X, Y)."""
        return HeadMaps(heat=self.heat(bev), box=self.box(bev))


def _rare(heat: nn.Conv2d) -> nn.Conv2d:
    """Start where centres are rare."""
    assert heat.bias is not None
    nn.init.constant_(heat.bias, math.log(RARE / (1 - RARE)))
    return heat
