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

"""From the rectangle that was measured to the object it belongs to: class, size, centre, score.

A LiDAR sees the faces that look at it. The object goes on behind them, so a box of a vehicle keeps
its near edges and grows away from the sensor to the size such vehicles have; else its centre would
be off by half of what was hidden.

Axis letters: K clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.detection.clusters import Clusters
from mm_fusion.detection.freespace import HIDDEN, HIT, THROUGH
from mm_fusion.detection.rectangles import Rectangles, turned
from mm_fusion.detection.vehicles import Fits
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import CLASSES
from mm_fusion.preprocess.ground import Ground
from mm_fusion.records import Bool, Float64, Int64

CAR, TRUCK, BICYCLE, PEDESTRIAN, UNKNOWN = (
    CLASSES.index(name) for name in ("car", "truck", "bicycle", "pedestrian", "unknown")
)
CAR_LENGTH_M, CAR_WIDTH_M, CAR_HEIGHT_M = 4.2, 1.8, 1.55
TRUCK_WIDTH_M = 2.5
CAR_TOP_M = 2.2  # what is higher above a car is a tree that it stands under,
OVERGROWN = 0.3  # if it is less than this share of its cells
LONGEST_CAR_M = 6.0  # measured along the diagonal, noise included
FLOATING_M = 1.1  # what hangs higher than this above the ground stands on nothing
TALLEST_PERSON_M = 2.1
CUT_MARGIN_M = 0.25  # of the ground's height, a kerb say
CUT_MARGIN_RAD = 0.01  # between two beams
NEAR_M = 15.0  # farther away a bicycle gives too few points to be told by its size
LIKE_A_CAR = 0.25  # likeness from which a cluster is called one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What was seen of each cluster, long side first."""

    yaw: Float64  # (K,) of the long side
    centre: Float64  # (K, 2) of the measured rectangle
    extent: Float64  # (K, 2) m, along and across
    bottom: Float64  # (K,) m above the ground
    top: Float64  # (K,) m above the ground
    closeness: Float64  # (K,)
    whole: Bool  # (K,) False for a part of something larger
    points: Float64  # (K,) how many
    range_m: Float64  # (K,)


def measure(clusters: Clusters, rectangles: Rectangles) -> Measured:
    """Bring rectangles into the long-side-first form and measure heights above the ground."""
    extent = rectangles.high - rectangles.low
    centre = turned((rectangles.high + rectangles.low) / 2, rectangles.angle)
    across = extent[:, 1] > extent[:, 0]
    return Measured(
        yaw=wrap_angle(rectangles.angle + np.where(across, np.pi / 2, 0.0)),
        centre=centre,
        extent=np.where(across[:, None], extent[:, ::-1], extent),
        bottom=clusters.least(clusters.low),
        top=_top(clusters),
        closeness=rectangles.closeness,
        whole=clusters.whole,
        points=clusters.total(clusters.points.astype(np.float64)),
        range_m=np.hypot(centre[:, 0], centre[:, 1]),
    )


def candidates(seen: Measured) -> Bool:
    """Tell which clusters (K,) may belong to a car: they stand on the ground, are not too large."""
    long = seen.extent[:, 0]
    return np.asarray((seen.bottom < FLOATING_M) & (long > 0.3) & (long < LONGEST_CAR_M))


def _top(clusters: Clusters) -> Float64:
    """Return the height (K,) of what is no higher than a car, unless much of it is higher."""
    above = clusters.high > CAR_TOP_M
    share = clusters.total(above.astype(np.float64)) / np.maximum(clusters.cells, 1)
    lower = clusters.greatest(np.where(above, 0.0, clusters.high))
    return np.where(share < OVERGROWN, lower, clusters.greatest(clusters.high))


def classify(seen: Measured, likeness: Float64) -> Int64:
    """Name each cluster by the size of what was seen and by how much it is like a car (K,)."""
    long, short = seen.extent.T
    standing = seen.bottom < FLOATING_M
    label = np.full(len(long), UNKNOWN, np.int64)
    tall = standing & (seen.top >= 2.3) & (long > 1.8) & (short < 3.3)
    label[tall & ((short > 1.6) | (long > 4.5))] = TRUCK
    upright = standing & seen.whole & (seen.top > 1.2) & (seen.top < TALLEST_PERSON_M)
    label[upright & (long < 1.0) & (long > 0.25) & (short < 0.9)] = PEDESTRIAN
    thin = (long > 1.3) & (long < 2.2) & (short < 0.8)
    label[upright & thin & (seen.range_m < NEAR_M)] = BICYCLE
    label[standing & (likeness > LIKE_A_CAR)] = CAR
    return label


