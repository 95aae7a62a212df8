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

"""Records become messages: the reverse of `messages`, for writing bags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.recordings.columns import FORMATS, Columns
from mm_fusion.recordings.headers import Message
from mm_fusion.recordings.message_parts import (
    header,
    part,
    point,
    quaternion,
    quaternion_of,
    vector,
)
from mm_fusion.recordings.vehicle import COVARIANCE_UNKNOWN
from mm_fusion.records import (
    CameraImage,
    GpsFix,
    ImuSample,
    LidarScan,
    OdometrySample,
    RadarScan,
    SensorRecord,
    TwistSample,
)

COMPRESSED = ("jpeg", "png")
_DATATYPES = {code: number for number, code in FORMATS.items()}
_COVARIANCE_KNOWN = 3  # sensor_msgs/NavSatFix
_SERVICE_GPS = 1  # sensor_msgs/NavSatStatus

Typed = tuple[str, Message]  # message type, message


def message_of(record: SensorRecord, frame: str) -> Typed:
    """Return the type and the message of a record, its header naming the frame."""
    return _ENCODERS[type(record)](record, frame)


def _lidar(scan: LidarScan, frame: str) -> Typed:
    """Write x, y, z, intensity, and ring and time where they are known."""
    columns: dict[str, Any] = {"x": scan.points_lidar[:, 0], "y": scan.points_lidar[:, 1]}
    columns |= {"z": scan.points_lidar[:, 2], "intensity": scan.intensity}
    if scan.ring is not None:
        columns["ring"] = scan.ring
    if scan.offset_s.any():
        columns["time"] = scan.offset_s
    return _cloud(columns, scan.stamp_ns, frame)


def _radar(scan: RadarScan, frame: str) -> Typed:
    columns = {"x": scan.points_radar[:, 0], "y": scan.points_radar[:, 1]}
    columns |= {"z": scan.points_radar[:, 2]}
    columns |= {"range_rate": scan.range_rate_mps, "rcs": scan.rcs_dbsm}
    return _cloud(columns, scan.stamp_ns, frame)


def _cloud(columns: Mapping[str, Any], stamp_ns: int, frame: str) -> Typed:
    kinds = [(name, "<u2" if name == "ring" else "<f4") for name in columns]
    table: Columns = np.empty(len(columns["x"]), np.dtype(kinds))
    for name, values in columns.items():
        table[name] = values
    fields = [
        part(
            "sensor_msgs/msg/PointField",
            name=name,
            offset=int(table.dtype.fields[name][1]),  # type: ignore[index]  # it has these fields
            datatype=_DATATYPES[kind[1:]],
            count=1,
        )
        for name, kind in kinds
    ]
    step = table.dtype.itemsize
    message = part(
        "sensor_msgs/msg/PointCloud2",
        header=header(stamp_ns, frame),
        height=1,
        width=len(table),
        fields=fields,
        is_bigendian=False,
        point_step=step,
        row_step=step * len(table),
        data=table.view(np.uint8).reshape(-1),
        is_dense=True,
    )
    return "sensor_msgs/msg/PointCloud2", message


def _image(image: CameraImage, frame: str) -> Typed:
    if image.encoding in COMPRESSED:
        kind = "sensor_msgs/msg/CompressedImage"
        values: dict[str, Any] = {"format": image.encoding}
    else:
        kind = "sensor_msgs/msg/Image"
        values = {"height": image.height, "width": image.width, "encoding": image.encoding}
        values |= {"is_bigendian": int(image.is_bigendian), "step": image.step}
    stamped = header(image.stamp_ns, frame)
    return kind, part(kind, header=stamped, data=np.ascontiguousarray(image.data), **values)


def _gps(fix: GpsFix, frame: str) -> Typed:
    status = part("sensor_msgs/msg/NavSatStatus", status=0, service=_SERVICE_GPS)
    stated = bool(fix.covariance_enu.any())
    message = part(
        "sensor_msgs/msg/NavSatFix",
        header=header(fix.stamp_ns, frame),
        status=status,
        latitude=float(np.degrees(fix.latitude_rad)),
        longitude=float(np.degrees(fix.longitude_rad)),
        altitude=float(fix.altitude_m),
        position_covariance=fix.covariance_enu.ravel().astype(np.float64),
        position_covariance_type=_COVARIANCE_KNOWN if stated else COVARIANCE_UNKNOWN,
    )
    return "sensor_msgs/msg/NavSatFix", message


def _imu(sample: ImuSample, frame: str) -> Typed:
    """Write an orientation that is not known as a covariance that begins with -1."""
    known = sample.orientation_wxyz is not None
    unsaid = np.zeros(9)
    orientation = sample.orientation_wxyz if known else np.array([1.0, 0.0, 0.0, 0.0])
    message = part(
        "sensor_msgs/msg/Imu",
        header=header(sample.stamp_ns, frame),
        orientation=quaternion_of(orientation),  # type: ignore[arg-type]  # known says it is one
        orientation_covariance=unsaid if known else np.array([-1.0, *unsaid[1:]]),
        angular_velocity=vector(sample.angular_velocity_radps),
        angular_velocity_covariance=unsaid,
        linear_acceleration=vector(sample.linear_acceleration_mps2),
        linear_acceleration_covariance=unsaid,
    )
    return "sensor_msgs/msg/Imu", message


def _twist(sample: TwistSample, frame: str) -> Typed:
    message = part(
        "geometry_msgs/msg/TwistStamped",
        header=header(sample.stamp_ns, frame),
        twist=_velocity(sample),
    )
    return "geometry_msgs/msg/TwistStamped", message


def _odometry(sample: OdometrySample, frame: str) -> Typed:
    place = part(
        "geometry_msgs/msg/Pose",
        position=point(sample.odom_from_ego[:3, 3]),
        orientation=quaternion(sample.odom_from_ego[:3, :3]),
    )
    unsaid = np.zeros(36)
    message = part(
        "nav_msgs/msg/Odometry",
        header=header(sample.stamp_ns, "odom"),
        child_frame_id=frame,
        pose=part("geometry_msgs/msg/PoseWithCovariance", pose=place, covariance=unsaid),
        twist=part(
            "geometry_msgs/msg/TwistWithCovariance", twist=_velocity(sample), covariance=unsaid
        ),
    )
    return "nav_msgs/msg/Odometry", message


def _velocity(sample: TwistSample | OdometrySample) -> Message:
    linear, angular = vector(sample.linear_ego), vector(sample.angular_ego)
    return part("geometry_msgs/msg/Twist", linear=linear, angular=angular)


def info_of(camera: Camera, stamp_ns: int, frame: str) -> Typed:
    """Return the CameraInfo of a camera; a rectified image has a lens of five zeros."""
    width, height = camera.size_px
    region = part(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0,
        y_offset=0,
        height=0,
        width=0,
        do_rectify=False,
    )
    projection = np.zeros((3, 4))
    projection[:, :3] = camera.image_from_camera
    message = part(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp_ns, frame),
        height=height,
        width=width,
        distortion_model=camera.distortion_model or "plumb_bob",
        d=np.array(camera.distortion or (0.0,) * 5, np.float64),
        k=np.asarray(camera.image_from_camera, np.float64).ravel(),
        r=np.eye(3).ravel(),
        p=projection.ravel(),
        binning_x=0,
        binning_y=0,
        roi=region,
    )
    return "sensor_msgs/msg/CameraInfo", message


_ENCODERS: Mapping[type, Callable[[Any, str], Typed]] = {
    LidarScan: _lidar,
    RadarScan: _radar,
    CameraImage: _image,
    GpsFix: _gps,
    ImuSample: _imu,
    TwistSample: _twist,
    OdometrySample: _odometry,
}
