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

"""Any recording as a rosbag2 that stock tools open."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mm_fusion.calibration import Calibration
from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.objects import Truth
from mm_fusion.recordings.bag import BASE_FRAME, GROUND_TRUTH, STATIC_TRANSFORMS, TRANSFORMS
from mm_fusion.recordings.bag_sensors import LABELS_KEY, SENSORS_KEY, described
from mm_fusion.recordings.bag_writer import BagWriter
from mm_fusion.recordings.encode import COMPRESSED, info_of, message_of
from mm_fusion.recordings.label_messages import detections_of
from mm_fusion.recordings.live_calibration import same_calibration
from mm_fusion.recordings.message_parts import part, transform
from mm_fusion.recordings.recording import Recording, Stream
from mm_fusion.records import CameraImage, SensorRecord

HELD_NS = 500_000_000  # records of one moment come stream by stream; the log is in time order


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """What comes together: records in the order of reading, under one calibration."""

    stamp_ns: int
    calibration: Calibration
    records: tuple[tuple[str, SensorRecord], ...]
    truth: Truth | None
    counts: bool  # whether it is one of the len() moments that progress counts


def convert(
    recording: Recording | Stream,
    bag: Path,
    *,
    storage: str = "mcap",
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Write a recording as a bag: every stream, CameraInfo, /tf_static and /ground_truth.

    Images stay as they are encoded. The log time of a message is its stamp. The bag appears under
    its name when it is whole; a conversion that fails or is killed leaves none.

    Args:
        recording: a data set, a bag or a simulated drive.
        bag: folder to make.
        storage: mcap or sqlite3.
        progress: called once a frame.

    Raises:
        ConfigError: the storage is unknown.
        RecordingError: the bag exists already or cannot be written, or the recording is empty.
    """
    with BagWriter(bag, storage, HELD_NS) as writer:
        converter = _Converter(writer, recording.sensors)
        for moment in _moments(recording):
            converter.write(moment)
            if moment.counts:
                progress()
        converter.finish()


class _Converter:
    """Writes moments; remembers what was said of the calibration and of the topics."""

    def __init__(self, writer: BagWriter, sensors: Iterable[SensorConfig]) -> None:
        self._writer = writer
        self._sensors = {s.name: replace(s, frame=s.frame or s.name) for s in sensors}
        self._written: dict[str, SensorConfig] = {}
        self._calibration: Calibration | None = None
        self._truth: Truth | None = None

    def write(self, moment: Moment) -> None:
        first_ns = min([moment.stamp_ns, *(record.stamp_ns for _, record in moment.records)])
        self._place(moment.calibration, first_ns)
        for stream, record in moment.records:
            self._record(self._sensors[stream], record, moment.calibration)
        if moment.truth is not None:
            self._truth = self._truth or moment.truth
            message = detections_of(moment.truth, moment.stamp_ns, BASE_FRAME)
            kind = "vision_msgs/msg/Detection3DArray"
            self._writer.write(GROUND_TRUTH, kind, message, moment.stamp_ns)

    def finish(self) -> None:
        """Let the bag say what its messages cannot."""
        self._writer.note(SENSORS_KEY, described(self._written.values()))
        if self._truth is not None:
            limits = {"azimuth_limit_rad": self._truth.azimuth_limit_rad}
            self._writer.note(LABELS_KEY, json.dumps(limits))

    def _place(self, calibration: Calibration, stamp_ns: int) -> None:
        """Write /tf_static where the calibration differs from what was said last."""
        before, self._calibration = self._calibration, calibration
        if before is not None and (before is calibration or same_calibration(before, calibration)):
            return
        places = dict(calibration.ego_from)
        places |= {name: camera.ego_from_camera for name, camera in calibration.cameras.items()}
        frames = {name: self._sensors[name].frame for name in places if name in self._sensors}
        transforms = [
            transform(BASE_FRAME, frame, places[name], stamp_ns)
            for name, frame in frames.items()
            if frame != BASE_FRAME
        ]
        if transforms:
            message = part(TRANSFORMS, transforms=transforms)
            self._writer.write(STATIC_TRANSFORMS, TRANSFORMS, message, stamp_ns, latched=True)

    def _record(self, sensor: SensorConfig, record: SensorRecord, calibration: Calibration) -> None:
        sensor = self._written.setdefault(sensor.name, _published(sensor, record))
        if isinstance(record, CameraImage) and sensor.name in calibration.cameras:
            camera = calibration.cameras[sensor.name]
            info = info_of(camera, record.stamp_ns, sensor.frame)
            self._writer.write(f"/{sensor.info_topic}", *info, record.stamp_ns)
        kind, message = message_of(record, sensor.frame)
        self._writer.write(f"/{sensor.topic}", kind, message, record.stamp_ns)


def _published(sensor: SensorConfig, record: SensorRecord) -> SensorConfig:
    """Return the sensor with the topics of its messages, as image_transport names them."""
    topic = sensor.topic.lstrip("/")
    if not isinstance(record, CameraImage):
        return replace(sensor, topic=topic)
    base = topic.removesuffix("/compressed")
    topic = f"{base}/compressed" if record.encoding in COMPRESSED else base
    beside = f"{base.rpartition('/')[0]}/camera_info".lstrip("/")
    info = sensor.info_topic.lstrip("/") or beside
    return replace(sensor, topic=topic, info_topic=info)


def _moments(recording: Recording | Stream) -> Iterator[Moment]:
    """Take what a recording gives: its stream of records where it has one, else its frames."""
    if isinstance(recording, Stream):
        yield from _of_records(recording)
        return
    for frame in recording.frames():
        yield Moment(
            stamp_ns=frame.stamp_ns,
            calibration=frame.calibration,
            records=(*frame.motion, *frame.records.items()),
            truth=frame.truth,
            counts=True,
        )


def _of_records(recording: Stream) -> Iterator[Moment]:
    reference = next(
        (s.name for k in SyncConfig().reference_priority for s in recording.sensors if s.kind == k),
        "",
    )
    truths = iter(recording.truths())
    labelled = next(truths, None)
    stamp_ns, calibration = 0, recording.calibration
    for stream, record in recording.records():
        stamp_ns, calibration = record.stamp_ns, recording.calibration
        while labelled is not None and labelled[0] <= stamp_ns:
            yield _labels(labelled, calibration)
            labelled = next(truths, None)
        yield Moment(
            stamp_ns=stamp_ns,
            calibration=calibration,
            records=((stream, record),),
            truth=None,
            counts=stream == reference,
        )
    while labelled is not None:
        yield _labels(labelled, calibration)
        labelled = next(truths, None)


def _labels(labelled: tuple[int, Truth], calibration: Calibration) -> Moment:
    stamp_ns, truth = labelled
    return Moment(stamp_ns=stamp_ns, calibration=calibration, records=(), truth=truth, counts=False)
