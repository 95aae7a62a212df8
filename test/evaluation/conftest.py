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

"""Bags with one fault each, written and checked; lets the tests here import `bags`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from mm_fusion.evaluation.check import check
from mm_fusion.recordings.bag_writer import BagWriter

_spec = importlib.util.spec_from_file_location("bags", Path(__file__).with_name("bags.py"))
sys.modules["bags"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["bags"])


@pytest.fixture
def checked(tmp_path):
    """Write topics as `bags.sound` makes them into a bag, and check it."""
    from bags import Checked, write

    def write_and_check(topics):
        with BagWriter(tmp_path / "bag") as writer:
            write(writer, topics)
        return Checked(check(tmp_path / "bag", tmp_path / "out"))

    return write_and_check


@pytest.fixture(scope="session")
def recorded(data):
    """KITTI tracking's labels and detections of six sequences."""
    folder = data / "kitti_tracking"
    if not folder.is_dir():
        pytest.skip(f"{data} holds no kitti_tracking")
    return folder
