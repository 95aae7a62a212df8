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

"""The detector that needs no training: ground, clusters, boxes, radar.

The safety net of every vehicle: it finds what stands on the road whether or not anybody has a name
for it, with a LiDAR, a radar or both.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import GeometricConfig
from mm_fusion.detection import clusters, radar_boxes, radial, rectangles, shapes, vehicles
from mm_fusion.detection.freespace import look
from mm_fusion.objects import SEEN_BY, Objects
from mm_fusion.preprocess.ground import Ground, find_ground
from mm_fusion.records import EgoFrame, Float32

POSITION_STD_M = 0.3
UNKNOWN_SPEED_STD_MPS = 10.0


class GeometricDetector:
    """Finds obstacles above the ground and what moves in the radar."""

    name = "geometric"
    needs_any_of = frozenset({"lidar", "radar"})

    def __init__(self, config: GeometricConfig) -> None:
        self._config = config

    def calibrate(self, calibration: Calibration) -> None:
        """Need no more than the points, which are in the vehicle's frame already."""

    def detect(self, frame: EgoFrame) -> Objects:
        """Return the objects of one frame; without LiDAR and radar there are none."""
        points = self._in_range(frame.points_ego)
        ground = find_ground(points, self._config) if len(points) else None
        seen = Objects.none()
        if ground is not None:
            seen = self._from_lidar(points, frame, ground)
        seen, used = radial.with_velocities(seen, frame)
        heard = radar_boxes.radar_objects(frame, ~used, ground, self._config)
        objects = Objects.joined(seen, heard)
        return objects[objects.scores >= self._config.score_threshold]

    def _in_range(self, points: Float32) -> Float32:
        """Leave out what is too far and what is the vehicle itself."""
        config = self._config
        x, y = np.abs(points[:, 0]), np.abs(points[:, 1])
        own = (x < config.vehicle_length_m / 2) & (y < config.vehicle_width_m / 2)
        return points.compress(~own & (x * x + y * y < config.range_m**2), axis=0)

    def _from_lidar(self, points: Float32, frame: EgoFrame, ground: Ground) -> Objects:
        config = self._config
        height = (points[:, 2] - ground.height(points[:, :2])).astype(np.float32)
        space = look(points, height, frame.viewpoint_ego, ground, config.range_m)
        stands = (height > config.ground_margin_m) & (height < config.ceiling_m)
        grouped = clusters.cluster(points.compress(stands, axis=0)[:, :2], height[stands], config)
        if not len(grouped):
            return Objects.none()
        framed = rectangles.fit(grouped)
        measured = shapes.measure(grouped, framed)
        fits = vehicles.fit(grouped, framed, space, shapes.candidates(measured))
        plan = np.column_stack([fits.centre, fits.size, fits.yaw])
        moving = radial.moving_in(plan, frame, config.radar_moving_mps)
        likeness = shapes.car_likeness(measured, fits, moving)
        labels = shapes.classify(measured, likeness)
        count = len(labels)
        spread = np.diag([POSITION_STD_M**2] * 2 + [UNKNOWN_SPEED_STD_MPS**2] * 2)
        boxes = shapes.complete(measured, fits, labels, ground)
        scores = shapes.score(measured, likeness, labels)
        found = Objects.of_boxes(
            boxes,
            labels=labels,
            scores=scores,
            evidence=np.full(count, SEEN_BY["lidar"], np.uint8),
            covariances=np.tile(spread, (count, 1, 1)),
        )
        wanted = measured.extent[:, 0] <= config.max_extent_m
        if not config.scenery:
            highest = ground.highest_sight(points, frame.viewpoint_ego)
            wanted &= ~shapes.cut_off(measured, labels, ground, highest, config.ceiling_m)
        return found[wanted & shapes.unrivalled(boxes, scores, labels)]
