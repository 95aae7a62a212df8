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


"""The node's parameters for a recording: its sensors are those of the bag."""

from __future__ import annotations

from pathlib import Path
from struct import Struct

import yaml

from mm_fusion.config import FusionConfig
from mm_fusion.config_tree import flatten, nested
from mm_fusion.errors import RecordingError
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.records import NS_PER_S

_STAMP_LE, _STAMP_BE = Struct("<iI"), Struct(">iI")


def bag_config(bag: Path) -> FusionConfig:
    """Return the settings for a bag: its sensors, and for the rest the defaults.

    Raises:
        RecordingError: the bag cannot be read or has no topic of a sensor.
        ConfigError: it has no camera, LiDAR or radar.
    """
    sensors = BagRecording(bag).sensors
    if not sensors:
        raise RecordingError(f"{bag} has no topic with a message type of a sensor")
    return FusionConfig(sensors=sensors)


def write_parameters(config: FusionConfig, file: Path) -> Path:
    """Write a parameter file that holds every setting, for the node in any namespace."""
    values = {n: list(v) if isinstance(v, tuple) else v for n, v in flatten(config).items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": nested(values)}}, sort_keys=False))
    return file


def sensor_topics(config: FusionConfig) -> tuple[str, ...]:
    """Return the absolute topics of the sensors: what a node without a namespace listens to."""
    return tuple("/" + sensor.topic.lstrip("/") for sensor in config.sensors)


def reference_stamps(bag: Path, config: FusionConfig) -> tuple[str, frozenset[int]]:
    """Return the stream that anchors the frames of a bag, and its stamps as frames carry them."""
    priority = {kind: rank for rank, kind in enumerate(config.sync.reference_priority)}
    framed = [sensor for sensor in config.sensors if sensor.kind in priority]
    reference = min(framed, key=lambda sensor: priority[sensor.kind])
    offset_ns = round(reference.offset_s * NS_PER_S)
    topic = "/" + reference.topic.lstrip("/")
    stamps = (header_stamp_ns(payload) for _, _, payload in BagRecording(bag).raw([topic]))
    return reference.name, frozenset(stamp_ns - offset_ns for stamp_ns in stamps)


def header_stamp_ns(payload: bytes) -> int:
    """Read the stamp of a serialized message that begins with a header, without decoding it."""
    little = payload[1] & 1  # of the representation identifier, OMG DDSI-RTPS 10.2
    sec, nanosec = (_STAMP_LE if little else _STAMP_BE).unpack_from(payload, 4)
    return int(sec) * NS_PER_S + int(nanosec)
