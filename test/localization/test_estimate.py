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

"""What is handed out: covariance about the map's axes, and speeds that are known or not."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import ShapeError
from mm_fusion.geometry.rigid import rotation_from_rpy
from mm_fusion.localization.eskf import SIZE, A, P, State, U, believed
from mm_fusion.localization.estimate import PoseEstimate, estimate_of, nowhere


def state(variances=(), **fields):
    made = State(stamp_ns=5, covariance=np.eye(SIZE) * 1e-6, **fields)
    for rows, values in variances:
        made = believed(made, rows, np.array(values, float))
    return made


def test_nowhere_is_the_origin_and_its_motion_unknown():
    pose = nowhere(7)
    assert pose.stamp_ns == 7
    assert_allclose(pose.map_from_ego, np.eye(4))
    assert not pose.motion.known
    assert "nothing heard" in pose.notes[0]


def test_the_angles_vary_about_the_maps_axes():
    # facing north the vehicle's roll is about the map's y, its pitch about minus the map's x
    north = rotation_from_rpy(0, 0, math.pi / 2)
    made = state([(A, (0.01, 0.04, 0.09)), (P, (1, 2, 3))], map_from_ego=north)
    covariance = estimate_of(made, ()).covariance
    assert_allclose(np.diag(covariance), [1, 2, 3, 0.04, 0.01, 0.09], atol=1e-9)


def test_a_heading_not_known_may_be_any():
    covariance = estimate_of(state(held=True), ()).covariance
    assert covariance[5, 5] == pytest.approx(math.pi**2 / 3)  # evenly within a full turn
    assert not covariance[5, :5].any()


@pytest.mark.parametrize(
    ("mps", "std_mps", "known"),
    [(0.0, 0.9, True), (0.0, 1.1, False), (20.0, 4.9, True), (20.0, 5.1, False)],
)
def test_a_speed_is_known_to_a_metre_per_second_or_a_quarter_of_itself(mps, std_mps, known):
    linear = np.array([mps, 0.0, 0.0])
    motion = estimate_of(state([(U, (std_mps**2, 0.01, 0.01))], linear_ego=linear), ()).motion
    assert motion.known is known
    assert_allclose(motion.linear_ego, linear if known else 0)


def test_a_pose_of_another_shape_is_refused():
    pose = nowhere(1)
    with pytest.raises(ShapeError, match="map_from_ego"):
        PoseEstimate(
            stamp_ns=1, map_from_ego=np.eye(3), covariance=pose.covariance, motion=pose.motion
        )
