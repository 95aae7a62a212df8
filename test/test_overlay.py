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

"""The interface packages built here are the real ones: the same type hashes (REP-2011)."""

import json
import re
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_share_directory
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

OVERLAY = Path(__file__).parents[1] / "overlay"
MESSAGES = sorted(OVERLAY.glob("*/msg/*.msg"))

# as bags recorded with the real package carry it
PUBLISHED = {
    "tf2_msgs/msg/TFMessage": (
        "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
    )
}


def type_name(path):
    return f"{path.parent.parent.name}/msg/{path.stem}"


@pytest.fixture(scope="module")
def typestore():
    """The stock types, and the overlay's by their text alone."""
    store = get_typestore(Stores.ROS2_KILTED)
    types = {}
    for path in MESSAGES:
        types |= get_types_from_msg(path.read_text(), type_name(path))
    store.register({name: t for name, t in types.items() if name not in store.fielddefs})
    return store


def built_hash(name):
    package, _, stem = name.split("/")
    share = Path(get_package_share_directory(package))
    described = json.loads((share / "msg" / f"{stem}.json").read_text())
    (found,) = (h["hash_string"] for h in described["type_hashes"] if h["type_name"] == name)
    return found


@pytest.mark.ros
@pytest.mark.parametrize("path", MESSAGES, ids=type_name)
def test_the_hash_of_the_build_is_the_hash_computed_independently(path, typestore):
    assert built_hash(type_name(path)) == typestore.hash_rihs01(type_name(path))


@pytest.mark.ros
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_hash_is_the_one_the_real_package_publishes(name):
    assert built_hash(name) == PUBLISHED[name]


@pytest.mark.parametrize("path", MESSAGES, ids=type_name)
def test_an_interface_is_fields_and_constants_only(path):
    for line in path.read_text().splitlines():
        assert re.fullmatch(r"[\w/]+(\[\d*\])? \w+(=\d+)?", line), line
