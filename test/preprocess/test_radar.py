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

"""Range rates: folding, the vehicle's own motion, and its speed read from the returns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.preprocess.radar import fold, forward_speed, over_ground, velocity_at
from mm_fusion.records import EgoMotion


def rays_of(azimuths_deg):
    azimuths = np.radians(azimuths_deg)
    return np.stack([np.cos(azimuths), np.sin(azimuths), np.zeros_like(azimuths)], axis=1)


def still_world(speed, count=60, seed=0):
    """Rays and range rates of posts as a vehicle sees them that drives straight ahead."""
    rays = rays_of(np.random.default_rng(seed).uniform(-50, 50, count))
    return rays, -speed * rays[:, 0]


def test_folding_leaves_the_interval_as_it_is_and_moves_its_upper_end_down():
    # the interval of period 10 is [-5, 5)
    assert_allclose(fold(np.array([-5.0, 4.9, 5.0, 13.0, -6.0]), 10.0), [-5, 4.9, -5, 3, 4])


def test_a_period_of_zero_folds_nothing():
    assert_allclose(fold(np.array([-70.0, 12.0]), 0.0), [-70, 12])


def test_folding_takes_away_whole_periods_only():
    rates = np.random.default_rng(0).uniform(-60, 60, 100)
    folded = fold(rates, 10.4)
    turns = (rates - folded) / 10.4
    assert_allclose(turns, np.round(turns), atol=1e-9)
    assert (np.abs(folded) <= 5.2).all()
    assert_allclose(fold(folded, 10.4), folded)


def test_a_car_ahead_that_drives_as_fast_as_we_do_moves_at_our_speed():
    # its range rate is 0; the sensor's 15 m/s are its own
    speed = over_ground(np.zeros(1), rays_of([0.0]), np.array([15.0, 0, 0]), 0.0)
    assert_allclose(speed, [15])


def test_what_comes_back_from_the_side_is_hardly_changed_by_our_motion():
    # at 60 deg the sensor's 10 m/s are 5 m/s along the ray
    speed = over_ground(np.array([-5.0]), rays_of([60.0]), np.array([10.0, 0, 0]), 0.0)
    assert_allclose(speed, [0], atol=1e-12)


def test_of_a_folded_rate_the_slowest_motion_is_taken():
    # a post at 12 m/s: its -12 is folded to -1.6 by a period of 10.4; -1.6 + 12 is 10.4: zero
    speed = over_ground(np.array([-1.6]), rays_of([0.0]), np.array([12.0, 0, 0]), 10.4)
    assert_allclose(speed, [0], atol=1e-12)


def test_a_bumper_swings_out_when_the_vehicle_turns():
    # omega x lever = 0.5 z x (4, 1) = (-0.5, 2)
    motion = EgoMotion(linear_ego=np.array([10.0, 0, 0]), angular_ego=np.array([0, 0, 0.5]))
    assert_allclose(velocity_at(motion, np.array([4.0, 1, 0])), [9.5, 2, 0])


@pytest.mark.parametrize("speed", [-5.0, 0.0, 7.3, 31.1])
def test_posts_alone_say_the_speed(speed):
    rays, rates = still_world(speed)
    assert_allclose(forward_speed(rates, rays, 0.0), speed, atol=1e-3)


def test_a_third_of_the_returns_may_move():
    rays, rates = still_world(12.0)
    rates[:20] += np.random.default_rng(1).uniform(-20, 10, 20)
    assert_allclose(forward_speed(rates, rays, 0.0), 12.0, atol=0.1)


def test_too_few_returns_say_nothing():
    rays, rates = still_world(12.0, count=11)
    assert forward_speed(rates, rays, 0.0) is None


def test_no_returns_say_nothing():
    assert forward_speed(np.zeros(0), np.zeros((0, 3)), 0.0) is None


def test_two_answers_as_good_as_each_other_are_none():
    rays, rates = still_world(12.0)
    rates[::2] = -4.0 * rays[::2, 0]
    assert forward_speed(rates, rays, 0.0) is None


def test_returns_from_the_side_have_no_vote():
    # from 61 deg on the cosine is below one half
    side = rays_of(np.linspace(61, 119, 60))
    assert forward_speed(-9 * side[:, 0], side, 0.0) is None


def test_a_rear_radar_says_the_same_speed():
    rays, _ = still_world(0.0)
    behind = rays * [-1, 1, 1]
    assert_allclose(forward_speed(-9 * behind[:, 0], behind, 0.0), 9.0, atol=1e-3)


def test_folded_returns_of_one_direction_cannot_tell_the_turns_apart():
    # straight ahead every speed fits that differs by the period
    rays = np.tile([1.0, 0, 0], (60, 1))
    assert forward_speed(fold(np.full(60, -15.0), 10.4), rays, 10.4) is None
