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

"""Where objects will be: each carried on by its own velocity and turn rate.

Objects are in a frame that stands still, `map` or the vehicle's at one stamp: velocities are over
ground either way. Axis letters: K objects, T times.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import Objects
from mm_fusion.records import Bool, Float64
from mm_fusion.tracking.motion import TURN, predict, turned

ACCELERATION_STD_MPS2 = 1.5  # of road users ahead of whom nothing is known
TURN_STD_RADPS = 0.1  # of a turn rate that was estimated


def predicted(objects: Objects, seconds: float) -> Objects:
    """Carry objects on by `seconds`, with covariances that grow; one of unknown velocity stays."""
    if not len(objects) or seconds == 0:
        return objects
    states, covariances = _states(objects), np.zeros((len(objects), 5, 5))
    covariances[:, :4, :4] = objects.covariances
    covariances[:, TURN, TURN] = TURN_STD_RADPS**2
    covariances[~_known(objects), 2:, :] = covariances[~_known(objects), :, 2:] = 0.0
    moved, grown = predict(states, covariances, seconds, ACCELERATION_STD_MPS2)
    centers, velocities = objects.centers_ego.copy(), objects.velocities_ego.copy()
    known = _known(objects)
    centers[:, :2] = moved[:, :2]
    velocities[known] = moved[known, 2:TURN]
    kept = objects.covariances.copy()
    kept[known] = grown[known, :4, :4]
    kept[~known, :2, :2] = grown[~known, :2, :2]
    return replace(
        objects,
        centers_ego=centers,
        velocities_ego=velocities,
        yaws_rad=wrap_angle(objects.yaws_rad + states[:, TURN] * seconds),
        covariances=kept,
    )


def paths(objects: Objects, times_s: Float64) -> Float64:
    """Return x, y and yaw (K, T, 3) of each object at times from now, by a constant turn."""
    states, times = _states(objects), np.asarray(times_s, np.float64)
    count, steps = len(objects), len(times)
    later = turned(np.repeat(states, steps, axis=0), np.tile(times, count))
    ways = later.reshape(count, steps, 5)[..., :3].copy()
    ways[..., 2] = wrap_angle(objects.yaws_rad[:, None] + states[:, TURN, None] * times)
    return ways


def _known(objects: Objects) -> Bool:
    return np.asarray(np.isfinite(objects.velocities_ego).all(axis=1))


def _states(objects: Objects) -> Float64:
    """Return x, y, vx, vy and turn rate (K, 5); what is unknown is zero."""
    rates = np.where(_known(objects), np.nan_to_num(objects.turn_rates_radps), 0.0)
    velocities = np.where(_known(objects)[:, None], objects.velocities_ego, 0.0)
    return np.column_stack([objects.centers_ego[:, :2], velocities, rates])
