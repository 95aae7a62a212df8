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

"""What hides what, in clouds made by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Camera
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.tracking.visibility import DETECTION, Visibility

LIDAR, RADAR, CAMERA = (DETECTION[kind][0] for kind in ("lidar", "radar", "camera"))
EYE = np.array([0.0, 0.0, 1.7])


def frame(points=(), radar=(), kinds=("lidar", "radar", "camera")):
    points, radar = (np.array(p, np.float32).reshape(-1, 3) for p in (points, radar))
    return EgoFrame(
        stamp_ns=0,
        points_ego=points,
        intensity=np.zeros(len(points), np.float32),
        radar_ego=radar,
        radar_ray_ego=radar,
        radial_speed_mps=np.zeros(len(radar), np.float32),
        rcs_dbsm=np.zeros(len(radar), np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset(kinds),
        present_kinds=frozenset(kinds),
        missing={},
        viewpoint_ego=EYE,
    )


def wall(distance_m, half_width_m, step_m=0.1):
    y, z = np.meshgrid(np.arange(-half_width_m, half_width_m, step_m), np.arange(0.1, 2.5, step_m))
    return np.stack([np.full(y.size, distance_m), y.ravel(), z.ravel()], axis=1)


def car(x, y=0.0):
    return np.array([[x, y, 0.8, 4.2, 1.8, 1.6, 0.0]])


def seen(points=(), radar=(), kinds=("lidar",), boxes=None, cameras=()):
    return Visibility.of(frame(points, radar), kinds, cameras).probability(
        car(20.0) if boxes is None else boxes
    )


def test_a_car_behind_a_wall_is_not_missed_and_one_before_it_is():
    points = wall(15.0, 6.0)
    assert_allclose(seen(points, boxes=car(30.0)), 0.0)
    assert_allclose(seen(points, boxes=car(8.0)), LIDAR)


def test_half_a_car_behind_a_wall_is_half_seen():
    right = wall(15.0, 6.0) + np.array([0, -6.0, 0])  # of the axis
    points = np.concatenate([right, wall(40.0, 12.0)])
    (half,) = seen(points, boxes=car(30.0))
    assert 0.3 * LIDAR < half < 0.7 * LIDAR


def test_where_no_beam_went_nothing_is_seen():
    points = wall(40.0, 10.0)  # ahead only
    assert_allclose(seen(points, boxes=car(-20.0)), 0.0)
    assert_allclose(seen(points, boxes=car(20.0)), LIDAR)


def test_its_own_points_do_not_hide_a_car():
    assert_allclose(seen(wall(17.9, 0.9), boxes=car(20.0)), LIDAR)


def test_a_sensor_that_is_not_there_sees_nothing():
    assert_allclose(seen((), boxes=car(20.0)), 0.0)
    assert len(seen(wall(40, 9), boxes=np.zeros((0, 7)))) == 0


def test_farther_is_less_probable_and_beyond_reach_impossible():
    points = np.concatenate([wall(120.0, 40.0, 0.3)])
    near, middle, far = (seen(points, boxes=car(x))[0] for x in (39.0, 60.0, 81.0))
    assert_allclose([near, middle, far], [LIDAR, LIDAR / 2, 0.0])


@pytest.mark.parametrize(("x", "y", "probability"), [(20, 0, RADAR), (0.1, 20, 0), (-20, 0, 0)])
def test_a_radar_looks_where_returns_came_from(x, y, probability):
    assert_allclose(seen(radar=[(50, 0, 0)], kinds=("radar",), boxes=car(x, y)), probability)


def test_two_kinds_miss_an_object_only_together():
    both = seen(wall(40, 10), radar=[(50, 0, 0)], kinds=("lidar", "radar"))
    assert_allclose(both, 1 - (1 - LIDAR) * (1 - RADAR))


def test_a_detector_that_does_not_use_a_kind_misses_nothing_by_it():
    assert_allclose(seen(wall(40, 10), kinds=("camera",)), 0.0)


def test_a_camera_sees_what_is_in_its_picture():
    ego_from_camera = np.eye(4)
    ego_from_camera[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]  # looks along x
    camera = Camera(
        name="front",
        image_from_camera=np.array([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]]),
        ego_from_camera=ego_from_camera,
        size_px=(640, 480),
    )
    # 320 / 400: 0.8 m aside per metre ahead
    boxes = np.concatenate([car(20, 15.5), car(20, 16.5), car(-20)])
    assert_allclose(seen(kinds=("camera",), cameras=[camera], boxes=boxes), [CAMERA, 0, 0])
