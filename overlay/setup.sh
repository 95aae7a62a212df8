#!/usr/bin/env bash
# Makes the environment: a venv from the lock file, with the interfaces that the wheels lack.
#   overlay/setup.sh VENV
# Where a ROS installation is sourced, the venv sees its packages and only what it lacks is added.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
python=${PYTHON:-python3}

fail() { echo "setup: $*" >&2; exit 1; }

need() {  # need WHAT PACKAGE...: install with apt where that is possible without asking
    local what=$1; shift
    if ! command -v apt-get >/dev/null; then fail "$what is missing; install it ($*)"; fi
    local apt=(apt-get)
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || fail "$what is missing; run: sudo apt-get install -y $*"
        apt=(sudo -n apt-get)
    fi
    echo "setup: $what is missing; installing $*"
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y -q "$@" >/dev/null 2>&1 ||
        { "${apt[@]}" update -q >/dev/null 2>&1 &&
          DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y -q "$@" >/dev/null 2>&1; } ||
        fail "$what could not be installed; run: sudo apt-get install -y $*"
}

command -v "$python" >/dev/null || need "Python" python3 python3-venv
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$python" --version) is too old; Python 3.10 or newer is needed (PYTHON=... chooses one)"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    need "the venv module of $python" "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
ldconfig -p 2>/dev/null | grep -q 'libusb-1.0.so.0' || need "libusb-1.0 (Open3D loads it)" libusb-1.0-0

quiet=(--disable-pip-version-check --no-input -q)
if [ -n "${ROS_DISTRO:-}" ] && "$python" -c 'import rclpy' 2>/dev/null; then
    echo "setup: ROS $ROS_DISTRO is sourced; using its packages"
    "$python" -m venv --system-site-packages "$venv"
    "$venv/bin/python" -m pip install "${quiet[@]}" -e '.[simulation,scoring]' \
        pytest pytest-timeout ruff mypy types-PyYAML mcap-ros2-support
    exit 0
fi

command -v c++ >/dev/null || need "a C++ compiler" g++
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
[ -f "$header" ] || need "Python.h" python3-dev
echo "setup: $("$python" --version) into $venv"
"$python" -m venv "$venv"
# another ROS environment's paths would be taken for this one's
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH PYTHONPATH AMENT_PREFIX_PATH
echo "setup: packages of overlay/requirements.lock (about 1 GB on disk; the first time takes a minute)"
"$venv/bin/python" -m pip install "${quiet[@]}" -r overlay/requirements.lock 2> >(grep -v "is ignored: it is neither" >&2) ||
    fail "packages could not be installed; pip's message is above"
"$venv/bin/python" overlay/build.py || fail "the interface packages could not be built"
"$venv/bin/python" -m pip install "${quiet[@]}" --no-build-isolation --no-deps -e . 2> >(grep -v "is ignored: it is neither" >&2)
echo "setup: done; try: $venv/bin/mm_fusion --help"
