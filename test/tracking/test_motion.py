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

"""The filter's two steps: by hand, and what must hold for any of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chi2

from mm_fusion.tracking.motion import TURN_MEMORY_S, predict, turned, update, update_speeds

STRAIGHT = [1, 1, 1, 1, 0]  # a turn rate of zero


def spreads(count=5, seed=0, size=5):
    """Covariances (count, size, size) of no particular shape."""
    half = np.random.default_rng(seed).normal(size=(count, size, size))
    return half @ half.transpose(0, 2, 1) + 0.1 * np.eye(size)


def straight(count=5, seed=1):
    return np.random.default_rng(seed).normal(size=(count, 5)) * STRAIGHT


def test_no_time_changes_nothing():
    states, covariances = straight(), spreads() * np.outer(STRAIGHT, STRAIGHT)
    after, spread = predict(states, covariances, 0.0, 3.0)
    assert_allclose(after, states)
    assert_allclose(spread, covariances)


def test_two_steps_are_one_twice_as_long():
    states, covariances = straight(), spreads() * np.outer(STRAIGHT, STRAIGHT)
    once = predict(states, covariances, 0.6, 3.0)
    twice = predict(*predict(states, covariances, 0.3, 3.0), 0.3, 3.0)
    assert_allclose(once[0], twice[0])
    assert_allclose(once[1], twice[1])


def test_an_uncertain_velocity_makes_the_place_uncertain():
    # 1 m^2 + (2 s)^2 * 9 m^2/s^2 = 37 m^2, and 2 s * 9 = 18 in common; no acceleration
    covariances = np.diag([1.0, 1.0, 9.0, 9.0, 0.0])[None]
    _, spread = predict(np.zeros((1, 5)), covariances, 2.0, 0.0)
    assert_allclose(spread[0, 0], [37, 0, 18, 0, 0])


def test_x_and_y_do_not_mix():
    states, spread = predict(np.array([[0.0, 0, 5, 0, 0]]), np.zeros((1, 5, 5)), 1.5, 2.0)
    assert_allclose(states, [[7.5, 0, 5, 0, 0]])
    assert_allclose(spread[0][np.ix_([0, 2], [1, 3])], 0)


def test_what_was_not_measured_keeps_its_value_and_variance():
    noises = np.diag([1.0, 1.0, 1e9, 1e9])[None]
    states, spread = update(np.zeros((1, 5)), np.eye(5)[None], np.full((1, 4), 8.0), noises)
    assert_allclose(states, [[4, 4, 0, 0, 0]], atol=1e-6)
    assert_allclose(np.diagonal(spread[0]), [0.5, 0.5, 1, 1, 1], atol=1e-6)


def test_a_place_says_something_of_a_velocity_it_is_tied_to():
    # gain of vx for x: 18 / (37 + 3) = 0.45; 10 m off make 4.5 m/s
    covariances = np.diag([37.0, 1, 9, 1, 0])[None]
    covariances[0, 0, 2] = covariances[0, 2, 0] = 18.0
    noises = np.diag([3.0, 3, 1e9, 1e9])[None]
    states, _ = update(np.zeros((1, 5)), covariances, np.array([[10.0, 0, 0, 0]]), noises)
    assert_allclose(states[0, [0, 2]], [9.25, 4.5], atol=1e-5)


def test_measuring_never_makes_less_certain():
    before, noises = spreads(seed=2), spreads(seed=3, size=4)
    _, after = update(np.zeros((5, 5)), before, np.ones((5, 4)), noises)
    assert (np.linalg.eigvalsh(before - after) > -1e-9).all()
    assert (np.linalg.eigvalsh(after) > 0).all()


def test_the_order_of_two_measurements_does_not_matter():
    rng = np.random.default_rng(4)
    start, (a, b) = rng.normal(size=(5, 5)), rng.normal(size=(2, 5, 4))
    spread, one, other = spreads(seed=5), spreads(seed=6, size=4), spreads(seed=7, size=4)
    there = update(*update(start, spread, a, one), b, other)
    back = update(*update(start, spread, b, other), a, one)
    assert_allclose(there[0], back[0])
    assert_allclose(there[1], back[1], atol=1e-12)


def test_a_quarter_turn_by_hand():
    # 10 m/s, pi/4 rad/s: after 2 s it drives north, from a circle of 10 / (pi/4) = 12.732 m
    after = turned(np.array([[0.0, 0, 10, 0, np.pi / 4]]), 2.0)
    assert_allclose(after, [[12.7324, 12.7324, 0, 10, np.pi / 4]], atol=1e-4)


def test_a_hardly_turning_object_moves_as_a_straight_one():
    for rate in (0.0, 1e-9, 9e-5, 1.1e-4):
        after = turned(np.array([[1.0, 2, 3, 4, rate]]), 1.0)
        assert_allclose(after[0, :2], [4 - rate * 2, 6 + rate * 1.5], atol=1e-7)


@pytest.mark.parametrize("rate", [0.0, 5e-5, 0.3, -1.2])
def test_the_derivative_is_what_differences_say(rate):
    # the spread of a state known but for one column is that column of the derivative, squared
    state, step, duration_s = np.array([[1.0, 2, 8, -3, rate]]), 1e-5, 0.7
    for column in range(4 if rate == 0 else 5):
        nudge = np.zeros((1, 5))
        nudge[0, column] = step
        slope = (turned(state + nudge, duration_s) - turned(state - nudge, duration_s)) / (2 * step)
        covariance = np.zeros((1, 5, 5))
        covariance[0, column, column] = 1.0
        _, spread = predict(state, covariance, duration_s, 0.0)
        assert_allclose(spread[0, :4, :4], np.outer(slope[0, :4], slope[0, :4]), atol=1e-5)


def test_turning_keeps_the_speed():
    after = turned(np.array([[0.0, 0, 6, 8, 0.7]]), 3.3)
    assert_allclose(np.hypot(*after[0, 2:4]), 10.0)


def test_a_turn_rate_is_forgotten_and_its_spread_returns_to_what_such_objects_have():
    state, covariance = np.array([[0.0, 0, 5, 0, 0.4]]), np.zeros((1, 5, 5))
    after, spread = predict(state, covariance, TURN_MEMORY_S, 1.0, 0.2)
    assert_allclose(after[0, 4], 0.4 / np.e)
    assert_allclose(spread[0, 4, 4], 0.04 * (1 - np.exp(-2)))


def test_a_speed_along_a_ray_by_hand():
    # variance 3 along the ray, measured with 1: three quarters of the way from 0 to 8
    covariance = np.diag([1.0, 1, 3, 3, 0])[None]
    states, spread = update_speeds(
        np.zeros((1, 5)), covariance, np.array([[0.6, 0.8]]), np.array([8.0]), np.array([1.0])
    )
    assert_allclose(states[0], [0, 0, 6 * 0.6, 6 * 0.8, 0])
    along, across = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    assert_allclose(along @ spread[0, 2:4, 2:4] @ along, 0.75)
    assert_allclose(across @ spread[0, 2:4, 2:4] @ across, 3.0)


def test_errors_are_as_large_as_the_filter_says():
    """NEES of 200 cars that turn and accelerate as the model has it, over 4 s of positions."""
    rng, count, period_s = np.random.default_rng(8), 200, 0.1
    prior = np.diag([1.0, 1, 25, 25, 0.04])
    truth = rng.multivariate_normal([0, 0, 10, 0, 0], prior, count)
    states = np.tile([0.0, 0, 10, 0, 0], (count, 1))
    covariances, noise = np.tile(prior, (count, 1, 1)), np.diag([0.09, 0.09, 1e6, 1e6])
    nees = []
    for _ in range(40):
        still = np.zeros((count, 5, 5))
        truth, drawn = predict(truth, still, period_s, 1.0, 0.2)
        truth = truth + np.array([rng.multivariate_normal(np.zeros(5), one) for one in drawn])
        states, covariances = predict(states, covariances, period_s, 1.0, 0.2)
        seen = truth[:, :4] + rng.normal(0, 0.3, (count, 4))
        states, covariances = update(states, covariances, seen, np.tile(noise, (count, 1, 1)))
        error = truth - states
        nees.append(np.einsum("ti,tij,tj->t", error, np.linalg.inv(covariances), error).mean())
    low, high = chi2.ppf([0.025, 0.975], 5 * count) / count
    inside = (np.array(nees) > low) & (np.array(nees) < high)
    assert inside.mean() >= 0.85  # 95 % expected; neighbours in time go together
    assert low * 0.95 < np.mean(nees) < high * 1.05
