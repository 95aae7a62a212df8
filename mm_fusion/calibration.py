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

"""Where the sensors sit and how the cameras see: extrinsics and intrinsics, and their file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from mm_fusion.errors import CalibrationError, FusionError
from mm_fusion.records import Float64
from mm_fusion.shapes import check_shapes
from mm_fusion.yaml_file import read_yaml

DISTORTION_MODELS = {  # sensor_msgs/CameraInfo: model -> numbers of coefficients it may have
    "": (0,),
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}

RIGID_TOLERANCE = 1e-3  # of a rotation's orthogonality; calibration files carry few digits


def check_rigid(name: str, matrix: Float64) -> Float64:
    """Return the (4, 4) matrix as float64, or raise `CalibrationError` saying what is wrong."""
    matrix = np.asarray(matrix, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise CalibrationError(f"{name}: expected a finite 4x4 transform, got {matrix.tolist()}")
    rotation = matrix[:3, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > RIGID_TOLERANCE or np.linalg.det(rotation) < 0:
        raise CalibrationError(
            f"{name}: its rotation is not one (off by {error:.3g}, determinant "
            f"{np.linalg.det(rotation):.3g}); check rows, columns and units"
        )
    return matrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """One camera: intrinsics, lens and place."""

    name: str
    image_from_camera: Float64  # (3, 3) px, of the image as it is published
    ego_from_camera: Float64  # (4, 4); camera: x right, y down, z forward (REP-103 optical)
    size_px: tuple[int, int]  # width, height
    distortion_model: str = ""  # as CameraInfo names it; empty: a rectified image
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_shapes(image_from_camera=(self.image_from_camera, (3, 3)))
        check_rigid(f"camera {self.name}", self.ego_from_camera)
        focal = self.image_from_camera[[0, 1], [0, 1]]
        if not (np.isfinite(self.image_from_camera).all() and (focal > 0).all()):
            raise CalibrationError(
                f"camera {self.name}: focal lengths {focal.tolist()} px; they must be positive "
                "(a CameraInfo of zeros means the camera is not calibrated)"
            )
        lengths = DISTORTION_MODELS.get(self.distortion_model)
        if lengths is None:
            raise CalibrationError(
                f"camera {self.name}: distortion model {self.distortion_model!r} is unknown; "
                f"known: {', '.join(m for m in DISTORTION_MODELS if m)}"
            )
        if len(self.distortion) not in lengths:
            raise CalibrationError(
                f"camera {self.name}: {self.distortion_model} takes {lengths} coefficients, "
                f"got {len(self.distortion)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """All that is known of where the sensors are; what is not in it is not known."""

    cameras: Mapping[str, Camera] = field(default_factory=dict)
    ego_from: Mapping[str, Float64] = field(default_factory=dict)  # stream -> (4, 4)

    def __post_init__(self) -> None:
        for stream, matrix in self.ego_from.items():
            check_rigid(f"ego_from {stream}", matrix)

    def with_camera(self, camera: Camera) -> Calibration:
        """Return a calibration that also knows this camera, or knows it anew."""
        return replace(self, cameras={**self.cameras, camera.name: camera})

    def with_extrinsic(self, stream: str, ego_from_sensor: Float64) -> Calibration:
        """Return a calibration that also knows where this LiDAR, radar, GPS or IMU is."""
        return replace(self, ego_from={**self.ego_from, stream: np.asarray(ego_from_sensor)})


def load_calibration(path: Path) -> Calibration:
    """Read a calibration file (see config/calibration.example.yaml).

    Raises:
        CalibrationError: the file is missing or malformed; the text names the entry.
    """
    tree = read_yaml(path, "calibration file", CalibrationError)
    if not isinstance(tree, dict) or not isinstance(tree.get("sensors"), dict):
        raise CalibrationError(f"calibration file {path}: expected a mapping `sensors:`")
    cameras, ego_from = {}, {}
    for name, entry in tree["sensors"].items():
        with _named(f"calibration file {path}: {name}"):
            ego_from_sensor = _pose(entry)
            if "image_from_camera" in entry:
                cameras[name] = _camera(name, entry, ego_from_sensor)
            else:
                ego_from[name] = ego_from_sensor
    return Calibration(cameras=cameras, ego_from=ego_from)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say of which entry an error is."""
    try:
        yield
    except FusionError as error:
        raise CalibrationError(f"{what}: {error}") from error
    except KeyError as error:
        raise CalibrationError(f"{what}: lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise CalibrationError(f"{what} is malformed: {error}") from error


def _pose(entry: Mapping[str, Any]) -> Float64:
    if "ego_from_sensor" in entry:
        return check_rigid("ego_from_sensor", np.array(entry["ego_from_sensor"], np.float64))
    translation = np.array(entry["translation_m"], np.float64)
    check_shapes(translation_m=(translation, (3,)))
    w, x, y, z = (float(part) for part in entry["rotation_wxyz"])
    ego_from_sensor = np.eye(4)
    ego_from_sensor[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix()
    ego_from_sensor[:3, 3] = translation
    return check_rigid("pose", ego_from_sensor)


def _camera(name: str, entry: Mapping[str, Any], ego_from_camera: Float64) -> Camera:
    width, height = entry["size_px"]
    return Camera(
        name=name,
        image_from_camera=np.array(entry["image_from_camera"], np.float64),
        ego_from_camera=ego_from_camera,
        size_px=(int(width), int(height)),
        distortion_model=str(entry.get("distortion_model", "")),
        distortion=tuple(float(c) for c in entry.get("distortion", ())),
    )
