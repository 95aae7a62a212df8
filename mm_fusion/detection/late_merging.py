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

"""One object of several detections of it.

Estimates of different sensors err independently and are added as information. Those that share a
sensor err together by an unknown amount; covariance intersection (Julier and Uhlmann, "A
non-divergent estimation algorithm in the presence of unknown correlations", ACC 1997) stays
consistent whatever that amount is.

Axis letters: N detections of one object, W weights tried.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import SEEN_BY, UNKNOWN, UNTRACKED, Objects
from mm_fusion.records import Float64, Int64, UInt8

MIN_VARIANCE = 1e-6  # m^2, m^2/s^2: nobody knows better than a millimetre
SEES_HEIGHT = SEEN_BY["lidar"] | SEEN_BY["camera"]
# (W,) of covariance intersection; the evenest first, which a tie then takes
WEIGHTS = np.array(sorted(np.linspace(0, 1, 101), key=lambda w: abs(w - 0.5)))


def merge(members: Objects) -> Objects:
    """Make one object (one row) of its detections (N rows), whose mean score it gets.

    Position and velocity are averaged by their covariances, without the terms between the two;
    size and yaw by the scores, over those members that agree about the axis of the best one.
    """
    if len(members) == 1:
        return members
    best = int(members.scores.argmax())
    weight = np.maximum(members.scores, 1e-6)
    x_y, spread = fuse(members.centers_ego[:, :2], members.covariances[:, :2, :2], members.evidence)
    velocity, velocity_spread = _velocity(members, best)
    covariance = np.zeros((4, 4))
    covariance[:2, :2], covariance[2:, 2:] = spread, velocity_spread
    yaw, along = _yaw(members.yaws_rad, best, weight)
    size = np.average(members.sizes_m[along], axis=0, weights=weight[along])
    z, size[2] = _height(members, weight)
    turns = members.turn_rates_radps
    turning = np.isfinite(turns)
    return replace(
        members[[best]],  # type: ignore[index]  # numpy takes a list
        centers_ego=np.array([[*x_y, z]]),
        sizes_m=size[None],
        yaws_rad=np.array([yaw]),
        velocities_ego=velocity[None],
        scores=np.array([members.scores.mean()]),
        labels=np.array([_label(members)]),
        ids=np.array([UNTRACKED]),
        evidence=np.array([np.bitwise_or.reduce(members.evidence)], np.uint8),
        covariances=covariance[None],
        turn_rates_radps=np.array(
            [np.average(turns[turning], weights=weight[turning]) if turning.any() else np.nan]
        ),
    )


def fuse(estimates: Float64, spreads: Float64, evidence: UInt8) -> tuple[Float64, Float64]:
    """Fuse estimates (N, 2) of covariance (N, 2, 2) into one (2,) and its covariance (2, 2).

    Args:
        estimates: of one and the same thing.
        spreads: their covariances.
        evidence: (N,) bits of the sensors each rests on; 0: not known, so perhaps on any.
    """
    low = np.linalg.eigvalsh(spreads)[:, 0]
    lift = np.maximum(MIN_VARIANCE - low, 0)
    information = np.linalg.inv(spreads + lift[:, None, None] * np.eye(2))
    total, weighted = np.zeros((2, 2)), np.zeros(2)
    for rows in _independent(evidence):
        of_rows, pull = _intersected(information[rows], estimates[rows])
        total, weighted = total + of_rows, weighted + pull
    spread = np.linalg.inv(total)
    return np.asarray(spread @ weighted), np.asarray(spread, np.float64)


def _independent(evidence: UInt8) -> list[list[int]]:
    """Split rows (N,) into sets of which no two share a sensor."""
    sets: list[tuple[int, list[int]]] = []
    for row, bits in enumerate(int(e) or 0xFF for e in evidence):
        joined, joined_rows, apart = bits, [row], []
        for other in sets:
            if other[0] & bits:
                joined, joined_rows = joined | other[0], other[1] + joined_rows
            else:
                apart.append(other)
        sets = [*apart, (joined, joined_rows)]
    return [rows for _, rows in sets]


def _intersected(information: Float64, estimates: Float64) -> tuple[Float64, Float64]:
    """Intersect covariances (N, 2, 2), given as information; also return information x estimate.

    Of all weights the ones that leave the least trace, tried in steps of a hundredth: every weight
    is consistent, only not as tight.
    """
    joint, pull = information[0], information[0] @ estimates[0]
    for other, estimate in zip(information[1:], estimates[1:], strict=True):
        share = WEIGHTS[:, None, None]
        tried = share * joint + (1 - share) * other  # (W, 2, 2)
        trace = np.trace(np.linalg.inv(tried), axis1=1, axis2=2)
        chosen = int(np.argmax(trace <= trace.min() * (1 + 1e-9)))
        joint = tried[chosen]
        pull = WEIGHTS[chosen] * pull + (1 - WEIGHTS[chosen]) * (other @ estimate)
    return joint, pull


def _velocity(members: Objects, best: int) -> tuple[Float64, Float64]:
    known = np.isfinite(members.velocities_ego).all(axis=1)
    spreads = members.covariances[:, 2:, 2:]
    if not known.any():
        return members.velocities_ego[best], spreads[best]
    return fuse(members.velocities_ego[known], spreads[known], members.evidence[known])


def _yaw(yaws_rad: Float64, best: int, weight: Float64) -> tuple[float, Int64]:
    """Return the mean heading, and which members lie along the axis of the best one.

    A box turned end for end is the same box, so each is first turned to the best one's side; one
    more than an eighth turn off has taken another side of the object for its front.
    """
    off = wrap_angle(yaws_rad - yaws_rad[best])
    off = off - np.pi * np.round(off / np.pi)  # to the same side, in [-pi/2, pi/2]
    along = np.flatnonzero(np.abs(off) <= np.pi / 4 + 1e-9)
    turn = np.arctan2(weight[along] @ np.sin(off[along]), weight[along] @ np.cos(off[along]))
    return float(wrap_angle(yaws_rad[best] + turn)), along


def _height(members: Objects, weight: Float64) -> tuple[float, float]:
    """Return z of the centre and the height, of those who see height if there are any."""
    seeing = (members.evidence & SEES_HEIGHT) != 0
    rows = seeing if seeing.any() else np.ones(len(members), np.bool_)
    z, height = (
        float(np.average(values[rows], weights=weight[rows]))
        for values in (members.centers_ego[:, 2], members.sizes_m[:, 2])
    )
    return z, height


def _label(members: Objects) -> int:
    """Return the class with most score behind it; `unknown` only if nobody names one."""
    votes = np.bincount(members.labels, weights=members.scores, minlength=UNKNOWN + 1)
    named = members.labels[members.labels != UNKNOWN]
    if not len(named):
        return UNKNOWN
    return int(max(np.unique(named), key=lambda label: votes[label]))
