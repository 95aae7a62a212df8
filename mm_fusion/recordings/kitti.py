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

"""KITTI raw: one drive folder, as the raw download lays it out.

2011_09_26/                        calib_cam_to_cam.txt, calib_velo_to_cam.txt, ...
  2011_09_26_drive_0052_sync/
    image_02/data/NNNNNNNNNN.png   (or .jpg), timestamps.txt
    velodyne_points/data/NNNNNNNNNN.bin, timestamps.txt
    oxts/data/NNNNNNNNNN.txt, timestamps.txt
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mm_fusion.config import SensorConfig
from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.geometry.rigid import invert
from mm_fusion.recordings.kitti_calibration import CAMERA, checked, rig_of_drive
from mm_fusion.recordings.kitti_oxts import read_oxts, read_stamps
from mm_fusion.recordings.picture import SUFFIXES, picture_size, read_picture
from mm_fusion.recordings.points import read_points
from mm_fusion.recordings.recording import (
    SENSORS,
    RecordedFrame,
    camera_sensor,
    chosen,
    files_of,
    or_skipped,
)
from mm_fusion.records import CameraImage, FramedRecord, LidarScan, MotionRecord

_COLUMNS = 4  # x, y, z, reflectance
_TRUNCATED = 0.75  # of the drive's median size; whole scans of a drive differ by a tenth
_FOLDERS = {"lidar": "velodyne_points", CAMERA: "image_02", "oxts": "oxts"}
_SUFFIXES = {"lidar": (".bin",), CAMERA: SUFFIXES, "oxts": (".txt",)}


class KittiRaw:
    """One drive of KITTI raw: velodyne, left colour camera, GPS/IMU; no labels.

    Frames of one number belong together (the `sync` drives). Streams without a `timestamps.txt`
    take the stamps of the GPS/IMU unit.
    """

    layout = "kitti_raw"
    result_frame = "velodyne"

    def __init__(self, drive: Path, frames: int | None = None) -> None:
        self._drive = drive
        self._files = {
            stream: _numbered(drive / folder / "data", *_SUFFIXES[stream])
            for stream, folder in _FOLDERS.items()
        }
        self._tokens = sorted(set().union(*self._files.values()))[:frames]
        if not self._tokens:
            raise RecordingError(
                f"{drive} holds no frame: looked for velodyne_points/data/*.bin, "
                "image_02/data/*.png or *.jpg, oxts/data/*.txt"
            )
        self._stamps = {s: read_stamps(drive / f / "timestamps.txt") for s, f in _FOLDERS.items()}
        self._rig = rig_of_drive(drive)
        sizes = (or_skipped(partial(picture_size, p)) for p in self._files[CAMERA].values())
        size_px = next((size for size in sizes if size is not None), None)
        self._calibration = checked(self._rig, drive, size_px)
        scans = [path.stat().st_size for path in self._files["lidar"].values()]
        self._whole_bytes = statistics.median(scans) if scans else 0

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams this drive has."""
        streams = {
            "lidar": (SENSORS["lidar"],),
            CAMERA: (camera_sensor(CAMERA),),
            "oxts": (SENSORS["gps"], SENSORS["imu"], SENSORS["twist"]),
        }
        return tuple(sensor for s, found in streams.items() if self._files[s] for sensor in found)

    def __len__(self) -> int:
        return len(self._tokens)

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read frame by frame; motion of the frames left out comes with the next one read."""
        unheard = list(self._files["oxts"])
        for token in chosen(self._tokens, tokens, self._drive):
            heard = [name for name in unheard if name <= token]
            unheard = unheard[len(heard) :]
            frame = or_skipped(partial(self._frame, token, heard))
            if frame is not None:
                yield frame

    def _frame(self, token: str, heard: list[str]) -> RecordedFrame:
        readers: dict[str, Callable[[str], FramedRecord]] = {
            "lidar": self._scan,
            CAMERA: self._image,
        }
        records = {}
        for stream, read in readers.items():
            record = or_skipped(partial(read, token)) if token in self._files[stream] else None
            if record is not None:
                records[stream] = record
        return RecordedFrame(
            token=token,
            stamp_ns=self._stamp_ns(next(iter(records), "oxts"), token),
            records=records,
            motion=tuple(pair for name in heard for pair in self._motion(name)),
            calibration=self._calibration,
            truth=None,
            result_from_ego=invert(self._rig.ego_from_velodyne),
        )

    def _scan(self, token: str) -> LidarScan:
        path = self._files["lidar"][token]
        if path.stat().st_size < _TRUNCATED * self._whole_bytes:
            raise RecordingError(
                f"{path}: truncated, {path.stat().st_size} bytes where a scan of this drive has "
                f"{self._whole_bytes:.0f}"
            )
        return read_velodyne(path, self._stamp_ns("lidar", token))

    def _image(self, token: str) -> CameraImage:
        return read_picture(self._files[CAMERA][token], self._stamp_ns(CAMERA, token))

    def _motion(self, token: str) -> tuple[tuple[str, MotionRecord], ...]:
        path, stamp_ns = self._files["oxts"][token], self._stamp_ns("oxts", token)
        return or_skipped(partial(read_oxts, path, stamp_ns, self._rig.ego_from_imu)) or ()

    def _stamp_ns(self, stream: str, token: str) -> int:
        for known in (self._stamps[stream], self._stamps["oxts"]):
            if int(token) in known:
                return known[int(token)]
        raise RecordingError(
            f"{self._drive}: frame {token} has no stamp; looked at line {int(token) + 1} of "
            f"{_FOLDERS[stream]}/timestamps.txt and oxts/timestamps.txt"
        )


def read_velodyne(path: Path, stamp_ns: int) -> LidarScan:
    """Read one velodyne scan of KITTI.

    The files tell neither the laser nor the moment of a point: `offset_s` is 0, which means
    unknown, and the 10 Hz spin stays in the scan. The stamp is the moment it faces forward.

    Raises:
        RecordingError: the file ends within a point, or is empty.
    """
    points = read_points(path, _COLUMNS)
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=np.ascontiguousarray(points[:, :3], np.float32),
        intensity=np.clip(points[:, 3], 0, 1).astype(np.float32),
        offset_s=np.zeros(len(points), np.float32),
    )


def _numbered(folder: Path, *suffixes: str) -> dict[str, Path]:
    numbered = {n: path for n, path in files_of(folder, *suffixes).items() if n.isdigit()}
    if folder.is_dir() and not numbered:
        reason = f"{folder} holds no numbered {' or '.join(suffixes)} file; stream skipped"
        warnings.warn(reason, RecordingWarning, stacklevel=2)
    return numbered
