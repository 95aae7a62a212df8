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

"""How labelled objects moved, told by their ids where the labels do not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mm_fusion.objects import UNTRACKED, Truth
from mm_fusion.records import NS_PER_S, EgoMotion, Float64

APART_S = 0.35  # labels farther apart than this tell no velocity


def with_velocities(
    truths: Mapping[int, Truth], motions: Mapping[int, EgoMotion]
) -> dict[int, Truth]:
    """Fill in the velocities over ground that are unknown, by the labels before and after.

    The way of an object in the vehicle's frame is seen from a vehicle that moves: v = dp/dt +
    v_ego + w x p. The first and the last label of an object have one neighbour only.

    Args:
        truths: by stamp, ns.
        motions: of the vehicle at those stamps; where it is not known, nothing is filled in.
    """
    stamps = sorted(truths)
    before = {later: earlier for earlier, later in pairwise(stamps)}
    after = dict(pairwise(stamps))
    return {
        stamp: _filled(
            truths[stamp],
            _seen_velocity(truths, before.get(stamp, stamp), stamp, after.get(stamp, stamp)),
            motions.get(stamp),
        )
        for stamp in stamps
    }


def _seen_velocity(truths: Mapping[int, Truth], before: int, here: int, after: int) -> Float64:
    """Return how each object (K, 2) moves in the frame of the vehicle, m/s; NaN: unknown."""
    ids = truths[here].objects.ids.tolist()
    near = [s for s in sorted({before, here, after}) if abs(s - here) <= APART_S * NS_PER_S]
    places = [
        dict(
            zip(
                truths[stamp].objects.ids.tolist(),
                truths[stamp].objects.centers_ego[:, :2],
                strict=True,
            )
        )
        for stamp in near
    ]
    velocity = np.full((len(ids), 2), np.nan)
    for row, ident in enumerate(ids):
        known = [k for k, place in enumerate(places) if ident in place]
        if ident == UNTRACKED or len(known) < 2:
            continue
        first, last = known[0], known[-1]
        way_m = places[last][ident] - places[first][ident]
        velocity[row] = way_m / ((near[last] - near[first]) / NS_PER_S)
    return velocity


def _filled(truth: Truth, seen_velocity: Float64, motion: EgoMotion | None) -> Truth:
    if motion is None or not motion.known:
        return truth
    objects = truth.objects
    x, y = objects.centers_ego[:, 0], objects.centers_ego[:, 1]
    turned = motion.angular_ego[2] * np.column_stack([-y, x])
    over_ground = seen_velocity + motion.linear_ego[:2] + turned
    given = np.isfinite(objects.velocities_ego)
    velocities = np.where(given, objects.velocities_ego, over_ground)
    return replace(truth, objects=replace(objects, velocities_ego=velocities))
