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

"""What the beams passed through: where nothing can stand, and what is hidden.

Each beam that ends somewhere has flown freely up to there. Seen from the LiDAR, in bins of azimuth
and range, the table keeps the steepest descent of the beams that end in each bin or beyond; from
it follows how high above the ground the lowest of them passed any nearer place.

Axis letters: N points, A azimuths, R ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.preprocess.ground import Ground
from mm_fusion.records import Float32, Float64, Int64

AZIMUTHS = 720  # half a degree each
RANGE_STEP_M = 0.5
BODY_M = (0.15, 1.6)  # heights above the ground at which a vehicle stops a beam
THROUGH_M = 0.8  # a beam that passed lower than this would have hit a vehicle's body
UNDER_M = 0.25  # and one lower than this may have passed below it
SAME_M = 0.45  # returns this close to a place are of what stands there
MIN_HEIGHT_M = 0.6  # of the LiDAR above the ground; below it the table says little

HIT, HIDDEN, UNSEEN, THROUGH = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreeSpace:
    """What is known of each place by what lies in front of it and behind it."""

    viewpoint: Float64  # (2,) m, of the LiDAR in the vehicle's frame
    height_m: float  # of the LiDAR above the ground
    slope: Float32  # (A, R) least rise over run of the beams that end in the bin or beyond
    front_m: Float32  # (A,) range of the nearest return of the height of a vehicle's body

    def state(self, xy: Float64 | Float32) -> Int64:
        """Tell of places (..., 2) whether a vehicle's face there was HIT, HIDDEN, or THROUGH."""
        offset = xy - self.viewpoint.astype(xy.dtype)
        range_m = np.hypot(offset[..., 0], offset[..., 1])
        azimuth = azimuth_of(offset)
        front = self.front_m[azimuth]
        # beams that reached the ground so far beyond must have passed higher than UNDER_M
        beyond = range_m / (1 - UNDER_M / max(self.height_m, MIN_HEIGHT_M))
        step = np.ceil(np.maximum(beyond, range_m + 0.7) / RANGE_STEP_M).astype(np.int64)
        known = step < self.slope.shape[1]
        slope = self.slope[azimuth, np.minimum(step, self.slope.shape[1] - 1)]
        passed = known & (self.height_m + slope * range_m < THROUGH_M)
        state = np.where(passed, THROUGH, UNSEEN)
        state = np.where(front < range_m - SAME_M, HIDDEN, state)
        return np.asarray(np.where(np.abs(front - range_m) <= SAME_M, HIT, state), np.int64)


def look(
    points: Float32, height: Float32, viewpoint: Float64, ground: Ground, range_m: float
) -> FreeSpace:
    """Make the table from points (N, 3) of the vehicle's frame, `height` (N,) above the ground."""
    height_m = float(viewpoint[2] - ground.height(viewpoint[None, :2])[0])
    offset = points[:, :2] - viewpoint[:2].astype(np.float32)
    distance = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), np.float32(0.5))
    azimuth = azimuth_of(offset)
    steps = int(range_m / RANGE_STEP_M) + 1
    step = np.minimum((distance / RANGE_STEP_M).astype(np.int64), steps - 1)
    slope = np.full(AZIMUTHS * steps, np.inf, np.float32)
    np.minimum.at(slope, azimuth * steps + step, (height - np.float32(height_m)) / distance)
    body = (height > BODY_M[0]) & (height < BODY_M[1])
    front = np.full(AZIMUTHS, np.inf, np.float32)
    np.minimum.at(front, azimuth[body], distance[body])
    looked = np.bincount(azimuth, minlength=AZIMUTHS) > 0
    beside = np.minimum(np.roll(front, 1), np.roll(front, -1))  # LiDARs of few azimuths leave gaps
    front = np.where(looked, front, beside)
    beyond = np.minimum.accumulate(slope.reshape(AZIMUTHS, steps)[:, ::-1], axis=1)[:, ::-1]
    return FreeSpace(viewpoint=viewpoint[:2], height_m=height_m, slope=beyond, front_m=front)


def azimuth_of(offset: Float64 | Float32) -> Int64:
    """Return the bin of the azimuth of offsets (..., 2) from the viewpoint."""
    turn = np.arctan2(offset[..., 1], offset[..., 0]) * (AZIMUTHS / (2 * np.pi))
    number = np.floor(turn).astype(np.int64)  # from -AZIMUTHS / 2 to AZIMUTHS / 2, both included
    return np.where(number < 0, number + AZIMUTHS, number)
