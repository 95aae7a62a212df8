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

"""What is believed of the vehicle's motion at one stamp, and how it moves to another.

Beliefs are values: hearing something makes a new one. So a late measurement is put in its place
by taking an older belief and hearing again what came after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mm_fusion.config import LocalizerConfig
from mm_fusion.localization import measurements as measure
from mm_fusion.localization.eskf import SIZE, A, F, G, P, S, State, U, believed, predicted
from mm_fusion.localization.heading import Seen
from mm_fusion.records import Float64

SPEED_STD_MPS = 20.0  # of a vehicle nothing is known of
FORCE_BIAS_STD_MPS2 = 0.3  # of an uncalibrated unit
WHEEL_SCALE_STD = 0.02  # of tyres more or less worn and filled
SILENCE_NS = 300_000_000  # an IMU without a sample for this long is not there
SPEED_NS = 500_000_000  # a speed measured within this needs no help
PSEUDO_NS = 100_000_000  # between two corrections by what wheels cannot do
LEVEL_NS = 500_000_000  # between two corrections by level roads


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Position:
    """A fix, in the map."""

    stamp_ns: int
    antenna_map: Float64  # (3,) m
    noise: Float64  # (3, 3) m^2
    lever_ego: Float64  # (3,) m, the antenna


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inertial:
    """A sample of the IMU, in the axes and at the origin of ego."""

    stamp_ns: int
    gyro: Float64  # (3,) rad/s
    force: Float64  # (3,) m/s^2
    map_from_ego: Float64 | None  # (3, 3), where the IMU gives its orientation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Velocity:
    """A velocity in ego; NaN where not measured."""

    stamp_ns: int
    linear_ego: Float64  # (3,) m/s
    angular_ego: Float64  # (3,) rad/s
    std_mps: float


Event = Position | Inertial | Velocity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rejected:
    """A run of rejected fixes that a vehicle could have driven through."""

    since_ns: int
    residual_map: Float64  # (3,) m, how far the first of them was off
    newest_ns: int
    antenna_map: Float64  # (3,) m, the newest
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """The filter's state, and what else must be remembered to go on from it."""

    state: State
    oriented: bool = False  # the heading is the map's
    trusts_orientation: bool = True  # an IMU's own heading was not found wrong
    imu_ns: int | None = None
    speed_ns: int | None = None  # when a velocity was last measured
    fix_ns: int | None = None  # when a fix was last used
    slip_ns: int = 0  # when sideways motion was last measured, or taken to be none
    level_ns: int = 0
    orientation_ns: int = 0
    fixes: tuple[Seen, ...] = ()  # while the heading is unknown
    rejected: Rejected | None = None  # a run of fixes that agree with one another
    outcome: str = ""  # what became of the last thing heard, as `LocalizerStats` counts it
    broke: bool = False  # the last thing heard moved the vehicle by decree

    @property
    def stamp_ns(self) -> int:
        """When this is believed of."""
        return self.state.stamp_ns


def beginning(stamp_ns: int) -> Belief:
    """Believe in the origin, heading along x, at an unknown speed."""
    variances = np.zeros(SIZE)
    variances[P] = 1e-6
    variances[U] = SPEED_STD_MPS**2, 1.0, 1.0
    variances[A] = 0.1**2, 0.1**2, 1e-6
    variances[G] = 1e-8, 1e-8, 0.2**2
    variances[F] = FORCE_BIAS_STD_MPS2**2
    variances[S] = WHEEL_SCALE_STD**2
    return Belief(state=State(stamp_ns=stamp_ns, covariance=np.diag(variances)))


def at(belief: Belief, stamp_ns: int, config: LocalizerConfig) -> State:
    """Return the state predicted for another stamp."""
    return predicted(imu_or_not(belief, stamp_ns), stamp_ns, config)


def imu_or_not(belief: Belief, stamp_ns: int) -> State:
    """Go on without an IMU that has fallen silent: the turn rate becomes a guess that fades."""
    state = belief.state
    if state.gyro is None or belief.imu_ns is None or stamp_ns - belief.imu_ns <= SILENCE_NS:
        return state
    bias = np.array([0.0, 0.0, -state.turn_ego[2]])
    state = believed(state, G, np.array([1e-8, 1e-8, 0.05**2]))
    return replace(state, gyro=None, force=None, gyro_bias=bias)


def moved(
    belief: Belief, stamp_ns: int, config: LocalizerConfig, state: State | None = None
) -> Belief:
    """Predict, and correct by what roads and wheels do where nothing measures it.

    Args:
        belief: what is believed, of an earlier stamp.
        stamp_ns: the stamp to go to.
        config: the noise.
        state: what to go on from instead of the belief's own.
    """
    state = predicted(state or imu_or_not(belief, stamp_ns), stamp_ns, config)
    slip_ns, level_ns = belief.slip_ns, belief.level_ns
    if config.slip_std_mps and stamp_ns - slip_ns >= PSEUDO_NS:
        state, slip_ns = measure.without_slip(state, config.slip_std_mps), stamp_ns
    if state.force is None and stamp_ns - level_ns >= LEVEL_NS:
        state, level_ns = measure.levelled(state), stamp_ns
    return replace(belief, state=state, slip_ns=slip_ns, level_ns=level_ns, broke=False)
