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

"""Rotations of single vectors, quick enough for every sample of an IMU."""

from __future__ import annotations

import math

import numpy as np

from mm_fusion.records import Float64

EYE3 = np.eye(3)


def cross(v: Float64) -> Float64:
    """Return the (3, 3) matrix of the cross product with `v`."""
    x, y, z = v.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def turned(vector_rad: Float64) -> tuple[Float64, Float64]:
    """Return the rotation (3, 3) of a rotation vector, and the mean rotation on the way to it.

    Rodrigues' formula, and its integral over the share of the way.
    """
    k = cross(vector_rad)
    square = k @ k
    angle = math.sqrt(float(vector_rad @ vector_rad))
    if angle < 1e-5:
        sine, versine, rest = 1.0, 0.5, 1 / 6
    else:
        sine = math.sin(angle) / angle
        versine = (1 - math.cos(angle)) / angle**2
        rest = (1 - sine) / angle**2
    return EYE3 + sine * k + versine * square, EYE3 + versine * k + rest * square


def vector_of(rotation: Float64) -> Float64:
    """Return the rotation vector (3,) rad of a rotation (3, 3): the inverse of `turned`."""
    twice = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    sine2 = math.sqrt(float(twice @ twice))
    angle = math.atan2(sine2, float(rotation.trace()) - 1.0)
    if sine2 > 1e-9:
        return np.asarray(twice * (angle / sine2))
    if angle < 1.0:
        return np.asarray(twice * 0.5)
    half = 0.5 * (rotation + EYE3)  # half a turn: any column of it lies on the axis
    axis = half[:, int(np.argmax(np.diag(half)))]
    return np.asarray(axis / np.linalg.norm(axis) * angle)


def orthogonal(rotation: Float64) -> Float64:
    """Take the rounding out of a rotation: one Newton step to the nearest true one."""
    return np.asarray(1.5 * rotation - 0.5 * rotation @ rotation.T @ rotation)


def yaw_of(rotation: Float64) -> float:
    """Return the heading of the x axis in the x-y plane, rad."""
    return math.atan2(rotation[1, 0], rotation[0, 0])


def about_z(yaw_rad: float) -> Float64:
    """Return the rotation (3, 3) about the vertical."""
    s, c = math.sin(yaw_rad), math.cos(yaw_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def level_from(up: Float64) -> Float64:
    """Return the rotation (3, 3) of heading 0 that makes `up` (3,), in ego, the vertical."""
    up = up / np.linalg.norm(up)
    ahead = np.eye(3)[0] if abs(up[0]) < 0.99 else np.eye(3)[2]  # its nose up: no heading in x
    side = np.cross(up, ahead)
    side /= np.linalg.norm(side)
    return np.stack([np.cross(side, up), side, up])
