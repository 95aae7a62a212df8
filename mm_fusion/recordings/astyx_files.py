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

"""The files of Astyx's two data sets: text tables, calibration, boxes, CAN.

Astyx HiRes2019 (Meyer and Kuschk: Automotive Radar Dataset for Deep Learning Based 3D Object
Detection, EuRAD 2019) and its predecessor with an Ouster LiDAR and the car's CAN bus.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.errors import CalibrationError, RecordingError
from mm_fusion.geometry.rigid import rotation_from_quaternion
from mm_fusion.recordings.recording import Truth
from mm_fusion.records import (
    CLASSES,
    UNKNOWN,
    UNTRACKED,
    Float64,
    GpsFix,
    LidarScan,
    MotionRecord,
    Objects,
    RadarScan,
    TwistSample,
)

RANGE_RATE_STEP_MPS = 0.0812  # every V_r is a multiple of it
RANGE_RATE_PERIOD_MPS = 128 * RANGE_RATE_STEP_MPS  # -63 to 64 steps occur, then it folds
AZIMUTH_LIMIT_RAD = math.radians(50)  # the radar's field of view; labels go no farther

_CLASSES = {
    "car": "car",
    "truck": "truck",
    "bus": "bus",
    "trailer": "trailer",
    "motorcyclist": "motorcycle",
    "cyclist": "bicycle",
    "person": "pedestrian",
    "person with object": "pedestrian",
}
_KMH = 1 / 3.6
_NO_ALTITUDE_STD_M = 1000.0  # the CAN bus carries no altitude


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
            values = np.loadtxt(lines, ndmin=2)
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


def read_json(path: Path) -> Any:  # noqa: ANN401  # whatever the file holds
    """Read a JSON file, NaN allowed; raise `RecordingError` where it is broken."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: {error}") from error


def read_calibration(path: Path, size_px: tuple[int, int] | None) -> Calibration:
    """Read one frame's calibration; its reference frame, the radar's, is taken as ego.

    Raises:
        RecordingError: the file is missing or malformed; the text names the file.
    """
    calibration = Calibration()
    try:
        for sensor in read_json(path)["sensors"]:
            stream = sensor["sensor_uid"].partition("_")[0]  # radar_6455: radar
            place = np.array(sensor["calib_data"]["T_to_ref_COS"], np.float64)
            if stream != "camera":
                calibration = calibration.with_extrinsic(stream, place)
            elif size_px is not None:
                camera = Camera(
                    name=stream,
                    image_from_camera=np.array(sensor["calib_data"]["K"], np.float64),
                    ego_from_camera=place,
                    size_px=size_px,
                )
                calibration = calibration.with_camera(camera)
    except (KeyError, TypeError, ValueError, CalibrationError) as error:
        raise RecordingError(f"calibration {path}: {error!r}") from error
    return calibration


def read_truth(path: Path) -> Truth:
    """Read one frame's boxes; what is of no known class is ignored.

    Raises:
        RecordingError: the file is malformed; the text names it.
    """
    try:
        boxes = read_json(path)["objects"]
        objects = _objects(boxes)
        occlusion = np.array([int(box["occlusion"]) for box in boxes], np.int64)
    except (KeyError, TypeError, ValueError, CalibrationError) as error:
        raise RecordingError(f"{path}: {error!r}") from error
    scored = objects.labels != UNKNOWN
    return Truth(
        objects=objects[scored],
        occlusion=occlusion[scored],
        azimuth_limit_rad=AZIMUTH_LIMIT_RAD,
        ignored=objects[~scored],
    )


def _objects(boxes: Sequence[Mapping[str, Any]]) -> Objects:
    rows, labels, ids = [], [], []
    for box in boxes:
        turn = rotation_from_quaternion(np.array(box["orientation_quat"], np.float64))
        yaw_rad = math.atan2(turn[1, 0], turn[0, 0])
        rows.append([*box["center3d"], *box["dimension3d"], yaw_rad])
        name = _CLASSES.get(box["classname"].lower().replace("_", " "), CLASSES[UNKNOWN])
        labels.append(CLASSES.index(name))
        ids.append(max(int(box.get("object_id", UNTRACKED)), UNTRACKED))
    return Objects.of_boxes(
        np.array(rows, np.float64).reshape(-1, 7),
        labels=np.array(labels, np.int64),
        ids=np.array(ids, np.int64),
    )


def read_can(path: Path, stamp_ns: int) -> tuple[tuple[str, MotionRecord], ...]:
    """Read what the CAN bus said: the GPS fix and the vehicle's speed (km/h in the file).

    The yaw rate is left out: neither its sign nor its rest value is documented.

    Raises:
        RecordingError: the file is broken, or a value needed is NaN.
    """
    can = read_json(path)
    names = ("GPS_Lat_dez", "GPS_Lon_dez", "GPS_HorAccu", "vehicle_speed")
    values = [can.get(name) for name in names]
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        raise RecordingError(f"{path}: expected finite {', '.join(names)}, got {values}")
    latitude_deg, longitude_deg, accuracy_m, speed_kmh = values
    variance = np.array([accuracy_m, accuracy_m, _NO_ALTITUDE_STD_M]) ** 2
    fix = GpsFix(
        stamp_ns=stamp_ns,
        latitude_rad=math.radians(latitude_deg),
        longitude_rad=math.radians(longitude_deg),
        altitude_m=0.0,
        covariance_enu=np.diag(variance),
    )
    speed = TwistSample(
        stamp_ns=stamp_ns,
        linear_ego=np.array([speed_kmh * _KMH, 0.0, 0.0]),
        angular_ego=np.full(3, np.nan),
    )
    return (("gps", fix), ("twist", speed))
