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

"""The optimizer, its rate over the steps, and the averaged weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from mm_fusion.training.train_config import OptimizerConfig

PRETRAINED = "image_encoder"  # what starts from other weights learns more slowly
FINAL_RATE = 0.01  # of the peak


def optimizer_of(network: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Make AdamW; biases and norms do not decay (Loshchilov and Hutter, ICLR 2019)."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        key = (PRETRAINED in name, parameter.ndim < 2)
        if parameter.requires_grad:
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "share": config.backbone_rate if pretrained else 1.0,
                "weight_decay": 0.0 if flat else config.weight_decay,
            }
            for (pretrained, flat), parameters in sorted(groups.items(), key=lambda g: g[0])
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.99),
    )


def set_rate(
    optimizer: torch.optim.Optimizer, config: OptimizerConfig, step: int, steps: int
) -> float:
    """Set the learning rate of a step: a line up, then half a cosine down; return it."""
    rising = max(1, round(config.warmup * steps))
    if step < rising:
        share = (step + 1) / rising
    else:
        way = (step - rising) / max(1, steps - rising)
        share = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * way)) / 2
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * share * group["share"]
    return config.learning_rate * share


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights a little to the newest; faster while there are few to average."""
    decay = min(decay, (1 + step) / (10 + step))
    newest = dict(network.state_dict())
    for name, held in average.state_dict().items():
        if held.dtype.is_floating_point:
            held.lerp_(newest[name], 1 - decay)
        else:
            held.copy_(newest[name])
