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

"""The error-state Kalman filter: how a pose and its uncertainty move, and how they are corrected.

After J. Sola, "Quaternion kinematics for the error-state Kalman filter", arXiv:1711.02508, 2017:
nominal and error state in discrete time are section 5.4, correction and injection 6.1 and 6.2.
Here as there the angular error is local, `R_true = R exp(error)`. Unlike there the velocity is
held in the vehicle's axes, where a speedometer reads it and a wheel does not slip; so gravity and
the turning of the axes enter its rate, and the sensors' noise is white with a spectral density of
variance times sampling period.

Error state, 15: position (map, m), velocity (ego, m/s), angle (ego, rad), gyroscope bias (rad/s),
accelerometer bias (m/s^2). Where no gyroscope is, it is taken to read 0 with the whole turn rate
as its bias; the bias about z then wanders as turn rates do, and the state still fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from mm_fusion.config import LocalizerConfig
from mm_fusion.geometry.rigid import compose
from mm_fusion.records import NS_PER_S, Float64

GRAVITY_MAP = np.array([0.0, 0.0, -9.80665])  # m/s^2; the standard value, its variation is bias
P, U, A, G, F = (slice(i, i + 3) for i in range(0, 15, 3))  # rows of the error state
STEP_S = 0.1  # longest step of the discretisation
STEPS = 200  # most of them at once; longer gaps take longer steps
TURN_MEMORY_S = 3.0  # how long a turn lasts where nothing measures it
TURNING_SPEED_MPS = 5.0  # from here on a car may turn as hard as it likes; at rest it cannot
TILT_DENSITY = 0.02  # rad/sqrt(s), of the road's slope where no gyroscope feels it
EYE = np.eye(15)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What is believed at one stamp; arrays are never changed in place."""

    stamp_ns: int
    position_map: Float64 = field(default_factory=lambda: np.zeros(3))
    linear_ego: Float64 = field(default_factory=lambda: np.zeros(3))
    map_from_ego: Float64 = field(default_factory=lambda: np.eye(3))  # (3, 3)
    gyro_bias: Float64 = field(default_factory=lambda: np.zeros(3))
    force_bias: Float64 = field(default_factory=lambda: np.zeros(3))
    covariance: Float64 = field(default_factory=lambda: np.zeros((15, 15)))
    gyro: Float64 | None = None  # (3,) rad/s, newest reading in the axes of ego
    force: Float64 | None = None  # (3,) m/s^2, the same of the accelerometer at the ego origin
    imu_period_s: float = 0.01
    held: bool = False  # position waits for the heading: it cannot be moved without
    way_m: Float64 = field(
        default_factory=lambda: np.zeros(3)
    )  # (3,) dead reckoned since the start, in the map's axes if it is oriented

    @property
    def turn_ego(self) -> Float64:
        """Turn rate (3,) rad/s."""
        return -self.gyro_bias if self.gyro is None else self.gyro - self.gyro_bias


def matrix_of(state: State) -> Float64:
    """Return the pose (4, 4), map_from_ego."""
    return compose(state.map_from_ego, state.position_map)


def cross(v: Float64) -> Float64:
    """Return the (3, 3) matrix of the cross product with `v`; the quick one for single vectors."""
    x, y, z = v.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def turned(vector_rad: Float64) -> tuple[Float64, Float64]:
    """Return the rotation (3, 3) of a rotation vector, and the mean rotation on the way to it.

    Rodrigues' formula and its integral (Sola, equations of section 2.3 and appendix A).
    """
    k = cross(vector_rad)
    square = k @ k
    angle = math.sqrt(-0.5 * float(square.trace()))
    if angle < 1e-5:
        sine, versine, rest = 1.0, 0.5, 1 / 6
    else:
        sine = math.sin(angle) / angle
        versine = (1 - math.cos(angle)) / angle**2
        rest = (1 - sine) / angle**2
    eye = np.eye(3)
    return eye + sine * k + versine * square, eye + versine * k + rest * square


def predicted(state: State, stamp_ns: int, config: LocalizerConfig) -> State:
    """Move a state to another stamp; an earlier one is reached without growing more certain."""
    total_s = (stamp_ns - state.stamp_ns) / NS_PER_S
    steps = min(STEPS, max(1, math.ceil(abs(total_s) / STEP_S)))
    for _ in range(steps if total_s else 0):
        state = _step(state, total_s / steps, config)
    return replace(state, stamp_ns=stamp_ns)


