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

"""KITTI's GPS/IMU unit (OXTS RT3003): fixes, inertial samples and velocities from its files.

Axes of the unit: x forward, y left, z up; roll, pitch, yaw are REP-103's (yaw from east). Its
`x y z` columns are in those axes, its `f l u` columns in the same turned level.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.geometry.rigid import quaternion_from_rotation, rotation_from_rpy
from mm_fusion.records import (
    NS_PER_S,
    Float64,
    GpsFix,
    ImuSample,
    MotionRecord,
    TwistSample,
)

_COLUMNS = (  # as dataformat.txt numbers them
    *("lat", "lon", "alt", "roll", "pitch", "yaw", "vn", "ve", "vf", "vl", "vu"),
    *("ax", "ay", "az", "af", "al", "au", "wx", "wy", "wz", "wf", "wl", "wu"),
    *("pos_accuracy", "vel_accuracy", "navstat", "numsats", "posmode", "velmode", "orimode"),
)
_VERTICAL_FACTOR = 2.0  # the files give the horizontal accuracy; GPS is about twice as bad upwards
_STD_FLOOR_MPS = 0.02  # the files round the accuracy of the velocity, down to 0 in places


def read_stamps(path: Path) -> dict[int, int]:
    """Read `timestamps.txt`: line number -> stamp in ns; KITTI names no time zone, UTC is taken.

    Raises:
        RecordingError: a line is no date; the text names it.
    """
    if not path.exists():
        return {}
    stamps = {}
    for number, line in enumerate(path.read_text().splitlines()):
        if line.strip():
            stamps[number] = _stamp_ns(path, line.strip())
    return stamps


def _stamp_ns(path: Path, text: str) -> int:
    whole, _, fraction = text.partition(".")
    try:
        moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        return int(moment.timestamp()) * NS_PER_S + int(fraction[:9].ljust(9, "0"))
    except ValueError as error:
        raise RecordingError(f"{path}: {text!r} is no date and time") from error


def read_oxts(
    path: Path, stamp_ns: int, ego_from_imu: Float64
) -> tuple[tuple[str, MotionRecord], ...]:
    """Read one file of the unit: what gps, imu and twist said at that moment.

    Raises:
        RecordingError: the file is empty, short or holds something else than numbers.
    """
    try:
        values = [float(word) for word in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: {error}") from error
    if len(values) < _COLUMNS.index("navstat") or not np.isfinite(values).all():
        raise RecordingError(f"{path}: expected {len(_COLUMNS)} finite numbers, got {len(values)}")
    row = dict(zip(_COLUMNS, values, strict=False))
    return (
        ("gps", _fix(row, stamp_ns)),
        ("imu", _inertial(row, stamp_ns)),
        ("twist", _twist(row, stamp_ns, ego_from_imu)),
    )


def _vector(row: dict[str, float], names: Sequence[str]) -> Float64:
    return np.array([row[name] for name in names])


def _fix(row: dict[str, float], stamp_ns: int) -> GpsFix:
    std_m = row["pos_accuracy"] * np.array([1.0, 1.0, _VERTICAL_FACTOR])
    return GpsFix(
        stamp_ns=stamp_ns,
        latitude_rad=float(np.radians(row["lat"])),
        longitude_rad=float(np.radians(row["lon"])),
        altitude_m=row["alt"],
        covariance_enu=np.diag(std_m**2),
    )


def _inertial(row: dict[str, float], stamp_ns: int) -> ImuSample:
    map_from_imu = rotation_from_rpy(row["roll"], row["pitch"], row["yaw"])
    return ImuSample(
        stamp_ns=stamp_ns,
        angular_velocity_radps=_vector(row, ("wx", "wy", "wz")),
        linear_acceleration_mps2=_vector(row, ("ax", "ay", "az")),
        orientation_wxyz=quaternion_from_rotation(map_from_imu),
    )


def _twist(row: dict[str, float], stamp_ns: int, ego_from_imu: Float64) -> TwistSample:
    """Carry the velocity from the unit, level, to the vehicle's origin and axes."""
    level_from_imu = rotation_from_rpy(row["roll"], row["pitch"], 0.0)
    linear_imu = level_from_imu.T @ _vector(row, ("vf", "vl", "vu"))
    rotation, imu_ego = ego_from_imu[:3, :3], ego_from_imu[:3, 3]
    angular_ego = rotation @ _vector(row, ("wx", "wy", "wz"))
    return TwistSample(
        stamp_ns=stamp_ns,
        linear_ego=rotation @ linear_imu - np.cross(angular_ego, imu_ego),
        angular_ego=angular_ego,
        linear_std_mps=max(row["vel_accuracy"], _STD_FLOOR_MPS),
    )
