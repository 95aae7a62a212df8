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
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import mm_fusion

ROOT = Path(__file__).parents[1]
KEYS = {  # import -> rosdep key, where they differ
    "cv2": "python3-opencv",
    "matplotlib": "python3-matplotlib",
    "mcap": "python3-mcap-pip",
    "numpy": "python3-numpy",
    "open3d": "python3-open3d-pip",
    "rich": "python3-rich",
    "rosbags": "python3-rosbags-pip",
    "scipy": "python3-scipy",
    "shapely": "python3-shapely",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
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
    assert {KEYS.get(name, name) for name in outside} <= declared


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
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert package_xml().findtext("license") == "Apache-2.0"


def test_an_installed_package_brings_what_the_node_needs_at_run_time():
    setup = (ROOT / "setup.py").read_text()
    for folder in ("launch", "config", "rviz"):
        assert f'f"share/{{NAME}}/{folder}"' in setup
        assert any((ROOT / folder).iterdir())
    assert (ROOT / "resource" / "mm_fusion").read_text() == ""
