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

"""Radial speeds become velocities, as far as geometry allows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.detection.radial import members_of, moving_in, radial_velocity, with_velocities
from mm_fusion.objects import CLASSES, SEEN_BY, Objects
from mm_fusion.records import EgoFrame, EgoMotion

CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")
AHEAD = np.array([1.0, 0.0])


def heading(degrees):
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def frame(radar, speeds):
    radar = np.array(radar, np.float32).reshape(-1, 3)
    rays = radar / np.maximum(np.linalg.norm(radar, axis=1, keepdims=True), 1e-6)
    return EgoFrame(
        stamp_ns=1,
        points_ego=np.zeros((0, 3), np.float32),
        intensity=np.zeros(0, np.float32),
        radar_ego=radar,
        radar_ray_ego=rays.astype(np.float32),
        radial_speed_mps=np.array(speeds, np.float32),
        rcs_dbsm=np.zeros(len(radar), np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset({"radar"}),
        present_kinds=frozenset({"radar"}),
        missing={},
    )


def objects(*boxes, label=CAR):
    return Objects.of_boxes(np.array(boxes, np.float64), labels=np.full(len(boxes), label))


def test_a_car_that_drives_across_the_ray_is_faster_than_its_radial_speed():
    # 5 m/s along the ray, heading 30 degrees off: 5 / cos(30 deg) = 5.774 m/s along the heading
    velocity, covariance = radial_velocity(5.0, AHEAD, heading(30))
    assert_allclose(velocity, 5.7735 * heading(30), atol=1e-4)
    along = heading(30) @ covariance @ heading(30)
    across = heading(120) @ covariance @ heading(120)
    assert_allclose([along, across], [(0.3 / np.cos(np.radians(30))) ** 2, 0.25])


def test_a_heading_towards_us_turns_a_closing_speed_into_driving_ahead():
    velocity, _ = radial_velocity(-8.0, AHEAD, heading(180))
    assert_allclose(velocity, [-8, 0], atol=1e-12)


def test_a_heading_across_the_ray_says_nothing_of_the_speed():
    # 61 degrees: the cosine is below one half
    velocity, covariance = radial_velocity(2.0, AHEAD, heading(61))
    assert_allclose(velocity, [2, 0])
    assert_allclose(np.diagonal(covariance), [0.09, 16])


@pytest.mark.parametrize(("x", "within"), [(12.59, True), (12.61, False), (7.41, True)])
def test_a_return_half_a_metre_outside_is_the_objects(x, within):
    # from 7.9 to 12.1 m, and half a metre more
    box = np.array([[10.0, 0, 0.8, 4.2, 1.8, 1.6, 0]])
    assert members_of(box, np.array([[x, 0, 5.0]], np.float32)).tolist() == [[within]]


def test_members_turn_with_the_box():
    box = np.array([[10.0, 0, 0.8, 4.2, 1.8, 1.6, np.pi / 2]])
    returns = np.array([[10.0, 2.5, 0], [12.5, 0, 0]], np.float32)
    assert members_of(box, returns).tolist() == [[True, False]]


def test_the_median_of_the_returns_counts_not_the_stray_one():
    seen, used = with_velocities(
        objects([20.0, 0, 0.8, 4.2, 1.8, 1.6, 0]),
        frame([[19, 0, 0], [20, 0, 0], [21, 0, 0], [40, 0, 0]], [6, 6, -30, 0]),
    )
    assert_allclose(seen.velocities_ego, [[6, 0]], atol=1e-6)
    assert seen.evidence.tolist() == [SEEN_BY["radar"]]
    assert used.tolist() == [True, True, True, False]


def test_an_object_without_returns_keeps_an_unknown_velocity():
    seen, used = with_velocities(
        objects([20.0, 9, 0.8, 4.2, 1.8, 1.6, 0]), frame([[20, 0, 0]], [3])
    )
    assert np.isnan(seen.velocities_ego).all()
    assert seen.evidence.tolist() == [0]
    assert not used.any()


def test_a_pedestrian_may_walk_sideways():
    (box,) = [[10.0, 0, 0.9, 0.5, 0.5, 1.8, 0.7]]
    walker, _ = with_velocities(objects(box, label=PEDESTRIAN), frame([[10, 0, 1]], [1.2]))
    assert_allclose(walker.velocities_ego, [[1.2, 0]], atol=1e-6)
    assert walker.covariances[0, 3, 3] == 16


def test_objects_given_are_not_changed():
    given = objects([20.0, 0, 0.8, 4.2, 1.8, 1.6, 0])
    with_velocities(given, frame([[20, 0, 0]], [6]))
    assert np.isnan(given.velocities_ego).all()
    assert given.evidence.tolist() == [0]


def test_only_what_moves_is_counted_whichever_way():
    plan = np.array([[20.0, 0, 4.2, 1.8, 0], [50, 0, 4.2, 1.8, 0]])
    returns = [[20, 0, 0], [20.5, 0, 0], [19.5, 0, 0], [51, 0, 0]]
    assert moving_in(plan, frame(returns, [1.1, -1.1, 0.9, 0.2]), 1.0).tolist() == [2, 0]
