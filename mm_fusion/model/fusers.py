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

"""Maps of several modalities into one: four ways, chosen by name.

Sources: Kim et al., "Robust Deep Multi-modal Learning Based on Gated Information Fusion Network",
ACCV 2018 (gates); Vaswani et al., "Attention Is All You Need", NIPS 2017, eq. (1), between the
modalities of a cell; Choi and Lee, "EmbraceNet: A robust deep learning architecture for multimodal
classification", Information Fusion 51, 2019 (docking, a modality drawn for each component).

A modality of weight 0 leaves no trace in a frame: not its values, were they NaN, nor a gradient.

Axis letters: B frames, M modalities, C channels, X cells forward, Y cells to the left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mm_fusion.errors import ConfigError
from mm_fusion.model.backbone import conv_norm
from mm_fusion.shapes import check_shapes


class Fuser(nn.Module):
    """What every fuser has in common: the order of its modalities, and hiding absent ones."""

    def __init__(self, modalities: Sequence[str], channels: int) -> None:
        """Make a fuser of maps of `channels` channels that gives one of as many."""
        super().__init__()
        self.modalities = tuple(modalities)
        self.channels = channels
        self.out = conv_norm(channels, channels, size=1)

    def forward(self, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Fuse maps.

        Args:
            maps: (B, M, C, X, Y) in the order of `modalities`; of an absent one anything.
            weight: (B, M) in [0, 1]; 0: absent.

        Returns:
            (B, C, X, Y); zeros in frames that no modality is in

        Raises:
            ShapeError: maps and weights do not fit each other.
        """
        count = len(self.modalities)
        check_shapes(
            weight=(weight, ("B", count)), maps=(maps, ("B", count, self.channels, "X", "Y"))
        )
        there = (weight > 0)[:, :, None, None, None]
        bev = self.fuse(torch.where(there, maps, torch.zeros_like(maps)), weight)
        result = torch.relu(self.out(bev))
        return torch.where(there.any(dim=1), result, torch.zeros_like(result))

    def fuse(self, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Make one map (B, C, X, Y) of (B, M, C, X, Y) and weights (B, M)."""
        raise NotImplementedError


class ConcatFuser(Fuser):
    """Puts the maps, and what each counts, side by side and mixes them."""

    def __init__(self, modalities: Sequence[str], channels: int) -> None:
        super().__init__(modalities, channels)
        count = len(self.modalities)
        self.mix = nn.Conv2d(count * (channels + 1), channels, 1, bias=False)

    def fuse(self, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Mix the channels of all."""
        counted = maps * weight[:, :, None, None, None]
        planes = weight[:, :, None, None].expand(-1, -1, *maps.shape[3:])
        result: torch.Tensor = self.mix(torch.cat([counted.flatten(1, 2), planes], dim=1))
        return result


class GatedFuser(Fuser):
    """Weighs the modalities against each other, cell by cell and channel by channel."""

    def __init__(self, modalities: Sequence[str], channels: int) -> None:
        super().__init__(modalities, channels)
        self.value = _each(modalities, channels, channels)
        self.gate = _each(modalities, channels, channels)

    def fuse(self, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Add up what the gates let through."""
        share = _shares(_of_each(self.gate, maps), weight)
        return (share * _of_each(self.value, maps)).sum(dim=1)


class AttentionFuser(Fuser):
    """Lets every cell attend to what each modality says of it and of the cells beside it."""

    def __init__(self, modalities: Sequence[str], channels: int, heads: int = 4) -> None:
        super().__init__(modalities, channels)
        if channels % heads:
            raise ConfigError(f"attention: {channels} channels are not a multiple of {heads} heads")
        self.heads = heads
        count = len(self.modalities)
        self.around = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels) for _ in range(count)
        )
        self.query = nn.Conv2d(count * (channels + 1), channels, 1)
        self.key = _each(modalities, channels, channels)
        self.value = _each(modalities, channels, channels)

    def fuse(self, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Attend over the modalities, each head with its own channels; eq. (1)."""
        frames, count, channels, x_cells, y_cells = maps.shape
        seen = torch.stack([a(maps[:, m]) for m, a in enumerate(self.around)], dim=1) + maps
        planes = weight[:, :, None, None].expand(-1, -1, x_cells, y_cells)
        counted = maps * weight[:, :, None, None, None]
        query = self.query(torch.cat([counted.flatten(1, 2), planes], dim=1))
        split = (frames, count, self.heads, channels // self.heads, x_cells, y_cells)
        key = _of_each(self.key, seen).view(split)
        value = _of_each(self.value, seen).view(split)
        query = query.view(frames, 1, *split[2:])
        logits = (query * key).sum(dim=3, keepdim=True) / split[3] ** 0.5  # (B, M, heads, 1, X, Y)
        share = _shares(logits, weight)
        return (share * value).sum(dim=1).flatten(1, 2)


class EmbraceFuser(Fuser):
    """Takes every component of a cell from one modality, drawn by what each counts."""

    def __init__(self, modalities: Sequence[str], channels: int) -> None:
        super().__init__(modalities, channels)
        self.dock = _each(modalities, channels, channels)

    def fuse(self, maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Draw in training; afterwards take what the draw gives on average."""
        docked = torch.relu(_of_each(self.dock, maps))
        if not self.training:
            chance = weight / weight.sum(dim=1, keepdim=True).clamp(min=1e-6)  # (B, M)
            return (docked * chance[:, :, None, None, None]).sum(dim=1)
        upto = weight.cumsum(dim=1)
        upto = upto / upto[:, -1:].clamp(min=1e-6)  # the last is 1, so that one is always chosen
        bounds = nn.functional.pad(upto, (1, 0))[:, :, None, None, None]  # (B, M + 1, 1, 1, 1)
        drawn = torch.rand_like(docked[:, :1], dtype=weight.dtype)  # bfloat16 has too few steps
        chosen = (drawn >= bounds[:, :-1]) & (drawn < bounds[:, 1:])
        return torch.where(chosen, docked, torch.zeros_like(docked)).sum(dim=1)


FUSERS: Mapping[str, type[Fuser]] = {
    "concat": ConcatFuser,
    "gated": GatedFuser,
    "attention": AttentionFuser,
    "embrace": EmbraceFuser,
}


def build_fuser(name: str, modalities: Sequence[str], channels: int) -> Fuser:
    """Build the fuser of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in FUSERS:
        raise ConfigError(f"fuser {name!r} is not known; choose from {', '.join(FUSERS)}")
    return FUSERS[name](modalities, channels)


def _each(modalities: Sequence[str], channels_in: int, channels_out: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(channels_in, channels_out, 1) for _ in modalities)


def _of_each(layers: nn.ModuleList, maps: torch.Tensor) -> torch.Tensor:
    return torch.stack([layer(maps[:, m]) for m, layer in enumerate(layers)], dim=1)


def _shares(logits: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return shares that add up to 1 over the modalities, 0 for those of weight 0.

    Args:
        logits: (B, M, ...)
        weight: (B, M) by which the exponentials count
    """
    shape = (*weight.shape, *([1] * (logits.ndim - 2)))
    least = torch.finfo(logits.dtype).min / 2
    log_weight = torch.where(weight > 0, weight.clamp(min=1e-6).log(), least).view(shape)
    shares = torch.softmax(logits + log_weight, dim=1)
    return torch.where(weight.view(shape) > 0, shares, torch.zeros_like(shares))
