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
from numpy.testing import assert_allclose

from mm_fusion.geometry.rigid import moved, transform
from mm_fusion.preprocess.deskew import deskewed
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
