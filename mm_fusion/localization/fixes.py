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
from mm_fusion.localization.belief import SPEED_NS, Belief, Position, Rejected, beginning
from mm_fusion.localization.eskf import A, P, State, U, believed, corrected, surprise
from mm_fusion.localization.heading import Seen, heading_from, kept
from mm_fusion.localization.rotations import yaw_of
from mm_fusion.records import NS_PER_S, Float64

LOST_YAW_RAD = 1.0  # a heading less certain than this is not linear any more
BACKWARDS_MPS = -4.0  # nobody reverses so fast
RELOCATE_FIXES, RELOCATE_NS = 5, 2_000_000_000  # rejected fixes that agree move the vehicle
FASTEST_MPS = 60.0  # fixes agree that lie no farther apart than a car gets


def heard_position(belief: Belief, event: Position, config: LocalizerConfig) -> Belief:
    """Return what is believed once a fix came: used, rejected, or believed after all."""
    if belief.oriented and _turned_round(belief):
        belief = _anew(belief, event, trusts_orientation=False)
    elif belief.oriented and belief.state.covariance[8, 8] > LOST_YAW_RAD**2:
        belief = _anew(belief, event, trusts_orientation=belief.trusts_orientation)
    if belief.fix_ns is None:
        return _placed(belief, event, "fixes_used")
    state = belief.state
    residual = event.antenna_map - measure.antenna(state, event.lever_ego)
    jacobian = measure.fix_jacobian(state, event.lever_ego)
    noise = _noise(belief, event)
    if surprise(state, residual, jacobian, noise) > config.gps_gate:
        return _rejected(belief, event, residual, config)
    state = corrected(state, residual, jacobian, noise)
    belief = replace(
        belief, state=state, fix_ns=event.stamp_ns, rejected=None, outcome="fixes_used"
    )
    return belief if belief.oriented else _oriented_by_motion(belief, event, config)


def _placed(belief: Belief, event: Position, outcome: str) -> Belief:
    """Put the vehicle where a fix says it is."""
    state = replace(belief.state, held=not belief.oriented)
    position_map = event.antenna_map - state.map_from_ego @ event.lever_ego
    state = believed(replace(state, position_map=position_map), P, _noise(belief, event))
    seen = () if belief.oriented else (_seen(state, event),)
    return replace(
        belief,
        state=state,
        fix_ns=event.stamp_ns,
        fixes=seen,
        rejected=None,
        outcome=outcome,
        broke=True,
    )


def _noise(belief: Belief, event: Position) -> Float64:
    """Return the fix's covariance (3, 3); where the heading is unknown, so is the lever's way."""
    if belief.oriented:
        return event.noise
    return np.asarray(event.noise + np.eye(3) * float(event.lever_ego @ event.lever_ego))


def _turned_round(belief: Belief) -> bool:
    """Tell whether the vehicle seems to reverse as none does: it heads the other way."""
    if belief.speed_ns is not None and belief.stamp_ns - belief.speed_ns <= SPEED_NS:
        return False
    speed_mps, variance = belief.state.linear_ego[0], belief.state.covariance[3, 3]
    return bool(speed_mps + 2 * np.sqrt(variance) < BACKWARDS_MPS)


def _rejected(
    belief: Belief, event: Position, residual: Float64, config: LocalizerConfig
) -> Belief:
    """Reject a jump; but rejected fixes that agree with one another are right in the end."""
    run, now_ns = belief.rejected, event.stamp_ns
    if run is None or not _follows(run, event, config):
        run = Rejected(
            since_ns=now_ns,
            residual_map=residual,
            newest_ns=now_ns,
            antenna_map=event.antenna_map,
            count=0,
        )
    run = replace(run, newest_ns=now_ns, antenna_map=event.antenna_map, count=run.count + 1)
    if run.count >= RELOCATE_FIXES and now_ns - run.since_ns >= RELOCATE_NS:
        return _relocated(belief, run, event, residual, config)
    return replace(belief, rejected=run, outcome="fixes_rejected")


def _follows(run: Rejected, event: Position, config: LocalizerConfig) -> bool:
    """Tell whether a vehicle can have come from the run's newest fix to this one."""
    apart_m = float(np.linalg.norm(event.antenna_map - run.antenna_map))
    reach_m = FASTEST_MPS * (event.stamp_ns - run.newest_ns) / NS_PER_S
    error_m = float(np.sqrt(2 * config.gps_gate * event.noise.trace() / 3))
    return apart_m <= reach_m + error_m


def _relocated(
    belief: Belief, run: Rejected, event: Position, residual: Float64, config: LocalizerConfig
) -> Belief:
    """Go where the fixes are; if they went another way than the belief, it was all wrong."""
    apart, passed_s = residual - run.residual_map, (event.stamp_ns - run.since_ns) / NS_PER_S
    drift = (1.0 + float(belief.state.covariance[U, U].trace())) * passed_s**2
    allowed = 2 * event.noise + np.eye(3) * drift
    if float(apart @ np.linalg.solve(allowed, apart)) > config.gps_gate:
        belief = _anew(belief, event, trusts_orientation=False)
    return _placed(belief, event, "relocations")


def _anew(belief: Belief, event: Position, *, trusts_orientation: bool) -> Belief:
    """Begin as with nothing known; for want of a better one the orientation stays meanwhile."""
    fresh = beginning(event.stamp_ns)
    state = replace(fresh.state, map_from_ego=belief.state.map_from_ego)
    return replace(fresh, state=state, trusts_orientation=trusts_orientation)


def _seen(state: State, event: Position) -> Seen:
    return Seen(
        stamp_ns=event.stamp_ns,
        east_north_m=event.antenna_map[:2],
        variance_m2=float(event.noise[:2, :2].trace()) / 2,
        way_m=state.way_m[:2],
        yaw_rad=yaw_of(state.map_from_ego),
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
    return _placed(replace(belief, state=state, oriented=True), event, "fixes_used")
