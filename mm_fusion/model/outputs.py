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

"""What the head says of every cell, and where in its channels.

Axis letters: B frames, K classes, X cells forward, Y cells to the left, C channels of a box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

OFFSET = slice(0, 2)  # from the cell's centre to the box's, in cells
BOTTOM_RISE = slice(2, 3)  # m, of the box's bottom over the ground the LiDAR knows
BOTTOM = slice(3, 4)  # m, of the box's bottom in ego: for frames without known ground
LOG_SIZE = slice(4, 7)  # of length, width, height in m
AXIS = slice(7, 9)  # cosine and sine of twice the yaw: the line the box lies along
FRONT = slice(9, 10)  # logit: it faces along that line's angle in (-pi/2, pi/2], not against it
VELOCITY = slice(10, 12)  # m/s, over ground, in ego
LOG_VARIANCE = slice(12, 13)  # of the centre's place on the ground, m^2, along x and along y
IOU = slice(13, 14)  # logit of the overlap with the true box
BOX_CHANNELS = 14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadMaps:
    """One head's answer."""

    heat: torch.Tensor  # (B, K, X, Y) logits: a centre of this class is in this cell
    box: torch.Tensor  # (B, C, X, Y)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BevOutputs:
    """What the network gives for a batch."""

    fused: HeadMaps
    alone: Mapping[str, HeadMaps] = field(default_factory=dict)  # by modality; in training only
    depth_logits: torch.Tensor | None = None  # (I, D, h, w) of the images; in training only
