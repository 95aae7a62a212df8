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

"""nuScenes: folders of one key frame each, with an `info.json` beside the sensors' files.

`info.json` is what MMDetection3D 1.x makes of the nuScenes tables (its `data_list`): images and
LiDAR file, calibration, ego pose, boxes in the LiDAR's frame, whose x axis points right.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mm_fusion.calibration import Calibration, Camera, check_rigid
from mm_fusion.config import SensorConfig
from mm_fusion.errors import CalibrationError, RecordingError
from mm_fusion.geometry.boxes import moved_boxes
from mm_fusion.geometry.rigid import rotate
from mm_fusion.objects import CLASSES, UNKNOWN, UNKNOWN_OCCLUSION, Objects, Truth
from mm_fusion.recordings.picture import picture_size, read_picture
from mm_fusion.recordings.points import read_points
from mm_fusion.recordings.recording import SENSORS, RecordedFrame, camera_sensor, chosen, or_skipped
from mm_fusion.records import Bool, Float64, FramedRecord, LidarScan

INFO = "info.json"
_COLUMNS = 5  # x, y, z, intensity 0..255, ring
_SCORED = ("car", "truck", "bus", "trailer", "motorcycle", "bicycle", "pedestrian")
_BACKGROUND = ("traffic_cone", "barrier")


class NuScenes:
    """Key frames of nuScenes: up to six cameras, LiDAR, labels all round."""

    layout = "nuscenes"
    result_frame = "global"

    def __init__(self, root: Path, frames: int | None = None) -> None:
        self._root = root
        infos = [root / INFO] if (root / INFO).exists() else sorted(root.glob(f"*/{INFO}"))
        found = [entry for path in infos for entry in _entries(path)]
        found.sort(key=lambda entry: float(entry[1]["timestamp"]))
        self._entries = {
            str(info["token"]): (at, info, names) for at, info, names in found[:frames]
        }
        if not self._entries:
            raise RecordingError(f"{root} holds no frame: looked for {INFO} and */{INFO}")

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The LiDAR and every camera that some frame has."""
        cameras = {name.lower() for _, info, _ in self._entries.values() for name in info["images"]}
        return (SENSORS["lidar"], *(camera_sensor(name) for name in sorted(cameras)))

    def __len__(self) -> int:
        return len(self._entries)

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read frame by frame, in the order of their stamps."""
        for token in chosen(list(self._entries), tokens, self._root):
            folder, info, names = self._entries[token]
            try:
                yield _frame(folder, info, names)
            except (KeyError, TypeError, ValueError, CalibrationError) as error:
                raise RecordingError(f"{folder / INFO}: frame {token}: {error!r}") from error


def _entries(path: Path) -> Iterator[tuple[Path, Mapping[str, Any], Sequence[str]]]:
    """Yield every frame of one `info.json` with its folder and its class names by number."""
    try:
        tree = json.loads(path.read_text())
        numbers: Mapping[str, int] = tree["metainfo"]["categories"]
        for info in tree["data_list"]:
            yield path.parent, info, sorted(numbers, key=lambda name: numbers[name])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path}: not nuScenes frame information: {error!r}") from error


def _frame(folder: Path, info: Mapping[str, Any], names: Sequence[str]) -> RecordedFrame:
    stamp_ns = _stamp_ns(info["timestamp"])
    ego_from_lidar = np.array(info["lidar_points"]["lidar2ego"], np.float64)
    scan_path = folder / info["lidar_points"]["lidar_path"]
    scan = or_skipped(partial(_scan, scan_path, stamp_ns))
    records: dict[str, FramedRecord] = {} if scan is None else {"lidar": scan}
    calibration = Calibration(ego_from={"lidar": ego_from_lidar})
    for name, camera in info["images"].items():
        path = folder / camera["img_path"]
        image = or_skipped(partial(read_picture, path, _stamp_ns(camera["timestamp"])))
        if image is not None:
            records[name.lower()] = image
            calibration = calibration.with_camera(_camera(name.lower(), camera, path))
    return RecordedFrame(
        token=str(info["token"]),
        stamp_ns=stamp_ns,
        records=records,
        motion=(),
        calibration=calibration,
        truth=_truth(info["instances"], names, ego_from_lidar) if "instances" in info else None,
        result_from_ego=check_rigid("ego2global", np.array(info["ego2global"])),
    )


def _stamp_ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000  # the tables count microseconds; more is rounding noise


def _camera(name: str, entry: Mapping[str, Any], path: Path) -> Camera:
    return Camera(
        name=name,
        image_from_camera=np.array(entry["cam2img"], np.float64)[:3, :3],
        ego_from_camera=np.array(entry["cam2ego"], np.float64),
        size_px=picture_size(path),
    )


def _scan(path: Path, stamp_ns: int) -> LidarScan:
    """Read one LIDAR_TOP sweep; its files do not tell the moment of a point."""
    try:
        points = read_points(path, _COLUMNS)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=np.ascontiguousarray(points[:, :3], np.float32),
        intensity=np.clip(points[:, 3] / 255, 0, 1).astype(np.float32),
        offset_s=np.zeros(len(points), np.float32),
        ring=points[:, 4].astype(np.uint16),
    )


def _truth(
    instances: Sequence[Mapping[str, Any]], names: Sequence[str], ego_from_lidar: Float64
) -> Truth:
    """Turn the boxes; cones and barriers are background, boxes without a point are ignored.

    Construction vehicles, which the package has no class for, are ignored as well.
    """
    instances = [box for box in instances if _kind(box, names) not in _BACKGROUND]
    boxes = np.array([box["bbox_3d"] for box in instances], np.float64).reshape(-1, 7)
    across = np.array([box["velocity"] for box in instances], np.float64).reshape(-1, 2)
    velocities = rotate(ego_from_lidar, np.column_stack([across, np.zeros(len(across))]))
    kinds = [_kind(box, names) for box in instances]
    labels = [CLASSES.index(kind) if kind in _SCORED else UNKNOWN for kind in kinds]
    objects = Objects.of_boxes(
        moved_boxes(ego_from_lidar, boxes),
        labels=np.array(labels, np.int64),
        velocities_ego=velocities[:, :2],
    )
    scored = _measured(instances) & (objects.labels != UNKNOWN)
    return Truth(
        objects=objects[scored],
        occlusion=np.full(int(scored.sum()), UNKNOWN_OCCLUSION, np.int64),
        ignored=objects[~scored],
    )


def _kind(box: Mapping[str, Any], names: Sequence[str]) -> str:
    number = int(box["bbox_label_3d"])
    return names[number] if number >= 0 else ""


def _measured(instances: Sequence[Mapping[str, Any]]) -> Bool:
    return np.array(
        [
            bool(box.get("bbox_3d_isvalid", True))
            and box.get("num_lidar_pts", 1) + box.get("num_radar_pts", 0) > 0
            for box in instances
        ],
        np.bool_,
    )
