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

"""GPS, IMU and wheels of the ego car: exact motion, then each sensor's noise."""

from __future__ import annotations

import numpy as np

from mm_fusion.geometry.geodesy import LocalTangentPlane
from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.records import Float64, GpsFix, ImuSample, TwistSample
from mm_fusion.simulation.motion import Path
from mm_fusion.simulation.rig import NavigationModel

GRAVITY_MPS2 = 9.80665
DATUM = (np.radians(52.5), np.radians(13.4), 75.0)  # of the street's origin: latitude, longitude, m
ENU_FROM_STREET = compose(rotation_from_rpy(0.0, 0.0, np.radians(30.0)), np.zeros(3))


class Navigation:
    """Measures the ego car's motion; biases are drawn once a drive."""

    def __init__(self, model: NavigationModel, ego: Path, rng: np.random.Generator) -> None:
        self._model = model
        self._ego = ego
        self._rng = rng
        self._plane = LocalTangentPlane(*DATUM)
        self._gyro_bias = rng.normal(0.0, model.gyroscope_bias_radps, 3)
        self._force_bias = rng.normal(0.0, model.accelerometer_bias_mps2, 3)

    def fix(self, time_s: float, stamp_ns: int) -> GpsFix:
        """Measure where the antenna is."""
        antenna_street = (self._ego.pose(time_s) @ self._model.ego_from_gps)[:3, 3]
        stds = np.array(self._model.gps_std_m)
        antenna_enu = (
            ENU_FROM_STREET[:3, :3] @ antenna_street + self._rng.normal(0.0, 1.0, 3) * stds
        )
        latitude, longitude, altitude = self._plane.geodetic(antenna_enu)
        return GpsFix(
            stamp_ns=stamp_ns,
            latitude_rad=latitude,
            longitude_rad=longitude,
            altitude_m=altitude,
            covariance_enu=np.diag(stds**2),
        )

    def inertial(self, time_s: float, stamp_ns: int) -> ImuSample:
        """Measure turn rate and specific force; the IMU's axes are the ego frame's."""
        turn, force = self._exact(time_s)
        model, rng = self._model, self._rng
        return ImuSample(
            stamp_ns=stamp_ns,
            angular_velocity_radps=turn
            + self._gyro_bias
            + rng.normal(0.0, model.gyroscope_std_radps, 3),
            linear_acceleration_mps2=force
            + self._force_bias
            + rng.normal(0.0, model.accelerometer_std_mps2, 3),
        )

    def twist(self, time_s: float, stamp_ns: int) -> TwistSample:
        """Measure the wheels' speed; the turn rate is left to the IMU."""
        now = np.array([time_s])
        linear_ego = self._ego.velocities(now)[0] @ self._ego.pose(time_s)[:3, :3]
        std_mps = self._model.wheel_std_mps
        return TwistSample(
            stamp_ns=stamp_ns,
            linear_ego=np.array([linear_ego[0] + self._rng.normal(0.0, std_mps), 0.0, 0.0]),
            angular_ego=np.full(3, np.nan),
            linear_std_mps=std_mps,
        )

    def _exact(self, time_s: float) -> tuple[Float64, Float64]:
        """Return turn rate (3,) rad/s and specific force (3,) m/s^2 in ego."""
        now = np.array([time_s])
        acceleration = self._ego.accelerations(now)[0] + np.array([0.0, 0.0, GRAVITY_MPS2])
        turn = np.array([0.0, 0.0, float(self._ego.yaw_rates(now)[0])])
        return turn, acceleration @ self._ego.pose(time_s)[:3, :3]
