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

"""Closed forms agree with themselves: derivatives are those of the positions."""

import numpy as np
from numpy.testing import assert_allclose

from mm_fusion.simulation.motion import Path, Wave

H_S = 1e-5
CURVE = Path(
    x=Wave(start=1.0, rate=8.0, amplitude=2.0, omega_radps=0.7, phase_rad=0.2),
    y=Wave(start=-2.0, rate=0.5, amplitude=1.5, omega_radps=1.1, phase_rad=1.0),
    z_m=0.12,
)
TIMES_S = np.array([0.0, 0.4, 3.3, 9.1])


def slope(function):
    return (function(TIMES_S + H_S) - function(TIMES_S - H_S)) / (2 * H_S)


def test_velocity_is_the_slope_of_the_position():
    assert_allclose(CURVE.velocities(TIMES_S), slope(CURVE.positions), atol=1e-6)


def test_acceleration_is_the_slope_of_the_velocity():
    assert_allclose(CURVE.accelerations(TIMES_S), slope(CURVE.velocities), atol=1e-6)


def test_the_turn_rate_is_the_slope_of_the_heading():
    assert_allclose(CURVE.yaw_rates(TIMES_S), slope(CURVE.yaws), atol=1e-6)


def test_a_body_looks_where_it_goes():
    direction = CURVE.poses(TIMES_S)[:, :3, 0]
    speed = np.linalg.norm(CURVE.velocities(TIMES_S), axis=1)
    assert_allclose(direction * speed[:, None], CURVE.velocities(TIMES_S), atol=1e-9)


def test_what_stands_keeps_its_place_and_heading():
    parked = Path.standing(5.0, -3.0, 0.5)
    assert_allclose(parked.positions(TIMES_S), np.tile([5.0, -3.0, 0.0], (4, 1)))
    assert_allclose(parked.yaws(TIMES_S), 0.5)
    assert_allclose(parked.yaw_rates(TIMES_S), 0.0)


def test_a_point_of_the_body_moves_as_its_corner_does():
    corner_body = np.array([2.0, -0.9, 0.3, 1.0])
    places = [CURVE.pose(3.3 + step) @ corner_body for step in (-H_S, 0.0, H_S)]
    expected = (places[2] - places[0])[:3] / (2 * H_S)
    found = CURVE.point_velocities(places[1][None, :3], 3.3)
    assert_allclose(found[0], expected, atol=1e-6)
