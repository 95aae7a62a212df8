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

"""The filter: motion by hand, Jacobians by differences, corrections the slow way."""

import math
from dataclasses import replace

import numpy as np
import pytest
from drives import GRAVITY_MPS2, circle
from numpy.testing import assert_allclose

from mm_fusion.config import LocalizerConfig
from mm_fusion.geometry.rigid import rotation_from_rpy
from mm_fusion.localization import eskf
from mm_fusion.localization import measurements as measure
from mm_fusion.localization.eskf import SIZE, A, F, G, P, S, State, U
from mm_fusion.localization.rotations import turned, vector_of
from mm_fusion.records import NS_PER_S

CONFIG = LocalizerConfig()
UP = np.array([0.0, 0.0, GRAVITY_MPS2])


def shifted(state, error):
    """The state an error away."""
    return replace(
        state,
        position_map=state.position_map + error[P],
        linear_ego=state.linear_ego + error[U],
        map_from_ego=state.map_from_ego @ turned(error[A])[0],
        gyro_bias=state.gyro_bias + error[G],
        force_bias=state.force_bias + error[F],
        wheel_scale=state.wheel_scale + float(error[15]),
    )


def error_between(state, other):
    return np.concatenate(
        [
            other.position_map - state.position_map,
            other.linear_ego - state.linear_ego,
            vector_of(state.map_from_ego.T @ other.map_from_ego),
            other.gyro_bias - state.gyro_bias,
            other.force_bias - state.force_bias,
            [other.wheel_scale - state.wheel_scale],
        ]
    )


def differences(function, state, size=1e-6):
    """The Jacobian (M, 16) of `function(state)` by central differences."""
    columns = [
        (function(shifted(state, size * e)) - function(shifted(state, -size * e))) / (2 * size)
        for e in np.eye(SIZE)
    ]
    return np.stack(columns, axis=1)


def somewhere(seed=0, **fields):
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(SIZE, SIZE))
    values = {
        "position_map": rng.normal(0, 10, 3),
        "linear_ego": np.array([12.0, 0.3, -0.2]),
        "map_from_ego": rotation_from_rpy(0.05, -0.1, 2.0),
        "gyro_bias": rng.normal(0, 0.02, 3),
        "force_bias": rng.normal(0, 0.2, 3),
        "wheel_scale": 0.01,
        "covariance": spread @ spread.T + np.eye(SIZE),
        "gyro": np.array([0.05, -0.02, 0.4]),
        "force": UP + rng.normal(0, 1, 3),
    }
    return State(stamp_ns=0, **values | fields)


def after(state, seconds, config=CONFIG):
    return eskf.predicted(state, state.stamp_ns + round(seconds * NS_PER_S), config)


def test_a_car_at_rest_under_gravity_stays_where_it_is():
    state = after(State(stamp_ns=0, gyro=np.zeros(3), force=UP), 10.0)
    assert_allclose(state.position_map, 0, atol=1e-9)
    assert_allclose(state.linear_ego, 0, atol=1e-9)


def test_two_metres_per_second_squared_for_three_seconds_go_nine_metres():
    state = after(State(stamp_ns=0, gyro=np.zeros(3), force=np.array([2, 0, GRAVITY_MPS2])), 3.0)
    assert_allclose(state.position_map, [9, 0, 0], atol=1e-9)  # 1/2 a t^2
    assert_allclose(state.linear_ego, [6, 0, 0], atol=1e-9)


def test_biases_are_taken_out():
    gyro_bias, force_bias = np.array([0.1, -0.2, 0.3]), np.array([0.5, 0.2, -0.1])
    state = State(
        stamp_ns=0,
        gyro=gyro_bias,
        force=UP + force_bias,
        gyro_bias=gyro_bias,
        force_bias=force_bias,
    )
    assert_allclose(eskf.matrix_of(after(state, 5.0)), np.eye(4), atol=1e-9)


@pytest.mark.parametrize("felt", [True, False])
def test_a_circle_is_followed_whether_or_not_the_force_is_felt(felt):
    speed_mps, radius_m = 10.0, 20.0
    force = np.array([0, speed_mps**2 / radius_m, GRAVITY_MPS2]) if felt else None
    state = State(
        stamp_ns=0,
        linear_ego=np.array([speed_mps, 0, 0]),
        gyro=np.array([0, 0, speed_mps / radius_m]),
        force=force,
    )
    for _ in range(400):  # 4 s: 2 rad of the circle
        state = after(state, 0.01)
    assert_allclose(eskf.matrix_of(state), circle(4.0, radius_m, speed_mps), atol=5e-4)
    assert_allclose(state.linear_ego, [speed_mps, 0, 0], atol=1e-9)


