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

"""Where KITTI's sensors sit: its three calibration formats, and the vehicle frame of its car.

Source: Geiger, Lenz, Stiller, Urtasun: Vision meets Robotics: The KITTI Dataset, IJRR 2013 (the
sensor setup with its heights, and the chain velodyne -> camera 0 -> rectified -> image).

The ego frame is on the ground below the rear axle, where the GPS/IMU unit sits, on the centre line
of the car, where the velodyne sits, with the velodyne's axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.errors import CalibrationError, RecordingError
from mm_fusion.geometry.rigid import compose, invert
from mm_fusion.records import Float64

VELODYNE_HEIGHT_M = 1.73  # above the road, as the paper's sensor setup gives it
CAMERA = "camera"  # KITTI's left colour camera, number 2

_NAMES = {  # one name -> the names the formats use
    "image_from_rect": ("P2", "P_rect_02"),
    "rect_rotation": ("R0_rect", "R_rect", "R_rect_00"),
    "camera0_from_velodyne": ("Tr_velo_to_cam", "Tr_velo_cam"),
    "velodyne_from_imu": ("Tr_imu_to_velo", "Tr_imu_velo"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KittiRig:
    """One day's calibration of KITTI's car."""

    image_from_rect: Float64  # (3, 4) px, camera 2; rect: the rectified frame of camera 0
    rect_from_velodyne: Float64  # (4, 4)
    velodyne_from_imu: Float64  # (4, 4)

    @property
    def ego_from_velodyne(self) -> Float64:
        """(4, 4): the ego frame lies below the IMU's x, the velodyne's y."""
        forward_m = -float(self.velodyne_from_imu[0, 3])
        return compose(np.eye(3), np.array([forward_m, 0.0, VELODYNE_HEIGHT_M]))

    @property
    def ego_from_imu(self) -> Float64:
        """(4, 4): also the place of the GPS, whose fixes are given for the IMU's place."""
        return self.ego_from_velodyne @ self.velodyne_from_imu

    @property
    def ego_from_rect(self) -> Float64:
        """(4, 4): the frame of KITTI's labels."""
        return self.ego_from_velodyne @ invert(self.rect_from_velodyne)

    def calibration(self, size_px: tuple[int, int] | None) -> Calibration:
        """Place every stream; without an image size there is no camera."""
        intrinsics = self.image_from_rect[:, :3]
        shift = np.asarray(np.linalg.solve(intrinsics, self.image_from_rect[:, 3]), np.float64)
        camera_from_rect = compose(np.eye(3), shift)  # camera 2 lies beside camera 0
        known = Calibration(
            ego_from={
                "lidar": self.ego_from_velodyne,
                "imu": self.ego_from_imu,
                "gps": self.ego_from_imu,
            }
        )
        if size_px is None:
            return known
        return known.with_camera(
            Camera(
                name=CAMERA,
                image_from_camera=intrinsics,
                ego_from_camera=self.ego_from_rect @ invert(camera_from_rect),
                size_px=size_px,
            )
        )

    def azimuth_limit_rad(self, size_px: tuple[int, int]) -> float:
        """Return the angle to the nearer edge of the image: labels exist in the image only."""
        focal_px, centre_px = self.image_from_rect[0, 0], self.image_from_rect[0, 2]
        return float(np.arctan(min(centre_px, size_px[0] - centre_px) / focal_px))


def rig_of_file(path: Path) -> KittiRig:
    """Read the calibration of one frame (object) or one drive (tracking).

    Raises:
        RecordingError: the file is missing, or lacks an entry; the text names it.
    """
    return _rig(path, _entries(path))


def rig_of_drive(drive: Path) -> KittiRig:
    """Find and read the calibration of a raw drive: in its folder or in one of the two above.

    Raises:
        RecordingError: there is none; the text says what was looked for.
    """
    date = drive.name[:10]  # 2011_09_26_drive_0052_sync
    for folder in (drive, *drive.parents[:2]):
        if (folder / "calib_velo_to_cam.txt").exists():
            return _rig(folder, _entries_of_three(folder))
        if (folder / f"calib_{date}.txt").exists():
            return rig_of_file(folder / f"calib_{date}.txt")
    raise RecordingError(
        f"{drive} has no calibration: put KITTI's calib_cam_to_cam.txt, calib_velo_to_cam.txt and "
        f"calib_imu_to_velo.txt, or calib_{date}.txt in the tracking format, beside the drive"
    )


def _entries(path: Path) -> dict[str, Float64]:
    """Read lines of a name, a colon or not, and numbers; other lines say nothing we need."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"calibration {path} cannot be read: {error}") from error
    entries = {}
    for line in lines:
        name, *numbers = line.replace(":", " ", 1).split() or [""]
        try:
            entries[name] = np.array([float(number) for number in numbers])
        except ValueError:
            continue  # the date of the calibration
    return entries


def _entries_of_three(folder: Path) -> dict[str, Float64]:
    """Bring the three files of the raw download under the names of the one-file formats."""
    entries = _entries(folder / "calib_cam_to_cam.txt")
    for file, name in (("velo_to_cam", "Tr_velo_to_cam"), ("imu_to_velo", "Tr_imu_to_velo")):
        path = folder / f"calib_{file}.txt"
        rigid = _entries(path)
        if len(rigid.get("R", ())) != 9 or len(rigid.get("T", ())) != 3:
            raise RecordingError(f"calibration {path}: expected R of 9 and T of 3 numbers")
        entries[name] = np.column_stack([rigid["R"].reshape(3, 3), rigid["T"]]).ravel()
    return entries


def _rig(source: Path, entries: Mapping[str, Float64]) -> KittiRig:
    found = {}
    for meaning, names in _NAMES.items():
        size = 9 if meaning == "rect_rotation" else 12
        value = next((entries[name] for name in names if name in entries), np.zeros(0))
        if len(value) != size:
            raise RecordingError(
                f"calibration {source}: expected {' or '.join(names)} of {size} numbers, "
                f"got {len(value)}"
            )
        found[meaning] = value.reshape(3, -1)
    rect_rotation = compose(found["rect_rotation"], np.zeros(3))
    return KittiRig(
        image_from_rect=found["image_from_rect"],
        rect_from_velodyne=rect_rotation @ _rigid(found["camera0_from_velodyne"]),
        velodyne_from_imu=_rigid(found["velodyne_from_imu"]),
    )


def _rigid(rows: Float64) -> Float64:
    return compose(rows[:, :3], rows[:, 3])


def checked(rig: KittiRig, source: Path, size_px: tuple[int, int] | None) -> Calibration:
    """Place every stream, or say which file holds the transform that is none."""
    try:
        return rig.calibration(size_px)
    except (CalibrationError, np.linalg.LinAlgError) as error:
        raise RecordingError(f"calibration of {source}: {error}") from error
