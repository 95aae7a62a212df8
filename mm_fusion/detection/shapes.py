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
from mm_fusion.detection.rectangles import Rectangles
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.preprocess.ground import Ground
from mm_fusion.records import CLASSES, Bool, Float64, Int64

CAR, TRUCK, BICYCLE, PEDESTRIAN, UNKNOWN = (
    CLASSES.index(name) for name in ("car", "truck", "bicycle", "pedestrian", "unknown")
)
CAR_LENGTH_M, CAR_WIDTH_M, CAR_HEIGHT_M = 4.2, 1.8, 1.55
TRUCK_WIDTH_M = 2.5
SIDE_M = 2.4  # a face longer than this is a car's side, not its front or rear
FLOATING_M = 1.1  # what hangs higher than this above the ground stands on nothing
FACE_M = 0.35  # points this thin are a wall's face or a pole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What was seen of each cluster, long side first."""

    yaw: Float64  # (K,) of the long side
    centre: Float64  # (K, 2) of the measured rectangle
    extent: Float64  # (K, 2) m, along and across
    bottom: Float64  # (K,) m above the ground
    top: Float64  # (K,) m above the ground
    ground: Float64  # (K,) m, its height
    closeness: Float64  # (K,)
    counts: Int64  # (K,) points
    range_m: Float64  # (K,)


def measure(clusters: Clusters, rectangles: Rectangles, ground: Ground) -> Measured:
    """Bring rectangles into the long-side-first form and measure heights above the ground."""
    start = clusters.start[:-1]
    extent = rectangles.high - rectangles.low
    middle = (rectangles.high + rectangles.low) / 2
    cos, sin = np.cos(rectangles.angle), np.sin(rectangles.angle)
    centre = np.stack(
        [middle[:, 0] * cos - middle[:, 1] * sin, middle[:, 0] * sin + middle[:, 1] * cos], axis=1
    )
    turned = extent[:, 1] > extent[:, 0]
    z = clusters.points[:, 2]
    base = ground.height(centre) if len(clusters) else np.zeros(0)
    top = np.maximum.reduceat(z, start) if len(clusters) else np.zeros(0)
    bottom = np.minimum.reduceat(z, start) if len(clusters) else np.zeros(0)
    return Measured(
        yaw=wrap_angle(rectangles.angle + np.where(turned, np.pi / 2, 0.0)),
        centre=centre,
        extent=np.where(turned[:, None], extent[:, ::-1], extent),
        bottom=bottom - base,
        top=top - base,
        ground=base,
        closeness=rectangles.closeness,
        counts=clusters.counts,
        range_m=np.hypot(centre[:, 0], centre[:, 1]),
    )


def classify(seen: Measured) -> Int64:
    """Name each cluster by the size of what was seen (K,)."""
    long, short = seen.extent.T
    standing = seen.bottom < FLOATING_M
    low_car = standing & (seen.top > 0.4) & (seen.top < 2.3)
    side = (long > SIDE_M) & (long < 5.6) & (short < 2.3)
    rear = (long > 1.2) & (long <= SIDE_M) & (short < 2.1)
    label = np.full(len(long), UNKNOWN, np.int64)
    label[low_car & (side | rear)] = CAR
    tall = standing & (seen.top >= 2.3) & (long > 1.8) & (short < 3.3)
    label[tall & ((short > 1.6) | (long > 4.5))] = TRUCK
    upright = standing & (seen.top > 0.9) & (seen.top < 2.1)
    label[upright & (long < 1.0) & (short < 0.9)] = PEDESTRIAN
    thin = (long > 1.2) & (long < 2.2) & (short < 0.7) & ~_faces_sensor(seen)
    label[upright & thin & (seen.range_m < 15)] = BICYCLE
    return label


def complete(seen: Measured, label: Int64) -> Float64:
    """Return boxes (K, 7) with what was hidden added on the far side."""
    yaw = seen.yaw.copy()
    extent = seen.extent.copy()
    car = label == CAR
    # a car of which only front or rear is seen: its length lies across the face
    face = car & (extent[:, 0] <= SIDE_M)
    # (seen obliquely, a car lying along the ray would show its rear as well)
    across = face & (_faces_sensor(seen) | (extent[:, 1] < CAR_WIDTH_M / 2))
    yaw[across] = wrap_angle(yaw[across] + np.pi / 2)
    extent[across] = extent[across][:, ::-1]
    wanted = extent.copy()
    wanted[car] = np.maximum(extent[car], (CAR_LENGTH_M, CAR_WIDTH_M))
    truck = label == TRUCK
    wanted[truck, 1] = np.maximum(extent[truck, 1], TRUCK_WIDTH_M)
    centre = seen.centre + _grown(seen.centre, yaw, extent, wanted)
    height = np.where(car, np.maximum(seen.top, CAR_HEIGHT_M), np.maximum(seen.top, 0.3))
    return np.column_stack([centre, seen.ground + height / 2, wanted, height, yaw])


def _faces_sensor(seen: Measured) -> Bool:
    """Tell whether the long side is seen face on rather than along: its normal meets the ray."""
    ray = seen.centre / np.maximum(seen.range_m, 1e-6)[:, None]
    along = np.abs(ray[:, 0] * np.cos(seen.yaw) + ray[:, 1] * np.sin(seen.yaw))
    return np.asarray(along < np.sqrt(0.5))


def _grown(centre: Float64, yaw: Float64, extent: Float64, wanted: Float64) -> Float64:
    """Return how far the centre moves (K, 2) when each side grows away from the sensor.

    The edges nearest to the vehicle stay. Where the sensor looks at the middle of a face, that
    direction grows to both sides.
    """
    shift = np.zeros_like(centre)
    for axis, turn in ((0, 0.0), (1, np.pi / 2)):
        direction = np.stack([np.cos(yaw + turn), np.sin(yaw + turn)], axis=1)
        away = (centre * direction).sum(axis=1)
        side = np.clip(away / np.maximum(extent[:, axis] / 2, 0.3), -1.0, 1.0)
        shift += (side * (wanted[:, axis] - extent[:, axis]) / 2)[:, None] * direction
    return shift


def score(seen: Measured, label: Int64) -> Float64:
    """Rate each object in [0, 1]: like its class in size, solid in points, flat in its faces."""
    expected = np.clip(120.0 * (10.0 / np.maximum(seen.range_m, 5.0)) ** 2, 4, 400)
    solid = np.clip(np.sqrt(seen.counts / expected), 0.1, 1.0)
    long, short = seen.extent.T
    like = np.full(len(long), 0.45)
    car = label == CAR
    like[car] = np.where(long[car] > SIDE_M, 1.0, 0.7) * np.where(short[car] > FACE_M, 1.0, 0.6)
    like[car] *= np.where(seen.top[car] > 1.0, 1.0, 0.7) * np.where(seen.top[car] < 2.0, 1.0, 0.7)
    like[label == TRUCK] = 0.5
    like[label == PEDESTRIAN] = 0.5
    like[label == BICYCLE] = 0.4
    return np.asarray(like * solid * np.clip(0.5 + seen.closeness, 0, 1))
