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

"""What the sensors said, and when: the plain records that flow through the package.

Times are integer nanoseconds. Lengths are metres, angles radians, speeds metres per second.
A quantity that has a frame carries it as the last word of its name. Frames: `ego` is the vehicle
frame (REP-105 `base_link`: x forward, y left, z up, on the ground below the rear axle where the
calibration says so), `lidar` and `radar` the sensor's own, `map` east, north, up (REP-105).

Axis letters: N LiDAR points, M radar returns, L bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mm_fusion.shapes import check_shapes

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
UInt16 = NDArray[np.uint16]
UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

NS_PER_S = 1_000_000_000

KINDS = ("camera", "lidar", "radar", "gps", "imu", "odometry", "twist")
FRAMED_KINDS = ("camera", "lidar", "radar")  # these are matched; the others feed the localizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LidarScan:
    """One revolution of a LiDAR."""

    stamp_ns: int
    points_lidar: Float32  # (N, 3) m, all finite
    intensity: Float32  # (N,) in [0, 1]; zeros where the sensor gives none
    offset_s: Float32  # (N,) s from stamp_ns to the moment each point was measured; 0 if unknown
    ring: UInt16 | None = None  # (N,) laser index, where known

    def __post_init__(self) -> None:
        check_shapes(
            points_lidar=(self.points_lidar, ("N", 3)),
            intensity=(self.intensity, ("N",)),
            offset_s=(self.offset_s, ("N",)),
        )
        if self.ring is not None:
            check_shapes(points_lidar=(self.points_lidar, ("N", 3)), ring=(self.ring, ("N",)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RadarScan:
    """One sweep of a radar."""

    stamp_ns: int
    points_radar: Float32  # (M, 3) m, all finite
    range_rate_mps: Float32  # (M,) m/s along the ray, positive when moving away, ego motion in it
    rcs_dbsm: Float32  # (M,) dB relative to a square metre, or the sensor's magnitude in dB

    def __post_init__(self) -> None:
        check_shapes(
            points_radar=(self.points_radar, ("M", 3)),
            range_rate_mps=(self.range_rate_mps, ("M",)),
            rcs_dbsm=(self.rcs_dbsm, ("M",)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraImage:
    """One image as the camera sent it; `preprocess.image.decode` makes RGB of it when needed."""

    stamp_ns: int  # mid-exposure where the driver knows it
    data: UInt8  # (L,) bytes: pixel rows for raw encodings, the file for `jpeg` and `png`
    encoding: str  # rgb8, bgr8, rgba8, bgra8, mono8, mono16, yuv422*, bayer_*, jpeg, png
    width: int = 0  # px; 0 for jpeg and png, whose bytes say it
    height: int = 0  # px; as width
    step: int = 0  # bytes in a row, padding included; 0 for jpeg and png
    is_bigendian: bool = False

    def __post_init__(self) -> None:
        check_shapes(data=(self.data, ("L",)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GpsFix:
    """One position fix on the WGS-84 ellipsoid."""

    stamp_ns: int
    latitude_rad: float
    longitude_rad: float
    altitude_m: float  # above the ellipsoid
    covariance_enu: Float64  # (3, 3) m^2; east, north, up

    def __post_init__(self) -> None:
        check_shapes(covariance_enu=(self.covariance_enu, (3, 3)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImuSample:
    """One inertial measurement, in the frame of the IMU (forward, left, up: REP-103)."""

    stamp_ns: int
    angular_velocity_radps: Float64  # (3,)
    linear_acceleration_mps2: Float64  # (3,) specific force: +9.81 up at rest
    orientation_wxyz: Float64 | None = None  # (4,) map_from_imu, where the IMU gives it

    def __post_init__(self) -> None:
        check_shapes(
            angular_velocity_radps=(self.angular_velocity_radps, (3,)),
            linear_acceleration_mps2=(self.linear_acceleration_mps2, (3,)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwistSample:
    """Velocity of the vehicle in its own frame (wheel odometry, CAN)."""

    stamp_ns: int
    linear_ego: Float64  # (3,) m/s; forward, left, up
    angular_ego: Float64  # (3,) rad/s; NaN where not measured
    linear_std_mps: float = 0.2

    def __post_init__(self) -> None:
        check_shapes(linear_ego=(self.linear_ego, (3,)), angular_ego=(self.angular_ego, (3,)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OdometrySample:
    """Pose in a drifting but smooth frame, with the velocity in the vehicle's frame."""

    stamp_ns: int
    odom_from_ego: Float64  # (4, 4)
    linear_ego: Float64  # (3,) m/s
    angular_ego: Float64  # (3,) rad/s

    def __post_init__(self) -> None:
        check_shapes(
            odom_from_ego=(self.odom_from_ego, (4, 4)),
            linear_ego=(self.linear_ego, (3,)),
            angular_ego=(self.angular_ego, (3,)),
        )


FramedRecord = LidarScan | RadarScan | CameraImage
MotionRecord = GpsFix | ImuSample | TwistSample | OdometrySample
SensorRecord = FramedRecord | MotionRecord


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SensorFrame:
    """The records that belong to one moment, each in its sensor's own frame and stamp."""

    stamp_ns: int  # of the reference stream's record, its offset taken out
    reference: str  # name of the stream the frame is anchored on
    records: Mapping[str, FramedRecord]  # stream -> record; any number of each kind
    missing: Mapping[str, str] = field(default_factory=dict)  # stream -> why it is not there


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EgoMotion:
    """Velocity of the vehicle at one moment, in its own frame."""

    linear_ego: Float64  # (3,) m/s
    angular_ego: Float64  # (3,) rad/s
    known: bool = True  # False: nothing measured it, the zeros mean "cannot know"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EgoFrame:
    """All points of one moment in the vehicle's frame, moved to one stamp."""

    stamp_ns: int
    points_ego: Float32  # (N, 3) m, every LiDAR's
    intensity: Float32  # (N,) in [0, 1]
    radar_ego: Float32  # (M, 3) m, every radar's
    radar_ray_ego: Float32  # (M, 3) unit vectors from the radar to each return
    radial_speed_mps: Float32  # (M,) over ground along the ray, positive when moving away
    rcs_dbsm: Float32  # (M,)
    images: Mapping[str, CameraImage]  # camera -> image
    image_stamp_from_frame: Mapping[str, Float64]  # camera -> (4, 4): ego at the image's stamp
    motion: EgoMotion
    map_from_ego: Float64  # (4, 4)
    present: frozenset[str]  # streams that took part
    present_kinds: frozenset[str]  # their kinds
    missing: Mapping[str, str]  # stream -> why
    notes: tuple[str, ...] = ()  # what a user should know of this frame
    # (3,) m where the LiDARs look from: the middle of them
    viewpoint_ego: Float64 = field(default_factory=lambda: np.zeros(3))
    radar_offset_s: Float32 | None = None  # (M,) s from stamp_ns to each return; None: 0

    def __post_init__(self) -> None:
        check_shapes(points_ego=(self.points_ego, ("N", 3)), intensity=(self.intensity, ("N",)))
        check_shapes(viewpoint_ego=(self.viewpoint_ego, (3,)))
        if self.radar_offset_s is not None:
            check_shapes(
                radar_ego=(self.radar_ego, ("M", 3)), radar_offset_s=(self.radar_offset_s, ("M",))
            )
        check_shapes(
            radar_ego=(self.radar_ego, ("M", 3)),
            radar_ray_ego=(self.radar_ray_ego, ("M", 3)),
            radial_speed_mps=(self.radial_speed_mps, ("M",)),
            rcs_dbsm=(self.rcs_dbsm, ("M",)),
        )
