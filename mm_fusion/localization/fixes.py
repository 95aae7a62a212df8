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

"""How fixes change what is believed: place, heading, and jumps that are none or are true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.config import LocalizerConfig
from mm_fusion.localization import measurements as measure
from mm_fusion.localization.belief import SPEED_NS, Belief, Position
from mm_fusion.localization.eskf import A, P, State, U, believed, corrected, surprise
from mm_fusion.localization.heading import Seen, heading_from, kept
from mm_fusion.records import NS_PER_S, Float64

LOST_YAW_RAD = 0.7  # a heading less certain than this is not linear any more
BACKWARDS_MPS = -4.0  # nobody reverses so fast: the heading was taken the wrong way round
RELOCATE_FIXES, RELOCATE_NS = 5, 2_000_000_000  # rejected fixes that agree move the vehicle
RELOCATE_AGAIN_NS = 30_000_000_000  # twice within this: the heading is wrong, too


def heard_position(belief: Belief, event: Position, config: LocalizerConfig) -> Belief:
    """Return what is believed once a fix came: used, rejected, or believed after all."""
    if belief.fix_ns is None:
        return _placed(belief, event, "fix used")
    if _lost(belief):
        belief = replace(belief, oriented=False, state=replace(belief.state, held=True))
    state = belief.state
    residual = event.antenna_map - measure.antenna(state, event.lever_ego)
    jacobian = measure.fix_jacobian(state, event.lever_ego)
    distance, _ = surprise(state, residual, jacobian, event.noise)
    if distance > config.gps_gate:
        return _rejected(belief, event, residual, config)
    state = corrected(state, residual, jacobian, event.noise)
    belief = replace(belief, state=state, fix_ns=event.stamp_ns, rejected=(), outcome="fix used")
    return belief if belief.oriented else _oriented_by_motion(belief, event, config)


def _placed(belief: Belief, event: Position, outcome: str) -> Belief:
    """Put the vehicle where a fix says it is."""
    state = replace(belief.state, held=not belief.oriented)
    lever_map = state.map_from_ego @ event.lever_ego
    noise = event.noise if belief.oriented else event.noise + np.eye(3) * (lever_map @ lever_map)
    state = replace(state, position_map=event.antenna_map - lever_map)
    seen = () if belief.oriented else (_seen(state, event),)
    return replace(
        belief,
        state=believed(state, P, noise),
        fix_ns=event.stamp_ns,
        fixes=seen,
        rejected=(),
        outcome=outcome,
        broke=True,
    )


def _lost(belief: Belief) -> bool:
    """Tell whether the heading must be found anew."""
    if not belief.oriented:
        return False
    state = belief.state
    unmeasured = belief.speed_ns is None or belief.stamp_ns - belief.speed_ns > SPEED_NS
    backwards = unmeasured and state.linear_ego[0] < BACKWARDS_MPS
    return bool(backwards or state.covariance[8, 8] > LOST_YAW_RAD**2)


def _rejected(
    belief: Belief, event: Position, residual: Float64, config: LocalizerConfig
) -> Belief:
    """Reject a jump; but rejected fixes that agree with one another are right in the end."""
    run = belief.rejected
    if run:
        apart, passed_s = residual - run[0][1], (event.stamp_ns - run[0][0]) / NS_PER_S
        drift = (1.0 + float(belief.state.covariance[U, U].trace())) * passed_s**2
        allowed = 2 * event.noise + np.eye(3) * drift
        if float(apart @ np.linalg.solve(allowed, apart)) > config.gps_gate:
            run = ()
    run = (*run, (event.stamp_ns, residual))[-50:]
    if len(run) >= RELOCATE_FIXES and run[-1][0] - run[0][0] >= RELOCATE_NS:
        return _relocated(belief, event)
    return replace(belief, rejected=run, outcome="fix rejected")


def _relocated(belief: Belief, event: Position) -> Belief:
    again = (
        belief.relocated_ns is not None and event.stamp_ns - belief.relocated_ns < RELOCATE_AGAIN_NS
    )
    state = belief.state
    variances = np.diag(state.covariance).copy()
    state = believed(state, A, variances[A] + np.array([0.0, 0.0, 0.3**2]))
    state = believed(state, U, variances[U] + 1.0)
    belief = replace(
        belief,
        state=state,
        oriented=belief.oriented and not again,
        trusts_orientation=belief.trusts_orientation and not again,
        relocated_ns=event.stamp_ns,
    )
    return _placed(belief, event, "relocated")


def _seen(state: State, event: Position) -> Seen:
    return Seen(
        stamp_ns=event.stamp_ns,
        east_north_m=event.antenna_map[:2],
        variance_m2=float(event.noise[:2, :2].trace()) / 2,
        way_m=state.way_m[:2],
        yaw_rad=float(np.arctan2(state.map_from_ego[1, 0], state.map_from_ego[0, 0])),
    )


def _oriented_by_motion(belief: Belief, event: Position, config: LocalizerConfig) -> Belief:
    """Take the heading from the way between two fixes, if it was long enough."""
    state = belief.state
    seen = _seen(state, event)
    measured = belief.speed_ns is not None and event.stamp_ns - belief.speed_ns <= SPEED_NS
    found = heading_from(belief.fixes, seen, config.heading_speed_mps, way_is_known=measured)
    if found is None:
        return replace(belief, fixes=kept(belief.fixes, seen))
    state = measure.with_yaw(state, found.yaw_rad)
    tilt = np.diag(state.covariance)[A][:2]
    state = believed(state, A, np.array([*tilt, found.std_rad**2]))
    if not measured:
        state = replace(state, linear_ego=np.array([found.speed_mps, 0.0, 0.0]))
        state = believed(state, U, np.array([found.speed_std_mps**2 + 1.0, 0.25, 0.25]))
    return _placed(replace(belief, state=state, oriented=True), event, "fix used")
