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

"""EfficientNet-Lite0: the backbone of the image encoder.

EfficientNet (Tan and Le, ICML 2019, arXiv:1905.11946) without squeeze-and-excitation and with
ReLU6, as its authors published it under the name Lite0. Convolutions of stride 2 pad as
TensorFlow's SAME does, where the weights come from: the odd pixel goes right and below.

Axis letters: I images, C channels, H and W rows and columns of the image, h and w of a map.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

STEM = 32
STAGES = (  # kernel, stride of the first block, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
LEVELS = {8: 2, 16: 4, 32: 6}  # stride -> last stage of that stride


class SameConv2d(nn.Conv2d):
    """A convolution without bias whose output has ceil(size / stride) rows and columns."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(
            in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve (I, C, h, w)."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride > 1:
            left, right = _same_padding(maps.shape[3], kernel, stride)
            above, below = _same_padding(maps.shape[2], kernel, stride)
            maps = F.pad(maps, (left, right, above, below))
        return super().forward(maps)


class InvertedResidual(nn.Module):
    """Expand the channels, filter each by itself, project; added to its input where it can be."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expands = expansion > 1
        self.adds = stride == 1 and in_channels == out_channels
        if self.expands:
            self.expand = SameConv2d(in_channels, wide, 1)
            self.expand_norm = _norm(wide)
        self.depthwise = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.depthwise_norm = _norm(wide)
        self.project = SameConv2d(wide, out_channels, 1)
        self.project_norm = _norm(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Take and return (I, C, h, w)."""
        wide = maps
        if self.expands:
            wide = F.relu6(self.expand_norm(self.expand(maps)))
        wide = F.relu6(self.depthwise_norm(self.depthwise(wide)))
        narrow: Tensor = self.project_norm(self.project(wide))
        return maps + narrow if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """The backbone: RGB images to the maps at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM, 3, stride=2)
        self.stem_norm = _norm(STEM)
        self.blocks = nn.ModuleList()
        self._last_blocks: list[int] = []  # of each stage
        width = STEM
        for kernel, first_stride, expansion, channels, count in STAGES:
            for index in range(count):
                stride = first_stride if index == 0 else 1
                self.blocks.append(
                    InvertedResidual(
                        width, channels, kernel=kernel, stride=stride, expansion=expansion
                    )
                )
                width = channels
            self._last_blocks.append(len(self.blocks) - 1)

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Take (I, 3, H, W) in [0, 1]; return stride -> (I, C, H / stride, W / stride)."""
        ends = {self._last_blocks[stage]: stride for stride, stage in LEVELS.items()}
        normalized = images * (255 / 128) - 127 / 128  # what the published weights were trained on
        maps = F.relu6(self.stem_norm(self.stem(normalized)))
        levels = {}
        for index, block in enumerate(self.blocks):
            maps = block(maps)
            if index in ends:
                levels[ends[index]] = maps
        return levels


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how much to pad before and after so that ceil(size / stride) outputs come."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # as the weights were trained with
