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

"""Fixes, inertial samples and velocities become records."""

from __future__ import annotations

from typing import Any

import numpy as np

from mm_fusion.errors import CalibrationError, MessageError
from mm_fusion.geometry.rigid import compose, rotation_from_quaternion
from mm_fusion.recordings.headers import Message, frame_of, stamp_of
from mm_fusion.records import Float64, GpsFix, ImuSample, OdometrySample, TwistSample

NO_FIX = -1  # sensor_msgs/NavSatStatus
COVARIANCE_UNKNOWN = 0  # sensor_msgs/NavSatFix
DEFAULT_STD_MPS = 0.2  # of a velocity whose message states no covariance


def gps_fix(fix: Message) -> GpsFix:
    """Read sensor_msgs/NavSatFix; a covariance of zeros means that none was stated.

    Raises:
        MessageError: there is no fix, or a coordinate is no number or not on Earth.
    """
    stamp_ns = stamp_of(fix)
    if fix.status.status <= NO_FIX:
        raise MessageError(f"NavSatFix status is {fix.status.status}: the receiver has no fix")
    if not (abs(fix.latitude) <= 90 and abs(fix.longitude) <= 360):
        raise MessageError(
            f"NavSatFix at latitude {fix.latitude:g}, longitude {fix.longitude:g} degrees is no "
            "place on Earth"
        )
    covariance = np.array(fix.position_covariance, np.float64).reshape(3, 3)
    stated = fix.position_covariance_type != COVARIANCE_UNKNOWN and np.isfinite(covariance).all()
    return GpsFix(
        stamp_ns=stamp_ns,
        latitude_rad=float(np.radians(fix.latitude)),
        longitude_rad=float(np.radians(fix.longitude)),
        altitude_m=float(fix.altitude) if np.isfinite(fix.altitude) else 0.0,
        covariance_enu=covariance if stated else np.zeros((3, 3)),
    )


def imu_sample(imu: Message) -> ImuSample:
    """Read sensor_msgs/Imu; an orientation_covariance that begins with -1 means no orientation.

    Raises:
        MessageError: a rate or an acceleration is no number.
    """
    rates = _vector(imu.angular_velocity, "angular_velocity")
    forces = _vector(imu.linear_acceleration, "linear_acceleration")
    q = imu.orientation
    wxyz = np.array([q.w, q.x, q.y, q.z], np.float64)
    known = imu.orientation_covariance[0] != -1 and 0.5 < np.linalg.norm(wxyz) < 1.5
    return ImuSample(
        stamp_ns=stamp_of(imu),
        angular_velocity_radps=rates,
        linear_acceleration_mps2=forces,
        orientation_wxyz=wxyz / np.linalg.norm(wxyz) if known else None,
    )


def twist_sample(message: Message) -> TwistSample:
    """Read geometry_msgs/TwistStamped, or TwistWithCovarianceStamped with its covariance.

    An angular velocity of NaN is one that was not measured.
    """
    twist, std_mps = message.twist, DEFAULT_STD_MPS
    if hasattr(twist, "covariance"):
        variance = float(twist.covariance[0])
        std_mps = float(np.sqrt(variance)) if variance > 0 else DEFAULT_STD_MPS
        twist = twist.twist
    return TwistSample(
        stamp_ns=stamp_of(message),
        linear_ego=_vector(twist.linear, "twist.linear"),
        angular_ego=np.array([twist.angular.x, twist.angular.y, twist.angular.z], np.float64),
        linear_std_mps=std_mps,
    )


def odometry_sample(odometry: Message) -> OdometrySample:
    """Read nav_msgs/Odometry."""
    pose, twist = odometry.pose.pose, odometry.twist.twist
    rotation = _rotation(pose.orientation, "Odometry")
    return OdometrySample(
        stamp_ns=stamp_of(odometry),
        odom_from_ego=compose(rotation, _vector(pose.position, "pose.position")),
        linear_ego=_vector(twist.linear, "twist.linear"),
        angular_ego=_vector(twist.angular, "twist.angular"),
    )


def edge_of(stamped: Message) -> tuple[str, str, Float64]:
    """Return parent, child and parent_from_child (4, 4) of a geometry_msgs/TransformStamped.

    Raises:
        MessageError: its numbers are none.
    """
    parent, child = frame_of(stamped), str(stamped.child_frame_id).lstrip("/")
    what = f"transform from {parent!r} to {child!r}"
    translation = _vector(stamped.transform.translation, what)
    return parent, child, compose(_rotation(stamped.transform.rotation, what), translation)


def _rotation(q: Any, what: str) -> Float64:  # noqa: ANN401  # Quaternion of either library
    try:
        return rotation_from_quaternion(np.array([q.w, q.x, q.y, q.z], np.float64))
    except CalibrationError as error:
        raise MessageError(f"{what}: {error}") from error


def _vector(xyz: Any, what: str) -> Float64:  # noqa: ANN401  # Vector3 or Point of either library
    vector = np.array([xyz.x, xyz.y, xyz.z], np.float64)
    if not np.isfinite(vector).all():
        raise MessageError(f"{what} is {vector.tolist()}; it must be finite")
    return vector
