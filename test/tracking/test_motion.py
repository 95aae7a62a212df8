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
from numpy.testing import assert_allclose

from mm_fusion.tracking.motion import predict, update


def spreads(count=5, seed=0):
    """Covariances (count, 4, 4) of no particular shape."""
    half = np.random.default_rng(seed).normal(size=(count, 4, 4))
    return half @ half.transpose(0, 2, 1) + 0.1 * np.eye(4)


def test_no_time_changes_nothing():
    states, covariances = np.random.default_rng(1).normal(size=(5, 4)), spreads()
    after, spread = predict(states, covariances, 0.0, 3.0)
    assert_allclose(after, states)
    assert_allclose(spread, covariances)


def test_two_steps_are_one_twice_as_long():
    states, covariances = np.random.default_rng(1).normal(size=(5, 4)), spreads()
    once = predict(states, covariances, 0.6, 3.0)
    twice = predict(*predict(states, covariances, 0.3, 3.0), 0.3, 3.0)
    assert_allclose(once[0], twice[0])
    assert_allclose(once[1], twice[1])


def test_an_uncertain_velocity_makes_the_place_uncertain():
    # 1 m^2 + (2 s)^2 * 9 m^2/s^2 = 37 m^2, and 2 s * 9 = 18 in common; no acceleration
    covariances = np.diag([1.0, 1.0, 9.0, 9.0])[None]
    _, spread = predict(np.zeros((1, 4)), covariances, 2.0, 0.0)
    assert_allclose(spread[0, 0], [37, 0, 18, 0])


def test_x_and_y_do_not_mix():
    states, spread = predict(np.array([[0.0, 0, 5, 0]]), np.zeros((1, 4, 4)), 1.5, 2.0)
    assert_allclose(states, [[7.5, 0, 5, 0]])
    assert_allclose(spread[0][np.ix_([0, 2], [1, 3])], 0)


def test_what_was_not_measured_keeps_its_value_and_variance():
    noises = np.diag([1.0, 1.0, 1e9, 1e9])[None]
    states, spread = update(np.zeros((1, 4)), np.eye(4)[None], np.full((1, 4), 8.0), noises)
    assert_allclose(states, [[4, 4, 0, 0]], atol=1e-6)
    assert_allclose(np.diagonal(spread[0]), [0.5, 0.5, 1, 1], atol=1e-6)


def test_a_place_says_something_of_a_velocity_it_is_tied_to():
    # gain of vx for x: 18 / (37 + 3) = 0.45; 10 m off make 4.5 m/s
    covariances = np.diag([37.0, 1, 9, 1])[None]
    covariances[0, 0, 2] = covariances[0, 2, 0] = 18.0
    noises = np.diag([3.0, 3, 1e9, 1e9])[None]
    states, _ = update(np.zeros((1, 4)), covariances, np.array([[10.0, 0, 0, 0]]), noises)
    assert_allclose(states[0, [0, 2]], [9.25, 4.5], atol=1e-5)


def test_measuring_never_makes_less_certain():
    before, noises = spreads(seed=2), spreads(seed=3)
    _, after = update(np.zeros((5, 4)), before, np.ones((5, 4)), noises)
    assert (np.linalg.eigvalsh(before - after) > -1e-9).all()
    assert (np.linalg.eigvalsh(after) > 0).all()


def test_the_order_of_two_measurements_does_not_matter():
    rng = np.random.default_rng(4)
    start, a, b = rng.normal(size=(3, 5, 4))
    spread, one, other = spreads(seed=5), spreads(seed=6), spreads(seed=7)
    there = update(*update(start, spread, a, one), b, other)
    back = update(*update(start, spread, b, other), a, one)
    assert_allclose(there[0], back[0])
    assert_allclose(there[1], back[1], atol=1e-12)
