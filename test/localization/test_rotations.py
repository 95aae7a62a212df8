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

"""Quick rotations equal the careful ones."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.rigid import rotation_from_rpy, rotation_from_vector, skew
from mm_fusion.localization.rotations import (
    about_z,
    cross,
    level_from,
    orthogonal,
    turned,
    vector_of,
    yaw_of,
)


def test_a_quarter_turn_to_the_left_brings_x_to_y():
    rotation, mean = turned(np.array([0, 0, math.pi / 2]))
    assert_allclose(rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
    # on the way x was on average at (sin a / a, (1 - cos a) / a) = (2 / pi, 2 / pi)
    assert_allclose(mean @ [1, 0, 0], [2 / math.pi, 2 / math.pi, 0], atol=1e-15)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 1e-3, 0.5, 3.0, math.pi - 1e-7, math.pi])
def test_a_rotation_and_its_vector_are_inverse_at_every_size(angle):
    rng = np.random.default_rng(1)
    for axis in (*np.eye(3), *rng.normal(size=(5, 3))):
        vector = angle * axis / np.linalg.norm(axis)
        rotation, _ = turned(vector)
        assert_allclose(rotation, rotation_from_vector(vector), atol=1e-12)
        assert_allclose(turned(vector_of(rotation))[0], rotation, atol=2e-8)
        if angle < 3.1:  # half a turn is the same both ways round
            assert_allclose(vector_of(rotation), vector, atol=1e-12)


def test_the_mean_rotation_is_the_average_of_many_on_the_way():
    vector = np.array([0.4, -1.1, 0.7])
    steps = [rotation_from_vector(share * vector) for share in (np.arange(2000) + 0.5) / 2000]
    assert_allclose(turned(vector)[1], np.mean(steps, axis=0), atol=1e-7)


def test_the_cross_matrix_is_the_one_of_geometry():
    v = np.array([1.0, -2.0, 3.0])
    assert_allclose(cross(v), skew(v))


def test_a_rounded_rotation_becomes_a_rotation():
    rough = rotation_from_rpy(0.1, 0.2, 0.3) + np.random.default_rng(2).normal(0, 1e-5, (3, 3))
    smooth = orthogonal(rough)
    assert np.abs(smooth @ smooth.T - np.eye(3)).max() < 1e-8  # was 1e-5
    assert_allclose(smooth, rough, atol=1e-4)


def test_level_is_where_up_points_up_and_the_nose_east():
    up = rotation_from_rpy(0.2, -0.3, 0.0).T @ [0, 0, 1]
    assert_allclose(level_from(9.8 * up), rotation_from_rpy(0.2, -0.3, 0.0), atol=1e-12)
    assert yaw_of(about_z(0.7) @ level_from(up)) == pytest.approx(0.7)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_accelerometer_on_its_nose_still_gives_a_rotation(sign):
    rotation = level_from(np.array([9.8 * sign, 0.0, 0.0]))
    assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert_allclose(rotation @ [sign, 0, 0], [0, 0, 1], atol=1e-12)
