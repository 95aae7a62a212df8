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

"""Turns what motion sensors say into events of the filter: in the map, in ego, in its stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import LocalizerConfig, SensorConfig
from mm_fusion.geometry.geodesy import LocalTangentPlane
from mm_fusion.geometry.rigid import invert, rotation_from_quaternion
from mm_fusion.localization.belief import Event, Inertial, Position, Velocity
from mm_fusion.localization.measurements import fix_noise, vector_of
from mm_fusion.records import (
    NS_PER_S,
    Float64,
    GpsFix,
    ImuSample,
    MotionRecord,
    OdometrySample,
    TwistSample,
)

ODOMETRY_STD_MPS = 0.1  # of a velocity out of odometry
ODOMETRY_GAP_NS = 1_000_000_000  # poses farther apart say nothing of the velocity
ODOMETRY_LEAP_MPS = 100.0  # faster steps are a reset of the odometry


class Intake:
    """Knows the datum and where the sensors sit; gives each record its event."""

    def __init__(self, config: LocalizerConfig) -> None:
        self._config = config
        self._offsets_ns: dict[str, int] = {}
        self._calibration: Calibration | None = None
        self._plane: LocalTangentPlane | None = None
        self._odometry: dict[str, OdometrySample] = {}
        self.unplaced: dict[str, str] = {}  # stream -> what is assumed of its place

    def calibrate(self, calibration: Calibration, sensors: Sequence[SensorConfig]) -> None:
        """Use this calibration from the next record on."""
        if calibration is self._calibration:
            return
        self._calibration = calibration
        self._offsets_ns = {s.name: round(s.offset_s * NS_PER_S) for s in sensors if s.offset_s}
        self.unplaced = {s: n for s, n in self.unplaced.items() if s not in calibration.ego_from}

    @property
    def datum(self) -> tuple[float, float, float] | None:
        """Latitude, longitude (rad), altitude (m) of the map's origin: the first fix."""
        return None if self._plane is None else self._plane.datum

    def stamp_of(self, stream: str, record: MotionRecord) -> int:
        """Return a record's stamp in ns, the sensor's offset taken out."""
        return record.stamp_ns - self._offsets_ns.get(stream, 0)

    def event_of(self, stream: str, record: MotionRecord) -> Event | None:
        """Return what a record says; None if it says nothing that can be."""
        record = replace(record, stamp_ns=self.stamp_of(stream, record))
        if isinstance(record, GpsFix):
            return self._position(stream, record)
        if isinstance(record, ImuSample):
            return self._inertial(stream, record)
        if isinstance(record, OdometrySample):
            return self._odometric(stream, record)
        return _velocity(record)

    def _position(self, stream: str, fix: GpsFix) -> Position | None:
        place = (fix.latitude_rad, fix.longitude_rad, fix.altitude_m)
        if not np.isfinite(place).all() or abs(fix.latitude_rad) > np.pi / 2:
            return None
        if self._plane is None:
            self._plane = LocalTangentPlane(*place)
        return Position(
            stamp_ns=fix.stamp_ns,
            antenna_map=self._plane.enu(*place),
            noise=fix_noise(fix.covariance_enu, self._config),
            lever_ego=self._ego_from(stream, "its antenna is taken to be at the origin")[:3, 3],
        )

    def _inertial(self, stream: str, sample: ImuSample) -> Inertial | None:
        turn, force = sample.angular_velocity_radps, sample.linear_acceleration_mps2
        if not (np.isfinite(turn).all() and np.isfinite(force).all()):
            return None
        ego_from_imu = self._ego_from(stream, "its axes are taken to be the vehicle's")
        rotation, lever = ego_from_imu[:3, :3], ego_from_imu[:3, 3]
        turn_ego = rotation @ turn
        swing = np.cross(turn_ego, np.cross(turn_ego, lever))
        wxyz, map_from_ego = sample.orientation_wxyz, None
        if wxyz is not None and np.isfinite(wxyz).all() and np.linalg.norm(wxyz) > 0.5:
            map_from_ego = rotation_from_quaternion(wxyz) @ rotation.T
        return Inertial(
            stamp_ns=sample.stamp_ns,
            gyro=turn_ego,
            force=rotation @ force - swing,
            map_from_ego=map_from_ego,
        )

    def _odometric(self, stream: str, sample: OdometrySample) -> Velocity | None:
        """Take the velocity between two poses, which no driver forgets to fill in."""
        before = self._odometry.get(stream)
        if before is None or sample.stamp_ns > before.stamp_ns:
            self._odometry[stream] = sample
        linear, angular = sample.linear_ego, sample.angular_ego
        passed_ns = 0 if before is None else sample.stamp_ns - before.stamp_ns
        if before is not None and 0 < passed_ns <= ODOMETRY_GAP_NS:
            step = invert(before.odom_from_ego) @ sample.odom_from_ego
            seconds = passed_ns / NS_PER_S
            if np.linalg.norm(step[:3, 3]) <= ODOMETRY_LEAP_MPS * seconds:
                linear, angular = _steady(step, seconds)
        return _velocity(
            TwistSample(
                stamp_ns=sample.stamp_ns,
                linear_ego=linear,
                angular_ego=angular,
                linear_std_mps=ODOMETRY_STD_MPS,
            )
        )

    def _ego_from(self, stream: str, assumption: str) -> Float64:
        known = {} if self._calibration is None else self._calibration.ego_from
        if stream not in known:
            self.unplaced[stream] = f"{stream}: no transform to the vehicle; {assumption}"
            return np.eye(4)
        return known[stream]


def _velocity(sample: TwistSample) -> Velocity | None:
    if not np.isfinite([*sample.linear_ego, *sample.angular_ego]).any():
        return None
    std_mps = sample.linear_std_mps if sample.linear_std_mps > 0 else 0.2
    return Velocity(
        stamp_ns=sample.stamp_ns,
        linear_ego=sample.linear_ego,
        angular_ego=sample.angular_ego,
        std_mps=std_mps,
    )


def _steady(step: Float64, seconds: float) -> tuple[Float64, Float64]:
    """Return the constant velocity and turn rate that make a step, the logarithm of SE(3)."""
    angular = vector_of(step[:3, :3]) / seconds
    halfway = 0.5 * (step[:3, :3].T + np.eye(3)) @ step[:3, 3]  # chord against arc: second order
    return halfway / seconds, angular
