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

"""Findings on the sensors: their places, their lenses, and what their messages hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mm_fusion.config import SensorConfig
from mm_fusion.errors import FusionError
from mm_fusion.evaluation.check_findings import Finding, error, remark, warning
from mm_fusion.evaluation.check_reading import Reading, ScanLog
from mm_fusion.recordings.clouds import INTENSITY, RCS, TIME
from mm_fusion.recordings.headers import frame_of
from mm_fusion.recordings.images import camera_of
from mm_fusion.recordings.live_calibration import PLACED_KINDS
from mm_fusion.records import FRAMED_KINDS, Float64

UP, DOWN = 0.7, -0.9  # z of a camera's forward axis beyond which it is taken to be none
SAME_SHAPE = 0.01  # relative difference of width over height that rounding may make
FIELD_OF = {"lidar": ("intensity", INTENSITY), "radar": ("strength", RCS)}
ASSUMED = {"gps": "its antenna is taken to be at the origin"}
ASSUMED |= {"imu": "its axes are taken to be the vehicle's"}


def sensor_findings(reading: Reading) -> Iterator[Finding]:
    """Yield what is wrong with every sensor."""
    yield from _kinds(reading)
    yield from _places(reading)
    for sensor in reading.sensors:
        yield from _messages(reading, sensor)
        if sensor.kind == "camera":
            yield from _image(reading, sensor)
            yield from _axes(reading, sensor)
        if sensor.name in reading.scans:
            yield from _scans(sensor, reading.scans[sensor.name])


def place_of(reading: Reading, sensor: SensorConfig) -> Float64 | str:
    """Return ego_from_sensor (4, 4), or why it is not known."""
    if sensor.name not in reading.frames:
        return "none of its messages can be read, so its frame is not known"
    frame = reading.frames[sensor.name]
    if not frame:
        return (
            f"its messages name no frame (header.frame_id is empty); set sensor.{sensor.name}.frame"
        )
    try:
        return reading.tree.lookup(reading.base_frame, frame.lstrip("/"))
    except FusionError as reason:
        return str(reason)


def _kinds(reading: Reading) -> Iterator[Finding]:
    kinds = {s.kind for s in reading.sensors}
    if not kinds & set(FRAMED_KINDS):
        yield error(
            "the bag",
            "no topic of a camera, LiDAR or radar has a message; record them (ros2 bag record -a)",
        )
    elif not kinds & {"lidar", "radar"}:
        yield warning("the bag", "neither LiDAR nor radar: nothing measures how far objects are")
    if not kinds & {"gps", "imu", "odometry", "twist"}:
        otherwise = "a radar alone tells" if "radar" in kinds else "nothing tells"
        yield remark(
            "the bag", f"no GPS, IMU, odometry or twist: {otherwise} how the vehicle moves"
        )


def _places(reading: Reading) -> Iterator[Finding]:
    base, known = reading.base_frame, reading.tree.frames
    unplaced = {
        s: place
        for s in reading.sensors
        if s.kind in PLACED_KINDS and isinstance(place := place_of(reading, s), str)
    }
    framed = [s.name for s in unplaced if s.kind in FRAMED_KINDS]
    if framed and base not in known:
        yield error(
            "the bag",
            f"no transform speaks of {base!r}, so {', '.join(framed)} cannot be placed; frames "
            f"known: {', '.join(known) or 'none, for nothing was recorded of /tf_static'}; publish "
            f"the sensors' static transforms from {base!r}, or name the vehicle's frame in "
            "base_frame",
        )
        return
    for sensor, why in unplaced.items():
        if sensor.kind in FRAMED_KINDS:
            advice = "publish its static transform, or place it in calibration_file"
            yield error(sensor.name, f"{why}; {advice}")
        else:
            yield warning(sensor.name, f"{why}; {ASSUMED[sensor.kind]}")


def _messages(reading: Reading, sensor: SensorConfig) -> Iterator[Finding]:
    frames = reading.log_of(sensor).frames.most_common()
    if len(frames) > 1 and not sensor.frame:
        counts = ", ".join(f"{frame!r} {count} times" for frame, count in frames)
        yield warning(
            sensor.name,
            f"frame_id changes: {counts}; all are placed as the first, "
            f"{reading.frames.get(sensor.name)!r}: give each sensor a topic of its own",
        )


def _image(reading: Reading, sensor: SensorConfig) -> Iterator[Finding]:
    name, size = sensor.name, None
    if name not in reading.infos:
        topic = f"/{sensor.info_topic}" if sensor.info_topic else "a CameraInfo beside its images"
        yield error(
            name,
            f"no CameraInfo: looked for {topic}; record it, or describe the camera in "
            "calibration_file",
        )
    else:
        try:
            size = camera_of(name, reading.infos[name], np.eye(4)).size_px
        except FusionError as reason:
            yield error(name, f"{reason}; calibrate the camera")
        yield from _info_frame(reading, sensor)
    image = reading.images.get(name)
    if image is not None and image.trouble:
        yield error(name, f"its first image: {image.trouble}; look at the driver's encoding")
    elif image is not None and image.size_px and size and image.size_px != size:
        yield _wrong_size(name, size, image.size_px)


def _info_frame(reading: Reading, sensor: SensorConfig) -> Iterator[Finding]:
    said, frame = frame_of(reading.infos[sensor.name]), reading.frames.get(sensor.name, "")
    if said and frame and said != frame:
        yield warning(
            sensor.name,
            f"its images are of the frame {frame!r}, its CameraInfo is of {said!r}; "
            f"{frame!r} is used: see that it is the optical frame",
        )


def _wrong_size(name: str, info_px: tuple[int, int], image_px: tuple[int, int]) -> Finding:
    sizes = (
        f"CameraInfo speaks of {info_px[0]} x {info_px[1]} pixels, the images have "
        f"{image_px[0]} x {image_px[1]}"
    )
    ratio = (info_px[0] * image_px[1]) / max(info_px[1] * image_px[0], 1)
    if abs(ratio - 1) > SAME_SHAPE:
        return error(name, f"{sizes}, of another shape; calibrate the camera as it is published")
    return warning(
        name, f"{sizes}; the calibration is scaled to them: see that they were not cropped"
    )


def _axes(reading: Reading, sensor: SensorConfig) -> Iterator[Finding]:
    """See whether the camera looks along z, as REP-103 wants of an optical frame."""
    place = place_of(reading, sensor)
    if isinstance(place, str):
        return
    forward_z, down_z = float(place[2, 2]), float(place[2, 1])
    frame = reading.frames.get(sensor.name, sensor.frame)
    if forward_z > UP or forward_z < DOWN:
        yield warning(
            sensor.name,
            f"its frame {frame!r} has the z axis {'up' if forward_z > 0 else 'down'}, but images "
            "want an optical frame (REP-103: x right, y down, z forward); publish one and name it "
            "in the images",
        )
    elif down_z > UP:
        yield warning(
            sensor.name,
            f"its frame {frame!r} has the y axis up, so the camera hangs upside down; see whether "
            "its images do",
        )


def _scans(sensor: SensorConfig, log: ScanLog) -> Iterator[Finding]:
    of_scans = f"of {log.scans} scans"
    useless = log.empty + log.blank
    if sensor.kind == "lidar" and useless == log.scans:
        yield error(sensor.name, f"none {of_scans} holds a point that is a number; see its driver")
    elif useless == log.scans:
        yield warning(sensor.name, f"none {of_scans} holds a return; see its driver")
    elif sensor.kind == "lidar" and log.empty:
        yield warning(sensor.name, f"{log.empty} {of_scans} are empty; see its driver")
    if log.blank and useless < log.scans:
        yield warning(
            sensor.name, f"{log.blank} {of_scans} hold nothing but NaN or infinity; see its driver"
        )
    if log.fields is not None:
        yield from _fields(sensor, log, log.fields)


def _fields(sensor: SensorConfig, log: ScanLog, fields: frozenset[str]) -> Iterator[Finding]:
    what, names = FIELD_OF[sensor.kind]
    has = f"its cloud has {', '.join(sorted(fields))}"
    if fields.isdisjoint(names):
        yield remark(sensor.name, f"no field for the {what} of points, so it is zero; {has}")
    if sensor.kind != "lidar" or log.points == 0:
        return
    if fields.isdisjoint(TIME):
        yield remark(
            sensor.name,
            f"no field for the time of points, so scans cannot be deskewed; {has}",
        )
    elif not log.timed:
        yield remark(
            sensor.name,
            f"the times of its points fit no unit, so scans are not deskewed; {has}",
        )
