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
from mm_fusion.localization.measurements import fix_noise
from mm_fusion.localization.rotations import EYE3, cross, turned, vector_of
from mm_fusion.records import (
    NS_PER_S,
    Float64,
    GpsFix,
    ImuSample,
    MotionRecord,
    OdometrySample,
)

ODOMETRY_STD_MPS = 0.1  # of a velocity out of odometry
ODOMETRY_GAP_NS = 1_000_000_000  # poses farther apart say nothing of the velocity
ODOMETRY_LEAP_MPS = 100.0  # faster steps are a reset of the odometry
VELOCITY_STD_MPS = 0.2  # of a velocity that states no uncertainty

# beyond these a number is a fault, not a measurement
ALTITUDES_M = -1e4, 1e5
FIX_STD_M = 1e3
TURN_RADPS = 50.0
FORCE_MPS2 = 1e3
SPEED_MPS = 150.0
ODOMETRY_M = 1e9


class Intake:
    """Knows the datum and where the sensors sit; gives each record its event."""

    def __init__(self, config: LocalizerConfig) -> None:
        self._config = config
        self._offsets_ns: dict[str, int] = {}
        self._calibration: Calibration | None = None
        self._plane: LocalTangentPlane | None = None
        self._odometry: dict[str, OdometrySample] = {}
        self.unplaced: dict[str, str] = {}  # stream -> what is assumed of its place

    def retune(self, config: LocalizerConfig) -> None:
        """Take over changed settings."""
        self._config = config

    def calibrate(self, calibration: Calibration, sensors: Sequence[SensorConfig]) -> None:
        """Use this calibration from the next record on."""
        if calibration is self._calibration:
            return
        self._calibration = calibration
        self._offsets_ns = {s.name: round(s.offset_s * NS_PER_S) for s in sensors if s.offset_s}
        self.unplaced = {s: n for s, n in self.unplaced.items() if s not in calibration.ego_from}

    def rewind(self) -> None:
        """Expect stamps from the beginning again; the datum and the calibration stay."""
        self._odometry.clear()

    @property
    def datum(self) -> tuple[float, float, float] | None:
        """Latitude, longitude (rad), altitude (m) of the map's origin: the first fix."""
        return None if self._plane is None else self._plane.datum

    def stamp_of(self, stream: str, record: MotionRecord) -> int:
        """Return a record's stamp in ns, the sensor's offset taken out."""
        return record.stamp_ns - self._offsets_ns.get(stream, 0)

    def event_of(self, stream: str, record: MotionRecord) -> Event | None:
        """Return what a record says; None if it says nothing that can be."""
        if stream in self._offsets_ns:
            record = replace(record, stamp_ns=self.stamp_of(stream, record))
        if isinstance(record, GpsFix):
            return self._position(stream, record)
        if isinstance(record, ImuSample):
            return self._inertial(stream, record)
        if isinstance(record, OdometrySample):
            return self._odometric(stream, record)
        return _velocity_of(
            record.stamp_ns, record.linear_ego, record.angular_ego, record.linear_std_mps
        )

    def _position(self, stream: str, fix: GpsFix) -> Position | None:
        place = (fix.latitude_rad, fix.longitude_rad, fix.altitude_m)
        noise = fix_noise(fix.covariance_enu, self._config)
        if not _on_earth(*place) or max(noise[0, 0], noise[1, 1]) > FIX_STD_M**2:
            return None
        if self._plane is None:
            self._plane = LocalTangentPlane(*place)
        return Position(
            stamp_ns=fix.stamp_ns,
            antenna_map=self._plane.enu(*place),
            noise=noise,
            lever_ego=self._ego_from(stream, "its antenna is taken to be at the origin")[:3, 3],
        )

    def _inertial(self, stream: str, sample: ImuSample) -> Inertial | None:
        turn, force = sample.angular_velocity_radps, sample.linear_acceleration_mps2
        if not (np.abs(turn).max() < TURN_RADPS and np.abs(force).max() < FORCE_MPS2):
            return None
        ego_from_imu = self._ego_from(stream, "its axes are taken to be the vehicle's")
        rotation, lever = ego_from_imu[:3, :3], ego_from_imu[:3, 3]
        turn_ego = rotation @ turn
        swing = cross(turn_ego)
        wxyz, map_from_ego = sample.orientation_wxyz, None
        if wxyz is not None and np.abs(wxyz).max() < 2 and np.linalg.norm(wxyz) > 0.5:
            map_from_ego = rotation_from_quaternion(wxyz) @ rotation.T
        return Inertial(
            stamp_ns=sample.stamp_ns,
            gyro=turn_ego,
            force=rotation @ force - swing @ (swing @ lever),
            map_from_ego=map_from_ego,
        )

    def _odometric(self, stream: str, sample: OdometrySample) -> Velocity | None:
        """Take the velocity between two poses, which no driver forgets to fill in."""
        before = self._odometry.get(stream)
        if before is None or sample.stamp_ns > before.stamp_ns:
            self._odometry[stream] = sample
        linear, angular = sample.linear_ego, sample.angular_ego
        empty = not (linear.any() or angular.any())
        step = None if before is None else _step(before, sample)
        if step is not None and (step[0].any() or step[1].any() or empty):
            linear, angular = step
        elif empty:  # a twist that is not filled in, maybe: this pose alone tells no velocity
            unknown = np.full(3, np.nan)
            return Velocity(
                stamp_ns=sample.stamp_ns,
                linear_ego=unknown,
                angular_ego=unknown,
                std_mps=ODOMETRY_STD_MPS,
            )
        return _velocity_of(sample.stamp_ns, linear, angular, ODOMETRY_STD_MPS)

    def _ego_from(self, stream: str, assumption: str) -> Float64:
        known = {} if self._calibration is None else self._calibration.ego_from
        if stream not in known:
            self.unplaced[stream] = f"{stream}: no transform to the vehicle; {assumption}"
            return np.eye(4)
        return known[stream]


