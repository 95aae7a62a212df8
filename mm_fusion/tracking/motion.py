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

"""The motion of tracks: a nearly constant turn, in an extended Kalman filter.

State x, y, vx, vy, w in `map`: position, velocity and turn rate. Where the turn rate and its
variance are zero this is the model of constant velocity. Sources: Li and Jilkov, "Survey of
Maneuvering Target Tracking, Part I: Dynamic Models", 2003, section 5.2 (turn with Cartesian
velocity); Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and
Navigation", 2001, section 6.2.2 (discretized continuous white noise acceleration). The turn rate
itself is a first-order Gauss-Markov process: nobody turns for ever.
Axis letters: T tracks.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import Float64

TURN = 4  # row of the turn rate
TURN_MEMORY_S = 3.0  # after this a turn rate nobody measured has fallen to 1/e
NEARLY_STRAIGHT_RAD = 1e-4  # below it the series is more exact than the fraction


def predict(
    states: Float64,
    covariances: Float64,
    duration_s: float,
    acceleration_std_mps2: float,
    turn_std_radps: float | Float64 = 0.0,
) -> tuple[Float64, Float64]:
    """Carry states (T, 5) and covariances (T, 5, 5) `duration_s` forward.

    Args:
        states: x, y m; vx, vy m/s; turn rate rad/s.
        covariances: of the states.
        duration_s: may be negative where only the states are of interest.
        acceleration_std_mps2: root of the spectral density of the white acceleration.
        turn_std_radps: standard deviation, () or (T,), of the turn rates such objects have.
    """
    moved = turned(states, duration_s)
    transition = _jacobian(states, duration_s)
    memory = np.exp(-abs(duration_s) / TURN_MEMORY_S)
    moved[:, TURN] *= memory
    transition[:, TURN, TURN] = memory
    grown = transition @ covariances @ transition.transpose(0, 2, 1)
    grown += _acceleration_noise(abs(duration_s), acceleration_std_mps2)
    grown[:, TURN, TURN] += np.square(turn_std_radps) * (1 - memory**2)
    return moved, grown


def turned(states: Float64, duration_s: float | Float64) -> Float64:
    """Return states (T, 5) after `duration_s`, () or (T,), of a constant turn."""
    sine, cosine, along, across = _turn(states[:, TURN], duration_s)
    x, y, vx, vy, rate = states.T
    return np.stack(
        [
            x + along * vx - across * vy,
            y + across * vx + along * vy,
            cosine * vx - sine * vy,
            sine * vx + cosine * vy,
            rate,
        ],
        axis=1,
    )


def update(
    states: Float64, covariances: Float64, measured: Float64, noises: Float64
) -> tuple[Float64, Float64]:
    """Correct states (T, 5) with measured x, y, vx, vy (T, 4) of covariances `noises` (T, 4, 4).

    What was not measured has a large variance and so no weight.
    """
    seen = np.tile(np.eye(4, 5), (len(states), 1, 1))
    return _corrected(states, covariances, seen, measured, noises)


def update_speeds(
    states: Float64, covariances: Float64, rays: Float64, speeds_mps: Float64, variances: Float64
) -> tuple[Float64, Float64]:
    """Correct states (T, 5) with speeds over ground (T,) along rays (T, 2), as a radar measures."""
    seen = np.zeros((len(states), 1, 5))
    seen[:, 0, 2:4] = rays
    return _corrected(
        states, covariances, seen, np.asarray(speeds_mps)[:, None], variances[:, None, None]
    )


def _corrected(
    states: Float64, covariances: Float64, seen: Float64, measured: Float64, noises: Float64
) -> tuple[Float64, Float64]:
    """Take in measurements (T, Z) of `seen` (T, Z, 5) times the state, in Joseph's form."""
    across = seen.transpose(0, 2, 1)
    gain = covariances @ across @ np.linalg.inv(seen @ covariances @ across + noises)  # (T, 5, Z)
    innovation = measured - np.einsum("tzj,tj->tz", seen, states)
    corrected = states + np.einsum("tjz,tz->tj", gain, innovation)
    rest = np.eye(5) - gain @ seen
    kept = rest @ covariances @ rest.transpose(0, 2, 1) + gain @ noises @ gain.transpose(0, 2, 1)
    return corrected, (kept + kept.transpose(0, 2, 1)) / 2


def _turn(rate: Float64, duration_s: float | Float64) -> tuple[Float64, Float64, Float64, Float64]:
    """Return sin(wt), cos(wt), sin(wt)/w and (1 - cos(wt))/w, each (T,), also for w = 0."""
    angle = rate * duration_s
    sine, cosine = np.sin(angle), np.cos(angle)
    straight = np.abs(angle) < NEARLY_STRAIGHT_RAD
    divisor = np.where(straight, 1.0, rate)
    along = np.where(straight, duration_s * (1 - angle**2 / 6), sine / divisor)
    across = np.where(straight, duration_s * angle / 2, (1 - cosine) / divisor)
    return sine, cosine, along, across


def _jacobian(states: Float64, duration_s: float) -> Float64:
    """Return the derivative (T, 5, 5) of `turned` by the state."""
    vx, vy, rate = states[:, 2], states[:, 3], states[:, TURN]
    sine, cosine, along, across = _turn(rate, duration_s)
    straight = np.abs(rate * duration_s) < NEARLY_STRAIGHT_RAD
    divisor = np.where(straight, 1.0, rate)
    square = duration_s**2 / 2
    along_by_rate = np.where(
        straight, -square * rate * duration_s * 2 / 3, (duration_s * cosine - along) / divisor
    )
    across_by_rate = np.where(straight, square, (duration_s * sine - across) / divisor)
    jacobian = np.tile(np.eye(5), (len(states), 1, 1))
    jacobian[:, 0, 2], jacobian[:, 0, 3] = along, -across
    jacobian[:, 1, 2], jacobian[:, 1, 3] = across, along
    jacobian[:, 2, 2], jacobian[:, 2, 3] = cosine, -sine
    jacobian[:, 3, 2], jacobian[:, 3, 3] = sine, cosine
    jacobian[:, 0, TURN] = along_by_rate * vx - across_by_rate * vy
    jacobian[:, 1, TURN] = across_by_rate * vx + along_by_rate * vy
    jacobian[:, 2, TURN] = duration_s * (-sine * vx - cosine * vy)
    jacobian[:, 3, TURN] = duration_s * (cosine * vx - sine * vy)
    return jacobian


def _acceleration_noise(duration_s: float, acceleration_std_mps2: float) -> Float64:
    spread = acceleration_std_mps2**2 * np.array(
        [[duration_s**3 / 3, duration_s**2 / 2], [duration_s**2 / 2, duration_s]]
    )
    noise = np.zeros((5, 5))
    noise[np.ix_([0, 2], [0, 2])] = noise[np.ix_([1, 3], [1, 3])] = spread
    return noise
