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

"""What each measurement tells the filter: residual, Jacobian and noise of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.config import LocalizerConfig
from mm_fusion.localization.eskf import EYE, SIZE, A, G, P, S, State, U, corrected, surprise
from mm_fusion.localization.rotations import EYE3, about_z, cross, vector_of, yaw_of
from mm_fusion.records import Float64

SLIP_GATE = 16.0  # chi-square beyond which a velocity is trusted less, in proportion
TURN_STD_RADPS = 0.02  # of a turn rate out of wheel speeds
STOPPED_STD_RADPS = 0.02  # of the turn rate of a vehicle that stands
LEVEL_STD_RAD = 0.05  # how level roads are
TILT_STD_RAD = 0.02  # of the roll and pitch an IMU gives by itself
FLOOR_M = 0.01  # no fix is better than this, whatever it says
UNKNOWN_M2 = 1e10  # variances beyond it are a way to state none
FLOOR_MPS = 0.1  # nor a velocity: it errs for a while, not anew each time


def fix_noise(covariance_enu: Float64, config: LocalizerConfig) -> Float64:
    """Return a fix's covariance (3, 3); the setting where it states none, or nonsense."""
    variances = np.diag(covariance_enu)
    stated = bool(np.abs(covariance_enu).max() < UNKNOWN_M2 and (variances > 0).all())
    if stated and np.linalg.eigvalsh(covariance_enu)[0] > -1e-9:
        return 0.5 * (covariance_enu + covariance_enu.T) + FLOOR_M**2 * EYE3
    std_m = config.gps_std_m * np.array([1.0, 1.0, 2.0])  # GPS is about twice as bad upwards
    return np.diag(std_m**2)


def antenna(state: State, lever_ego: Float64) -> Float64:
    """Return where the antenna is believed to be, (3,) in the map."""
    return state.position_map + state.map_from_ego @ lever_ego


def fix_jacobian(state: State, lever_ego: Float64) -> Float64:
    """(3, 16) of the antenna's position by the error state."""
    jacobian = np.zeros((3, SIZE))
    jacobian[:, P] = EYE3
    if not state.held:
        jacobian[:, A] = -state.map_from_ego @ cross(lever_ego)
    return jacobian


def velocity_jacobian(state: State) -> Float64:
    """(3, 16) of the velocity that wheels read by the error state."""
    jacobian = np.zeros((3, SIZE))
    jacobian[:, U] = (1 + state.wheel_scale) * EYE3
    jacobian[:, S] = state.linear_ego[:, None]
    return jacobian


def with_velocity(state: State, linear_ego: Float64, std_mps: float) -> State:
    """Correct by a velocity in ego; components that are NaN say nothing.

    A wheel that slips lies by far more than its noise: the noise then grows with the surprise.
    """
    rows = np.isfinite(linear_ego)
    if not rows.any():
        return state
    jacobian = velocity_jacobian(state)[rows]
    residual = linear_ego[rows] - (1 + state.wheel_scale) * state.linear_ego[rows]
    noise = np.eye(len(residual)) * (std_mps**2 + FLOOR_MPS**2)
    distance = surprise(state, residual, jacobian, noise)
    return corrected(state, residual, jacobian, noise * max(1.0, distance / SLIP_GATE))


def with_turn(state: State, angular_ego: Float64) -> State:
    """Correct by a turn rate in ego, where no gyroscope measures it better."""
    if state.gyro is not None or not np.isfinite(angular_ego[2]):
        return state
    residual = np.array([angular_ego[2] - state.turn_ego[2]])
    return corrected(state, residual, -EYE[G][2:], np.array([[TURN_STD_RADPS**2]]))


def stopped(state: State) -> State:
    """Correct by wheels that stand: the gyroscope then reads its bias."""
    if state.gyro is None:
        return state
    return corrected(state, -state.turn_ego, -EYE[G], EYE3 * STOPPED_STD_RADPS**2)


def without_slip(state: State, std_mps: float) -> State:
    """Correct by what a wheel cannot do: move sideways or upwards."""
    return corrected(state, -state.linear_ego[1:], EYE[U][1:], np.eye(2) * std_mps**2)


def levelled(state: State) -> State:
    """Correct by what a road hardly does where no accelerometer feels it: tilt."""
    up_ego = state.map_from_ego[2]
    jacobian = np.zeros((2, SIZE))
    jacobian[:, A] = cross(up_ego)[:2]
    return corrected(state, -up_ego[:2], jacobian, np.eye(2) * LEVEL_STD_RAD**2)


def oriented_by(state: State, map_from_ego: Float64, heading_std_rad: float, gate: float) -> State:
    """Correct by an orientation an IMU gives; one beyond the gate is not believed."""
    residual = vector_of(state.map_from_ego.T @ map_from_ego)
    noise = np.diag(np.array([TILT_STD_RAD, TILT_STD_RAD, heading_std_rad]) ** 2)
    if surprise(state, residual, EYE[A], noise) > gate:
        return state
    return corrected(state, residual, EYE[A], noise)


def with_yaw(state: State, yaw_rad: float) -> State:
    """Turn a state about the map's vertical until its x axis points to `yaw_rad`."""
    turn = about_z(yaw_rad - yaw_of(state.map_from_ego))
    return replace(state, map_from_ego=turn @ state.map_from_ego)
