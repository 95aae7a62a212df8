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

"""Any rosbag2 as a recording: its sensors inferred, its messages decoded as the node decodes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.errors import FusionError, MessageError, RecordingError
from mm_fusion.objects import Truth
from mm_fusion.recordings.bag_files import open_files
from mm_fusion.recordings.bag_sensors import LABELS_KEY, custom_data, parsed, sensors_of
from mm_fusion.recordings.cut_bag import BagTopic, Timed
from mm_fusion.recordings.headers import Message, frame_of, stamp_of
from mm_fusion.recordings.interfaces import typestore
from mm_fusion.recordings.label_messages import truth_of
from mm_fusion.recordings.live_calibration import LiveCalibration
from mm_fusion.recordings.messages import DECODERS
from mm_fusion.records import FRAMED_KINDS, SensorRecord

BASE_FRAME = "base_link"  # the vehicle in the transforms of a bag
GROUND_TRUTH = "/ground_truth"
STATIC_TRANSFORMS = "/tf_static"
TRANSFORMS = "tf2_msgs/msg/TFMessage"


class BagRecording:
    """A bag on disk, MCAP or SQLite, folder or single file, whole or cut.

    Messages that cannot be decoded are counted in `errors` and left out.
    """

    layout = "rosbag2"
    result_frame = BASE_FRAME

    def __init__(self, path: Path) -> None:
        """Find out what the bag holds; nothing is decoded yet.

        Args:
            path: the bag's folder or its file.

        Raises:
            RecordingError: there is no bag, it is empty, or nothing can be read from it.
        """
        self._files, content = open_files(path)
        if not content.count:
            raise RecordingError(f"bag {path} holds no message")
        self._path = path
        self._custom = custom_data(path)
        self._current: Calibration | None = None
        self.topics: Mapping[str, BagTopic] = content.topics
        self.start_ns = content.start_ns
        self.end_ns = content.end_ns
        self.errors: Counter[tuple[str, str]] = Counter()  # topic, sentence -> messages

    @cached_property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams of the bag."""
        return sensors_of(self.topics, self._custom, self._first_messages)

    @property
    def calibration(self) -> Calibration:
        """What is known of the sensors' places: at the start, or where `records` has come to."""
        if self._current is None:
            self._current = self._known_at_start().refresh() or Calibration()
        return self._current

    def __len__(self) -> int:
        """Return the number of messages of the stream that anchors the frames."""
        for kind in FusionConfig().sync.reference_priority:
            for sensor in self.sensors:
                if sensor.kind == kind:
                    return self.topics[f"/{sensor.topic}"].count
        return 0

    def raw(self, topics: Collection[str] = ()) -> Iterator[Timed]:
        """Yield topic, log time and serialized message in the order of the log; empty: all topics.

        A file that turns out to be broken ends with a `RecordingWarning`.
        """
        return self._files.messages(topics or self.topics)

    def records(self) -> Iterator[tuple[str, SensorRecord]]:
        """Yield stream and record in the order of the log; `calibration` follows what is read."""
        self.errors.clear()
        live = self._known_at_start()
        self._current = live.refresh() or Calibration()
        sensors = {f"/{s.topic}": s for s in self.sensors}
        infos = self._infos
        for topic, _, payload in self.raw([*sensors, *infos, *self._transforms]):
            try:
                message = self._message(topic, payload)
                if topic in sensors:
                    sensor = sensors[topic]
                    record = DECODERS[sensor.kind][self.topics[topic].msgtype](message)
                    live.note_frame(sensor.name, frame_of(message))
                    self._current = live.refresh() or self._current
                    yield sensor.name, record
                elif topic in infos:
                    for camera in infos[topic]:
                        live.note_info(camera, message)
                else:
                    live.note_transforms(message)
            except FusionError as error:
                self.errors[topic, str(error)] += 1
        self.errors.update({("/tf", text): count for text, count in live.rejected.items()})

    def truths(self) -> Iterator[tuple[int, Truth]]:
        """Yield the stamp and the labels of each labelled moment."""
        if GROUND_TRUTH not in self.topics:
            return
        limit = parsed(self._custom, LABELS_KEY).get("azimuth_limit_rad", math.pi)
        for topic, _, payload in self.raw([GROUND_TRUTH]):
            try:
                message = self._message(topic, payload)
                yield stamp_of(message), truth_of(message, float(limit))
            except FusionError as error:
                self.errors[topic, str(error)] += 1

    @property
    def _transforms(self) -> list[str]:
        return [topic for topic, info in self.topics.items() if info.msgtype == TRANSFORMS]

    @property
    def _infos(self) -> dict[str, list[str]]:
        """Return the cameras that each CameraInfo topic speaks of."""
        infos: dict[str, list[str]] = {}
        for sensor in self.sensors:
            if sensor.kind == "camera" and f"/{sensor.info_topic}" in self.topics:
                infos.setdefault(f"/{sensor.info_topic}", []).append(sensor.name)
        return infos

    def _known_at_start(self) -> LiveCalibration:
        """Calibrate by the first word on everything, which may come after the first data."""
        live = self._uncalibrated()
        static = [topic for topic in self._transforms if topic.endswith(STATIC_TRANSFORMS)]
        messages = (
            [self._or_none(t, payload) for t, _, payload in self.raw(static)] if static else []
        )
        for message in reversed(messages):  # of several words on a frame the first is left
            if message is not None:
                live.note_transforms(message)
        sensors = {f"/{s.topic}": s.name for s in self.sensors if not s.frame}
        infos = self._infos
        for topic, message in self._first_messages([*sensors, *infos]).items():
            if topic in sensors:
                live.note_frame(sensors[topic], frame_of(message))
            for camera in infos.get(topic, ()):
                live.note_info(camera, message)
        live.rejected.clear()
        return live

    def _uncalibrated(self) -> LiveCalibration:
        if not any(sensor.kind in FRAMED_KINDS for sensor in self.sensors):
            raise RecordingError(f"{self._path} has no topic of a camera, LiDAR or radar")
        config = FusionConfig(sensors=self.sensors, base_frame=self.result_frame)
        return LiveCalibration(config, Calibration())

    def _first_messages(self, topics: Iterable[str]) -> dict[str, Message]:
        """Return the first message of each topic that can be read."""
        missing = set(topics)
        found: dict[str, Message] = {}
        for topic, _, payload in self.raw(list(missing)) if missing else ():
            if topic in missing and (message := self._or_none(topic, payload)) is not None:
                found[topic] = message
                missing.remove(topic)
                if not missing:
                    break
        return found

    def _or_none(self, topic: str, payload: bytes) -> Message | None:
        try:
            return self._message(topic, payload)
        except MessageError:
            return None  # counted when it is read in its turn

    def _message(self, topic: str, payload: bytes) -> Any:  # noqa: ANN401  # of rosbags' types
        msgtype = self.topics[topic].msgtype
        try:
            return typestore().deserialize_cdr(payload, msgtype)
        except Exception as error:  # struct, numpy, Unicode and rosbags' own: bytes are no message
            raise MessageError(f"the bytes are no {msgtype}: {error}") from error
