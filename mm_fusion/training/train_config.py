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

"""Every setting of a training, once; a YAML file may change any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mm_fusion.config_tree import from_mapping
from mm_fusion.errors import ConfigError
from mm_fusion.model.losses import LossWeights
from mm_fusion.model.network_config import NetworkConfig
from mm_fusion.settings import Checked, setting
from mm_fusion.yaml_file import read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig(Checked):
    """What is learnt from, and what is kept to look at it with."""

    source: str = setting("", "data set or bag with labels")
    layout: str = setting("", "its layout; empty: recognised")
    folds: int = setting(5, "parts of consecutive frames it is cut into", low=1, high=100)
    fold: int = setting(-1, "the part kept out of training; -1: none", low=-1, high=99)
    random_folds: bool = setting(False, "cut at random instead, as publications do")


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConfig(Checked):
    """How often sensors are hidden in training, so that the network can do without."""

    camera: float = setting(0.3, "share of frames without the camera", low=0, high=1)
    lidar: float = setting(0.2, "share of frames without the LiDAR", low=0, high=1)
    radar: float = setting(0.2, "share of frames without the radar", low=0, high=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig(Checked):
    """How the weights move."""

    epochs: int = setting(26, "times every frame is seen", low=1, high=10000)
    batch: int = setting(4, "frames a step", low=1, high=1024)
    learning_rate: float = setting(2e-3, "its peak", low=1e-7, high=1)
    weight_decay: float = setting(0.02, "of AdamW, on weights that are no bias or norm", low=0)
    warmup: float = setting(0.1, "share of the steps in which the rate rises", low=0, high=0.9)
    clip: float = setting(10.0, "longest gradient", low=0.01)
    average: float = setting(0.998, "decay of the averaged weights, which are kept", low=0, high=1)
    backbone_rate: float = setting(0.1, "of the image encoder, relative", low=0, high=1)
    bfloat16: bool = setting(False, "compute in bfloat16 where that is worth it")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(Checked):
    """One training."""

    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    drop: DropConfig = field(default_factory=DropConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    window_x_m: float = setting(
        0.0, "length of the part of the grid that a batch is learnt in, drawn anew; 0: all", low=0
    )
    window_y_m: float = setting(0.0, "its width; 0: all", low=0)
    paste: int = setting(6, "cars pasted into a frame, at most", low=0, high=100)
    imagenet: bool = setting(True, "start the image encoder from ImageNet's weights")
    seed: int = setting(0, "of everything that is drawn", low=0)
    licence: str = setting("Apache-2.0", "of the weights: the data's, where that binds them")


def load_train_config(path: Path, changes: Sequence[str] = ()) -> TrainConfig:
    """Read a training's settings; what the file does not name keeps its default.

    Args:
        path: YAML.
        changes: instead of the file's: `group.setting=value`, the value as YAML spells it.

    Raises:
        ConfigError: it is missing, malformed, or holds an unknown or absurd setting.
    """
    tree = read_yaml(path, "training settings", ConfigError) or {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change}: give a setting and its value, as seed=1")
        _put(tree, name.split("."), yaml.safe_load(text))
    return from_mapping(TrainConfig, tree)


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:  # noqa: ANN401  # any YAML
    *groups, leaf = path
    for group in groups:
        tree = tree.setdefault(group, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {'.'.join(path)}: {group} is no group of settings")
    tree[leaf] = value
