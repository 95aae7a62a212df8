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

"""Objects with the ways they are expected to go, as autoware_perception_msgs has them."""

from __future__ import annotations

import numpy as np
from autoware_perception_msgs.msg import (
    PredictedObject,
    PredictedObjectKinematics,
    PredictedObjects,
    PredictedPath,
    TrackedObject,
)
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion
from std_msgs.msg import Header

from mm_fusion.objects import Objects
from mm_fusion.records import NS_PER_S, Float64
from mm_fusion.ros.object_messages import tracked_objects_message
from mm_fusion.tracking.prediction import paths

MOST_POSES = 100  # of a path; the interface holds no more


def predicted_objects_message(
    objects: Objects, header: Header, session: bytes, horizon_s: float, step_s: float
) -> PredictedObjects:
    """Make objects with one path each, by their velocities and turn rates.

    Args:
        objects: tracks, in the frame of the header; the paths are in that frame too, as it lies
            at the header's stamp.
        header: frame and stamp.
        session: as `tracked_objects_message` takes it.
        horizon_s: how far the paths reach.
        step_s: between two poses of a path, the first of which is the object's own.
    """
    poses = min(int(horizon_s / step_s + 1e-6) + 1, MOST_POSES)
    ways = paths(objects, np.arange(poses, dtype=np.float64) * step_s)  # (K, T, 3)
    tracked = tracked_objects_message(objects, header, session).objects
    rows = zip(tracked, ways, objects.centers_ego[:, 2].tolist(), strict=True)
    made = [_predicted(one, way, z_m, step_s) for one, way, z_m in rows]
    return PredictedObjects(header=header, objects=made)


def _predicted(tracked: TrackedObject, way: Float64, z_m: float, step_s: float) -> PredictedObject:
    nanoseconds = round(step_s * NS_PER_S)
    step = Duration(sec=nanoseconds // NS_PER_S, nanosec=nanoseconds % NS_PER_S)
    path = PredictedPath(path=_poses(way, z_m), time_step=step, confidence=1.0)
    kinematics = PredictedObjectKinematics(
        initial_pose_with_covariance=tracked.kinematics.pose_with_covariance,
        initial_twist_with_covariance=tracked.kinematics.twist_with_covariance,
        predicted_paths=[path],
    )
    return PredictedObject(
        object_id=tracked.object_id,
        existence_probability=tracked.existence_probability,
        classification=tracked.classification,
        kinematics=kinematics,
        shape=tracked.shape,
    )


def _poses(way: Float64, z_m: float) -> list[Pose]:
    half = way[:, 2] / 2
    rows = zip(
        *(column.tolist() for column in (*way[:, :2].T, np.sin(half), np.cos(half))), strict=True
    )
    return [
        Pose(position=Point(x=x, y=y, z=z_m), orientation=Quaternion(z=sine, w=cosine))
        for x, y, sine, cosine in rows
    ]
