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

"""Where objects will be, by hand."""

import numpy as np
from numpy.testing import assert_allclose

from mm_fusion.objects import Objects
from mm_fusion.tracking.prediction import ACCELERATION_STD_MPS2, paths, predicted


def moving(velocity, rate, yaw=0.0):
    return Objects.of_boxes(
        np.array([[10.0, 5, 1, 4, 2, 1.5, yaw]]),
        velocities_ego=np.array([velocity]),
        turn_rates_radps=np.array([rate]),
        covariances=np.diag([0.25, 0.25, 1.0, 1.0])[None],
    )


def test_a_straight_object_by_hand():
    after = predicted(moving((3.0, -4.0), 0.0), 0.5)
    assert_allclose(after.centers_ego, [[11.5, 3.0, 1.0]])
    assert_allclose(after.velocities_ego, [[3.0, -4.0]])
    noise = ACCELERATION_STD_MPS2**2 * 0.5**3 / 3
    # turning by an uncertain rate moves it across: (t^2 / 2 * 4)^2 * 0.01 of variance in x
    assert_allclose(after.covariances[0, 0, 0], 0.25 + 0.25 + noise + (0.125 * 4) ** 2 * 0.01)


def test_an_object_of_unknown_velocity_stays_and_says_nothing_new():
    before = moving((np.nan, np.nan), 0.3, yaw=0.2)
    after = predicted(before, 2.0)
    assert_allclose(after.centers_ego, before.centers_ego)
    assert np.isnan(after.velocities_ego).all()
    assert_allclose(after.yaws_rad, [0.2])
    assert_allclose(after.covariances[0, 2:, 2:], before.covariances[0, 2:, 2:])


def test_a_turning_object_turns_its_box_and_its_velocity_alike():
    after = predicted(moving((10.0, 0.0), np.pi / 4), 2.0)
    assert_allclose(after.yaws_rad, [np.pi / 2])
    heading = np.arctan2(after.velocities_ego[0, 1], after.velocities_ego[0, 0])
    assert 0 < heading <= np.pi / 2  # a turn rate fades, the box keeps to it


def test_paths_by_hand():
    straight = paths(moving((2.0, 0.0), np.nan, yaw=0.1), np.array([0.0, 0.5, 3.0]))
    assert_allclose(straight, [[[10, 5, 0.1], [11, 5, 0.1], [16, 5, 0.1]]])
    quarter = paths(moving((10.0, 0.0), np.pi / 4), np.array([2.0]))
    assert_allclose(quarter, [[[22.7324, 17.7324, np.pi / 2]]], atol=1e-4)


def test_nothing_predicts_to_nothing():
    assert len(predicted(Objects.none(), 1.0)) == 0
    assert paths(Objects.none(), np.array([0.5, 1.0])).shape == (0, 2, 3)