def _step(state: State, dt: float, config: LocalizerConfig) -> State:
    turn = state.turn_ego
    rotation, mean = turned(turn * dt)
    r, u = state.map_from_ego, state.linear_ego
    velocity_rate, tilt = _acceleration(state, turn)
    way = r @ (mean @ u * dt + 0.5 * dt * dt * velocity_rate)
    bias, memory = state.gyro_bias, 1.0
    if state.gyro is None:
        memory = math.exp(-abs(dt) / TURN_MEMORY_S)
        bias = bias * memory
    jacobian = _jacobian(state, turn, dt, memory, tilt)
    noise = _noise(state, abs(dt), config)
    return replace(
        state,
        position_map=state.position_map if state.held else state.position_map + way,
        linear_ego=u + velocity_rate * dt,
        map_from_ego=_orthogonal(r @ rotation),
        gyro_bias=bias,
        covariance=jacobian @ state.covariance @ jacobian.T + noise,
        way_m=state.way_m + way,
    )


def _acceleration(state: State, turn: Float64) -> tuple[Float64, Float64 | None]:
    """Return the rate of the velocity in ego, and gravity in ego where it is felt."""
    if state.force is None:
        return np.zeros(3), None  # the speed holds, and turns with the vehicle
    gravity = GRAVITY_MAP @ state.map_from_ego
    return state.force - state.force_bias + gravity - cross(turn) @ state.linear_ego, gravity


def _jacobian(
    state: State, turn: Float64, dt: float, memory: float, gravity: Float64 | None
) -> Float64:
    """Linearise the step, to second order in dt."""
    rates = np.zeros((15, 15))
    velocity = cross(state.linear_ego)
    if not state.held:
        rates[P, U] = state.map_from_ego
        rates[P, A] = -state.map_from_ego @ velocity
    rates[A, A] = -cross(turn)
    rates[A, G] = -np.eye(3)
    if gravity is not None:
        rates[U, U] = rates[A, A]
        rates[U, A] = cross(gravity)
        rates[U, G] = -velocity
        rates[U, F] = -np.eye(3)
    rates *= dt
    jacobian = EYE + rates + 0.5 * rates @ rates
    jacobian[G, G] = np.eye(3) * memory
    return jacobian


def _noise(state: State, dt: float, config: LocalizerConfig) -> Float64:
    """Return the covariance (15, 15) a step of `dt` s adds."""
    density = np.zeros(15)
    speed_mps = math.sqrt(float(state.linear_ego @ state.linear_ego))
    if state.held:  # it may have gone anywhere
        density[P] = speed_mps**2 + float(state.covariance[U, U].trace())
    density[U] = config.acceleration_std_mps2**2
    if state.force is not None:
        density[U] = config.accelerometer_std_mps2**2 * state.imu_period_s
        density[F] = config.accelerometer_bias_std_mps2**2
    if state.gyro is not None:
        density[A] = config.gyroscope_std_radps**2 * state.imu_period_s
        density[G] = config.gyroscope_bias_std_radps**2
    else:
        density[A] = TILT_DENSITY**2, TILT_DENSITY**2, 1e-8
        share = min(1.0, speed_mps / TURNING_SPEED_MPS)
        density[G] = 0.0, 0.0, (config.turn_std_radps2 * share) ** 2
    return np.diag(density * dt)


def _orthogonal(rotation: Float64) -> Float64:
    """Take the rounding out of a rotation: one Newton step to the nearest true one."""
    return np.asarray(1.5 * rotation - 0.5 * rotation @ rotation.T @ rotation)


def surprise(
    state: State, residual: Float64, jacobian: Float64, noise: Float64
) -> tuple[float, Float64]:
    """Return the squared Mahalanobis distance of a residual and its covariance."""
    covariance = jacobian @ state.covariance @ jacobian.T + noise
    return float(residual @ np.linalg.solve(covariance, residual)), covariance


def corrected(state: State, residual: Float64, jacobian: Float64, noise: Float64) -> State:
    """Correct a state by a measurement (Joseph's form), and inject the error found.

    Args:
        state: the belief before.
        residual: (M,) measured less expected.
        jacobian: (M, 15) of the expectation by the error state.
        noise: (M, M) covariance of the measurement.
    """
    before = state.covariance
    projected = jacobian @ before
    gain = np.linalg.solve(projected @ jacobian.T + noise, projected).T
    rest = EYE - gain @ jacobian
    after = rest @ before @ rest.T + gain @ noise @ gain.T
    error = gain @ residual
    return replace(
        state,
        position_map=state.position_map + error[P],
        linear_ego=state.linear_ego + error[U],
        map_from_ego=_orthogonal(state.map_from_ego @ turned(error[A])[0]),
        gyro_bias=state.gyro_bias + error[G],
        force_bias=state.force_bias + error[F],
        covariance=0.5 * (after + after.T),
    )


def believed(state: State, rows: slice, variances: Float64) -> State:
    """Set the covariance of some rows anew, uncorrelated with the rest."""
    covariance = state.covariance.copy()
    covariance[rows, :] = covariance[:, rows] = 0.0
    covariance[rows, rows] = variances if variances.ndim == 2 else np.diag(variances)
    return replace(state, covariance=covariance)