def _on_earth(latitude_rad: float, longitude_rad: float, altitude_m: float) -> bool:
    low, high = ALTITUDES_M
    return (
        abs(latitude_rad) <= np.pi / 2
        and abs(longitude_rad) <= 2 * np.pi
        and low < altitude_m < high
    )


def _velocity_of(
    stamp_ns: int, linear_ego: Float64, angular_ego: Float64, std_mps: float
) -> Velocity | None:
    """Return None for speeds that cannot be; a component of NaN says nothing."""
    if not np.isfinite([*linear_ego, *angular_ego]).any():
        return None
    std_mps = std_mps if std_mps > 0 else VELOCITY_STD_MPS
    fastest_mps = np.abs(np.nan_to_num(linear_ego)).max()
    fastest_radps = np.abs(np.nan_to_num(angular_ego)).max()
    if max(fastest_mps, std_mps) > SPEED_MPS or fastest_radps > TURN_RADPS:
        return None
    return Velocity(
        stamp_ns=stamp_ns, linear_ego=linear_ego, angular_ego=angular_ego, std_mps=std_mps
    )


def _step(before: OdometrySample, after: OdometrySample) -> tuple[Float64, Float64] | None:
    """Return the constant velocity and turn rate from pose to pose, the logarithm of SE(3).

    None where the poses are none, lie too far apart in time, or the odometry began anew.
    """
    passed_ns = after.stamp_ns - before.stamp_ns
    poses = before.odom_from_ego, after.odom_from_ego
    if not 0 < passed_ns <= ODOMETRY_GAP_NS or not all(map(_is_pose, poses)):
        return None
    seconds = passed_ns / NS_PER_S
    step = invert(poses[0]) @ poses[1]
    if np.linalg.norm(step[:3, 3]) > ODOMETRY_LEAP_MPS * seconds:
        return None
    turn = vector_of(step[:3, :3])
    linear = np.asarray(np.linalg.solve(turned(turn)[1], step[:3, 3]), np.float64)
    return linear / seconds, turn / seconds


def _is_pose(matrix: Float64) -> bool:
    if not np.abs(matrix).max() < ODOMETRY_M:
        return False
    rotation = matrix[:3, :3]
    return bool(np.abs(rotation @ rotation.T - EYE3).max() < 1e-3)
