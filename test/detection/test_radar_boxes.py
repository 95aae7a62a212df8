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

"""Boxes of returns alone: how many, where, and how sure."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.radar_boxes import BEST, HALF, radar_objects
from mm_fusion.objects import CLASSES, SEEN_BY, UNKNOWN
from mm_fusion.preprocess.ground import find_ground
from mm_fusion.records import EgoFrame, EgoMotion

CAR = CLASSES.index("car")


def on_a_car(x, y, count=14, seed=0):
    """Returns of a car of 4.2 m x 1.8 m that heads along x: most are of its near end."""
    rng = np.random.default_rng(seed)
    return rng.uniform((x - 2, y - 0.8, -2), (x - 0.6, y + 0.8, 2), (count, 3))


def frame(*returns, speed=0.0):
    radar = np.concatenate([np.zeros((0, 3)), *returns]).astype(np.float32)
    rays = radar / np.maximum(np.linalg.norm(radar, axis=1, keepdims=True), 1e-6)
    speeds = np.broadcast_to(np.asarray(speed, np.float32), len(radar))
    return EgoFrame(
        stamp_ns=1,
        points_ego=np.zeros((0, 3), np.float32),
        intensity=np.zeros(0, np.float32),
        radar_ego=radar,
        radar_ray_ego=rays.astype(np.float32),
        radial_speed_mps=speeds,
        rcs_dbsm=np.zeros(len(radar), np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset({"radar"}),
        present_kinds=frozenset({"radar"}),
        missing={},
    )


def heard(*returns, speed=0.0, ground=None, **settings):
    seen = frame(*returns, speed=speed)
    rows = np.ones(len(seen.radar_ego), np.bool_)
    return radar_objects(seen, rows, ground, GeometricConfig(**settings))


def level(height):
    plan = np.random.default_rng(0).uniform(-60, 60, (8000, 2))
    points = np.column_stack([plan, np.full(len(plan), height)]).astype(np.float32)
    return find_ground(points, GeometricConfig())


def test_each_of_three_cars_is_found_near_its_place():
    places = [(20.0, 0.0), (20.0, -8.0), (35.0, 5.0)]
    found = heard(*(on_a_car(*p, seed=k) for k, p in enumerate(places)))
    assert len(found) == 3
    assert found.labels.tolist() == [CAR] * 3
    assert found.evidence.tolist() == [SEEN_BY["radar"]] * 3
    for place in places:
        distance = np.linalg.norm(found.centers_ego[:, :2] - place, axis=1)
        assert distance.min() < 2.0


@pytest.mark.parametrize(("count", "found"), [(5, 0), (7, 1)])
def test_an_object_needs_to_be_worth_as_many_returns_as_the_setting_says(count, found):
    # each is worth at most one, a little less where the box does not fit them wholly
    assert len(heard(on_a_car(20, 0, count=count), radar_min_worth=6)) == found


def test_no_returns_are_no_objects():
    assert len(heard()) == 0


def test_what_is_beyond_the_range_is_left_out():
    assert len(heard(on_a_car(50, 0), range_m=40.0)) == 0


def test_returns_that_a_lidar_object_has_used_are_left_out():
    seen = frame(on_a_car(20, 0))
    none = np.zeros(len(seen.radar_ego), np.bool_)
    assert len(radar_objects(seen, none, None, GeometricConfig())) == 0


def test_with_a_lidar_only_what_moves_counts():
    ground = level(0.0)
    assert len(heard(on_a_car(20, 0), speed=0.9, ground=ground, radar_moving_mps=1.0)) == 0
    assert len(heard(on_a_car(20, 0), speed=-1.1, ground=ground, radar_moving_mps=1.0)) == 1


def test_boxes_stand_on_the_ground_that_is_known():
    # half of 1.55 m above a ground 1.5 m below the origin
    (found,) = [heard(on_a_car(20, 0), speed=5.0, ground=level(-1.5))]
    assert_allclose(found.centers_ego[0, 2], -1.5 + 0.775, atol=0.05)
    assert_allclose(heard(on_a_car(20, 0)).centers_ego[0, 2], 0.775)


def test_a_few_returns_are_something_and_many_are_a_car():
    few, many = heard(on_a_car(20, 0, count=4)), heard(on_a_car(20, 0, count=20))
    assert few.labels.tolist() == [UNKNOWN]
    assert many.labels.tolist() == [CAR]
    assert 0 < few.scores[0] < many.scores[0] < BEST


def test_the_score_is_by_the_returns_a_box_is_worth():
    # no more than 20 / (20 + 16) of BEST, for none is held twice
    (score,) = heard(on_a_car(20, 0, count=20)).scores
    assert score <= BEST * 20 / (20 + HALF)


def test_the_velocity_is_the_median_along_the_ray():
    speeds = np.full(15, 7.0)
    speeds[:3] = -20
    found = heard(on_a_car(20, 0, count=15), speed=speeds)
    velocity = found.velocities_ego[0]
    assert_allclose(np.hypot(*velocity), 7.0, atol=1e-5)
    assert abs(velocity[1]) < 0.3  # straight ahead, but for the returns' mean azimuth
    assert found.covariances[0, 3, 3] > 10  # across the ray nothing is known


def test_the_order_of_the_returns_changes_nothing():
    returns = np.concatenate([on_a_car(20, 0), on_a_car(30, 7, seed=1)])
    mixed = np.random.default_rng(3).permutation(returns)
    one, other = heard(returns), heard(mixed)
    assert_allclose(
        one.boxes[one.centers_ego[:, 0].argsort()],
        other.boxes[other.centers_ego[:, 0].argsort()],
        atol=1e-5,
    )
