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


"""What a process needs around it to speak ROS well: transport, memory, discovery, paths."""

from __future__ import annotations

import ctypes
import os
import site
import sys
from pathlib import Path

from mm_fusion.errors import ConfigError

TRANSPORT_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
LOCAL = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
_OLDER_TRANSPORT_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"  # the same, up to Iron
_SOURCE = Path(__file__).parents[2]
_M_ARENA_MAX = -8  # malloc.h of glibc


def shipped_file(name: str) -> Path:
    """Find a file of the package, `config/default.yaml` say: installed, or in the source tree.

    Raises:
        ConfigError: it is nowhere; the text names the places.
    """
    places = [_SOURCE, *_shares(), Path(sys.prefix, "share", "mm_fusion")]
    for place in places:
        if (place / name).is_file():
            return place / name
    looked_in = ", ".join(map(str, places))
    raise ConfigError(f"{name} of mm_fusion is in none of {looked_in}; install the package again")


def ros_environment(domain_id: int | None = None) -> dict[str, str]:
    """Return the environment for a child process that runs a node of this package.

    What the user has set stays as it is.

    Args:
        domain_id: of a private session, which then stays on this computer; None: the user's own.
    """
    environment = dict(os.environ)
    _add_ros(environment)
    if domain_id is not None:
        environment["ROS_DOMAIN_ID"] = str(domain_id)
        environment.setdefault(*LOCAL)
    if str(_SOURCE) not in (*site.getsitepackages(), *_entries(environment, "PYTHONPATH")):
        paths = [str(_SOURCE), *_entries(environment, "PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def enter_ros_environment() -> None:
    """Give this very process what `ros_environment` gives a child; call before `rclpy.init`."""
    wanted = dict(os.environ)
    _add_ros(wanted)
    os.environ.update(wanted)
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):  # MALLOC_ARENA_MAX is read at start only
        libc.mallopt(_M_ARENA_MAX, int(wanted["MALLOC_ARENA_MAX"]))


def _add_ros(environment: dict[str, str]) -> None:
    if _OLDER_TRANSPORT_VARIABLE not in environment:
        profile = str(shipped_file("config/fastdds_shm.xml"))
        environment.setdefault(TRANSPORT_VARIABLE, profile)
    environment.setdefault("MALLOC_ARENA_MAX", "1")  # else 3.5 times the CPU beside DDS's threads
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads spin beside others else
    if Path(sys.prefix, "share", "ament_index").is_dir():  # ROS wheels, no setup.bash to source
        environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)


def _shares() -> list[Path]:
    """Where the ament index says the package's files are: `ament_index_python`, in two lines."""
    prefixes = map(Path, _entries(dict(os.environ), "AMENT_PREFIX_PATH"))
    return [prefix / "share" / "mm_fusion" for prefix in prefixes]


def _entries(environment: dict[str, str], name: str) -> list[str]:
    return [entry for entry in environment.get(name, "").split(os.pathsep) if entry]
