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

"""Reads a bag once, from end to end, and notes what its findings are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mm_fusion.config import SensorConfig
from mm_fusion.errors import FusionError, MessageError
from mm_fusion.evaluation.check_topics import TopicLog
from mm_fusion.geometry.tree import TransformTree
from mm_fusion.preprocess.image import decode
from mm_fusion.recordings.bag import TRANSFORMS, BagRecording
from mm_fusion.recordings.headers import Message, frame_of
from mm_fusion.recordings.interfaces import typestore
from mm_fusion.recordings.messages import DECODERS, edge_of
from mm_fusion.records import CameraImage, LidarScan, RadarScan, SensorRecord


@dataclass(slots=True)
class ScanLog:
    """What the scans of a LiDAR or a radar held."""

    fields: frozenset[str] | None = None  # of the first PointCloud2, in small letters
    scans: int = 0
    empty: int = 0  # scans of no point
    blank: int = 0  # scans whose points are all NaN or infinite
    points: int = 0
    timed: int = 0  # scans whose points have times of their own


@dataclass(slots=True)
class ImageLog:
    """What a camera's first image is."""

    size_px: tuple[int, int] | None = None  # width, height
    trouble: str = ""  # why it has none


@dataclass(slots=True)
class Reading:
    """All that was noted; sensors by name, the rest by topic."""

    sensors: tuple[SensorConfig, ...]
    base_frame: str
    start_ns: int
    end_ns: int
    logs: dict[str, TopicLog]
    scans: dict[str, ScanLog] = field(default_factory=dict)
    images: dict[str, ImageLog] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)  # sensor -> its first frame_id
    infos: dict[str, Message] = field(default_factory=dict)  # camera -> its newest CameraInfo
    tree: TransformTree = field(default_factory=TransformTree)

    def log_of(self, sensor: SensorConfig) -> TopicLog:
        """Return what was noted of a sensor's topic."""
        return self.logs[f"/{sensor.topic}"]


def read(bag: BagRecording) -> Reading:
    """Read every message of a bag; those that cannot be read are counted with the reason."""
    reading = Reading(
        sensors=bag.sensors,
        base_frame=bag.result_frame,
        start_ns=bag.start_ns,
        end_ns=bag.end_ns,
        logs={topic: TopicLog(info.msgtype) for topic, info in bag.topics.items()},
    )
    sensors = {f"/{s.topic}": s for s in bag.sensors}
    known = typestore().types
    for topic, log_ns, payload in bag.raw():
        log = reading.logs[topic]
        log.note(log_ns, len(payload))
        if log.msgtype not in known:
            continue
        try:
            message = _message(log.msgtype, payload)
            _note_frame(reading, sensors.get(topic), message)
            if log.note_header(message, log_ns) or topic not in sensors:
                _note(reading, topic, sensors.get(topic), message)
        except FusionError as error:
            log.errors[str(error)] += 1
    return reading


def info_topics(sensors: Iterable[SensorConfig]) -> dict[str, list[str]]:
    """Return the cameras that each CameraInfo topic speaks of."""
    infos: dict[str, list[str]] = {}
    for sensor in sensors:
        if sensor.kind == "camera" and sensor.info_topic:
            infos.setdefault(f"/{sensor.info_topic}", []).append(sensor.name)
    return infos


def _note_frame(reading: Reading, sensor: SensorConfig | None, message: Message) -> None:
    if sensor is not None:
        reading.frames.setdefault(sensor.name, sensor.frame or frame_of(message))


def _note(reading: Reading, topic: str, sensor: SensorConfig | None, message: Message) -> None:
    msgtype = reading.logs[topic].msgtype
    if sensor is not None:
        record = DECODERS[sensor.kind][msgtype](message)
        _note_record(reading, sensor, record, message)
    elif msgtype == TRANSFORMS:
        _note_transforms(reading, topic, message)
    else:
        for camera in info_topics(reading.sensors).get(topic, ()):
            reading.infos[camera] = message


def _note_transforms(reading: Reading, topic: str, message: Message) -> None:
    """Take each transform that can be read; one that cannot costs nobody but itself."""
    for stamped in message.transforms:
        try:
            reading.tree.add(*edge_of(stamped))
        except FusionError as error:
            reading.logs[topic].lost_transforms[str(error)] += 1


def _note_record(
    reading: Reading, sensor: SensorConfig, record: SensorRecord, message: Message
) -> None:
    if isinstance(record, CameraImage):
        if sensor.name not in reading.images:
            reading.images[sensor.name] = _image_log(record)
    elif isinstance(record, LidarScan):
        log = reading.scans.setdefault(sensor.name, ScanLog(_fields(message)))
        log.timed += bool(record.offset_s.any())
        _note_points(log, len(record.points_lidar), _declared(message))
    elif isinstance(record, RadarScan):
        log = reading.scans.setdefault(sensor.name, ScanLog(_fields(message)))
        _note_points(log, len(record.points_radar), _declared(message))


def _note_points(log: ScanLog, count: int, declared: int) -> None:
    log.scans += 1
    log.points += count
    log.empty += declared == 0
    log.blank += declared > 0 and count == 0


def _declared(message: Message) -> int:
    """Return how many points a message of either type says it holds."""
    if hasattr(message, "width"):
        return int(message.width * message.height)
    return len(message.returns if hasattr(message, "returns") else message.tracks)


def _fields(message: Message) -> frozenset[str] | None:
    if not hasattr(message, "fields"):
        return None
    return frozenset(f.name.lower() for f in message.fields)


def _image_log(image: CameraImage) -> ImageLog:
    try:
        height, width = decode(image).shape[:2]
    except MessageError as error:
        return ImageLog(trouble=str(error))
    return ImageLog(size_px=(width, height))


def _message(msgtype: str, payload: bytes) -> Any:  # noqa: ANN401  # of rosbags' types
    try:
        return typestore().deserialize_cdr(payload, msgtype)
    except Exception as error:  # struct, numpy, Unicode and rosbags' own: bytes are no message
        raise MessageError(f"the bytes are no {msgtype}: {error}") from error
