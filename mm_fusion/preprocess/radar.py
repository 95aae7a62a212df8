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

"""Range rates: freed of the vehicle's own motion, and that motion read from them.

A return that stands still is seen to close with the sensor's own speed along the ray: its range
rate is -ray . v_sensor. Source of the estimate from returns alone: Kellner et al., "Instantaneous
ego-motion estimation using Doppler radar", ITSC 2013; here by a vote, so that folded rates
(known only modulo a period) serve too.

Axis letters: M radar returns, S speeds tried.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import EgoMotion, Float64

FASTEST_MPS = 60.0
FASTEST_BACK_MPS = 8.0
SPEED_STEP_MPS = 0.2  # finer than STILL_MPS; the best is refined
STILL_MPS = 0.3  # spread of the range rate of what stands still
AHEAD = 0.5  # cosine of the widest angle from the axis at which returns vote
MIN_VOTES = 12  # fewer returns in agreement say nothing
MIN_SHARE = 0.25  # of the returns that may vote
MARGIN = 1.15  # by which the best speed must beat the next, or it is a guess


def fold(rates_mps: Float64, period_mps: float) -> Float64:
    """Bring rates into [-period/2, period/2), as the sensor does; a period of 0 changes nothing."""
    if period_mps <= 0:
        return rates_mps
    return np.asarray((rates_mps + period_mps / 2) % period_mps - period_mps / 2)


def over_ground(
    range_rate_mps: Float64, rays_ego: Float64, sensor_velocity_ego: Float64, period_mps: float
) -> Float64:
    """Return the radial speed over ground (M,) of each return, positive when moving away.

    Of a folding sensor the result is the one nearest to standing still: what moves faster than
    half the period cannot be told from slower motion.

    Args:
        range_rate_mps: (M,) as measured, ego motion in it.
        rays_ego: (M, 3) unit vectors from the sensor to each return.
        sensor_velocity_ego: (3,) m/s of the sensor over ground.
        period_mps: width of the interval the sensor folds into; 0: it does not fold.
    """
    return fold(range_rate_mps + rays_ego @ sensor_velocity_ego, period_mps)


def velocity_at(motion: EgoMotion, lever_ego: Float64) -> Float64:
    """Return the velocity (3,) of a point of the vehicle: v + omega x lever."""
    return np.asarray(motion.linear_ego + np.cross(motion.angular_ego, lever_ego))


def forward_speed(range_rate_mps: Float64, rays_ego: Float64, period_mps: float) -> float | None:
    """Estimate the forward speed of the vehicle from one sweep, or None where it is unsure.

    Every speed tried collects a vote from each return that would then stand still; the refined
    best is the median of what its voters say.
    """
    ahead = np.abs(rays_ego[:, 0]) > AHEAD
    rates, along = range_rate_mps[ahead], rays_ego[ahead, 0]
    if len(rates) < MIN_VOTES:
        return None
    speeds = np.arange(-FASTEST_BACK_MPS, FASTEST_MPS, SPEED_STEP_MPS)  # (S,)
    # single precision: a vote needs no more, and there are S * M of them
    rest = (rates[None] + speeds[:, None] * along[None]).astype(np.float32)  # (S, M)
    if period_mps > 0:
        rest -= np.float32(period_mps) * np.rint(rest / np.float32(period_mps))
    votes = np.exp(-0.5 * (rest / np.float32(STILL_MPS)) ** 2).sum(axis=1)
    best = int(votes.argmax())
    far = np.abs(speeds - speeds[best]) > 4 * STILL_MPS
    confident = votes[best] >= max(MIN_VOTES, MIN_SHARE * len(rates))
    if not confident or votes[best] < MARGIN * votes[far].max(initial=0.0):
        return None
    near = np.abs(rest[best]) < 2 * STILL_MPS
    return float(speeds[best] - np.median(rest[best, near] / along[near]))