def car_likeness(seen: Measured, fits: Fits, moving: Int64) -> Float64:
    """Rate how far each cluster is a car (K,), as a probability.

    A logistic sum set by hand: most of it is how well a car's visible faces explain what was hit
    and what was not; heights and widths no car has count against it; so many `moving` radar
    returns (K,) in the car's box count for it.
    """
    long, short = seen.extent.T
    evidence = (
        -7.4
        + 2.0 * fits.became[:, HIT]
        - 1.5 * fits.became[:, HIDDEN]
        - 6.0 * fits.became[:, THROUGH]
        + 7.0 * fits.points
        + 1.5 * np.minimum(short, 1.8)
        + 0.3 * np.clip(np.log(seen.points / _expected(seen)), -3, 1)
        - 2.0 * np.clip(seen.bottom - 0.5, 0, 1)
        - 4.0 * np.clip(seen.top - 1.9, 0, 1.5)
        - 0.2 * np.clip(1.0 - seen.top, 0, 1)
        - 2.5 * np.clip(1.0 - long, 0, 1)
        + 0.4 * np.log1p(moving)
    )
    return np.asarray(np.where(fits.possible > 0, 1 / (1 + np.exp(-evidence)), 0.0))


def _expected(seen: Measured) -> Float64:
    """Return how many points (K,) a whole car at that range would give a LiDAR of few lines."""
    return np.asarray(np.clip(120.0 * (10.0 / np.maximum(seen.range_m, 5.0)) ** 2, 4, 400))


def complete(seen: Measured, fits: Fits, label: Int64, ground: Ground) -> Float64:
    """Return boxes (K, 7): of cars the fitted ones, of all else what was measured.

    A truck of which one side is seen is as wide as trucks are.
    """
    car = label == CAR
    across = np.stack([-np.sin(seen.yaw), np.cos(seen.yaw)], axis=1)
    narrow = np.where(label == TRUCK, np.maximum(TRUCK_WIDTH_M - seen.extent[:, 1], 0), 0)
    away = np.sign((seen.centre * across).sum(axis=1))  # what is hidden lies on the far side
    widened = seen.centre + (away * narrow / 2)[:, None] * across
    measured = seen.extent + narrow[:, None] * (0, 1)
    plan = np.where(car[:, None], fits.size, measured)
    centre = np.where(car[:, None], fits.centre, widened)
    height = np.where(car, np.maximum(seen.top, CAR_HEIGHT_M), np.maximum(seen.top, 0.3))
    yaw = np.where(car, fits.yaw, seen.yaw)
    base = ground.height(centre)
    return np.column_stack([centre, base + height / 2, plan, height, wrap_angle(yaw)])


def score(seen: Measured, likeness: Float64, label: Int64) -> Float64:
    """Rate each object in [0, 1]: cars by their likeness, all else by how solid it is."""
    solid = np.clip(np.sqrt(seen.points / _expected(seen)), 0.1, 1.0)
    like = np.where(label == UNKNOWN, 0.45, 0.5)
    return np.asarray(np.where(label == CAR, likeness, like * solid))


def cut_off(
    seen: Measured, label: Int64, ground: Ground, sight: tuple[float, float], ceiling_m: float
) -> Bool:
    """Tell what has no name (K,) and goes on above what can be seen: walls, poles, trees.

    Heights are compared above the ground's plane, for at the foot of a wall nothing tells the
    ground itself.

    Args:
        seen: the clusters.
        label: (K,) their classes.
        ground: of the frame.
        sight: the highest beam's line, see `Ground.highest_sight`.
        ceiling_m: above the ground nothing counts from here on.
    """
    place = np.column_stack([seen.centre, seen.top + ground.height(seen.centre)])
    top_m = ground.above_plane(place)
    start_m, rise = sight
    limit_m = np.minimum(start_m + rise * seen.range_m, ceiling_m)
    limit_m = limit_m - CUT_MARGIN_M - CUT_MARGIN_RAD * seen.range_m
    cut = (top_m > TALLEST_PERSON_M) & (top_m > limit_m) & (seen.top > CAR_HEIGHT_M)
    return np.asarray((label == UNKNOWN) & cut)


def unrivalled(boxes: Float64, scores: Float64, label: Int64) -> Bool:
    """Tell which objects (K,) stay: not those whose centre lies in a car that is rated higher."""
    order = np.argsort(-scores, kind="stable")
    order = order[label[order] == CAR]
    offset = turned(boxes[None, :, :2] - boxes[order, None, :2], -boxes[order, None, 6])
    half = boxes[order, None, 3:5] / 2
    covered = (np.abs(offset[..., 0]) <= half[..., 0]) & (np.abs(offset[..., 1]) <= half[..., 1])
    stays = np.ones(len(boxes), np.bool_)
    for row, k in enumerate(order):
        if stays[k]:
            stays &= ~covered[row] | (scores > scores[k]) | (np.arange(len(boxes)) == k)
    return stays
