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

"""The package says what it needs, and says its version once."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import mm_fusion

ROOT = Path(__file__).parents[1]
KEYS = {  # import -> rosdep key, where they differ
    "cv2": "python3-opencv",
    "matplotlib": "python3-matplotlib",
    "mcap": None,  # rosdep knows none
    "numpy": "python3-numpy",
    "onnxruntime": None,  # nor of onnxruntime
    "open3d": "python3-open3d-pip",
    "openvino": None,  # nor of openvino
    "rerun": None,  # nor of rerun-sdk
    "rich": "python3-rich",
    "rosbags": "python3-rosbags-pip",
    "safetensors": None,  # nor of safetensors
    "scipy": "python3-scipy",
    "shapely": "python3-shapely",
    "torch": "python3-torch",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
APACHE_2 = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"  # of its words
SOURCES = sorted([*ROOT.glob("mm_fusion/**/*.py"), *ROOT.glob("launch/*.py")])
EVERY_FILE = [*SOURCES, *ROOT.glob("test/**/*.py"), *ROOT.glob("overlay/*.py"), ROOT / "setup.py"]


def package_xml():
    return ElementTree.parse(ROOT / "package.xml").getroot()


def imported():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module.split(".")[0]


def test_every_import_is_an_exec_depend():
    outside = set(imported()) - set(sys.stdlib_module_names) - {"mm_fusion"}
    declared = {tag.text for tag in package_xml().iter("exec_depend")}
    assert {KEYS.get(name, name) for name in outside} - {None} <= declared


def test_what_rosdep_has_no_key_for_is_said_and_left_to_pip():
    for name in (name for name, key in KEYS.items() if key is None):
        assert f"pip install {name}" in (ROOT / "package.xml").read_text()
        assert re.search(rf'"{name}[">=]', (ROOT / "setup.py").read_text())


def test_the_version_is_the_same_everywhere():
    version = package_xml().findtext("version")
    assert mm_fusion.__version__ == version
    assert f'version="{version}"' in (ROOT / "setup.py").read_text()
    newest = re.search(r"^(\d+\.\d+\.\d+) \(", (ROOT / "CHANGELOG.rst").read_text(), re.M)
    assert newest.group(1) == version


def test_every_file_carries_the_copyright_and_the_licence():
    for path in EVERY_FILE:
        text = path.read_text()
        assert text.startswith("# Copyright 2026 The mm_fusion authors\n#\n# Licensed under"), path
    assert package_xml().findtext("license") == "Apache-2.0"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package installed as colcon does it, from a copy: a build leaves files beside it."""
    source, prefix = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("prefix")
    for folder in ("mm_fusion", "launch", "config", "rviz", "resource"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("*.pyc"))
    for file in ("setup.py", "setup.cfg", "package.xml"):
        shutil.copy(ROOT / file, source)
    command = [sys.executable, "setup.py", "-q", "install", "--prefix", prefix]
    command += ["--single-version-externally-managed", "--record", os.devnull]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return prefix


def test_ros2_run_finds_the_nodes(installed):
    scripts = installed / "lib" / "mm_fusion"
    for name in ("fusion_node", "player_node", "mm_fusion"):
        assert os.access(scripts / name, os.X_OK)


@pytest.mark.parametrize("folder", ["launch", "config", "rviz"])
def test_ros2_launch_finds_every_file_of(folder, installed):
    share = installed / "share" / "mm_fusion"
    assert {p.relative_to(share) for p in (share / folder).rglob("*") if p.is_file()} == {
        p.relative_to(ROOT)
        for p in (ROOT / folder).rglob("*")
        if p.is_file() and p.suffix != ".pyc"
    }
    assert any((share / folder).iterdir())


def test_the_ament_index_knows_the_package(installed):
    share = installed / "share"
    assert (share / "ament_index/resource_index/packages/mm_fusion").read_text() == ""
    assert (share / "mm_fusion/package.xml").read_text() == (ROOT / "package.xml").read_text()


def test_the_licence_is_apache_2_word_for_word():
    words = (ROOT / "LICENSE").read_text().split()
    assert hashlib.sha256(" ".join(words).encode()).hexdigest() == APACHE_2
