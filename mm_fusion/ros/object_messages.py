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

"""Objects and poses as messages, for planners: values in, messages out.

Axis letters: K objects.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from autoware_perception_msgs.msg import (
    ObjectClassification,
    Shape,
    TrackedObject,
    TrackedObjectKinematics,
    TrackedObjects,
)
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, TransformStamped, Vector3
from nav_msgs.msg import Odometry
from std_msgs.msg import Header
from unique_identifier_msgs.msg import UUID
from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose

from mm_fusion.geometry.rigid import quaternion_from_rotation
from mm_fusion.records import CLASSES, NS_PER_S, UNTRACKED, EgoMotion, Float64, Objects

STATIONARY_MPS = 0.5
HEADED_MPS = 1.0  # from here on the motion tells front from back
UNMEASURED = 1e6  # variance of what nobody measured
HEIGHT_VARIANCE_M2 = 0.25  # of an object's centre, which `Objects` does not estimate
TILT_VARIANCE_RAD2 = 0.01  # roll and pitch of an upright box
YAW_VARIANCE_RAD2 = 0.1

_AUTOWARE_LABELS = {name: getattr(ObjectClassification, name.upper()) for name in CLASSES}


def time_of(stamp_ns: int) -> Time:
    """Split a stamp as messages do."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def header_of(stamp_ns: int, frame_id: str) -> Header:
    """Make a header."""
    return Header(stamp=time_of(stamp_ns), frame_id=frame_id)


def pose_of(target_from_source: Float64) -> Pose:
    """Turn a (4, 4) transform into the source's pose in the target's frame."""
    x, y, z = target_from_source[:3, 3].tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion(target_from_source))


def box_pose(objects: Objects, row: int) -> Pose:
    """Return the centre and the heading of one box."""
    x, y, z = objects.centers_ego[row].tolist()
    half_rad = objects.yaws_rad[row].item() / 2
    turned = Quaternion(z=math.sin(half_rad), w=math.cos(half_rad))
    return Pose(position=Point(x=x, y=y, z=z), orientation=turned)


def box_size(objects: Objects, row: int) -> Vector3:
    """Return length, width, height as x, y, z."""
    length, width, height = objects.sizes_m[row].tolist()
    return Vector3(x=length, y=width, z=height)


def detections_message(objects: Objects, header: Header) -> Detection3DArray:
    """Make the array of vision_msgs; ids are empty where nothing is tracked."""
    array = Detection3DArray(header=header)
    for row in range(len(objects)):
        detection = Detection3D(header=header)
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = CLASSES[objects.labels[row]]
        result.hypothesis.score = objects.scores[row].item()
        result.pose.pose = detection.bbox.center = box_pose(objects, row)
        result.pose.covariance = _pose_covariance(objects.covariances[row])
        detection.results = [result]
        detection.bbox.size = box_size(objects, row)
        tracked = objects.ids[row] != UNTRACKED
        detection.id = str(objects.ids[row]) if tracked else ""
        array.detections.append(detection)
    return array


def tracked_objects_message(objects: Objects, header: Header, session: bytes) -> TrackedObjects:
    """Make what a planner reads.

    Args:
        objects: tracks, in the frame of the header.
        header: frame and stamp.
        session: 8 bytes that begin every object's UUID; its id follows, most significant first.
    """
    array = TrackedObjects(header=header)
    array.objects = [_tracked_object(objects, row, session) for row in range(len(objects))]
    return array


def _tracked_object(objects: Objects, row: int, session: bytes) -> TrackedObject:
    score = objects.scores[row].item()
    label = _AUTOWARE_LABELS[CLASSES[objects.labels[row]]]
    identity = session + objects.ids[row].item().to_bytes(8, "big", signed=True)
    return TrackedObject(
        object_id=UUID(uuid=np.frombuffer(identity, np.uint8)),
        existence_probability=score,
        classification=[ObjectClassification(label=label, probability=score)],
        kinematics=_kinematics(objects, row),
        shape=Shape(type=Shape.BOUNDING_BOX, dimensions=box_size(objects, row)),
    )


def _kinematics(objects: Objects, row: int) -> TrackedObjectKinematics:
    kinematics = TrackedObjectKinematics()
    kinematics.pose_with_covariance.pose = box_pose(objects, row)
    covariance = objects.covariances[row]  # (4, 4) x, y, vx, vy
    kinematics.pose_with_covariance.covariance = _pose_covariance(covariance)
    velocity = objects.velocities_ego[row]
    known = bool(np.isfinite(velocity).all())
    twist = kinematics.twist_with_covariance
    twist_covariance = np.diag([UNMEASURED] * 6)
    if known:
        cos, sin = math.cos(objects.yaws_rad[row]), math.sin(objects.yaws_rad[row])
        object_from_ego = np.array([[cos, sin], [-sin, cos]])
        twist.twist.linear.x, twist.twist.linear.y = (object_from_ego @ velocity).tolist()
        twist_covariance[:2, :2] = object_from_ego @ covariance[2:, 2:] @ object_from_ego.T
    twist.covariance = twist_covariance.ravel()
    speed = float(np.hypot(*velocity))  # NaN compares False
    kinematics.is_stationary = speed < STATIONARY_MPS
    kinematics.orientation_availability = (
        TrackedObjectKinematics.AVAILABLE
        if speed > HEADED_MPS
        else TrackedObjectKinematics.SIGN_UNKNOWN
    )
    return kinematics


def _pose_covariance(covariance: Float64) -> Float64:
    """Spread (4, 4) x, y, vx, vy into (36,) x, y, z, roll, pitch, yaw."""
    spread = np.diag(
        [0, 0, HEIGHT_VARIANCE_M2, TILT_VARIANCE_RAD2, TILT_VARIANCE_RAD2, YAW_VARIANCE_RAD2]
    )
    spread[:2, :2] = covariance[:2, :2]
    return np.asarray(spread.ravel(), np.float64)


def odometry_message(
    map_from_ego: Float64,
    covariance: Float64,
    motion: EgoMotion,
    header: Header,
    child_frame: str,
) -> Odometry:
    """Make the vehicle's pose in the map, its velocity in its own frame."""
    odometry = Odometry(header=header, child_frame_id=child_frame)
    odometry.pose.pose = pose_of(map_from_ego)
    odometry.pose.covariance = np.asarray(covariance, np.float64).ravel()
    if motion.known:
        odometry.twist.twist.linear = _vector(motion.linear_ego)
        odometry.twist.twist.angular = _vector(np.nan_to_num(motion.angular_ego))
    else:
        odometry.twist.covariance = np.diag([UNMEASURED] * 6).ravel()
    return odometry


def transform_message(
    target_from_source: Float64, header: Header, child_frame: str
) -> TransformStamped:
    """Make a transform for /tf; the header's frame is the target."""
    moved = Transform(
        translation=_vector(target_from_source[:3, 3]), rotation=_quaternion(target_from_source)
    )
    return TransformStamped(header=header, child_frame_id=child_frame, transform=moved)


def _vector(xyz: Any) -> Vector3:  # noqa: ANN401  # (3,)
    x, y, z = (float(part) for part in xyz)
    return Vector3(x=x, y=y, z=z)


def _quaternion(target_from_source: Float64) -> Quaternion:
    w, x, y, z = quaternion_from_rotation(target_from_source[:3, :3]).tolist()
    return Quaternion(w=w, x=x, y=y, z=z)
