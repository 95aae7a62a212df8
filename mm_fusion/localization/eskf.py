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

Error state, 16: position (map, m), velocity (ego, m/s), angle (ego, rad), gyroscope bias (rad/s),
accelerometer bias (m/s^2), scale of the wheels (tyres wear: they read too much by this share).
Where no gyroscope is, it is taken to read 0 with the whole turn rate as its bias; the bias about z
then wanders as turn rates do, and the state still fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from mm_fusion.config import LocalizerConfig
from mm_fusion.geometry.rigid import compose
from mm_fusion.localization.rotations import EYE3, cross, orthogonal, turned
from mm_fusion.records import NS_PER_S, Float64

GRAVITY_MAP = np.array([0.0, 0.0, -9.80665])  # m/s^2; the standard value, its variation is bias
SIZE = 16
P, U, A, G, F = (slice(i, i + 3) for i in range(0, 15, 3))  # rows of the error state
S = slice(15, SIZE)
STEP_NS = 100_000_000  # longest step of the discretisation
STEPS = 200  # most of them at once; longer gaps take longer steps
TURN_MEMORY_S = 3.0  # how long a turn lasts where nothing measures it
TURNING_SPEED_MPS = 5.0  # from here on a car may turn as hard as it likes; at rest it cannot
TILT_DENSITY = 0.02  # rad/sqrt(s), of the road's slope where no gyroscope feels it
SCALE_DENSITY = 1e-4  # 1/sqrt(s), of the wheels
EYE = np.eye(SIZE)


def _zeros() -> Float64:
    return np.zeros(3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What is believed at one stamp; arrays are never changed in place."""

    stamp_ns: int
    position_map: Float64 = field(default_factory=_zeros)
    linear_ego: Float64 = field(default_factory=_zeros)
    map_from_ego: Float64 = field(default_factory=lambda: np.eye(3))  # (3, 3)
    gyro_bias: Float64 = field(default_factory=_zeros)
    force_bias: Float64 = field(default_factory=_zeros)
    wheel_scale: float = 0.0
    covariance: Float64 = field(default_factory=lambda: np.zeros((SIZE, SIZE)))
    gyro: Float64 | None = None  # (3,) rad/s, newest reading in the axes of ego
    force: Float64 | None = None  # (3,) m/s^2, the same of the accelerometer at the ego origin
    imu_period_s: float = 0.01
    held: bool = False  # position waits for the heading: it cannot be moved without
    # (3,) m dead reckoned since the start, in the map's axes if it is oriented
    way_m: Float64 = field(default_factory=_zeros)

    @property
    def turn_ego(self) -> Float64:
        """Turn rate (3,) rad/s."""
        return -self.gyro_bias if self.gyro is None else self.gyro - self.gyro_bias


def matrix_of(state: State) -> Float64:
    """Return the pose (4, 4), map_from_ego."""
    return compose(state.map_from_ego, state.position_map)


def predicted(state: State, stamp_ns: int, config: LocalizerConfig) -> State:
    """Move a state to another stamp; an earlier one is reached without growing more certain."""
    begin_ns, total_ns = state.stamp_ns, stamp_ns - state.stamp_ns
    steps = min(STEPS, math.ceil(abs(total_ns) / STEP_NS))
    for k in range(1, steps + 1):
        state = _stepped(state, begin_ns + total_ns * k // steps, config)
    return state


def _stepped(state: State, stamp_ns: int, config: LocalizerConfig) -> State:
    dt, r = (stamp_ns - state.stamp_ns) / NS_PER_S, state.map_from_ego
    rotation, mean = turned(state.turn_ego * dt)
    if state.force is None:
        way, linear, jacobian = _coasted(state, mean, dt)
    else:
        force = state.force - state.force_bias
        way, linear, jacobian = _driven(state, force, rotation, mean, dt)
    memory = math.exp(-abs(dt) / TURN_MEMORY_S) if state.gyro is None else 1.0
    jacobian[A, A], jacobian[A, G] = rotation.T, -dt * mean.T
    jacobian[G, G] = memory * EYE3
    if state.held:
        jacobian[P] = EYE[P]
    covariance = jacobian @ state.covariance @ jacobian.T
    covariance.flat[:: SIZE + 1] += _density(state, config) * abs(dt)
    return replace(
        state,
        stamp_ns=stamp_ns,
        position_map=state.position_map if state.held else state.position_map + way,
        linear_ego=linear,
        map_from_ego=orthogonal(r @ rotation),
        gyro_bias=state.gyro_bias * memory,
        covariance=covariance,
        way_m=state.way_m + way,
    )


def _coasted(state: State, mean: Float64, dt: float) -> tuple[Float64, Float64, Float64]:
    """Return way (map), velocity (ego) and Jacobian where the speed holds and turns with ego."""
    r, u = state.map_from_ego, state.linear_ego
    way_ego = mean @ u * dt
    jacobian = EYE.copy()
    jacobian[P, U] = r @ mean * dt
    jacobian[P, A] = -r @ cross(way_ego)
    jacobian[P, G] = r @ cross(u) * (0.5 * dt * dt)
    return r @ way_ego, u, jacobian


def _driven(
    state: State, force: Float64, rotation: Float64, mean: Float64, dt: float
) -> tuple[Float64, Float64, Float64]:
    """Return the same where the force is felt: it turns with ego, gravity does not."""
    r, u, back = state.map_from_ego, state.linear_ego, rotation.T
    gravity = GRAVITY_MAP @ r
    way_ego = u * dt + (0.5 * dt * dt) * force
    linear = back @ (u + (gravity + mean @ force) * dt)
    jacobian = EYE.copy()
    jacobian[P, U] = r * dt
    jacobian[P, A] = -r @ cross(way_ego)
    jacobian[P, F] = r * (-0.5 * dt * dt)
    jacobian[U, U] = back
    jacobian[U, A] = back @ cross(gravity) * dt
    jacobian[U, G] = back @ cross(force) * (0.5 * dt * dt) - cross(linear) @ mean.T * dt
    jacobian[U, F] = back @ mean * -dt
    return r @ way_ego + (0.5 * dt * dt) * GRAVITY_MAP, linear, jacobian


def _density(state: State, config: LocalizerConfig) -> Float64:
    """Return the variances (16,) that a second adds."""
    density = np.zeros(SIZE)
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
    density[S] = SCALE_DENSITY**2
    return density


def surprise(state: State, residual: Float64, jacobian: Float64, noise: Float64) -> float:
    """Return the squared Mahalanobis distance of a residual."""
    covariance = jacobian @ state.covariance @ jacobian.T + noise
    return float(residual @ np.linalg.solve(covariance, residual))


def corrected(state: State, residual: Float64, jacobian: Float64, noise: Float64) -> State:
    """Correct a state by a measurement (Joseph's form), and inject the error found.

    Args:
        state: the belief before.
        residual: (M,) measured less expected.
        jacobian: (M, 16) of the expectation by the error state.
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
        map_from_ego=orthogonal(state.map_from_ego @ turned(error[A])[0]),
        gyro_bias=state.gyro_bias + error[G],
        force_bias=state.force_bias + error[F],
        wheel_scale=state.wheel_scale + float(error[15]),
        covariance=0.5 * (after + after.T),
    )


def believed(state: State, rows: slice, variances: Float64) -> State:
    """Set the covariance of some rows anew, uncorrelated with the rest."""
    covariance = state.covariance.copy()
    covariance[rows, :] = covariance[:, rows] = 0.0
    covariance[rows, rows] = variances if variances.ndim == 2 else np.diag(variances)
    return replace(state, covariance=covariance)
