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

"""What several test files share: the recordings, unpacked on demand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mm_fusion.ros.environment import enter_ros_environment

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
enter_ros_environment()

DATA = Path(os.environ.get("MM_FUSION_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data():
    """The folder of real recordings; MM_FUSION_DATA says where, if not beside the checkout."""
    if not DATA.is_dir():
        pytest.skip(f"no recordings at {DATA}; set MM_FUSION_DATA to their folder")
    return DATA


def unpack(data, out, what, frames):
    if not (data / "unpack.py").exists():
        pytest.skip(f"{data} holds no unpack.py")
    subprocess.run(
        [sys.executable, data / "unpack.py", out, what, "--frames", str(frames)],
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def astyx(data, tmp_path_factory):
    """The first six Astyx HiRes2019 frames in the official layout."""
    out = tmp_path_factory.mktemp("astyx")
    unpack(data, out, "astyx", 6)
    return out / "dataset_astyx_hires2019"


@pytest.fixture(scope="session")
def kitti_raw(data, tmp_path_factory):
    """The first eight frames of KITTI raw drive 0052 in the official layout."""
    out = tmp_path_factory.mktemp("kitti")
    unpack(data, out, "kitti", 8)
    return out / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_0052_sync"
