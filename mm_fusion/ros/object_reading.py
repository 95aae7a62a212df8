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

"""Objects read back from what the fusion node publishes.

Axis letters: K objects.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from autoware_perception_msgs.msg import TrackedObjects
from nav_msgs.msg import Odometry
from vision_msgs.msg import Detection3DArray

from mm_fusion.geometry.rigid import compose, rotation_from_quaternion
from mm_fusion.objects import CLASSES, UNKNOWN, UNTRACKED, Objects
from mm_fusion.records import Float64


def objects_of_detections(array: Detection3DArray) -> Objects:
    """Read boxes, classes, scores and ids; velocities are not among what vision_msgs has.

    An id that is no number is none; a class that is not ours is unknown.
    """
    rows = [_box(d.bbox.center, d.bbox.size) for d in array.detections]
    best = [
        max(d.results, key=lambda r: r.hypothesis.score, default=None) for d in array.detections
    ]
    names = [result.hypothesis.class_id if result else "" for result in best]
    return Objects.of_boxes(
        np.array(rows, np.float64).reshape(-1, 7),
        labels=np.array([_label(name) for name in names], np.int64),
        scores=np.array([r.hypothesis.score if r else 0.0 for r in best], np.float64),
        ids=np.array([_ident(d.id) for d in array.detections], np.int64),
    )


def objects_of_tracked(array: TrackedObjects) -> Objects:
    """Read boxes and velocities, turned from each object's own axes into the header's frame."""
    rows, velocities = [], []
    for tracked in array.objects:
        row = _box(tracked.kinematics.pose_with_covariance.pose, tracked.shape.dimensions)
        linear = tracked.kinematics.twist_with_covariance.twist.linear
        cos, sin = math.cos(row[6]), math.sin(row[6])
        rows.append(row)
        velocities.append((cos * linear.x - sin * linear.y, sin * linear.x + cos * linear.y))
    return Objects.of_boxes(
        np.array(rows, np.float64).reshape(-1, 7),
        velocities_ego=np.array(velocities, np.float64).reshape(-1, 2),
        scores=np.array([t.existence_probability for t in array.objects], np.float64),
    )


def pose_of_odometry(odometry: Odometry) -> Float64:
    """Read the vehicle's pose, header_from_child (4, 4).

    Raises:
        CalibrationError: its orientation is none.
    """
    p, q = odometry.pose.pose.position, odometry.pose.pose.orientation
    rotation = rotation_from_quaternion(np.array([q.w, q.x, q.y, q.z]))
    return compose(rotation, np.array([p.x, p.y, p.z]))


def _box(pose: Any, size: Any) -> tuple[float, ...]:  # noqa: ANN401  # Pose, Vector3
    """Return x, y, z, length, width, height, yaw."""
    at, q = pose.position, pose.orientation
    yaw = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    return (at.x, at.y, at.z, size.x, size.y, size.z, yaw)


def _label(name: str) -> int:
    return CLASSES.index(name) if name in CLASSES else UNKNOWN


def _ident(text: str) -> int:
    return int(text) if text.isdigit() else UNTRACKED
