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

"""Astyx's text tables: LiDAR and radar, one return a line.

Astyx HiRes2019 (Meyer and Kuschk: Automotive Radar Dataset for Deep Learning Based 3D Object
Detection, EuRAD 2019) has a Velodyne VLP-16, its demo an Ouster OS1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.records import Float64, LidarScan, RadarScan

RANGE_RATE_STEP_MPS = 0.0812  # every V_r is a multiple of it
RANGE_RATE_PERIOD_MPS = 128 * RANGE_RATE_STEP_MPS  # -63 to 64 steps occur, then it folds


@dataclass(frozen=True, slots=True, kw_only=True)
class LidarColumns:
    """How one LiDAR's table spells what every LiDAR has."""

    reflectivity: str
    full_scale: float  # of the reflectivity
    time: str
    time_unit_ns: int


VLP16 = LidarColumns(
    reflectivity="Reflectivity", full_scale=255, time="Timestamp", time_unit_ns=1000
)
OS1 = LidarColumns(reflectivity="Reflectivity", full_scale=65535, time="T", time_unit_ns=1)


def read_table(path: Path) -> dict[str, Float64]:
    """Read a text table: blank lines, one line of column names, then numbers.

    Raises:
        RecordingError: the file is missing, empty, or broken off within a line.
    """
    try:
        with path.open() as lines:
            head = next((line for line in lines if line.strip()), "").split()
            rows = [line for line in lines if not line.isspace()]
        values = np.loadtxt(rows, ndmin=2) if rows else np.zeros((0, len(head)))
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: truncated or not a table: {error}") from error
    if not len(values) or values.shape[1] != len(head):
        raise RecordingError(
            f"{path}: truncated or not a table: {len(head)} column names, values {values.shape}"
        )
    values = values[np.isfinite(values).all(axis=1)]
    return dict(zip(head, values.T, strict=True))


def _columns(path: Path, names: Sequence[str]) -> list[Float64]:
    table = read_table(path)
    if missing := [name for name in names if name not in table]:
        raise RecordingError(f"{path}: lacks the columns {missing}; has {list(table)}")
    return [table[name] for name in names]


def read_radar(path: Path, stamp_ns: int) -> RadarScan:
    """Read a radar table; V_r counts closing as positive and is turned round here.

    The result lies in [-64, 63] steps of `RANGE_RATE_STEP_MPS`, folded by
    `RANGE_RATE_PERIOD_MPS`. The magnitude is in dB, of no stated reference.
    """
    x, y, z, closing_mps, magnitude_db = _columns(path, ("X", "Y", "Z", "V_r", "Mag"))
    return RadarScan(
        stamp_ns=stamp_ns,
        points_radar=np.stack([x, y, z], axis=1).astype(np.float32),
        range_rate_mps=(-closing_mps).astype(np.float32),
        rcs_dbsm=magnitude_db.astype(np.float32),
    )


def read_lidar(path: Path, columns: LidarColumns, stamp_ns: int) -> LidarScan:
    """Read a LiDAR table, whose `stamp_ns` is the middle of its revolution, facing forward."""
    names = ("X", "Y", "Z", columns.reflectivity, "LaserID", columns.time)
    x, y, z, reflectivity, laser, time = _columns(path, names)
    middle = (time[0] + time[-1]) / 2
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=np.stack([x, y, z], axis=1).astype(np.float32),
        intensity=np.clip(reflectivity / columns.full_scale, 0, 1).astype(np.float32),
        offset_s=((time - middle) * columns.time_unit_ns * 1e-9).astype(np.float32),
        ring=laser.astype(np.uint16),
    )


def middle_of_revolution_ns(path: Path, columns: LidarColumns) -> int:
    """Return the LiDAR's own time at mid-revolution, from the first and the last line alone.

    Raises:
        RecordingError: the file has no such lines.
    """
    try:
        with path.open("rb") as file:
            head = file.readline().split()
            first = file.readline().split()
            file.seek(max(0, path.stat().st_size - 512))
            last = file.readlines()[-1].split()
        at = head.index(columns.time.encode())
        return round((float(first[at]) + float(last[at])) / 2) * columns.time_unit_ns
    except (OSError, ValueError, IndexError) as error:
        raise RecordingError(f"{path}: truncated or not a table: {error}") from error
