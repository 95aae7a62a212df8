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

"""Weights on disk: safetensors, with the network's settings and what it was trained on.

The settings, the model card's figures and the licence are in the file's own header as JSON; nothing
is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mm_fusion.errors import CheckpointError
from mm_fusion.model.network import FusionNetwork
from mm_fusion.model.network_config import NetworkConfig

VERSION = 1
KEY = "mm_fusion"
TRAINING_ONLY = "alone."  # weights of heads that detection does without


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a user should know of the weights."""

    data: str
    licence: str
    layout: str = ""  # of the recordings it was trained on, whose sensors stand as theirs
    command: str = ""
    trained_modalities: tuple[str, ...] = ()
    velocity: bool = False  # velocities were labelled
    scores: Mapping[str, float] = field(default_factory=dict)


def save_checkpoint(path: Path, network: FusionNetwork, card: Card, *, half: bool = False) -> None:
    """Write the weights of a network; the same weights give the same bytes.

    Args:
        path: the file to write.
        network: whose weights.
        card: what a user should know of them.
        half: in 16 bits each, and without what only training needs: a quarter of the size.
    """
    from safetensors.torch import save_file

    header = {
        "version": VERSION,
        "network": network.config.as_dict(),
        "card": {
            "data": card.data,
            "licence": card.licence,
            "layout": card.layout,
            "command": card.command,
            "trained_modalities": list(card.trained_modalities),
            "velocity": card.velocity,
            "scores": dict(card.scores),
        },
    }
    weights = {
        name: (value.half() if half and value.is_floating_point() else value).contiguous()
        for name, value in network.state_dict().items()
        if not (half and name.startswith(TRAINING_ONLY))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, str(path), metadata={KEY: json.dumps(header, sort_keys=True)})


def load_checkpoint(path: Path) -> tuple[FusionNetwork, Card]:
    """Read a network, ready to detect, and its card.

    Raises:
        CheckpointError: the file is missing, is of another kind or version, or does not fit.
    """
    header, weights = _read(path)
    if header.get("version") != VERSION:
        raise CheckpointError(
            f"checkpoint {path} is of version {header.get('version')}, this package reads "
            f"{VERSION}; train it anew or install the package it was made with"
        )
    network = FusionNetwork(NetworkConfig.of_dict(header["network"]))
    missing, strangers = network.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.startswith(TRAINING_ONLY)]
    if missing or strangers:
        raise CheckpointError(
            f"checkpoint {path} does not fit its own settings: "
            f"{len(missing)} weights are missing, {len(strangers)} are too many "
            f"(first: {(missing or strangers)[0]})"
        )
    card = header["card"]
    return network.eval(), Card(**{**card, "trained_modalities": tuple(card["trained_modalities"])})


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise CheckpointError(
            f"checkpoint {path}: safetensors is not installed; pip install safetensors"
        ) from error
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise CheckpointError(f"checkpoint {path} was not written by mm_fusion")
            names = file.keys()
            return json.loads(metadata[KEY]), {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"checkpoint {path} is no safetensors file: {error}") from error
