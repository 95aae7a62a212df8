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

"""How the IMU and the wheels change what is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.config import LocalizerConfig
from mm_fusion.localization import measurements as measure
from mm_fusion.localization.belief import SPEED_NS, Belief, Inertial, Velocity, imu_or_not, moved
from mm_fusion.localization.eskf import A, G, State, believed
from mm_fusion.localization.rotations import about_z, level_from, yaw_of
from mm_fusion.records import NS_PER_S, Float64

ORIENTATION_NS = 1_000_000_000  # between two corrections by an IMU's own heading
STOPPED_MPS = 0.02  # wheels that turn less stand still
GYRO_BIAS_STD_RADPS = 0.02  # of an uncalibrated unit
PLAUSIBLE_FORCE_MPS2 = (3.0, 40.0)  # beyond: no accelerometer is there


def heard_inertial(belief: Belief, event: Inertial, config: LocalizerConfig) -> Belief:
    """Return what is believed once the IMU has spoken: its mean reading led here."""
    low, high = PLAUSIBLE_FORCE_MPS2
    norm = float(np.linalg.norm(event.force))
    force = event.force if low < norm < high else None
    state = imu_or_not(belief, event.stamp_ns)
    if state.gyro is None:
        belief = moved(belief, event.stamp_ns, config)
        state = _with_new_imu(belief, event.gyro, force)
    else:
        mean = replace(state, gyro=0.5 * (state.gyro + event.gyro), force=_mean(state.force, force))
        belief = moved(belief, event.stamp_ns, config, mean)
        step_s = (event.stamp_ns - (belief.imu_ns or 0)) / NS_PER_S
        period_s = state.imu_period_s + 0.1 * (step_s - state.imu_period_s)
        state = replace(belief.state, gyro=event.gyro, force=force, imu_period_s=period_s)
    belief = replace(belief, state=state, imu_ns=event.stamp_ns, outcome="imu_samples")
    if event.map_from_ego is None or not belief.trusts_orientation:
        return belief
    return _heard_orientation(belief, event.map_from_ego, config)


def _mean(before: Float64 | None, now: Float64 | None) -> Float64 | None:
    return now if before is None or now is None else 0.5 * (before + now)


def _with_new_imu(belief: Belief, gyro: Float64, force: Float64 | None) -> State:
    """Begin with an IMU: its biases are unknown, and at first it says where up is."""
    state = replace(belief.state, gyro=gyro, force=force, gyro_bias=np.zeros(3))
    state = believed(state, G, np.full(3, GYRO_BIAS_STD_RADPS**2))
    if belief.imu_ns is None and force is not None and not belief.oriented:
        heading = about_z(yaw_of(state.map_from_ego))
        state = replace(state, map_from_ego=heading @ level_from(force))
    return state


def _heard_orientation(belief: Belief, map_from_ego: Float64, config: LocalizerConfig) -> Belief:
    stamp_ns, std_rad = belief.stamp_ns, config.orientation_std_rad
    if not belief.oriented:
        state = replace(belief.state, map_from_ego=map_from_ego, held=False)
        tilt = measure.TILT_STD_RAD
        state = believed(state, A, np.array([tilt, tilt, std_rad]) ** 2)
        return replace(
            belief, state=state, oriented=True, orientation_ns=stamp_ns, broke=True, fixes=()
        )
    if stamp_ns - belief.orientation_ns < ORIENTATION_NS:
        return belief
    state = measure.oriented_by(belief.state, map_from_ego, std_rad, config.gps_gate)
    return replace(belief, state=state, orientation_ns=stamp_ns)


def heard_velocity(belief: Belief, event: Velocity) -> Belief:
    """Return what is believed once wheels or odometry have said how fast."""
    state = measure.with_velocity(belief.state, event.linear_ego, event.std_mps)
    state = measure.with_turn(state, event.angular_ego)
    if abs(event.linear_ego[0]) < STOPPED_MPS:
        state = measure.stopped(state)
    forward, sideways, _ = np.isfinite(event.linear_ego).tolist()
    return replace(
        belief,
        state=state,
        speed_ns=event.stamp_ns if forward else belief.speed_ns,
        slip_ns=event.stamp_ns + SPEED_NS if sideways else belief.slip_ns,
        outcome="velocities",
    )
