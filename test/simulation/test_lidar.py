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

"""The spinning LiDAR measures what stands there, from where it is at each instant."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.simulation.lidar import Lidar
from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.mesh import box
from mm_fusion.simulation.rig import LidarModel

from .conftest import WHITE, plate, straight

EXACT = LidarModel(
    ego_from_lidar=np.eye(4), columns=360, beams=5, range_std_m=0.0, stray_share=0.0
)  # beams at 2, -4.7, -11.4, -18.1, -24.8 degrees


def scan(world, model=EXACT, time_s=0.0):
    return Lidar(model).scan(world, time_s, 10**9, np.random.default_rng(0))


def angles(points):
    azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    return azimuth, np.degrees(np.arcsin(points[:, 2] / np.linalg.norm(points, axis=1)))


@pytest.fixture
def room(build):
    """Walls 10 m away on all sides."""
    return build(box((20.0, 20.0, 40.0), (0.0, 0.0, 0.0), WHITE, Material.PLASTER))


def test_walls_at_10_m_are_measured_at_10_m(room):
    points = scan(room).points_lidar
    assert_allclose(np.abs(points[:, :2]).max(axis=1), 10.0, atol=1e-4)
    assert len(points) == 360 * 5


def test_the_beams_have_the_angles_of_the_model(room):
    found = scan(room)
    _, elevation = angles(found.points_lidar)
    expected = np.linspace(2.0, -24.8, 5)[found.ring]
    assert_allclose(elevation, expected, atol=1e-3)


def test_the_times_of_points_span_the_revolution_and_forward_is_the_stamp(room):
    found = scan(room)
    azimuth, _ = angles(found.points_lidar)
    assert_allclose(found.offset_s, -0.1 * azimuth / 360, atol=1e-6)  # clockwise, rear to rear
    assert_allclose([found.offset_s.min(), found.offset_s.max()], [-0.05, 0.05], atol=1e-3)


def test_a_moving_lidar_sees_the_wall_come_nearer_within_one_scan(build):
    found = scan(build(plate(30.0), ego=straight(0.0, speed_mps=20.0)))
    azimuth, elevation = angles(found.points_lidar)
    level = np.abs(elevation - 2.0) < 0.1
    # at offset t the sensor is at x = 20 t, so the wall is 30 - 20 t ahead
    expected = 30.0 - 20.0 * found.offset_s[level]
    assert_allclose(found.points_lidar[level, 0], expected, atol=1e-3)
    assert np.ptp(azimuth[level]) > 30


def test_dark_surfaces_are_lost_where_bright_ones_are_seen(build):
    # power falls with range squared: rubber (0.06) is seen to 77 m, a sign (1.0) to 316 m
    forward = replace(EXACT, beams=1, lowest_rad=0.0, highest_rad=0.0, columns=720)
    seen = {}
    for material in (Material.RUBBER, Material.SIGN):
        for range_m in (30.0, 90.0):
            world = build(plate(range_m, material, width_m=4.0))
            seen[material, range_m] = len(scan(world, forward).points_lidar)
    assert seen[Material.RUBBER, 30.0] == seen[Material.SIGN, 30.0] > 5
    assert seen[Material.RUBBER, 90.0] < seen[Material.SIGN, 90.0]
    assert seen[Material.SIGN, 90.0] >= 4


def test_noise_has_the_standard_deviation_of_the_model(room):
    noisy = scan(room, replace(EXACT, range_std_m=0.05)).points_lidar
    exact = scan(room).points_lidar
    error = np.linalg.norm(noisy, axis=1) - np.linalg.norm(exact, axis=1)
    assert 0.045 < error.std() < 0.055  # 1800 samples: 3 sigma of the estimate is 0.0025
    assert abs(error.mean()) < 0.004
