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
from mm_fusion.errors import ConfigError

FOLDER = Path(__file__).with_name("weights")
SUFFIX = ".safetensors"


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
            "detector is 'learned' but learned.checkpoint is empty; name a file of weights or one "
            f"of the package's own: {', '.join(known) or 'none'}"
        )
    return known.get(name_or_file, Path(name_or_file))


def chosen(config: FusionConfig, layout: str = "") -> FusionConfig:
    """Return the settings with `auto` replaced by the detector it means.

    That is the learned one with the weights named, else with the package's own for recordings of
    this layout; the geometric one where there are none, or what runs them is not installed.

    Args:
        config: settings.
        layout: of the recording, where there is one.
    """
    if config.detector != "auto":
        return config
    named = config.learned.checkpoint or (layout if layout in shipped() else "")
    installed = all(find_spec(name) for name in ("torch", "safetensors"))
    if not named or not installed:
        return replace(config, detector="geometric")
    learned = replace(config.learned, checkpoint=named)
    return replace(config, detector="learned", learned=learned)
