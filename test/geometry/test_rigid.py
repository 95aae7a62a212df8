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

"""Rigid motion worked by hand, and what must hold for any of it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import CalibrationError
from mm_fusion.geometry.rigid import (
    compose,
    invert,
    moved,
    quaternion_from_rotation,
    rotate,
    rotation_from_quaternion,
    rotation_from_rpy,
    rotation_from_vector,
    rpy_from_rotation,
    skew,
    transform,
    yaw_of,
)

LEFT = rotation_from_rpy(0, 0, np.pi / 2)  # x to y, y to -x


def poses(count=20):
    rng = np.random.default_rng(0)
    return [
        compose(rotation_from_vector(rng.normal(0, 2, 3)), rng.normal(0, 50, 3))
        for _ in range(count)
    ]


def test_a_point_is_turned_first_and_then_carried():
    map_from_ego = compose(LEFT, np.array([10.0, 20, 1]))
    # (2, 1, 0) turned left is (-1, 2, 0)
    assert_allclose(transform(map_from_ego, np.array([[2.0, 1, 0]])), [[9, 22, 1]], atol=1e-12)


def test_a_velocity_is_turned_but_not_carried():
    map_from_ego = compose(LEFT, np.array([10.0, 20, 1]))
    assert_allclose(rotate(map_from_ego, np.array([[5.0, 0, 0]])), [[0, 5, 0]], atol=1e-12)


def test_the_inverse_is_the_one_of_the_matrix():
    for pose in poses():
        assert_allclose(invert(pose), np.linalg.inv(pose), atol=1e-10)


def test_a_quarter_turn_about_z_as_a_quaternion_of_any_length():
    # cos 45 deg and sin 45 deg are alike
    assert_allclose(rotation_from_quaternion(np.array([3.0, 0, 0, 3.0])), LEFT, atol=1e-12)


@pytest.mark.parametrize("wxyz", [[0.0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 1]])
def test_a_quaternion_without_direction_is_refused(wxyz):
    with pytest.raises(CalibrationError, match="has no direction"):
        rotation_from_quaternion(np.array(wxyz))


def test_quaternions_survive_the_rotation_with_w_positive():
    for pose in poses():
        wxyz = quaternion_from_rotation(pose[:3, :3])
        assert wxyz[0] >= 0
        assert_allclose(rotation_from_quaternion(-wxyz), pose[:3, :3], atol=1e-12)


def test_roll_comes_before_yaw():
    # y rolled by 90 deg is z, which no yaw moves; the other way round it would end at -x
    rotation = rotation_from_rpy(np.pi / 2, 0, np.pi / 2)
    assert_allclose(rotation @ [0, 1, 0], [0, 0, 1], atol=1e-12)


def test_positive_pitch_lowers_the_nose():
    assert_allclose(rotation_from_rpy(0, np.pi / 6, 0) @ [1, 0, 0], [np.sqrt(0.75), 0, -0.5])


def test_roll_pitch_and_yaw_are_read_back():
    angles = np.random.default_rng(1).uniform(-1.5, 1.5, (20, 3))
    for rpy in angles:
        assert_allclose(rpy_from_rotation(rotation_from_rpy(*rpy)), rpy, atol=1e-12)


@pytest.mark.parametrize("yaw", [0.0, 1.0, -3.0, 3.0])
def test_yaw_is_the_heading_whatever_roll_and_pitch(yaw):
    pose = compose(rotation_from_rpy(0.3, -0.2, yaw), np.zeros(3))
    assert_allclose(yaw_of(pose), yaw)


def test_rotation_vectors_turn_as_rodrigues_formula_says():
    vectors = np.random.default_rng(2).uniform(-1.7, 1.7, (30, 3))
    for vector, rotation in zip(vectors, rotation_from_vector(vectors), strict=True):
        angle = np.linalg.norm(vector)
        k = skew(vector / angle)
        expected = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
        assert_allclose(rotation, expected, atol=1e-9)


def test_skew_is_the_cross_product_for_one_vector_and_for_many():
    a, b = np.random.default_rng(3).normal(size=(2, 10, 3))
    assert_allclose(skew(a[0]) @ b[0], np.cross(a[0], b[0]))
    assert_allclose((skew(a) @ b[..., None])[..., 0], np.cross(a, b))


def test_a_quarter_circle_ends_a_radius_ahead_and_a_radius_to_the_left():
    # 10 m/s at pi/2 rad/s for one second: the radius is v / omega = 20 / pi
    start_from_end = moved(np.array([10.0, 0, 0]), np.array([0, 0, np.pi / 2]), 1.0)
    assert_allclose(start_from_end[:3, 3], [20 / np.pi, 20 / np.pi, 0], atol=1e-12)
    assert_allclose(start_from_end[:3, :3], LEFT, atol=1e-12)


def test_going_back_in_time_undoes_the_way():
    linear, angular = np.array([8.0, 0.5, -0.1]), np.array([0.05, -0.02, 0.4])
    there, back = (moved(linear, angular, s) for s in (0.7, -0.7))
    assert_allclose(there @ back, np.eye(4), atol=1e-12)


def test_the_way_is_that_of_a_thousand_small_steps():
    linear, angular = np.array([8.0, 0.5, -0.1]), np.array([0.3, -0.2, 0.9])
    slow = np.eye(4)
    for _ in range(1000):
        step = rotation_from_vector(angular * 1e-3)
        halfway = rotation_from_vector(angular * 0.5e-3)
        slow = slow @ compose(step, halfway @ linear * 1e-3)
    assert_allclose(moved(linear, angular, 1.0), slow, atol=1e-5)


def test_hardly_turning_is_driving_straight():
    # the formula changes at 1e-6 rad: neither side of it may differ from 20 m straight ahead
    for rate in (0.0, 0.9e-6, 1.1e-6):
        end = moved(np.array([20.0, 0, 0]), np.array([0, 0, rate]), 1.0)
        assert_allclose(end[:3, 3], [20, 20 * rate / 2, 0], atol=1e-9)
