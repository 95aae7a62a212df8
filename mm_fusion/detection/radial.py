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

"""What radar says of objects: how fast they move, and objects of its own.

Axis letters: K objects, M radar returns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.shapes import CAR, CAR_HEIGHT_M, CAR_LENGTH_M, CAR_WIDTH_M
from mm_fusion.geometry.boxes import inside
from mm_fusion.preprocess.ground import Ground
from mm_fusion.records import SEEN_BY, UNKNOWN, Bool, EgoFrame, Float64, Objects

GATE_M = 0.5  # a return this close outside a box is the object's
RATE_STD_MPS = 0.3
ACROSS_STD_MPS = 4.0  # of the velocity across the ray, which no radar measures
ALONG_HEADING = 0.5  # cosine from which a vehicle's heading turns a radial speed into a velocity
CELL_M = 0.5  # of the plan in which returns are counted
SPREAD_M = 1.2  # of one object's returns
BEHIND_M = 1.2  # the centre of a vehicle lies this far behind the faces that reflect
SURE = 8.0  # returns from which what only radar sees is named a car while a LiDAR is there
POSITION_STD_M = 0.8


def with_velocities(objects: Objects, frame: EgoFrame) -> tuple[Objects, Bool]:
    """Give objects the speed of the returns inside them; also tell which returns were used (M,)."""
    used = np.zeros(len(frame.radar_ego), np.bool_)
    velocity, covariance = objects.velocities_ego.copy(), objects.covariances.copy()
    evidence = objects.evidence.copy()
    flat = frame.radar_ego * np.array([1, 1, 0], np.float32)  # height is what radar knows least
    for k, box in enumerate(objects.boxes):
        plan = box * np.array([1, 1, 0, 1, 1, 1, 1])
        near = np.abs(flat[:, :2] - box[:2]).max(axis=1, initial=0.0) < box[3] + 1
        rows = np.flatnonzero(near)
        rows = rows[inside(flat[rows], plan, GATE_M)]
        if not len(rows):
            continue
        used[rows] = True
        evidence[k] |= SEEN_BY["radar"]
        ray = frame.radar_ray_ego[rows, :2].astype(np.float64).mean(axis=0)
        ray /= max(float(np.linalg.norm(ray)), 1e-6)
        speed = float(np.median(frame.radial_speed_mps[rows]))
        heading = np.array([np.cos(box[6]), np.sin(box[6])]) if objects.labels[k] == CAR else None
        velocity[k], covariance[k, 2:, 2:] = _velocity(speed, ray, heading)
    return (
        replace(objects, velocities_ego=velocity, covariances=covariance, evidence=evidence),
        used,
    )


def _velocity(speed_mps: float, ray: Float64, heading: Float64 | None) -> tuple[Float64, Float64]:
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


def radar_objects(
    frame: EgoFrame, rows: Bool, ground: Ground | None, config: GeometricConfig
) -> Objects:
    """Make objects of returns (M,) alone: where they are densest, and at least so many.

    With `ground` known a LiDAR is there, which sees what stands still; then only what moves
    counts.
    """
    moving = np.abs(frame.radial_speed_mps) > config.radar_moving_mps
    near = np.linalg.norm(frame.radar_ego[:, :2], axis=1) < config.range_m
    rows = rows & near & (moving if ground is not None else True)
    points = frame.radar_ego[rows].astype(np.float64)
    if len(points) < config.radar_min_returns:
        return Objects.none()
    centres, support = _peaks(points[:, :2], config)
    boxes = np.zeros((len(centres), 7))
    away = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-6)
    boxes[:, :2] = centres + BEHIND_M * away
    boxes[:, 2] = (ground.height(centres) if ground is not None else 0.0) + CAR_HEIGHT_M / 2
    boxes[:, 3:6] = CAR_LENGTH_M, CAR_WIDTH_M, CAR_HEIGHT_M
    speeds = frame.radial_speed_mps[rows]
    rays = frame.radar_ray_ego[rows, :2].astype(np.float64)
    velocity, covariance = np.zeros((len(boxes), 2)), np.zeros((len(boxes), 4, 4))
    for k, centre in enumerate(centres):
        mine = np.linalg.norm(points[:, :2] - centre, axis=1) < config.radar_link_m
        ray = rays[mine].mean(axis=0)
        ray /= max(float(np.linalg.norm(ray)), 1e-6)
        speed = float(np.median(speeds[mine]))
        boxes[k, 6] = np.arctan2(ray[1], ray[0]) if abs(speed) > config.radar_moving_mps else 0.0
        covariance[k, :2, :2] = np.eye(2) * POSITION_STD_M**2
        velocity[k], covariance[k, 2:, 2:] = _velocity(speed, ray, None)
    return Objects.of_boxes(
        boxes,
        labels=np.where((support >= SURE) | (ground is None), CAR, UNKNOWN).astype(np.int64),
        scores=0.6 * support / (support + 6.0),
        evidence=np.full(len(boxes), SEEN_BY["radar"], np.uint8),
        velocities_ego=velocity,
        covariances=covariance,
    )


def _peaks(xy: Float64, config: GeometricConfig) -> tuple[Float64, Float64]:
    """Return where returns are densest (K, 2) and how many support each (K,)."""
    lowest = xy.min(axis=0) - 3 * SPREAD_M
    index = np.floor((xy - lowest) / CELL_M).astype(np.int64)
    shape = index.max(axis=0) + 1 + int(3 * SPREAD_M / CELL_M)
    counts = np.bincount(index[:, 0] * shape[1] + index[:, 1], minlength=int(shape.prod()))
    sigma = SPREAD_M / CELL_M
    # the factor makes the height of a peak the number of returns under it
    density = ndimage.gaussian_filter(counts.reshape(shape).astype(np.float64), sigma)
    density *= 2 * np.pi * sigma**2
    width = 2 * int(config.radar_link_m / CELL_M) + 1
    top = density == ndimage.maximum_filter(density, width)
    peaks = np.argwhere(top & (density >= config.radar_min_returns))
    return (peaks + 0.5) * CELL_M + lowest, density[tuple(peaks.T)]
