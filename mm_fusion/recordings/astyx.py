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

"""Astyx HiRes2019 and its demo: single frames of camera, LiDAR and 4D radar, as published.

    HiRes2019: calibration/ camera_front/ groundtruth_obj3d/ lidar_vlp16/ radar_6455/
    demo:      calibration/ camera_bfly/  groundtruth_obj3d/ lidar_os1/   radar_hires1/ canbus/

Nothing dates the radar and the image: both are taken to be of the moment the LiDAR faces forward.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mm_fusion.config import SensorConfig
from mm_fusion.errors import RecordingError
from mm_fusion.recordings.astyx_labels import read_calibration, read_can, read_json, read_truth
from mm_fusion.recordings.astyx_tables import (
    OS1,
    RANGE_RATE_PERIOD_MPS,
    VLP16,
    middle_of_revolution_ns,
    read_lidar,
    read_radar,
)
from mm_fusion.recordings.picture import SUFFIXES, picture_size, read_picture
from mm_fusion.recordings.recording import (
    SENSORS,
    RecordedFrame,
    camera_sensor,
    chosen,
    files_of,
    or_skipped,
)
from mm_fusion.records import NS_PER_S, FramedRecord, MotionRecord

_HOUR_NS = 3600 * NS_PER_S  # the VLP-16 counts microseconds past the hour
_UNDATED_STEP_NS = NS_PER_S // 20  # half the time between any two frames


class Astyx:
    """One of Astyx's data sets; the vehicle frame is the radar's, as in its labels.

    HiRes2019 is dated by its LiDAR, which counts from the hour; an hour is added where a frame
    would lie before the one of the number before. The demo is dated by its CAN bus.
    """

    result_frame = "radar"

    def __init__(self, root: Path, frames: int | None = None) -> None:
        self._root = root
        self._files = {
            "lidar": _beginning(root, "lidar_", ".txt"),
            "radar": _beginning(root, "radar_", ".txt"),
            "camera": _beginning(root, "camera_", *SUFFIXES),
            "can": files_of(root / "canbus", ".json"),
        }
        self._columns = OS1 if (root / "lidar_os1").is_dir() else VLP16
        framed = (self._files[stream] for stream in ("lidar", "radar", "camera"))
        numbers = sorted(set().union(*framed))
        if not numbers:
            raise RecordingError(
                f"{root} holds no frame: looked for lidar_*/*.txt, radar_*/*.txt, "
                "camera_*/*.jpg or *.png"
            )
        stamps = self._can_stamps(numbers) if self._files["can"] else self._lidar_stamps(numbers)
        ordered = sorted(stamps, key=lambda number: stamps[number])[:frames]
        self._stamps = {number: stamps[number] for number in ordered}

    @property
    def layout(self) -> str:
        """`astyx_demo` where the CAN bus was recorded, `astyx` elsewhere."""
        return "astyx_demo" if self._files["can"] else "astyx"

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams, the radar's with the width of its folding."""
        radar = replace(SENSORS["radar"], range_rate_period_mps=RANGE_RATE_PERIOD_MPS)
        framed = {"lidar": SENSORS["lidar"], "radar": radar, "camera": camera_sensor("camera")}
        can = (SENSORS["gps"], SENSORS["twist"]) if self._files["can"] else ()
        return (*(sensor for stream, sensor in framed.items() if self._files[stream]), *can)

    def __len__(self) -> int:
        return len(self._stamps)

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read frame by frame, in the order of their stamps."""
        for token in chosen(list(self._stamps), tokens, self._root):
            yield self._frame(token)

    def _frame(self, token: str) -> RecordedFrame:
        picture = self._files["camera"].get(token)
        size_px = or_skipped(partial(picture_size, picture)) if picture else None
        labels = self._root / "groundtruth_obj3d" / f"{token}.json"
        return RecordedFrame(
            token=token,
            stamp_ns=self._stamps[token],
            records=self._records(token),
            motion=self._motion(token),
            calibration=read_calibration(self._root / "calibration" / f"{token}.json", size_px),
            truth=read_truth(labels) if labels.exists() else None,
            result_from_ego=np.eye(4),
        )

    def _records(self, token: str) -> dict[str, FramedRecord]:
        stamp_ns, records = self._stamps[token], {}
        for stream, files in self._files.items():
            if stream == "can" or token not in files:
                continue
            record = or_skipped(partial(self._record, stream, files[token], stamp_ns))
            if record is not None:
                records[stream] = record
        return records

    def _record(self, stream: str, path: Path, stamp_ns: int) -> FramedRecord:
        if stream == "lidar":
            return read_lidar(path, self._columns, stamp_ns)
        if stream == "radar":
            return read_radar(path, stamp_ns)
        return read_picture(path, stamp_ns)

    def _motion(self, token: str) -> tuple[tuple[str, MotionRecord], ...]:
        if token not in self._files["can"]:
            return ()
        read = partial(read_can, self._files["can"][token], self._stamps[token])
        return or_skipped(read) or ()

    def _lidar_stamps(self, numbers: list[str]) -> dict[str, int]:
        """Date the frames, in the order of their numbers, by the LiDAR's clock."""
        stamps: dict[str, int] = {}
        last_ns = 0
        for number in numbers:
            path = self._files["lidar"].get(number, self._root / "lidar_vlp16" / f"{number}.txt")
            try:
                stamp_ns = middle_of_revolution_ns(path, self._columns)
                hours = max(0, (last_ns - stamp_ns) // _HOUR_NS + 1)
                last_ns = stamp_ns + hours * _HOUR_NS
            except RecordingError:
                last_ns += _UNDATED_STEP_NS  # its records say what is broken when they are read
            stamps[number] = last_ns
        return stamps

    def _can_stamps(self, numbers: list[str]) -> dict[str, int]:
        """Date the frames by the CAN bus; one it does not date comes after all others."""
        stamps, undated = {}, []
        for number in numbers:
            path = self._files["can"].get(number, self._root / "canbus" / f"{number}.json")
            try:
                stamps[number] = round(float(read_json(path)["Timestamp"]) * 1e6) * 1000
            except (RecordingError, KeyError, TypeError, ValueError):
                undated.append(number)
        end_ns = max(stamps.values(), default=0)
        return stamps | {n: end_ns + (i + 1) * NS_PER_S for i, n in enumerate(undated)}


def _beginning(root: Path, prefix: str, *suffixes: str) -> dict[str, Path]:
    folders = sorted(path for path in root.glob(f"{prefix}*") if path.is_dir())
    return files_of(folders[0], *suffixes) if folders else {}
