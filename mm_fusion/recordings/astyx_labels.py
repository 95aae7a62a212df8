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

"""Astyx's JSON files: where the sensors are, the labelled boxes, what the CAN bus said."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.errors import CalibrationError, RecordingError
from mm_fusion.geometry.rigid import compose, rotation_from_quaternion, yaw_of
from mm_fusion.objects import CLASSES, UNKNOWN, UNTRACKED, Objects, Truth
from mm_fusion.records import GpsFix, MotionRecord, TwistSample

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
        rows.append([*box["center3d"], *box["dimension3d"], yaw_of(compose(turn, np.zeros(3)))])
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
