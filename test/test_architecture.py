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

"""The layers hold: only mm_fusion.ros may know ROS, and rooms look inwards only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mm_fusion"
ROS = {
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "launch",
    "launch_ros",
    "lifecycle_msgs",
    "message_filters",
    "nav_msgs",
    "radar_msgs",
    "rcl_interfaces",
    "rclpy",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "tf2_msgs",
    "tf2_ros",
    "vision_msgs",
    "autoware_perception_msgs",
}
LEAVES = {
    "errors",
    "shapes",
    "records",
    "objects",
    "settings",
    "config",
    "config_tree",
    "calibration",
    "yaml_file",
}
INNER = LEAVES | {"geometry"}
STAGES = {"sync", "localization", "preprocess", "model", "detection", "tracking"}
BELOW_ROS = INNER | STAGES | {"pipeline", "recordings", "simulation", "view"}
MAY_IMPORT = {  # room -> rooms it may look into, besides itself
    "errors": set(),
    "shapes": {"errors"},
    "yaml_file": {"errors"},
    "records": {"errors", "shapes"},
    "objects": {"records", "shapes"},
    "settings": {"errors"},
    "config": {"errors", "records", "settings"},
    "config_tree": {"config", "errors", "settings", "yaml_file"},
    "calibration": {"errors", "records", "shapes", "yaml_file"},
    "geometry": LEAVES,
    "sync": LEAVES,
    "localization": INNER,
    "preprocess": INNER,
    "model": INNER,
    "detection": INNER | {"preprocess", "model"},
    "tracking": INNER,
    "pipeline": INNER | STAGES,
    "recordings": INNER,
    "simulation": INNER,
    "view": INNER,
    "training": BELOW_ROS | {"evaluation"},
    "evaluation": BELOW_ROS | {"training"},
    "ros": BELOW_ROS | {"training", "evaluation"},
    "viewing": BELOW_ROS | {"training", "evaluation", "ros"},
    "verb_parts": LEAVES,
    "verbs": BELOW_ROS | {"training", "evaluation", "ros", "viewing", "verb_parts"},
    "scoring_verbs": BELOW_ROS | {"training", "evaluation", "verb_parts"},
    "options": set(),
    "cli": {"errors", "options", "verbs", "scoring_verbs"},
}
HEAVY = {  # imported inside functions only, and in these rooms only
    "open3d": {"preprocess", "simulation", "view"},
    "rerun": {"view"},
    "torch": {"model", "training", "detection"},
}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            if node.module == "mm_fusion":
                yield from ((f"mm_fusion.{alias.name}", node) for alias in node.names)
            else:
                yield node.module, node


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_looks_only_where_it_may(path):
    room = room_of(path)
    for name, _ in imports(ast.parse(path.read_text())):
        top, *rest = name.split(".")
        if top == "mm_fusion" and rest:
            assert rest[0] in MAY_IMPORT[room] | {room}, f"{room} must not import {name}"
        assert room == "ros" or top not in ROS, f"{room} must not know ROS: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_rooms_and_are_imported_lazily(path):
    tree = ast.parse(path.read_text())
    at_import = {id(node) for node in tree.body}
    for name, node in imports(tree):
        rooms = HEAVY.get(name.split(".")[0])
        if rooms is None:
            continue
        assert room_of(path) in rooms, f"{name} is not for {room_of(path)}"
        torch_is_what_it_is_for = (
            room_of(path) in {"model", "training"} or path.name == "learned.py"
        )
        eager = id(node) in at_import and not torch_is_what_it_is_for
        assert not eager, f"{path.name} imports {name} before it is needed"


def test_every_room_of_the_table_that_exists_is_spelt_as_the_table_spells_it():
    assert {room_of(path) for path in FILES} <= set(MAY_IMPORT)


def test_the_pipeline_and_the_command_line_start_without_torch_and_open3d():
    code = (
        "import sys, mm_fusion.pipeline, mm_fusion.cli, mm_fusion.ros.parameters; "
        "print(sorted({'torch', 'open3d', 'rerun', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
