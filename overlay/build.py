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

"""Builds the interface packages that the ROS wheels lack into this Python's environment, once.

Run by `make setup` with the environment's own Python. A package whose content was built before is
passed over. Exit code 1 and one sentence where the build fails; the log says the rest.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("vision_msgs", "tf2_msgs", "radar_msgs", "autoware_perception_msgs")


def content_hash(package: str) -> str:
    """Hash what the build of a package depends on."""
    digest = hashlib.sha256(sys.version.encode())
    files = [p for p in sorted((HERE / package).rglob("*")) if p.is_file()]
    for path in [*files, HERE / "interfaces.cmake", HERE / "requirements.lock"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def build(package: str, prefix: Path, scratch: Path) -> bool:
    """Configure, compile and install one package into the prefix; say how it went."""
    log = scratch / f"{package}.log"
    environment = os.environ | {
        "AMENT_PREFIX_PATH": str(prefix),
        "PATH": f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    configure = [
        "cmake",
        *("-G", "Ninja", "-S", HERE / package, "-B", scratch / package),
        *(f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_INSTALL_PREFIX={prefix}"),
        *("-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
        f"-DPython3_EXECUTABLE={sys.executable}",
    ]
    install = ["cmake", "--build", scratch / package, "--target", "install"]
    with log.open("w") as out:
        for command in (configure, install):
            done = subprocess.run(
                command, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False
            )
            if done.returncode:
                print(f"failed; the log is {log}", flush=True)
                return False
    return True


def main() -> int:
    """Build what is missing."""
    prefix = Path(sys.prefix)
    stamps = prefix / "share" / "mm_fusion_overlay"
    stamps.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="mm_fusion_overlay_"))
    for number, package in enumerate(PACKAGES, start=1):
        stamp, wanted = stamps / package, content_hash(package)
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        print(f"interfaces {number}/{len(PACKAGES)}: {package} ... ", end="", flush=True)
        if not build(package, prefix, scratch):
            return 1
        stamp.write_text(wanted)
        print("built", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
