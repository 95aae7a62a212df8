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

"""Objects that only radar sees: boxes of a car's size laid over where returns are dense.

Returns come from all over a vehicle, of its near side more than of its far one, with height hardly
known; so it is the ground plan that counts. The place with most returns around it is taken first:
of the boxes tried there the one worth most. A box is worth the returns inside, less a share of each
just outside and of each inside where they do not lie at its near end as a vehicle's do; so two
returns seldom make a box that is worth two. What it holds is taken out and the next place is looked
for.

Axis letters: M radar returns, P of them around a place, Y headings and H places of boxes tried,
K objects.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.radial import mean_ray, radial_velocity
from mm_fusion.detection.shapes import CAR, CAR_HEIGHT_M, CAR_LENGTH_M, CAR_WIDTH_M
from mm_fusion.objects import SEEN_BY, UNKNOWN, Objects
from mm_fusion.preprocess.ground import Ground
from mm_fusion.records import Bool, EgoFrame, Float32, Float64, Int64

MARGIN_M = 0.1  # returns this far outside are still the vehicle's
RING_M = 1.5  # and those from there to here are not
RING_COST = 0.8
BEHIND_M = 1.3  # the middle of a vehicle lies this far behind the middle of its returns
BEHIND_COST = 0.6  # for each return and metre off that
STEPS_M = np.arange(-1.5, 1.51, 0.5)
OFFSETS_M = np.array([(x, y) for x in STEPS_M for y in STEPS_M])  # (H, 2)
YAWS_RAD = np.radians(np.arange(0, 180, 30))  # (Y,)
MOST = 40  # objects in one frame
POSITION_STD_M = 0.8
SURE = 30.0  # returns from which a box is named a car while a LiDAR is there
LIKELY = 8.0  # and where there is none
HALF = 16.0  # returns at which a box is as likely a car as not
BEST = 0.9  # no number of returns makes a box surer than this


def radar_objects(
    frame: EgoFrame, rows: Bool, ground: Ground | None, config: GeometricConfig
) -> Objects:
    """Make objects of returns (M,) alone.

    With `ground` known a LiDAR is there, which sees what stands still; then only what moves
    counts.
    """
    moving = np.abs(frame.radial_speed_mps) > config.radar_moving_mps
    near = np.linalg.norm(frame.radar_ego[:, :2], axis=1) < config.range_m
    used = np.flatnonzero(rows & near & (moving if ground is not None else True))
    found = _boxes(frame.radar_ego[used, :2].astype(np.float64), config)
    if not found:
        return Objects.none()
    plan = np.array([box for box, _, _ in found])  # (K, 3) x, y, yaw
    support = np.array([worth for _, worth, _ in found])
    base = ground.height(plan[:, :2]) if ground is not None else np.zeros(len(plan))
    boxes = np.column_stack(
        [
            plan[:, :2],
            base + CAR_HEIGHT_M / 2,
            np.tile([CAR_LENGTH_M, CAR_WIDTH_M, CAR_HEIGHT_M], (len(plan), 1)),
            plan[:, 2],
        ]
    )
    velocity, covariance = _motion(frame, [used[inside] for _, _, inside in found])
    return Objects.of_boxes(
        boxes,
        labels=np.where(support >= (LIKELY if ground is None else SURE), CAR, UNKNOWN),
        scores=BEST * support / (support + HALF),
        evidence=np.full(len(boxes), SEEN_BY["radar"], np.uint8),
        velocities_ego=velocity,
        covariances=covariance,
    )


def _boxes(xy: Float64, config: GeometricConfig) -> list[tuple[Float64, float, Int64]]:
    """Return x, y, yaw (3,) of each box, its worth in returns, and which returns it holds."""
    found: list[tuple[Float64, float, Int64]] = []
    if len(xy) < config.radar_min_worth:
        return found
    tree = cKDTree(xy)
    pairs = tree.query_pairs(config.radar_link_m, output_type="ndarray")
    density = 1 + np.bincount(pairs.ravel(), minlength=len(xy))
    free = np.ones(len(xy), np.bool_)
    while len(found) < MOST:
        seed = int(np.where(free, density, 0).argmax())
        if not free[seed] or density[seed] < config.radar_min_worth:
            break
        around = np.sort(tree.query_ball_point(xy[seed], 2 * config.radar_link_m + RING_M))
        around = around[free[around]]
        near = np.hypot(*(xy[around] - xy[seed]).T) <= config.radar_link_m
        box, worth, inside = _best_box(xy[around], xy[around[near]].mean(axis=0))
        if worth >= config.radar_min_worth and inside.any():
            found.append((box, worth, around[inside]))
        taken = ~free
        taken[around[inside]] = taken[seed] = True
        gone = taken & free
        for one, other in (pairs.T, pairs.T[::-1]):
            density -= np.bincount(other[gone[one]], minlength=len(xy))
        free &= ~gone
    return found


def _best_box(xy: Float64, middle: Float64) -> tuple[Float64, float, Bool]:
    """Return x, y, yaw (3,) of the best box about a place, its worth and what (P,) it holds."""
    ray = middle / max(float(np.linalg.norm(middle)), 1e-6)
    away = (xy - middle) @ ray  # (P,)
    outside = _outside((xy - middle).astype(np.float32))
    inside = outside <= MARGIN_M
    held = inside.sum(axis=2)
    ring = (outside <= RING_M).sum(axis=2) - held
    behind = OFFSETS_M @ ray - (inside @ away.astype(np.float32)) / np.maximum(held, 1)
    worth = held - RING_COST * ring - BEHIND_COST * held * np.abs(behind - BEHIND_M)  # (Y, H)
    yaw, place = np.unravel_index(int(worth.argmax()), worth.shape)
    box = np.append(middle + OFFSETS_M[place], YAWS_RAD[yaw])
    return box, float(worth[yaw, place]), inside[yaw, place]


def _outside(xy: Float32) -> Float32:
    """Return how far outside each box at each offset (Y, H, P) the points (P, 2) lie."""
    gaps = []
    for turn, size_m in ((0.0, CAR_LENGTH_M), (np.pi / 2, CAR_WIDTH_M)):
        axis = np.stack([np.cos(YAWS_RAD + turn), np.sin(YAWS_RAD + turn)]).astype(np.float32)
        points, places = (xy @ axis).T, (OFFSETS_M.astype(np.float32) @ axis).T  # (Y, P), (Y, H)
        gaps.append(np.abs(points[:, None] - places[:, :, None]) - np.float32(size_m / 2))
    return np.maximum(*gaps)


def _motion(frame: EgoFrame, held: list[Int64]) -> tuple[Float64, Float64]:
    """Return velocity (K, 2) along the ray and covariance (K, 4, 4) of what each box holds."""
    velocity, covariance = np.zeros((len(held), 2)), np.zeros((len(held), 4, 4))
    for k, rows in enumerate(held):
        speed = float(np.median(frame.radial_speed_mps[rows]))
        covariance[k, :2, :2] = np.eye(2) * POSITION_STD_M**2
        velocity[k], covariance[k, 2:, 2:] = radial_velocity(speed, mean_ray(frame, rows), None)
    return velocity, covariance
