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

"""The camera: pinhole with the lens models of sensor_msgs/CameraInfo."""

from __future__ import annotations

import cv2
import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.geometry.rigid import invert, transform
from mm_fusion.records import Bool, Float64

MIN_DEPTH_M = 0.1  # nearer points make the division below meaningless


def project(points_camera: Float64, camera: Camera) -> tuple[Float64, Bool]:
    """Project points into the image as the camera publishes it, lens included.

    Args:
        points_camera: (N, 3) m in the optical frame: x right, y down, z forward (REP-103).
        camera: intrinsics and distortion model.

    Returns:
        pixels: (N, 2) u, v; NaN where the lens does not see the point.
        in_view: (N,) True where the nearest pixel exists.
    """
    points = np.asarray(points_camera, np.float64).reshape(-1, 3)
    pixels: Float64 = np.full((len(points), 2), np.nan)
    seen = points[:, 2] > MIN_DEPTH_M
    seen[seen] = _within_lens(points[seen], camera)
    if seen.any():
        pixels[seen] = _distorted(points[seen], camera)
    nearest = np.round(pixels)  # a pixel's centre has whole coordinates
    inside = (nearest >= 0) & (nearest < camera.size_px)  # NaN compares False
    return pixels, np.asarray(inside.all(axis=1))


def project_ego(points_ego: Float64, camera: Camera) -> tuple[Float64, Bool, Float64]:
    """Project points of the vehicle's frame; returns pixels, in_view and depth (N,) m."""
    points_camera = transform(invert(camera.ego_from_camera), points_ego)
    pixels, in_view = project(points_camera, camera)
    return pixels, in_view, points_camera[:, 2]


def _distorted(points: Float64, camera: Camera) -> Float64:
    if not any(camera.distortion):
        rays_image = points @ camera.image_from_camera.T  # (N, 3) u*z, v*z, z
        return np.asarray(rays_image[:, :2] / points[:, 2:])
    coefficients = np.array(camera.distortion)
    zero = np.zeros(3)
    if camera.distortion_model == "equidistant":
        flat, _ = cv2.fisheye.projectPoints(
            points[:, None], zero, zero, camera.image_from_camera, coefficients
        )
    else:
        flat, _ = cv2.projectPoints(points, zero, zero, camera.image_from_camera, coefficients)
    return np.asarray(flat, np.float64).reshape(-1, 2)


def _within_lens(points: Float64, camera: Camera) -> Bool:
    """Refuse rays beyond the image's own field of view, where the polynomials fold back.

    The widest ray an undistorted corner could need is doubled, to leave the lens its bend.
    """
    tangent = np.hypot(points[:, 0], points[:, 1]) / points[:, 2]
    if not any(camera.distortion):
        return np.ones(len(points), np.bool_)
    if camera.distortion_model == "equidistant":
        return np.ones(len(points), np.bool_)
    matrix, (width, height) = camera.image_from_camera, camera.size_px
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    rays = (corners - matrix[:2, 2]) / matrix[[0, 1], [0, 1]]
    return np.asarray(tangent <= 2 * np.linalg.norm(rays, axis=1).max())
