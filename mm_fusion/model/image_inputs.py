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

"""Images for the network: pinhole, of one size, with the intrinsics that belong to them.

A camera's picture is undistorted to a pinhole of the same matrix, scaled with its aspect kept and
set on the bottom edge of the target: what does not fit is cut off the top, where the sky is, and
what is missing is black. A pixel's centre has whole coordinates (`geometry.pinhole`), so scaling
by s takes u to (u + 0.5) * s - 0.5.

Axis letters: I images, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.errors import CalibrationError
from mm_fusion.geometry.rigid import invert
from mm_fusion.records import EgoFrame, Float32, Float64, UInt8
from mm_fusion.shapes import check_shapes

MAX_SKY = 0.4  # of the rows that may be cut off; a taller picture is made narrower instead
CACHED_CAMERAS = 16  # whose undistortion tables are kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageArrays:
    """The pictures of one frame, ready to be stacked with those of others; I may be 0."""

    images: Float32  # (I, 3, H, W) RGB in [0, 1]
    intrinsics: Float64  # (I, 3, 3) px of the resized image, no lens left
    ego_from_camera: Float64  # (I, 4, 4) optical axes into ego at the frame's stamp
    names: tuple[str, ...]  # I cameras

    def __post_init__(self) -> None:
        check_shapes(
            images=(self.images, ("I", 3, "H", "W")),
            intrinsics=(self.intrinsics, ("I", 3, 3)),
            ego_from_camera=(self.ego_from_camera, ("I", 4, 4)),
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is laid into the target: scaled to (width, height) px, then moved."""

    width: int  # of the scaled picture
    height: int
    left: int  # column of the target where it begins
    top: int  # row of the target where it begins; negative: so many rows are cut off


def fit(size_px: tuple[int, int], target_px: tuple[int, int]) -> Fit:
    """Lay a picture of (width, height) on the bottom edge of a target of (width, height)."""
    (width, height), (target_width, target_height) = size_px, target_px
    scale = min(target_width / width, target_height / (height * (1 - MAX_SKY)))
    scaled_width = min(max(round(width * scale), 1), target_width)
    scaled_height = max(round(height * scale), 1)
    left = (target_width - scaled_width) // 2
    return Fit(scaled_width, scaled_height, left, target_height - scaled_height)


def fitted_intrinsics(camera: Camera, target_px: tuple[int, int]) -> Float64:
    """Return the (3, 3) pinhole matrix of the camera's picture once it lies in the target."""
    laid = fit(camera.size_px, target_px)
    width, height = camera.size_px
    scale_u, scale_v = laid.width / width, laid.height / height
    target_from_image = np.array(
        [
            [scale_u, 0.0, 0.5 * scale_u - 0.5 + laid.left],
            [0.0, scale_v, 0.5 * scale_v - 0.5 + laid.top],
            [0.0, 0.0, 1.0],
        ]
    )
    return np.asarray(target_from_image @ camera.image_from_camera)


def fitted_image(rgb: UInt8, camera: Camera, target_px: tuple[int, int]) -> UInt8:
    """Undistort, scale and lay one decoded picture into the target.

    Args:
        rgb: (rows, columns, 3) as the camera publishes it.
        camera: of that picture; its lens is taken out.
        target_px: (W, H) of the result.

    Returns:
        (H, W, 3), black where the picture does not reach.

    Raises:
        CalibrationError: the picture has another size than the calibration is for.
    """
    check_shapes(rgb=(rgb, ("V", "U", 3)))
    if rgb.shape[1::-1] != tuple(camera.size_px):
        raise CalibrationError(
            f"camera {camera.name}: its picture has {rgb.shape[1]} x {rgb.shape[0]} px, its "
            f"calibration is for {camera.size_px[0]} x {camera.size_px[1]}; calibrate that size"
        )
    laid = fit(camera.size_px, target_px)
    if any(camera.distortion):
        rgb = np.asarray(cv2.remap(rgb, *_undistortion(camera), cv2.INTER_LINEAR), np.uint8)
    shrinks = laid.width < rgb.shape[1]
    scaled = cv2.resize(
        rgb, (laid.width, laid.height), interpolation=_SHRINK if shrinks else cv2.INTER_LINEAR
    )
    target = np.zeros((target_px[1], target_px[0], 3), np.uint8)
    target[max(laid.top, 0) :, laid.left : laid.left + laid.width] = scaled[max(-laid.top, 0) :]
    return target


def image_arrays(
    frame: EgoFrame,
    calibration: Calibration,
    pictures: Mapping[str, UInt8],
    target_px: tuple[int, int],
) -> ImageArrays:
    """Gather the pictures of a frame that are decoded and calibrated, in the order of their names.

    Args:
        frame: says how the vehicle moved between its stamp and each image's.
        calibration: of the cameras; one that it does not know is left out.
        pictures: camera -> (rows, columns, 3) RGB, decoded.
        target_px: (W, H) of every image.

    Raises:
        CalibrationError: a picture has another size than its calibration is for.
    """
    names = tuple(sorted(pictures.keys() & calibration.cameras.keys() & frame.images.keys()))
    images = np.zeros((len(names), 3, target_px[1], target_px[0]), np.float32)
    intrinsics, ego_from_camera = np.zeros((len(names), 3, 3)), np.zeros((len(names), 4, 4))
    for index, name in enumerate(names):
        camera = calibration.cameras[name]
        fitted = fitted_image(pictures[name], camera, target_px)
        images[index] = fitted.transpose(2, 0, 1) / np.float32(255)
        intrinsics[index] = fitted_intrinsics(camera, target_px)
        frame_from_image_stamp = invert(frame.image_stamp_from_frame[name])
        ego_from_camera[index] = frame_from_image_stamp @ camera.ego_from_camera
    return ImageArrays(
        images=images, intrinsics=intrinsics, ego_from_camera=ego_from_camera, names=names
    )


_SHRINK = cv2.INTER_AREA  # averages what a smaller pixel covers: no shimmer of thin things


@lru_cache(maxsize=CACHED_CAMERAS)
def _undistortion(camera: Camera) -> tuple[Any, Any]:
    """Return the tables by which `cv2.remap` makes a pinhole of the camera's own matrix."""
    matrix, coefficients = camera.image_from_camera, np.array(camera.distortion)
    model = cv2.fisheye if camera.distortion_model == "equidistant" else cv2
    first, second = model.initUndistortRectifyMap(
        matrix, coefficients, np.eye(3), matrix, camera.size_px, cv2.CV_16SC2
    )
    return first, second
