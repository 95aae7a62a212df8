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

"""What several verbs of the command line share: settings, names of frames, a progress bar."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from mm_fusion.config import FusionConfig
from mm_fusion.config_tree import load_config
from mm_fusion.errors import RecordingError


def asked_config(args: argparse.Namespace) -> FusionConfig:
    """Return the settings of the file, with what the options ask for instead."""
    config = load_config(args.config) if args.config else FusionConfig()
    if "detector" not in args:
        return config
    learned = replace(
        config.learned,
        checkpoint=str(args.checkpoint or config.learned.checkpoint),
        device=args.device or config.learned.device,
    )
    detector = args.detector or ("guarded" if args.checkpoint else config.detector)
    return replace(config, detector=detector, learned=learned)


def frame_names(path: Path | None) -> list[str] | None:
    """Read the names of the frames wanted; None: all.

    Raises:
        RecordingError: the file cannot be read.
    """
    if path is None:
        return None
    try:
        return path.read_text().split()
    except OSError as error:
        raise RecordingError(f"frames file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"frames file {path} is no text: {error}") from error


def progress_bar(what: str, total: float) -> Any:  # noqa: ANN401  # tqdm has no types
    """Show how far something is, on a terminal."""
    from tqdm import tqdm

    quiet = not sys.stderr.isatty()
    return tqdm(desc=what, total=total, unit="frame", disable=quiet, dynamic_ncols=True)
