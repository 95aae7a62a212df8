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

"""Tells when a parameter file does not speak to this node, which ROS passes over in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

FLAG = "--params-file"
PARAMETERS = "ros__parameters"


def unmatched_files(arguments: Sequence[str], node: str) -> list[str]:
    """Return a sentence for every parameter file that holds nothing for the node.

    Args:
        arguments: the process's command line.
        node: fully qualified name, `/veh/fusion` say.
    """
    files = [value for flag, value in pairwise(arguments) if flag == FLAG]
    return [sentence for file in files if (sentence := _judge(Path(file), node))]


def _judge(file: Path, node: str) -> str:
    try:
        tree = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return ""  # rclpy has refused such a file already
    keys = list(_keys(tree))
    if any(_matches(key, node) for key in keys):
        return ""
    found = f"only for {', '.join(keys)}" if keys else f"no {PARAMETERS} at all"
    return (
        f"parameter file {file} holds nothing for {node}, {found}; all of it is ignored. "
        f"Write `/**:` or `{node}:` above `{PARAMETERS}:`"
    )


def _keys(tree: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  # whatever YAML holds
    """Yield the node names a parameter file speaks to; namespaces may be nested."""
    for key, below in tree.items() if isinstance(tree, Mapping) else ():
        if key == PARAMETERS:
            yield path or "/"
        else:
            yield from _keys(below, f"{path}/{str(key).strip('/')}")


def _matches(key: str, node: str) -> bool:
    """Tell whether a key with ROS's wildcards (`*` one name, `**` any) means the node."""
    pattern = re.escape(key).replace(r"/\*\*", "(/.*)?").replace(r"\*", "[^/]+")
    return re.fullmatch(pattern, node) is not None
