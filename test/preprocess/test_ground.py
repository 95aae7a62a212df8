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

"""Where the ground is: planes that are known, and what must not lift or lower them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import GeometricConfig
from mm_fusion.geometry.rigid import transform
from mm_fusion.preprocess.ground import find_ground
from mm_fusion.recordings.open import open_recording

PLACES = np.array([[0.0, 0], [10, 0], [-12, 7], [20, -15]])


def plain(a=0.0, b=0.0, c=0.0, reach=40.0, step=0.5):
    """A plane z = a x + b y + c on a jittered grid."""
    grid = np.arange(-reach, reach, step)
    rng = np.random.default_rng(0)
    x, y = (v.ravel() + rng.uniform(-0.2, 0.2, v.size) for v in np.meshgrid(grid, grid))
    return np.stack([x, y, a * x + b * y + c], axis=1)


def block(x, y, length, width, top, step=0.2):
    """A solid thing on the ground: its roof and its sides, all the ground below it hidden."""
    u, v = np.meshgrid(
        np.arange(-length / 2, length / 2, step), np.arange(-width / 2, width / 2, step)
    )
    roof = np.stack([x + u.ravel(), y + v.ravel(), np.full(u.size, top)], axis=1)
    sides = [
        np.column_stack([x + s * length / 2 + 0 * t, y + t, h + 0 * t])
        for s in (-1, 1)
        for t in [np.arange(-width / 2, width / 2, step)]
        for h in np.arange(0.3, top, 0.2)
    ]
    return np.concatenate([roof, *sides])


def ground_of(*parts, **settings):
    return find_ground(np.concatenate(parts).astype(np.float32), GeometricConfig(**settings))


def without(points, x, y, length, width):
    under = (np.abs(points[:, 0] - x) < length / 2) & (np.abs(points[:, 1] - y) < width / 2)
    return points[~under]


@pytest.mark.parametrize("plane", [(0, 0, 0), (0, 0, -1.7), (0.06, 0, 0.2), (0.05, -0.08, 0)])
def test_a_plane_is_found_as_it_is(plane):
    a, b, c = plane
    expected = PLACES @ [a, b] + c
    assert_allclose(ground_of(plain(*plane)).height(PLACES), expected, atol=0.06)


def test_without_points_the_ground_is_the_vehicles_own_level():
    ground = find_ground(np.zeros((0, 3), np.float32), GeometricConfig())
    assert_allclose(ground.height(PLACES), 0)


def test_a_few_points_say_a_level_and_no_slope():
    # three cells carry no plane; a tenth of the way from the lowest to the next: 0.1 * 0.2 * 2
    points = np.array([[5.0, 0, 0.0], [0, 5, 0.2], [-5, 0, 0.4]], np.float32)
    ground = find_ground(points, GeometricConfig())
    assert_allclose(ground.plane, [0, 0, 0.04], atol=1e-6)


def test_a_bus_does_not_lift_the_ground_it_hides():
    # 6 m x 2.5 m: less than the opening of 7 m
    bus = block(12, 3, 6.0, 2.5, 3.0)
    ground = ground_of(without(plain(), 12, 3, 6.0, 2.5), bus)
    assert_allclose(ground.height(np.array([[12.0, 3], [14, 3], [12, 6]])), 0, atol=0.1)


def test_a_car_park_full_of_cars_is_still_flat():
    road, cars = plain(), []
    for x in (8.0, 14.0, 20.0):
        for y in (-9.0, -6.0, 6.0, 9.0):
            road = without(road, x, y, 4.2, 1.8)
            cars.append(block(x, y, 4.2, 1.8, 1.5))
    at = np.array([[8.0, 6], [14, -6], [20, 9], [14, 0]])
    assert_allclose(ground_of(road, *cars).height(at), 0, atol=0.1)


def test_reflections_from_below_do_not_pull_it_down():
    rng = np.random.default_rng(1)
    ghosts = np.column_stack([rng.uniform(-30, 30, (150, 2)), rng.uniform(-6, -2, 150)])
    assert_allclose(ground_of(plain(), ghosts).height(PLACES), 0, atol=0.1)


def test_a_pavement_is_followed_up_its_kerb():
    # 0.15 m higher from y = 6 m on
    road = plain()
    road[:, 2] += np.where(road[:, 1] > 6, 0.15, 0)
    heights = ground_of(road).height(np.array([[5.0, 0], [5, 12]]))
    assert_allclose(heights, [0, 0.15], atol=0.04)


def test_no_slope_beyond_the_setting_is_believed():
    steep = ground_of(plain(a=0.5), ground_slope=0.1)
    assert np.hypot(*steep.plane[:2]) <= 0.1 + 1e-9


def test_beyond_the_range_the_plane_goes_on():
    # z = 0.05 x: at 500 m that is 25 m
    ground = ground_of(plain(a=0.05), range_m=50.0)
    assert_allclose(ground.height(np.array([[500.0, 0]])), 25, atol=0.5)


def test_points_beyond_the_range_change_nothing():
    far = np.array([[200.0, 0, -50], [-300, 10, 80]])
    near = ground_of(plain(), range_m=50.0)
    both = ground_of(plain(), far, range_m=50.0)
    assert_allclose(both.height(PLACES), near.height(PLACES), atol=1e-9)


def test_moving_the_sensor_up_moves_the_ground_down():
    low, high = ground_of(plain(0.03, -0.02, 0)), ground_of(plain(0.03, -0.02, -1.5))
    assert_allclose(low.height(PLACES) - high.height(PLACES), 1.5, atol=0.02)


def test_heights_above_the_plane_leave_out_what_rises_from_it():
    # z = 0.05 x: at 20 m that is 1 m
    ground = ground_of(plain(a=0.05))
    above = ground.above_plane(np.array([[20.0, 0, 1.0], [20, 0, 3.0], [-20, 5, 0.0]]))
    assert_allclose(above, [0, 2, 1], atol=0.1)


def test_the_highest_beam_is_the_steepest_from_the_sensor():
    # from 1.8 m up to 3.8 m at 10 m: a fifth; the point at 3 m is too near to tell
    points = np.array([[10.0, 0, 3.8], [-20, 0, 3.8], [3, 0, 4.0], [0, 15, 0]], np.float32)
    level = find_ground(np.zeros((0, 3), np.float32), GeometricConfig())
    start, rise = level.highest_sight(points, np.array([0, 0, 1.8]))
    assert_allclose([start, rise], [1.8, 0.2], atol=1e-6)


def test_a_sensor_that_looks_down_only_sees_no_higher_than_itself():
    points = np.array([[10.0, 0, 0.0], [-20, 0, 1.0]], np.float32)
    level = find_ground(np.zeros((0, 3), np.float32), GeometricConfig())
    assert level.highest_sight(points, np.array([0, 0, 1.8])) == (pytest.approx(1.8), 0.0)
    nothing = np.zeros((0, 3), np.float32)
    assert level.highest_sight(nothing, np.array([0, 0, 1.8])) == (pytest.approx(1.8), 0.0)


def test_the_ground_of_a_real_scan_lies_below_the_sensor_by_its_height(kitti_raw):
    # the Velodyne of KITTI's car sits 1.73 m above the road
    for frame in open_recording(kitti_raw).frames():
        ego_from_lidar = frame.calibration.ego_from["lidar"]
        points = transform(ego_from_lidar, frame.records["lidar"].points_lidar)
        ground = find_ground(points.astype(np.float32), GeometricConfig())
        height = ego_from_lidar[2, 3] - ground.height(ego_from_lidar[None, :2, 3])
        assert_allclose(height, 1.73, atol=0.1)
