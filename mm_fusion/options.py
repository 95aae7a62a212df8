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

"""Options that several verbs of the command line have."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

LAYOUTS = ("kitti_raw", "kitti_object", "astyx", "astyx_demo", "nuscenes", "rosbag2")


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the frames of a source."""
    parser.add_argument("--from", dest="layout", choices=LAYOUTS, help="layout of the source")
    parser.add_argument("--frames", type=int, default=None, help="only the first N frames")


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the detector and the frames it sees."""
    parser.add_argument("--detector", help="geometric, learned, guarded, late; default: auto")
    parser.add_argument("--checkpoint", type=Path, help="weights of the learned detector")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where they run")
    parser.add_argument("--config", type=Path, help="parameter file, as the node takes it")
    parser.add_argument("--frames-file", type=Path, help="names of the frames wanted, one a line")


def positive(text: str) -> float:
    """Read a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value
