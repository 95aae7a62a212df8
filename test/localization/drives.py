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

"""Drives whose motion is known in closed form, and what the sensors of one would say."""

import math
from dataclasses import dataclass, field

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import LocalizerConfig
from mm_fusion.geometry.geodesy import LocalTangentPlane
from mm_fusion.geometry.rigid import (
    compose,
    invert,
    moved,
    quaternion_from_rotation,
    rotation_from_rpy,
)
from mm_fusion.localization.localizer import Localizer
from mm_fusion.records import NS_PER_S, GpsFix, ImuSample, OdometrySample, TwistSample

GRAVITY_MPS2 = 9.80665
PLANE = LocalTangentPlane(math.radians(48.0), math.radians(11.0), 500.0)
ANTENNA = np.array([1.5, 0.4, 1.2])  # m, in ego
UNKNOWN = np.full(3, np.nan)


def ns(seconds):
    return round(seconds * NS_PER_S)


@dataclass
class Drive:
    """A level curve through the origin: x = length sin(wt), y = width sin(2wt), never at rest.

    Its pose is relative to `PLANE`; the heading is the direction of motion. Every measurement is
    exact unless the drive has noise: standard deviations by sensor, biases drawn once.
    """

    length_m: float = 100.0
    width_m: float = 40.0
    w_radps: float = 0.1
    noise: dict = field(default_factory=dict)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self):
        self.gyro_bias = self._noise("gyro_bias")
        self.force_bias = self._noise("force_bias")
        self.wheel_scale = self._noise("wheel_scale", 1)[0]

    def _noise(self, name, count=3):
        return self.rng.normal(0.0, self.noise.get(name, 0.0), count)

    def _curve(self, t):
        """Position, velocity and acceleration, (2,) each."""
        angles = self.w_radps * t * np.array([1.0, 2.0])
        rates, sizes = self.w_radps * np.array([1.0, 2.0]), [self.length_m, self.width_m]
        place, pace = sizes * np.sin(angles), sizes * rates * np.cos(angles)
        return place, pace, -(rates**2) * place

    def pose(self, t):
        place, pace, _ = self._curve(t)
        yaw = math.atan2(pace[1], pace[0])
        return compose(rotation_from_rpy(0.0, 0.0, yaw), np.array([*place, 0.0]))

    def speed(self, t):
        return float(np.linalg.norm(self._curve(t)[1]))

    def turn(self, t):
        _, (vx, vy), (ax, ay) = self._curve(t)
        return (vx * ay - vy * ax) / (vx**2 + vy**2)

    def gps(self, t, *, jump=(0, 0, 0), antenna=ANTENNA, stated=True):
        std_m = self.noise.get("gps", 0.0)
        place = self.pose(t)[:3, 3] + self.pose(t)[:3, :3] @ antenna
        return fix_at(t, place + self._noise("gps") + jump, (std_m or 0.5) if stated else 0.0)

    def imu(self, t, *, oriented=False):
        _, _, acceleration = self._curve(t)
        pose, count = self.pose(t), 3
        force = np.array([*acceleration, GRAVITY_MPS2]) @ pose[:3, :3]
        turn = np.array([0.0, 0.0, self.turn(t)])
        return ImuSample(
            stamp_ns=ns(t),
            angular_velocity_radps=turn + self.gyro_bias + self._noise("gyro", count),
            linear_acceleration_mps2=force + self.force_bias + self._noise("force", count),
            orientation_wxyz=quaternion_from_rotation(pose[:3, :3]) if oriented else None,
        )

    def twist(self, t, *, turn=False):
        linear = np.array([(1 + self.wheel_scale) * self.speed(t), 0.0, 0.0])
        return TwistSample(
            stamp_ns=ns(t),
            linear_ego=linear + self._noise("twist"),
            angular_ego=np.array([0.0, 0.0, self.turn(t)]) if turn else UNKNOWN,
            linear_std_mps=self.noise.get("twist", 0.05),
        )

    def odometry(self, t):
        odom_from_map = invert(compose(rotation_from_rpy(0, 0, 1.0), np.array([7.0, -3.0, 0.0])))
        return OdometrySample(
            stamp_ns=ns(t),
            odom_from_ego=odom_from_map @ self.pose(t),
            linear_ego=np.zeros(3),
            angular_ego=np.zeros(3),
        )

    def records(self, end, begin=1.0, **hz):
        """(stream, record) in order of stamps; `records(9, imu=100, gps=10)`, sensor -> Hz."""
        times = [
            (begin + k / rate + 1e-4 * place, stream)
            for place, (stream, rate) in enumerate(hz.items())
            for k in range(math.ceil((end - begin) * rate))
        ]
        read = {"gps": self.gps, "imu": self.imu, "twist": self.twist, "odometry": self.odometry}
        return [(stream, read[stream](t)) for t, stream in sorted(times)]


def fix_at(t, enu, std_m=0.5):
    latitude, longitude, altitude = PLANE.geodetic(np.asarray(enu, float))
    return GpsFix(
        stamp_ns=ns(t),
        latitude_rad=latitude,
        longitude_rad=longitude,
        altitude_m=altitude,
        covariance_enu=std_m**2 * np.eye(3),
    )


def along(east_m, north_m=0.0, up_m=0.0):
    """The antenna of a vehicle at a place, (3,) m in `PLANE`, that faces east."""
    return ANTENNA + np.array([east_m, north_m, up_m])


def still(t, *, turn=(0, 0, 0), force=(0, 0, GRAVITY_MPS2), wxyz=None):
    """A sample of an IMU, at rest unless said otherwise."""
    return ImuSample(
        stamp_ns=ns(t),
        angular_velocity_radps=np.array(turn, float),
        linear_acceleration_mps2=np.array(force, float),
        orientation_wxyz=None if wxyz is None else np.array(wxyz, float),
    )


def speed(t, mps, *, turn=np.nan, std_mps=0.05):
    return TwistSample(
        stamp_ns=ns(t),
        linear_ego=np.array([mps, 0.0, 0.0]),
        angular_ego=np.array([0.0, 0.0, turn]),
        linear_std_mps=std_mps,
    )


def play(localizer, records):
    for stream, record in records:
        localizer.observe(stream, record)
    return localizer


def position(localizer, t):
    """Where the localizer believes the vehicle at `t`, (3,) m in `PLANE`."""
    place = localizer.pose_at(ns(t)).map_from_ego[:3, 3]
    return PLANE.enu(*LocalTangentPlane(*localizer.datum).geodetic(place))


def off_m(localizer, drive, t):
    """How far its position is from the true one."""
    return float(np.linalg.norm(position(localizer, t) - drive.pose(t)[:3, 3]))


def yaw_off_rad(localizer, drive, t):
    here, there = localizer.pose_at(ns(t)).map_from_ego, drive.pose(t)
    return abs(math.remainder(heading(here) - heading(there), math.tau))


def heading(map_from_ego):
    return math.atan2(map_from_ego[1, 0], map_from_ego[0, 0])


def made(calibration=True, sensors=(), **settings):
    """A localizer with the antenna where the drives have it, and settings."""
    localizer = Localizer(LocalizerConfig(**settings))
    if calibration:
        localizer.calibrate(CALIBRATION, sensors)
    return localizer


def circle(t, radius_m, speed_mps):
    """The pose after `t` s on a left turn that begins at the origin, heading east."""
    return moved(np.array([speed_mps, 0, 0]), np.array([0, 0, speed_mps / radius_m]), t)


CALIBRATION = Calibration(ego_from={"gps": compose(np.eye(3), ANTENNA), "imu": np.eye(4)})
