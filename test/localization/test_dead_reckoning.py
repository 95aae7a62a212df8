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

"""Motion added up: straight on, round a bend, over a jump of the map, through a pause."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.rigid import compose, rotation_from_rpy, yaw_of
from mm_fusion.localization.dead_reckoning import DeadReckoning
from mm_fusion.localization.estimate import PoseEstimate
from mm_fusion.records import EgoMotion


def pose(time_s, speed_mps=10.0, turn_radps=0.0, map_from_ego=None, *, known=True):
    return PoseEstimate(
        stamp_ns=round(time_s * 1e9) + 10**18,
        map_from_ego=np.eye(4) if map_from_ego is None else map_from_ego,
        covariance=np.eye(6),
        motion=EgoMotion(
            linear_ego=np.array([speed_mps, 0, 0]),
            angular_ego=np.array([0, 0, turn_radps]),
            known=known,
        ),
    )


def test_a_quarter_of_a_circle_ends_where_it_should():
    # 10 m/s and 0.5 rad/s: a radius of 20 m
    reckoning, quarter_s = DeadReckoning(), np.pi
    for time_s in np.linspace(0, quarter_s, 101):
        odom_from_ego = reckoning.advance(pose(time_s, turn_radps=0.5))
    assert_allclose(odom_from_ego[:3, 3], [20, 20, 0], atol=0.01)
    assert_allclose(yaw_of(odom_from_ego), np.pi / 2)


def test_where_the_map_jumps_the_way_does_not():
    reckoning = DeadReckoning()
    jumped = compose(rotation_from_rpy(0, 0, 0.8), np.array([100.0, -50, 3]))
    reckoning.advance(pose(0.0))
    odom_from_ego = reckoning.advance(pose(0.1, map_from_ego=jumped))
    assert_allclose(odom_from_ego, compose(np.eye(3), np.array([1.0, 0, 0])), atol=1e-12)


@pytest.mark.parametrize("later", [pose(0.1, known=False), pose(1.5)])
def test_where_the_motion_is_not_known_or_the_pause_is_long_the_map_tells_the_way(later):
    moved = compose(np.eye(3), np.array([7.0, 1, 0]))
    reckoning = DeadReckoning()
    reckoning.advance(pose(0.0))
    there = PoseEstimate(
        stamp_ns=later.stamp_ns,
        map_from_ego=moved,
        covariance=later.covariance,
        motion=later.motion,
    )
    assert_allclose(reckoning.advance(there), moved)


def test_a_frame_that_comes_late_is_put_where_the_vehicle_was():
    reckoning = DeadReckoning()
    for time_s in (0.0, 0.1, 0.2):
        reckoning.advance(pose(time_s))
    assert_allclose(reckoning.advance(pose(0.1))[:3, 3], [1, 0, 0], atol=1e-9)
    assert_allclose(reckoning.advance(pose(0.3))[:3, 3], [3, 0, 0], atol=1e-9)


def test_after_a_reset_it_begins_at_the_origin():
    reckoning = DeadReckoning()
    reckoning.advance(pose(0.0))
    reckoning.advance(pose(0.1))
    reckoning.reset()
    assert_allclose(reckoning.advance(pose(0.2)), np.eye(4))
