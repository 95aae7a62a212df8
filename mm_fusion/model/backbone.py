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

"""Convolutions over the bird's-eye map: residual stages, each half as fine, joined again.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (blocks); Yan, Mao and
Li, "SECOND", Sensors 2018 (stages brought back to one resolution and joined).

Axis letters: B frames, C channels, X cells forward, Y cells to the left.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

MOMENTUM = 0.1  # of the running statistics; training averages them with the weights


def conv_norm(
    channels_in: int, channels_out: int, *, size: int = 3, stride: int = 1
) -> nn.Sequential:
    """Return a convolution and its normalisation, which run time folds into one."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(channels_out, momentum=MOMENTUM),
    )


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = conv_norm(channels_in, channels_out, stride=stride)
        self.second = conv_norm(channels_out, channels_out)
        same = stride == 1 and channels_in == channels_out
        self.around: nn.Module = (
            nn.Identity() if same else conv_norm(channels_in, channels_out, size=1, stride=stride)
        )

    def forward(self, bev: torch.Tensor) -> torch.Tensor:
        """Return (B, C', X / stride, Y / stride)."""
        inner = self.second(torch.relu(self.first(bev)))
        return torch.relu(inner + self.around(bev))


class Backbone(nn.Module):
    """Looks at ever larger surroundings and brings what it sees back to the finest map."""

    def __init__(self, channels: int, depths: Sequence[int], blocks: int) -> None:
        super().__init__()
        widths = [channels, *depths]
        self.stages = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(widths[k], widths[k + 1], stride=1 if k == 0 else 2),
                *(ResidualBlock(widths[k + 1], widths[k + 1]) for _ in range(blocks - 1)),
            )
            for k in range(len(depths))
        )
        self.lateral = nn.ModuleList(conv_norm(depth, channels, size=1) for depth in depths)
        self.out = conv_norm(channels, channels)

    def forward(self, bev: torch.Tensor) -> torch.Tensor:
        """Return (B, C, X, Y) of a map (B, C, X, Y)."""
        joined = None
        seen = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            bev = stage(bev)
            seen.append(lateral(bev))
        for level in reversed(seen):
            joined = level if joined is None else level + _twice_as_fine(joined)
        assert joined is not None
        result: torch.Tensor = torch.relu(self.out(torch.relu(joined)))
        return result


def _twice_as_fine(bev: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(bev, scale_factor=2.0, mode="nearest")
