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
from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose

from mm_fusion.geometry.rigid import quaternion_from_rotation
from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.records import NS_PER_S, Bool, EgoMotion, Float64, Int64

STATIONARY_MPS = 0.5
HEADED_MPS = 1.0  # from here on the motion tells front from back
UNMEASURED = 1e6  # variance of what nobody measured
HEIGHT_VARIANCE_M2 = 0.25  # of an object's centre, which `Objects` does not estimate
TILT_VARIANCE_RAD2 = 0.01  # roll and pitch of an upright box
YAW_VARIANCE_RAD2 = 0.1

AUTOWARE_LABELS = {name: getattr(ObjectClassification, name.upper()) for name in CLASSES}


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


def box_poses(objects: Objects) -> list[Pose]:
    """Return the centre and the heading of each box."""
    columns = (*objects.centers_ego.T, np.sin(objects.yaws_rad / 2), np.cos(objects.yaws_rad / 2))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(z=sine, w=cosine))
        for x, y, z, sine, cosine in rows
    ]


def box_sizes(objects: Objects) -> list[Vector3]:
    """Return length, width, height of each box as x, y, z."""
    return [Vector3(x=x, y=y, z=z) for x, y, z in objects.sizes_m.tolist()]


def detections_message(objects: Objects, header: Header) -> Detection3DArray:
    """Make the array of vision_msgs; ids are empty where nothing is tracked."""
    array = Detection3DArray(header=header)
    columns = (
        box_poses(objects),
        box_sizes(objects),
        pose_covariances(objects),
        objects.labels.tolist(),
        objects.scores.tolist(),
        objects.ids.tolist(),
    )
    for pose, size, covariance, label, score, number in zip(*columns, strict=True):
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = CLASSES[label]
        result.hypothesis.score = score
        result.pose.pose = pose
        result.pose.covariance = covariance
        detection = Detection3D(header=header, results=[result])
        detection.bbox.center, detection.bbox.size = pose, size
        detection.id = str(number) if number != UNTRACKED else ""
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
    columns = (box_sizes(objects), objects.labels.tolist(), objects.scores.tolist())
    for size, label, score, number in zip(*columns, objects.ids.tolist(), strict=True):
        tracked = TrackedObject(existence_probability=score)  # filled below, not replaced: faster
        named = ObjectClassification(label=AUTOWARE_LABELS[CLASSES[label]], probability=score)
        tracked.classification = [named]
        identity = session + number.to_bytes(8, "big", signed=True)
        tracked.object_id.uuid = np.frombuffer(identity, np.uint8)
        tracked.shape.type, tracked.shape.dimensions = Shape.BOUNDING_BOX, size
        array.objects.append(tracked)
    _fill_kinematics([tracked.kinematics for tracked in array.objects], objects)
    return array


def _fill_kinematics(messages: list[TrackedObjectKinematics], objects: Objects) -> None:
    """Say where each object is and how it moves, in its own axes as REP-103 has them."""
    still, availability = motion_of(objects)
    velocities, twist_covariances = twists(objects)
    columns = (
        box_poses(objects),
        pose_covariances(objects),
        velocities.tolist(),
        twist_covariances,
        still.tolist(),
        availability.tolist(),
    )
    for kinematics, pose, covariance, velocity, twist_covariance, stands, available in zip(
        messages, *columns, strict=True
    ):
        placed, twist = kinematics.pose_with_covariance, kinematics.twist_with_covariance
        placed.pose, placed.covariance = pose, covariance
        twist.twist.linear.x, twist.twist.linear.y = velocity
        twist.covariance = twist_covariance
        kinematics.is_stationary = stands
        kinematics.orientation_availability = available


def motion_of(objects: Objects) -> tuple[Bool, Int64]:
    """Return which objects stand still, and what is known of each one's heading."""
    speeds = np.linalg.norm(objects.velocities_ego, axis=1)  # NaN, which compares False, if unknown
    headed, either = TrackedObjectKinematics.AVAILABLE, TrackedObjectKinematics.SIGN_UNKNOWN
    return speeds < STATIONARY_MPS, np.where(speeds > HEADED_MPS, headed, either)


def twists(objects: Objects) -> tuple[Float64, Float64]:
    """Return velocities (K, 2) in each object's own axes, 0 where unknown, and covariances."""
    cos, sin = np.cos(objects.yaws_rad), np.sin(objects.yaws_rad)
    object_from_ego = np.stack([np.stack([cos, sin], 1), np.stack([-sin, cos], 1)], 1)  # (K, 2, 2)
    velocities = np.einsum("kij,kj->ki", object_from_ego, objects.velocities_ego)
    known = np.isfinite(velocities).all(axis=1)
    covariances = np.zeros((len(objects), 6, 6))
    covariances[:] = np.eye(6) * UNMEASURED
    turned = object_from_ego @ objects.covariances[:, 2:, 2:] @ object_from_ego.transpose(0, 2, 1)
    covariances[known, :2, :2] = turned[known]
    velocities[~known] = 0.0
    return velocities, covariances.reshape(-1, 36)


def pose_covariances(objects: Objects) -> Float64:
    """Spread (K, 4, 4) of x, y, vx, vy into (K, 36) of x, y, z, roll, pitch, yaw."""
    others = [HEIGHT_VARIANCE_M2, TILT_VARIANCE_RAD2, TILT_VARIANCE_RAD2, YAW_VARIANCE_RAD2]
    spread = np.zeros((len(objects), 6, 6))
    spread[:, :2, :2] = objects.covariances[:, :2, :2]
    spread[:, [2, 3, 4, 5], [2, 3, 4, 5]] = others
    return spread.reshape(-1, 36)


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
