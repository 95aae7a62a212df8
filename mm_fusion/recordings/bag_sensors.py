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

"""What a bag's topics are: sensors by message type, their names by topic.

A bag written by this package says itself what its sensors are (`custom_data` of its metadata). Of
any other bag it is inferred: the kind from the message type, a radar among the point clouds by
its range rate, the name from the topic without the words that only say what kind of data it is.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from mcap.exceptions import McapError
from mcap.reader import make_reader

from mm_fusion.config import SensorConfig
from mm_fusion.errors import ConfigError, RecordingWarning
from mm_fusion.recordings.clouds import RANGE_RATE
from mm_fusion.recordings.cut_bag import BagTopic
from mm_fusion.recordings.headers import Message
from mm_fusion.recordings.messages import DECODERS

SENSORS_KEY = "mm_fusion.sensors"  # of custom_data: JSON, topic -> settings
LABELS_KEY = "mm_fusion.labels"  # of custom_data: JSON, what the labels' messages cannot say
CLOUD = "sensor_msgs/msg/PointCloud2"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
OWN = "/fusion/"  # outputs of the node, recorded with its inputs

_SAYS_DATA = frozenset(
    (
        *("image", "image_raw", "image_color", "image_rect", "image_rect_color", "image_mono"),
        *("points", "points_raw", "point_cloud", "pointcloud", "pointcloud2", "cloud", "scan"),
        *("compressed", "fix", "data", "raw", "sample"),
    )
)
_KIND_OF = {msgtype: kind for kind, types in DECODERS.items() for msgtype in types}


def described(sensors: Iterable[SensorConfig]) -> str:
    """Return the settings of sensors as the text that a bag carries."""
    bare = asdict(SensorConfig(name="any"))
    settings = {
        s.topic.lstrip("/"): {
            name: value
            for name, value in asdict(s).items()
            if name in ("name", "kind") or (name != "topic" and value != bare[name])
        }
        for s in sensors
    }
    return json.dumps(settings)


def sensors_of(
    topics: Mapping[str, BagTopic],
    custom: Mapping[str, str],
    peek: Callable[[Iterable[str]], Mapping[str, Message]],
) -> tuple[SensorConfig, ...]:
    """Return the sensors of a bag, in the order of their kinds and topics.

    Args:
        topics: what the bag holds.
        custom: the bag's custom data.
        peek: gives the first message of each of some topics that can be read.
    """
    known = parsed(custom, SENSORS_KEY)
    streams = {t: _KIND_OF[i.msgtype] for t, i in topics.items() if _is_stream(t, i)}
    clouds = [t for t in streams if topics[t].msgtype == CLOUD]
    firsts = peek([t for t in clouds if t.lstrip("/") not in known])
    for topic in clouds:
        streams[topic] = _kind_of_cloud(topic, firsts.get(topic))
    found: dict[str, SensorConfig] = {}
    for topic in sorted(streams, key=lambda t: (list(DECODERS).index(streams[t]), t)):
        sensor = _told(topic, known) or _inferred(topic, streams[topic], topics, found)
        if sensor.name not in found:
            found[sensor.name] = sensor
    return tuple(found.values())


def _is_stream(topic: str, info: BagTopic) -> bool:
    if info.msgtype not in _KIND_OF or not info.count or topic.startswith(OWN):
        return False
    return not topic.endswith(("/compressedDepth", "/theora"))


def _kind_of_cloud(topic: str, first: Message | None) -> str:
    """Tell a radar from a LiDAR; some LiDARs measure speeds too, and then their name says so."""
    names = {f.name.lower() for f in first.fields} if first is not None else set()
    measures_speed = not names.isdisjoint(RANGE_RATE)
    if "radar" in topic.lower() or (measures_speed and "lidar" not in topic.lower()):
        return "radar"
    return "lidar"


def _told(topic: str, known: Mapping[str, Any]) -> SensorConfig | None:
    """Return what the bag itself says of a topic, if that makes a sensor."""
    topic = topic.lstrip("/")
    if topic not in known:
        return None
    try:
        return SensorConfig(**{**known[topic], "topic": topic})
    except (ConfigError, TypeError) as error:
        warnings.warn(
            f"{SENSORS_KEY} of the bag on {topic}: {error}; inferred instead",
            RecordingWarning,
            stacklevel=2,
        )
        return None


def _inferred(
    topic: str, kind: str, topics: Mapping[str, BagTopic], taken: Mapping[str, SensorConfig]
) -> SensorConfig:
    words = [w for w in topic.strip("/").split("/") if w.lower() not in _SAYS_DATA]
    name = re.sub(r"[^A-Za-z0-9_]", "_", "_".join(words)) or kind
    base, number = name, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    info = info_topic(topic, topics) if kind == "camera" else ""
    return SensorConfig(name=name, kind=kind, topic=topic.lstrip("/"), info_topic=info.lstrip("/"))


def info_topic(image: str, topics: Mapping[str, BagTopic]) -> str:
    """Return the CameraInfo topic that belongs to an image topic; empty where none does."""
    infos = [t for t, i in topics.items() if i.msgtype == CAMERA_INFO]
    base = image.removesuffix("/compressed")
    for beside in (f"{base.rpartition('/')[0]}/camera_info", f"{base}/camera_info"):
        if beside in infos:
            return beside
    images = {
        t.removesuffix("/compressed")
        for t, i in topics.items()
        if _KIND_OF.get(i.msgtype) == "camera"
    }
    return infos[0] if len(infos) == 1 and len(images) == 1 else ""


def parsed(custom: Mapping[str, str], key: str) -> Mapping[str, Any]:
    """Return an entry of the custom data, empty where it is missing or malformed."""
    try:
        value = json.loads(custom.get(key, "{}"))
    except (json.JSONDecodeError, TypeError):
        value = None
    if isinstance(value, dict):
        return value
    warnings.warn(f"{key} of the bag is not a JSON object; ignored", RecordingWarning, stacklevel=2)
    return {}


def custom_data(path: Path) -> Mapping[str, str]:
    """Return the custom data of a bag's metadata: of its folder, or of the file itself."""
    beside = (path if path.is_dir() else path.parent) / "metadata.yaml"
    try:
        text = beside.read_text() if beside.exists() else _metadata_of_mcap(path)
        tree: Any = yaml.safe_load(text) or {}
        return dict(tree.get("rosbag2_bagfile_information", tree).get("custom_data") or {})
    except (OSError, McapError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return {}  # a bag that is broken there is read all the same


def _metadata_of_mcap(path: Path) -> str:
    if path.suffix != ".mcap":
        return ""
    with path.open("rb") as stream:
        for record in make_reader(stream).iter_metadata():
            if record.name == "rosbag2":
                return str(record.metadata.get("serialized_metadata", ""))
    return ""
