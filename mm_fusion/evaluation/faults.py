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

"""A recording with one thing wrong: a sensor black, frozen, noisy or turned from its place.

Source of the kinds: Dong et al., "Benchmarking Robustness of 3D Object Detection to Common
Corruptions", CVPR 2023; Beemelmanns et al., "MultiCorrupt", IV 2024 (misalignment in steps of
rotation about the vertical).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import SensorConfig
from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.preprocess.image import decode
from mm_fusion.recordings.recording import RecordedFrame, Recording
from mm_fusion.records import (
    CameraImage,
    Float64,
    FramedRecord,
    LidarScan,
    RadarScan,
    UInt8,
)

NOISE_M = {"lidar": 0.1, "radar": 0.5}  # standard deviation along each axis
NOISE_GRAY = 40.0
TURNS_DEG = (1, 2, 3)

Change = Callable[[RecordedFrame, RecordedFrame | None], RecordedFrame]  # of a frame and the last


@dataclass(frozen=True, slots=True)
class Faulty:
    """A recording whose frames are changed as they are read."""

    recording: Recording
    change: Change

    @property
    def layout(self) -> str:
        """As the recording's."""
        return self.recording.layout

    @property
    def result_frame(self) -> str:
        """As the recording's."""
        return self.recording.result_frame

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """As the recording's."""
        return self.recording.sensors

    def __len__(self) -> int:
        return len(self.recording)

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read the recording's frames, each with its fault."""
        last = None
        for frame in self.recording.frames(tokens):
            yield self.change(frame, last)
            last = frame


def faults_of(kinds: Collection[str]) -> dict[str, Change]:
    """Return the faults that sensors of these kinds may have, by what is said of them."""
    faults: dict[str, Change] = {}
    if "camera" in kinds:
        faults["camera black"] = partial(_changed, kind=CameraImage, change=_black)
        faults["camera noisy"] = partial(_changed, kind=CameraImage, change=_noisy_image)
    for name, kind in (("camera", CameraImage), ("lidar", LidarScan), ("radar", RadarScan)):
        if name in kinds:
            faults[f"{name} frozen"] = partial(_frozen, kind=kind)
    if "lidar" in kinds:
        faults["lidar noisy"] = partial(_changed, kind=LidarScan, change=_noisy_lidar)
    if "radar" in kinds:
        faults["radar noisy"] = partial(_changed, kind=RadarScan, change=_noisy_radar)
    for name in ("camera", "lidar"):
        if name in kinds:
            faults |= {
                f"{name} turned {degrees} deg": partial(_turned, kind=name, degrees=degrees)
                for degrees in TURNS_DEG
            }
    return faults


def _changed(
    frame: RecordedFrame,
    _last: RecordedFrame | None,
    *,
    kind: type[FramedRecord],
    change: Callable[[FramedRecord], FramedRecord],
) -> RecordedFrame:
    records = {
        stream: change(record) if isinstance(record, kind) else record
        for stream, record in frame.records.items()
    }
    return replace(frame, records=records)


def _frozen(
    frame: RecordedFrame, last: RecordedFrame | None, *, kind: type[FramedRecord]
) -> RecordedFrame:
    """Give the data of the frame before with the stamp of this one."""
    before: Mapping[str, FramedRecord] = {} if last is None else last.records
    records = {
        stream: replace(before[stream], stamp_ns=record.stamp_ns)
        if isinstance(record, kind) and stream in before
        else record
        for stream, record in frame.records.items()
    }
    return replace(frame, records=records)


def _turned(
    frame: RecordedFrame, _last: RecordedFrame | None, *, kind: str, degrees: float
) -> RecordedFrame:
    """Turn the places of all sensors of a kind about the vertical, as if they had been knocked."""
    known, turn = frame.calibration, rotation_from_rpy(0, 0, np.radians(degrees))
    whole = compose(turn, np.zeros(3))

    def turned(matrix: Float64) -> Float64:
        moved = whole @ matrix
        moved[:3, 3] = matrix[:3, 3]
        return moved

    cameras, places = known.cameras, known.ego_from
    if kind == "camera":
        cameras = {
            name: replace(camera, ego_from_camera=turned(camera.ego_from_camera))
            for name, camera in cameras.items()
        }
    else:
        of_kind = {s for s, record in frame.records.items() if isinstance(record, LidarScan)}
        places = {s: turned(m) if s in of_kind else m for s, m in places.items()}
    return replace(frame, calibration=Calibration(cameras=cameras, ego_from=places))


def _black(record: FramedRecord) -> FramedRecord:
    assert isinstance(record, CameraImage)
    return _image(record, np.zeros_like(decode(record)))


def _noisy_image(record: FramedRecord) -> FramedRecord:
    assert isinstance(record, CameraImage)
    rgb = decode(record)
    noise = _rng(record).normal(0, NOISE_GRAY, rgb.shape)
    return _image(record, np.clip(rgb + noise, 0, 255).astype(np.uint8))


def _image(record: CameraImage, rgb: UInt8) -> CameraImage:
    height, width = rgb.shape[:2]
    return CameraImage(
        stamp_ns=record.stamp_ns,
        data=rgb.reshape(-1),
        encoding="rgb8",
        width=width,
        height=height,
        step=3 * width,
    )


def _noisy_lidar(record: FramedRecord) -> FramedRecord:
    assert isinstance(record, LidarScan)
    noise = _rng(record).normal(0, NOISE_M["lidar"], record.points_lidar.shape)
    return replace(record, points_lidar=(record.points_lidar + noise).astype(np.float32))


def _noisy_radar(record: FramedRecord) -> FramedRecord:
    assert isinstance(record, RadarScan)
    noise = _rng(record).normal(0, NOISE_M["radar"], record.points_radar.shape)
    return replace(record, points_radar=(record.points_radar + noise).astype(np.float32))


def _rng(record: FramedRecord) -> np.random.Generator:
    """Draw by the stamp, so that every run draws alike."""
    return np.random.default_rng(record.stamp_ns % 2**32)
