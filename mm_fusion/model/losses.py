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

"""What the network's answers cost.

Sources: Law and Deng, "CornerNet", ECCV 2018, eq. (1) (heat); Lin et al., "Focal Loss for Dense
Object Detection", ICCV 2017; Kendall and Gal, "What Uncertainties Do We Need in Bayesian Deep
Learning for Computer Vision?", NIPS 2017, eq. (8) (variance); Hu et al., "AFDetV2", AAAI 2022 (the
overlap that corrects the score).

Axis letters: B frames, K classes, C channels, X, Y cells; P cells that have a box to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional as F  # noqa: N812

from mm_fusion.model import outputs as o
from mm_fusion.model.boxes import overlap_of
from mm_fusion.model.outputs import BevOutputs, HeadMaps
from mm_fusion.model.targets import Targets

LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE = -7.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """What each part counts."""

    heat: float = 1.0
    offset: float = 1.0
    bottom: float = 1.0
    size: float = 1.0
    axis: float = 0.5
    front: float = 0.1
    velocity: float = 0.1
    variance: float = 0.05
    iou: float = 0.25
    overlap: float = 1.0
    alone: float = 0.3  # of the heads of one modality each


def fusion_loss(
    outputs: BevOutputs, targets: Targets, cell_m: float, weights: LossWeights
) -> tuple[torch.Tensor, Mapping[str, float]]:
    """Return the loss of a batch, and its parts for whoever watches."""
    parts = head_losses(outputs.fused, targets, cell_m)
    total = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
    told = {name: float(part.detach()) for name, part in parts.items()}
    for modality, maps in outputs.alone.items():
        own = head_losses(maps, targets, cell_m)
        sums = [getattr(weights, name) * part for name, part in own.items()]
        total = total + weights.alone * torch.stack(sums).sum()
        told[f"{modality} heat"] = float(own["heat"].detach())
    return total, told


def head_losses(maps: HeadMaps, targets: Targets, cell_m: float) -> dict[str, torch.Tensor]:
    """Return what each part of one head costs, per object."""
    objects = max(targets.objects, 1)
    heat = heat_loss(maps.heat, targets.heat, targets.counted) / objects
    rows = targets.frame, targets.cell[:, 0], targets.cell[:, 1]
    said = maps.box.permute(0, 2, 3, 1)[rows]  # (P, C)
    weight = targets.weight / targets.weight.sum().clamp(min=1e-6)  # (P,)
    known = torch.isfinite(targets.box)
    true = torch.nan_to_num(targets.box)
    away = (F.smooth_l1_loss(said, true, beta=0.1, reduction="none") * known).float()

    def mean(channels: slice) -> torch.Tensor:
        return (away[:, channels].sum(dim=1) * weight).sum()

    front = F.binary_cross_entropy_with_logits(
        said[:, o.FRONT], true[:, o.FRONT], reduction="none"
    ).squeeze(1)
    overlap = overlap_of(said, targets.box, targets.truth, cell_m)
    iou = F.binary_cross_entropy_with_logits(
        said[:, o.IOU].squeeze(1), overlap.detach(), reduction="none"
    )
    return {
        "heat": heat,
        "offset": mean(o.OFFSET),
        "bottom": mean(o.BOTTOM_RISE) + mean(o.BOTTOM),
        "size": mean(o.LOG_SIZE),
        "axis": mean(o.AXIS),
        "front": (front * weight).sum(),
        "velocity": mean(o.VELOCITY),
        "variance": (_variance_loss(said, true, cell_m) * weight).sum(),
        "iou": (iou * weight).sum(),
        "overlap": ((1 - overlap) * weight).sum(),
    }


def heat_loss(logits: torch.Tensor, heat: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Return the penalty-reduced focal loss, summed; eq. (1) with alpha 2 and beta 4."""
    p = torch.sigmoid(logits)
    found = F.logsigmoid(logits) * (1 - p) ** 2
    not_there = F.logsigmoid(-logits) * p**2 * (1 - heat) ** 4
    return -(torch.where(heat == 1, found, not_there) * counted).sum()


def _variance_loss(said: torch.Tensor, true: torch.Tensor, cell_m: float) -> torch.Tensor:
    """Return -log of the error's likelihood (P,); the place itself is not pulled, eq. (8)."""
    log_variance = said[:, o.LOG_VARIANCE].squeeze(1).clamp(LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE)
    error_m = (said[:, o.OFFSET].detach() - true[:, o.OFFSET]) * cell_m
    squares = (error_m**2).sum(dim=1)
    return 0.5 * squares * torch.exp(-log_variance) + log_variance  # two axes, one variance
