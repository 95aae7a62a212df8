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

"""Weights that come with the package, by name; each says in its header what it was trained on."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from mm_fusion.config import FusionConfig
from mm_fusion.detection.late_heads import NETWORK
from mm_fusion.errors import CheckpointError, ConfigError

FOLDER = Path(__file__).with_name("weights")
SUFFIX = ".safetensors"
LEARNED = ("learned", "guarded")  # detectors that run a network
PACKAGES = ("torch", "safetensors")  # that run it


def shipped() -> dict[str, Path]:
    """Return the files that come with the package by their names."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def weights_of(name_or_file: str) -> Path:
    """Return the file of weights that the package has under a name, or the file itself.

    Raises:
        ConfigError: nothing is named.
    """
    known = shipped()
    if not name_or_file:
        raise ConfigError(
            "learned.checkpoint is empty; name a file of weights or one "
            f"of the package's own: {', '.join(known) or 'none'}"
        )
    return known.get(name_or_file, Path(name_or_file))


def runs_network(config: FusionConfig) -> bool:
    """Tell whether the detector that is named, not `auto`, is a network or asks one."""
    late = config.detector == "late" and any(h.startswith(NETWORK) for h in config.late.heads)
    return late or config.detector in LEARNED


def chosen(config: FusionConfig, layout: str = "") -> FusionConfig:
    """Return the settings with `auto` replaced by the detector it means.

    That is the guarded one with the weights named, else with the package's own for recordings of
    this layout; the geometric one where there are none, or what runs them is not installed.

    Args:
        config: settings.
        layout: of the recording, where there is one.
    """
    named = config.learned.checkpoint or (layout if layout in shipped() else "")
    if config.detector == "auto":
        able = bool(named) and all(find_spec(name) for name in PACKAGES)
        config = replace(config, detector="guarded" if able else "geometric")
    if not runs_network(config):
        return config
    return replace(config, learned=replace(config.learned, checkpoint=named))


def require_weights(config: FusionConfig) -> None:
    """Make sure that the detector of these settings can be built.

    Raises:
        CheckpointError: the file of its weights is not there.
        ConfigError: none is named, or what runs them is not installed.
    """
    config = chosen(config)
    if not runs_network(config):
        return
    if missing := [name for name in PACKAGES if not find_spec(name)]:
        raise ConfigError(
            f"detector is '{config.detector}' but {missing[0]} is not installed; "
            f"pip install {missing[0]}, or choose geometric"
        )
    if not (path := weights_of(config.learned.checkpoint)).is_file():
        raise CheckpointError(
            f"learned.checkpoint is {config.learned.checkpoint!r}; {path} is not there"
        )
