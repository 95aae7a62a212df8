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
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("vision_msgs", "tf2_msgs", "radar_msgs", "autoware_perception_msgs")
TOOLS = ("ros-", "cmake", "ninja", "empy", "lark", "catkin", "numpy")  # what the code comes out of


def content_hash(package: str) -> str:
    """Hash what the build of a package depends on: its files, the generators and this Python."""
    digest = hashlib.sha256(sys.version.encode())
    files = [p for p in sorted((HERE / package).rglob("*")) if p.is_file()]
    for path in [*files, HERE / "interfaces.cmake"]:
        digest.update(path.name.encode() + path.read_bytes())
    pins = (HERE / "requirements.lock").read_text().splitlines()
    digest.update("\n".join(pin for pin in pins if pin.startswith(TOOLS)).encode())
    return digest.hexdigest()


def commands(package: str, prefix: Path, scratch: Path) -> list[list[str]]:
    """Return what configures, compiles, installs and tries one package, in order."""
    build = str(scratch / package)
    configure = [
        "cmake",
        *("-G", "Ninja", "-S", str(HERE / package), "-B", build),
        *(f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_INSTALL_PREFIX={prefix}"),
        *("-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
        f"-DPython3_EXECUTABLE={sys.executable}",
    ]
    install = ["cmake", "--build", build, "--target", "install"]
    names = sorted(path.stem for path in (HERE / package / "msg").glob("*.msg"))
    trial = (
        f"from {package} import msg\n"
        "from rclpy.type_support import check_for_type_support\n"
        f"for name in {names}: check_for_type_support(getattr(msg, name))"
    )
    return [configure, install, [sys.executable, "-c", trial]]


def build(package: str, prefix: Path, scratch: Path) -> bool:
    """Build, install and try one package; all output goes to its log."""
    environment = os.environ | {
        "AMENT_PREFIX_PATH": str(prefix),
        "PATH": f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    with (scratch / f"{package}.log").open("w") as log:
        return all(
            subprocess.run(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
            ).returncode
            == 0
            for command in commands(package, prefix, scratch)
        )


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
            print(f"failed; the log is {scratch / package}.log", flush=True)
            return 1
        stamp.write_text(wanted)
        print("built", flush=True)
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
