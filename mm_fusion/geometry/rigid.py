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

"""Rigid transforms and rotations.

A transform is named `target_from_source` and maps source coordinates to target ones, so in a
product the inner names meet: `camera_from_lidar = camera_from_ego @ ego_from_lidar`.
Quaternions are w, x, y, z.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mm_fusion.errors import CalibrationError
from mm_fusion.records import Float32, Float64


def transform(target_from_source: Float64, points_source: Float64 | Float32) -> Float64:
    """Map (N, 3) points through a (4, 4) rigid transform."""
    points: Float64 = points_source @ target_from_source[:3, :3].T + target_from_source[:3, 3]
    return points


def rotate(target_from_source: Float64, vectors_source: Float64 | Float32) -> Float64:
    """Turn (N, 3) directions or velocities by a transform's rotation alone."""
    vectors: Float64 = vectors_source @ target_from_source[:3, :3].T
    return vectors


def invert(target_from_source: Float64) -> Float64:
    """Return `source_from_target`, by transposing the rotation rather than solving."""
    rotation, translation = target_from_source[:3, :3], target_from_source[:3, 3]
    return compose(rotation.T, -rotation.T @ translation)


def compose(rotation: Float64, translation: Float64) -> Float64:
    """Make a (4, 4) transform of a (3, 3) rotation and a (3,) translation."""
    target_from_source = np.eye(4)
    target_from_source[:3, :3] = rotation
    target_from_source[:3, 3] = translation
    return target_from_source


def rotation_from_quaternion(wxyz: Float64) -> Float64:
    """Turn a quaternion (w, x, y, z), normalised here, into a (3, 3) rotation."""
    wxyz = np.asarray(wxyz, np.float64)
    norm = float(np.linalg.norm(wxyz))
    if not np.isfinite(norm) or norm < 1e-9:
        raise CalibrationError(f"quaternion {wxyz.tolist()} has no direction")
    return np.asarray(Rotation.from_quat(wxyz[[1, 2, 3, 0]] / norm).as_matrix())


def quaternion_from_rotation(rotation: Float64) -> Float64:
    """Turn a (3, 3) rotation into the quaternion (w, x, y, z) with w >= 0."""
    xyzw = Rotation.from_matrix(rotation).as_quat()
    wxyz = xyzw[[3, 0, 1, 2]]
    return np.asarray(wxyz if wxyz[0] >= 0 else -wxyz)


def rotation_from_rpy(roll_rad: float, pitch_rad: float, yaw_rad: float) -> Float64:
    """Turn fixed-axis roll, pitch, yaw (REP-103) into a (3, 3) rotation, Rz @ Ry @ Rx."""
    return np.asarray(Rotation.from_euler("xyz", [roll_rad, pitch_rad, yaw_rad]).as_matrix())


def rpy_from_rotation(rotation: Float64) -> Float64:
    """Turn a (3, 3) rotation into fixed-axis roll, pitch, yaw (3,) rad."""
    return np.asarray(Rotation.from_matrix(rotation).as_euler("xyz"))


def yaw_of(target_from_source: Float64) -> float:
    """Return the heading of the source's x axis in the target's x-y plane, rad."""
    return float(np.arctan2(target_from_source[1, 0], target_from_source[0, 0]))


def rotation_from_vector(vector_rad: Float64) -> Float64:
    """Turn rotation vectors (3,) or (N, 3) rad into rotations (3, 3) or (N, 3, 3)."""
    return np.asarray(Rotation.from_rotvec(vector_rad).as_matrix())


def skew(vector: Float64) -> Float64:
    """Return the matrices (..., 3, 3) whose product with b is the cross product `vector` x b."""
    x, y, z = np.moveaxis(np.asarray(vector, np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def moved(linear_ego: Float64, angular_ego: Float64, duration_s: float) -> Float64:
    """Return `start_from_end` of a constant twist held for `duration_s` (may be negative).

    The exponential map of SE(3): the path is an arc, not a chord (Lynch and Park, Modern
    Robotics, 2017, eq. 3.88).
    """
    rotation_vector = np.asarray(angular_ego, np.float64) * duration_s
    angle = float(np.linalg.norm(rotation_vector))
    cross = skew(rotation_vector)
    if angle < 1e-6:
        along = np.eye(3) + cross / 2
    else:
        along = (
            np.eye(3)
            + (1 - np.cos(angle)) / angle**2 * cross
            + (angle - np.sin(angle)) / angle**3 * cross @ cross
        )
    return compose(
        rotation_from_vector(rotation_vector), along @ np.asarray(linear_ego) * duration_s
    )
