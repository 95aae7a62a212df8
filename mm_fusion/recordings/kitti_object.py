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

"""KITTI object: single labelled frames, as the object detection download lays them out.

    training/image_2/NNNNNN.png  training/velodyne/NNNNNN.bin
    training/calib/NNNNNN.txt    training/label_2/NNNNNN.txt

Scans cropped to the camera's view (`velodyne_reduced`) are taken where the whole one is not there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mm_fusion.config import SensorConfig
from mm_fusion.errors import RecordingError
from mm_fusion.geometry.rigid import invert, rotate, transform
from mm_fusion.objects import CLASSES, UNKNOWN, UNKNOWN_OCCLUSION, Objects, Truth
from mm_fusion.recordings.kitti import read_velodyne
from mm_fusion.recordings.kitti_calibration import CAMERA, KittiRig, checked, rig_of_file
from mm_fusion.recordings.picture import SUFFIXES, picture_size, read_picture
from mm_fusion.recordings.recording import (
    SENSORS,
    RecordedFrame,
    camera_sensor,
    chosen,
    files_of,
    or_skipped,
)
from mm_fusion.records import NS_PER_S, Float64, FramedRecord

FRAME_PERIOD_NS = 10 * NS_PER_S  # made up: long enough that nothing is tracked across frames

_CLASSES = {"Car": "car", "Truck": "truck", "Pedestrian": "pedestrian", "Cyclist": "bicycle"}
_NEIGHBOURS = {"Van": "car", "Person_sitting": "pedestrian"}  # KITTI counts them neither way
_REGION = "DontCare"
_UNSAID = 3  # KITTI's occlusion 3


class KittiObject:
    """The labelled frames of KITTI object: image, velodyne, boxes in the camera's view.

    The frames are unrelated and undated: their stamps are made up, in the order of the names.
    """

    layout = "kitti_object"
    result_frame = "velodyne"
    sensors: tuple[SensorConfig, ...] = (SENSORS["lidar"], camera_sensor(CAMERA))

    def __init__(self, root: Path, frames: int | None = None) -> None:
        self._root = root / "training" if (root / "training").is_dir() else root
        self._images = files_of(self._root / "image_2", *SUFFIXES)
        self._scans = files_of(self._root / "velodyne_reduced", ".bin") | files_of(
            self._root / "velodyne", ".bin"
        )
        self._tokens = sorted(self._images.keys() | self._scans.keys())[:frames]
        if not self._tokens:
            raise RecordingError(
                f"{root} holds no frame: looked for training/image_2/*.png and "
                "training/velodyne/*.bin"
            )

    def __len__(self) -> int:
        return len(self._tokens)

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read frame by frame, in the order of their numbers."""
        for token in chosen(self._tokens, tokens, self._root):
            yield self._frame(token)

    def _frame(self, token: str) -> RecordedFrame:
        calib = self._root / "calib" / f"{token}.txt"
        rig = rig_of_file(calib)
        size_px = (
            or_skipped(partial(picture_size, self._images[token]))
            if (token in self._images)
            else None
        )
        stamp_ns = FRAME_PERIOD_NS * (1 + self._tokens.index(token))
        return RecordedFrame(
            token=token,
            stamp_ns=stamp_ns,
            records=self._records(token, stamp_ns),
            motion=(),
            calibration=checked(rig, calib, size_px),
            truth=self._truth(token, rig, size_px),
            result_from_ego=invert(rig.ego_from_velodyne),
        )

    def _records(self, token: str, stamp_ns: int) -> dict[str, FramedRecord]:
        records: dict[str, FramedRecord] = {}
        if token in self._scans:
            scan = or_skipped(partial(read_velodyne, self._scans[token], stamp_ns))
            records |= {} if scan is None else {"lidar": scan}
        if token in self._images:
            image = or_skipped(partial(read_picture, self._images[token], stamp_ns))
            records |= {} if image is None else {CAMERA: image}
        return records

    def _truth(self, token: str, rig: KittiRig, size_px: tuple[int, int] | None) -> Truth | None:
        path = self._root / "label_2" / f"{token}.txt"
        if not path.exists():
            return None
        limit_rad = math.pi if size_px is None else rig.azimuth_limit_rad(size_px)
        return read_labels(path, rig.ego_from_rect, limit_rad)


def read_labels(path: Path, ego_from_rect: Float64, azimuth_limit_rad: float) -> Truth:
    """Read one label file: boxes of the rectified camera frame, into the ego frame.

    As in KITTI's own scores, vans and sitting people are ignored under the class they resemble and
    `DontCare` regions, kept in pixels, count neither way. Trams and the rest are ignored too.

    Raises:
        RecordingError: a line has too few columns or words where numbers belong.
    """
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    try:
        rows = [(words[0], np.array(words[1:15], np.float64)) for words in lines]
    except ValueError as error:
        raise RecordingError(f"{path}: {error}") from error
    if short := [name for name, row in rows if len(row) < 14]:
        raise RecordingError(f"{path}: the line of a {short[0]} has fewer than 15 columns")
    scored = [(name, row) for name, row in rows if name in _CLASSES]
    ignored = [(name, row) for name, row in rows if name not in _CLASSES and name != _REGION]
    regions = [row[3:7] for name, row in rows if name == _REGION]
    occlusion = [UNKNOWN_OCCLUSION if row[1] == _UNSAID else int(row[1]) for _, row in scored]
    return Truth(
        objects=_objects(scored, ego_from_rect),
        occlusion=np.array(occlusion, np.int64),
        azimuth_limit_rad=azimuth_limit_rad,
        ignored=_objects(ignored, ego_from_rect),
        ignored_px=np.array(regions).reshape(-1, 4),
        ignored_camera=CAMERA,
    )


def _objects(rows: Sequence[tuple[str, Float64]], ego_from_rect: Float64) -> Objects:
    """Turn label rows into objects; camera axes are x right, y down, z forward."""
    values = np.array([row[7:14] for _, row in rows]).reshape(-1, 7)  # h w l, x y z, rotation_y
    height_m, turn_rad = values[:, 0], values[:, 6]
    centers_rect = values[:, 3:6] - np.outer(height_m / 2, [0.0, 1.0, 0.0])  # up from the bottom
    heading_rect = np.column_stack([np.cos(turn_rad), np.zeros(len(rows)), -np.sin(turn_rad)])
    heading_ego = rotate(ego_from_rect, heading_rect)
    boxes = np.column_stack(
        [
            transform(ego_from_rect, centers_rect),
            values[:, [2, 1, 0]],
            np.arctan2(heading_ego[:, 1], heading_ego[:, 0]),
        ]
    )
    names = (_CLASSES | _NEIGHBOURS).get
    labels = [CLASSES.index(names(name, CLASSES[UNKNOWN])) for name, _ in rows]
    return Objects.of_boxes(boxes, labels=np.array(labels, np.int64))
