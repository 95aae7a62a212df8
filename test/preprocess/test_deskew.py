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

"""Deskewing: the fast way is the slow way."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.rigid import moved, transform
from mm_fusion.preprocess.deskew import deskewed, spun_s
from mm_fusion.records import EgoMotion


def test_deskewing_is_the_arc_of_every_point_alone():
    rng = np.random.default_rng(1)
    points, offsets = rng.normal(0, 20, (50, 3)), rng.uniform(-0.1, 0.1, 50).astype(np.float32)
    vehicle = EgoMotion(
        linear_ego=np.array([15, 0.3, -0.1]), angular_ego=np.array([0.02, -0.03, 0.6])
    )
    slow = [
        transform(moved(vehicle.linear_ego, vehicle.angular_ego, float(t)), p[None])[0]
        for t, p in zip(offsets, points, strict=True)
    ]
    assert_allclose(deskewed(points, offsets, vehicle), slow, atol=2e-5)
    straight = EgoMotion(linear_ego=np.array([15.0, 0, 0]), angular_ego=np.zeros(3))
    expected = points + np.outer(offsets, [15, 0, 0])
    assert_allclose(deskewed(points, offsets, straight), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("period_s", "azimuth_deg", "stamp", "ms"),
    [  # of points ahead, to the left, behind on the left (135 degrees), to the right
        (0.1, 0, "start", [0, 25, 37.5, 75]),
        (-0.1, 0, "start", [0, 75, 62.5, 25]),  # clockwise: right before left
        (-0.1, 0, "middle", [0, -25, -37.5, 25]),
        (0.1, 90, "end", [-25, -100, -87.5, -50]),  # a turn ago where it now looks
        (0.05, -90, "start", [12.5, 25, 31.25, 0]),
    ],
)
def test_azimuths_are_times(period_s, azimuth_deg, stamp, ms):
    points = np.array([[8, 0, 1], [0, 5, -1], [-3, 3, 0], [0, -9, 2]], np.float32)
    times_s = spun_s(points, period_s, np.radians(azimuth_deg), stamp)
    assert_allclose(times_s * 1e3, ms, atol=1e-4)


def test_a_turning_vehicle_sees_a_straight_wall_straight_again():
    y = np.linspace(-8, 8, 81)
    wall = np.column_stack([np.full(81, 10.0), y, np.zeros(81)])
    vehicle = EgoMotion(linear_ego=np.array([12.0, 0, 0]), angular_ego=np.array([0, 0, 0.7]))
    seen = wall
    for _ in range(20):  # where each point lies depends on when it is seen, and that on where
        then_s = spun_s(seen.astype(np.float32), -0.1, 0.0, "middle")
        seen = np.concatenate(
            [
                transform(
                    np.linalg.inv(moved(vehicle.linear_ego, vehicle.angular_ego, float(t))), p[None]
                )
                for t, p in zip(then_s, wall, strict=True)
            ]
        )
    assert np.ptp(seen[:, 0]) > 0.2  # m, bent by the motion
    straight = deskewed(seen, spun_s(seen.astype(np.float32), -0.1, 0.0, "middle"), vehicle)
    assert_allclose(straight, wall, atol=1e-3)