def test_without_a_gyroscope_a_turn_fades_with_its_memory():
    state = State(stamp_ns=0, gyro_bias=np.array([0, 0, -0.3]))
    assert_allclose(state.turn_ego, [0, 0, 0.3])
    state = after(state, eskf.TURN_MEMORY_S)
    assert state.turn_ego[2] == pytest.approx(0.3 / math.e)


def test_a_held_position_stays_and_may_be_anywhere():
    state = after(State(stamp_ns=0, linear_ego=np.array([10.0, 0, 0]), held=True), 1.0)
    assert_allclose(state.position_map, 0)
    assert state.covariance[0, 0] >= 10.0**2
    assert_allclose(state.way_m, [10, 0, 0])


def test_a_second_at_a_speed_unmeasured_adds_its_square():
    config = LocalizerConfig(acceleration_std_mps2=3.0)
    state = after(State(stamp_ns=0), 1.0, config)
    # ten steps of 0.1 s add 0.9 (m/s)^2 each, of ways 0, 0.1 ... 0.9 s long: 0.9 x 2.85 m^2
    assert_allclose(state.covariance[U, U], 9.0 * np.eye(3), atol=1e-9)
    assert state.covariance[0, 0] == pytest.approx(2.565)


@pytest.mark.parametrize("seconds", [-0.3, -2.0])
def test_going_back_makes_nothing_more_certain_and_returns(seconds):
    state = somewhere()
    back = after(state, seconds)
    assert np.trace(back.covariance) > np.trace(state.covariance)
    again = after(replace(back, covariance=state.covariance), -seconds)
    assert_allclose(eskf.matrix_of(again), eskf.matrix_of(state), atol=0.05)


def test_a_year_ahead_is_finite_and_sure_of_nothing():
    state = after(somewhere(gyro=None, force=None), 3e7)
    assert np.isfinite(state.covariance).all()
    assert state.covariance[0, 0] > 1e6


@pytest.mark.parametrize(
    "fields",
    [{}, {"force": None}, {"gyro": None}, {"gyro": None, "force": None}, {"held": True}],
    ids=["imu", "no force", "no gyro", "no imu", "held"],
)
@pytest.mark.parametrize("dt", [0.01, 0.1, -0.05])
def test_the_jacobian_of_a_step_is_its_numerical_derivative(fields, dt):
    state = somewhere(**fields)

    def step(shifted_state):
        return error_between(after(state, dt), after(shifted_state, dt))

    jacobian = differences(step, state)
    noise = after(replace(state, covariance=np.zeros((SIZE, SIZE))), dt).covariance
    found, expected = after(state, dt).covariance, jacobian @ state.covariance @ jacobian.T + noise
    if state.held:  # whose noise depends on the covariance itself
        found, expected = found[3:, 3:], expected[3:, 3:]
    assert_allclose(found, expected, atol=40 * abs(dt) ** 3, rtol=1e-6)  # of the third order


LEVER = np.array([1.5, 0.4, 1.2])


@pytest.mark.parametrize(
    ("function", "jacobian"),
    [
        (lambda s: measure.antenna(s, LEVER), lambda s: measure.fix_jacobian(s, LEVER)),
        (lambda s: (1 + s.wheel_scale) * s.linear_ego, measure.velocity_jacobian),
    ],
    ids=["fix", "velocity"],
)
def test_the_jacobian_of_a_measurement_is_its_numerical_derivative(function, jacobian):
    state = somewhere()
    assert_allclose(jacobian(state), differences(function, state), atol=1e-7)


def test_a_correction_equals_the_one_by_information():
    # the information adds: inv(P+) = inv(P) + H' inv(R) H, and P+ H' inv(R) r is the shift
    state, rng = somewhere(), np.random.default_rng(3)
    jacobian, residual = rng.normal(size=(3, SIZE)), rng.normal(0, 0.01, 3)
    noise = np.diag([0.5, 1.0, 2.0])
    found = eskf.corrected(state, residual, jacobian, noise)
    gained = jacobian.T @ np.linalg.inv(noise)
    covariance = np.linalg.inv(np.linalg.inv(state.covariance) + gained @ jacobian)
    assert_allclose(found.covariance, covariance, atol=1e-9)
    assert_allclose(error_between(state, found), covariance @ gained @ residual, atol=1e-9)


def test_the_surprise_of_one_number_is_its_square_over_its_variance():
    state = replace(somewhere(), covariance=3.0 * np.eye(SIZE))
    one = np.eye(SIZE)[:1]
    # 4^2 / (3 + 1)
    assert eskf.surprise(state, np.array([4.0]), one, np.eye(1)) == pytest.approx(4.0)


def test_what_is_believed_anew_forgets_its_correlations():
    state = eskf.believed(somewhere(), U, np.array([1.0, 2.0, 3.0]))
    assert_allclose(state.covariance[U, U], np.diag([1, 2, 3]))
    assert not state.covariance[U, A].any()
    assert not state.covariance[S, U].any()
