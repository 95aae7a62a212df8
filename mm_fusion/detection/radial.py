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

"""What radar says of objects that a LiDAR found: how fast they move.

Axis letters: K objects, M radar returns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.detection.shapes import CAR, TRUCK
from mm_fusion.objects import SEEN_BY, Objects
from mm_fusion.records import Bool, EgoFrame, Float32, Float64, Int64

GATE_M = 0.5  # a return this close outside a box is the object's
RATE_STD_MPS = 0.3
ACROSS_STD_MPS = 4.0  # of the velocity across the ray, which no radar measures
ALONG_HEADING = 0.5  # cosine from which a vehicle's heading turns a radial speed into a velocity


def with_velocities(objects: Objects, frame: EgoFrame) -> tuple[Objects, Bool]:
    """Give objects the speed of the returns inside them; also tell which returns were used (M,)."""
    members = members_of(objects.boxes, frame.radar_ego)
    velocity, covariance = objects.velocities_ego.copy(), objects.covariances.copy()
    evidence = objects.evidence.copy()
    for k in np.flatnonzero(members.any(axis=1)):
        rows = members[k]
        evidence[k] |= SEEN_BY["radar"]
        ray = mean_ray(frame, rows)
        speed = float(np.median(frame.radial_speed_mps[rows]))
        yaw = objects.yaws_rad[k]
        rolls = objects.labels[k] in (CAR, TRUCK)  # and so moves along its heading
        heading = np.array([np.cos(yaw), np.sin(yaw)]) if rolls else None
        velocity[k], covariance[k, 2:, 2:] = radial_velocity(speed, ray, heading)
    return (
        replace(objects, velocities_ego=velocity, covariances=covariance, evidence=evidence),
        np.asarray(members.any(axis=0)),
    )


def moving_in(plan: Float64, frame: EgoFrame, moving_mps: float) -> Int64:
    """Count the returns that move in each box (K,) of x, y, length, width, yaw (K, 5)."""
    boxes = np.insert(plan, [2, 4], 0.0, axis=1)  # neither height nor z matters here
    moves = np.abs(frame.radial_speed_mps) > moving_mps
    return np.asarray(members_of(boxes, frame.radar_ego[moves]).sum(axis=1), np.int64)


def members_of(boxes: Float64, radar_ego: Float32) -> Bool:
    """Tell which returns lie in which box (K, M); height is what radar knows least."""
    offset = radar_ego[None, :, :2] - boxes[:, None, :2].astype(np.float32)
    cos, sin = np.cos(boxes[:, 6, None]), np.sin(boxes[:, 6, None])
    u = offset[..., 0] * cos + offset[..., 1] * sin
    v = offset[..., 1] * cos - offset[..., 0] * sin
    half = boxes[:, 3:5, None] / 2 + GATE_M
    return np.asarray((np.abs(u) <= half[:, 0]) & (np.abs(v) <= half[:, 1]))


def mean_ray(frame: EgoFrame, rows: Bool | Int64) -> Float64:
    """Return the unit vector (2,) in the ground plan towards the middle of some returns."""
    ray = frame.radar_ray_ego[rows, :2].astype(np.float64).mean(axis=0)
    return np.asarray(ray / max(float(np.linalg.norm(ray)), 1e-6))


def radial_velocity(
    speed_mps: float, ray: Float64, heading: Float64 | None
) -> tuple[Float64, Float64]:
    """Return velocity (2,) and covariance (2, 2) of a radial speed along a ray.

    A vehicle moves along its heading, so its speed is the radial one over the cosine between; of
    anything else only the part along the ray is known.
    """
    along = 0.0 if heading is None else float(heading @ ray)
    if heading is not None and abs(along) >= ALONG_HEADING:
        across = np.array([-heading[1], heading[0]])
        spread = np.outer(heading, heading) * (RATE_STD_MPS / along) ** 2
        return speed_mps / along * heading, spread + np.outer(across, across) * 0.5**2
    across = np.array([-ray[1], ray[0]])
    spread = np.outer(ray, ray) * RATE_STD_MPS**2
    return speed_mps * ray, spread + np.outer(across, across) * ACROSS_STD_MPS**2
