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

"""What each kind of measurement tells the filter, and what it must not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import LocalizerConfig
from mm_fusion.geometry.rigid import rotation_from_rpy, rpy_from_rotation
from mm_fusion.localization import measurements as measure
from mm_fusion.localization.eskf import SIZE, State

CONFIG = LocalizerConfig(gps_std_m=3.0)


def believing(**fields):
    return State(stamp_ns=0, covariance=np.eye(SIZE), **fields)


def test_a_stated_covariance_is_used_with_a_centimetre_of_doubt():
    stated = np.array([[4.0, 1.0, 0.0], [1.0, 9.0, 0.0], [0.0, 0.0, 16.0]])
    assert_allclose(measure.fix_noise(stated, CONFIG), stated + 1e-4 * np.eye(3))


@pytest.mark.parametrize(
    "nonsense",
    [
        np.zeros((3, 3)),
        np.full((3, 3), np.nan),
        np.diag([1.0, np.inf, 1.0]),
        np.diag([1.0, 1.0, 1e300]),
        np.diag([1.0, -1.0, 1.0]),
        np.array([[1.0, 5.0, 0.0], [5.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),  # correlated beyond 1
    ],
)
def test_nonsense_for_a_covariance_gives_the_setting_twice_as_bad_upwards(nonsense):
    assert_allclose(measure.fix_noise(nonsense, CONFIG), np.diag([9.0, 9.0, 36.0]))


def test_a_measured_speed_is_averaged_with_the_believed_one_by_their_variances():
    state = believing(linear_ego=np.array([10.0, 0, 0]))
    state = replace(state, covariance=np.diag([0.0] * 3 + [0.17] * 3 + [0.0] * 10))
    state = measure.with_velocity(state, np.array([12.0, np.nan, np.nan]), 0.4)
    # 0.4^2 and the floor 0.1^2 make 0.17, as believed: halfway
    assert_allclose(state.linear_ego, [11, 0, 0])
    assert_allclose(np.diag(state.covariance)[3:6], [0.085, 0.17, 0.17])


def test_components_that_are_no_numbers_say_nothing():
    state = believing(linear_ego=np.array([1.0, 2.0, 3.0]))
    assert measure.with_velocity(state, np.array([np.nan, np.inf, np.nan]), 0.1) is state
    moved = measure.with_velocity(state, np.array([np.nan, 0.0, np.nan]), 0.1)
    assert_allclose(moved.linear_ego[[0, 2]], [1, 3])
    assert abs(moved.linear_ego[1]) < 2


def test_a_slipping_wheel_moves_the_belief_less_than_its_noise_would():
    state = believing(linear_ego=np.array([10.0, 0, 0]))
    sure = replace(state, covariance=0.01 * np.eye(SIZE))
    slipped = measure.with_velocity(sure, np.array([30.0, np.nan, np.nan]), 0.1)
    assert 10.0 < slipped.linear_ego[0] < 11.0  # equal weights would make it 20


def test_a_turn_rate_of_wheels_is_heard_only_where_no_gyroscope_is():
    turn = np.array([np.nan, np.nan, 0.3])
    assert measure.with_turn(believing(), turn).turn_ego[2] == pytest.approx(0.3, abs=1e-3)
    measured = believing(gyro=np.zeros(3))
    assert measure.with_turn(measured, turn) is measured
    unmeasured = believing()
    assert measure.with_turn(unmeasured, np.full(3, np.nan)) is unmeasured


def test_wheels_that_stand_show_the_gyroscope_its_bias():
    state = measure.stopped(believing(gyro=np.array([0.01, -0.02, 0.03])))
    assert_allclose(state.gyro_bias, [0.01, -0.02, 0.03], atol=1e-4)
    without = believing()
    assert measure.stopped(without) is without


def test_a_wheel_does_not_move_sideways_or_upwards():
    state = measure.without_slip(believing(linear_ego=np.array([5.0, 1.0, -1.0])), 0.1)
    # variance 1 against 0.01: a hundredth is left
    assert_allclose(state.linear_ego, [5, 0.01 / 1.01, -0.01 / 1.01])


def test_a_road_is_level_more_or_less_and_says_nothing_of_the_heading():
    state = believing(map_from_ego=rotation_from_rpy(0.1, -0.1, 0.8))
    roll, pitch, yaw = rpy_from_rotation(measure.levelled(state).map_from_ego)
    assert abs(roll) < 0.01
    assert abs(pitch) < 0.01
    assert yaw == pytest.approx(0.8, abs=0.02)


def test_an_orientation_beyond_the_gate_is_not_believed():
    state = replace(believing(), covariance=1e-4 * np.eye(SIZE))
    near, far = (rotation_from_rpy(0, 0, yaw) for yaw in (0.1, 2.0))
    assert measure.oriented_by(state, far, 0.1, 16.0) is state
    turned = measure.oriented_by(state, near, 0.1, 16.0)
    # 1e-4 against 0.1^2: one part in 101
    assert rpy_from_rotation(turned.map_from_ego)[2] == pytest.approx(0.1 / 101)


def test_a_new_heading_keeps_roll_and_pitch():
    state = measure.with_yaw(believing(map_from_ego=rotation_from_rpy(0.1, 0.2, 0.3)), -2.0)
    assert_allclose(rpy_from_rotation(state.map_from_ego), [0.1, 0.2, -2.0])


def test_the_antenna_turns_with_the_vehicle():
    state = believing(
        position_map=np.array([10.0, 20.0, 0.0]),
        map_from_ego=rotation_from_rpy(0, 0, math.pi / 2),
    )
    # facing north, 2 m ahead is north and 1 m to the left is west
    assert_allclose(measure.antenna(state, np.array([2.0, 1.0, 1.5])), [9, 22, 1.5])
