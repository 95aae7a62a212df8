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

"""Objects from one frame into another, and as measurements. Axis letters: K objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.geometry.rigid import yaw_of
from mm_fusion.objects import SEEN_BY, Objects
from mm_fusion.records import Float64

UNMEASURED_VARIANCE = 1e6  # m^2/s^2, of a velocity nobody measured
STANDING_STD_MPS = 0.3


def carried(objects: Objects, target_from_source: Float64) -> Objects:
    """Bring objects into another frame, covariances and velocities turned with them."""
    rotation = target_from_source[:2, :2]
    turn = np.zeros((4, 4))
    turn[:2, :2] = turn[2:, 2:] = rotation
    centers = objects.centers_ego @ target_from_source[:3, :3].T + target_from_source[:3, 3]
    return replace(
        objects,
        centers_ego=centers,
        yaws_rad=wrap_angle(objects.yaws_rad + yaw_of(target_from_source)),
        velocities_ego=objects.velocities_ego @ rotation.T,
        covariances=turn @ objects.covariances @ turn.T,
    )


def measurements(detected: Objects, *, without_radar: bool) -> tuple[Float64, Float64]:
    """Return x, y, vx, vy (K, 4) with covariances (K, 4, 4); an unknown velocity has no weight.

    Args:
        detected: objects in the map.
        without_radar: take velocities of objects that a radar saw as unknown.
    """
    known = np.asarray(np.isfinite(detected.velocities_ego).all(axis=1))
    if without_radar:
        known &= (detected.evidence & SEEN_BY["radar"]) == 0
    velocity = np.where(known[:, None], detected.velocities_ego, 0.0)
    noises = detected.covariances.copy()
    unknown = np.flatnonzero(~known)
    noises[unknown, 2:, :] = noises[unknown, :, 2:] = 0.0
    noises[unknown, 2, 2] = noises[unknown, 3, 3] = UNMEASURED_VARIANCE
    return np.concatenate([detected.centers_ego[:, :2], velocity], axis=1), noises


def standing(states: Float64) -> tuple[Float64, Float64]:
    """Return, as `measurements` does, that objects of these states (K, 5) do not move."""
    measured = np.column_stack([states[:, :2], np.zeros((len(states), 2))])
    noise = np.diag([UNMEASURED_VARIANCE] * 2 + [STANDING_STD_MPS**2] * 2)
    return measured, np.tile(noise, (len(states), 1, 1))


def turned_halfway(kept_rad: Float64, seen_rad: Float64) -> Float64:
    """Follow the seen yaw halfway, taking front and back of a box as the same."""
    difference = wrap_angle(2 * (seen_rad - kept_rad)) / 2
    return wrap_angle(kept_rad + 0.5 * difference)
