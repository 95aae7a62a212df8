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

"""The L a LiDAR sees of a car, and the rectangle through it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.detection.clusters import Clusters
from mm_fusion.detection.rectangles import CLOSEST_M, fit, turned


def clusters_of(*groups):
    xy = np.concatenate([np.zeros((0, 2)), *groups])
    flat = np.zeros(len(xy))
    return Clusters(
        xy=xy,
        low=flat,
        high=flat,
        points=np.ones(len(xy), np.int64),
        start=np.concatenate([[0], np.cumsum([len(g) for g in groups])]).astype(np.int64),
        whole=np.ones(len(groups), np.bool_),
    )


def two_faces(angle=0.0, at=(10.0, 4.0), length=4.2, width=1.8):
    """The rear and one side of a car whose corner is at a place, heading at an angle."""
    along = np.column_stack([np.arange(0, length, 0.1), np.zeros(round(length * 10))])
    across = np.column_stack([np.zeros(round(width * 10)), np.arange(0, width, 0.1)])
    return turned(np.concatenate([along, across]), angle) + at


def test_turning_is_anticlockwise():
    assert_allclose(turned(np.array([[2.0, 1.0]]), np.pi / 2), [[-1, 2]], atol=1e-12)


def test_points_may_each_turn_by_their_own_angle():
    xy = np.array([[1.0, 0], [1, 0]])
    assert_allclose(turned(xy, np.array([0.0, np.pi])), [[1, 0], [-1, 0]], atol=1e-12)


@pytest.mark.parametrize("degrees", [0, 12, 45, 60, 87])
def test_the_angle_of_two_faces_is_found(degrees):
    found = fit(clusters_of(two_faces(np.radians(degrees))))
    assert_allclose(np.degrees(found.angle), [degrees], atol=1e-9)


@pytest.mark.parametrize("degrees", [100, 190, 271])
def test_the_angle_is_one_of_the_first_quarter(degrees):
    found = fit(clusters_of(two_faces(np.radians(degrees))))
    error = (np.degrees(found.angle[0]) - degrees + 45) % 90 - 45
    assert abs(error) <= 1.5  # angles are tried every 3 degrees
    assert 0 <= found.angle[0] < np.pi / 2


def test_the_rectangle_is_the_one_around_the_points():
    # 4.1 m x 1.7 m: the last points of 4.2 and 1.8 m at steps of 0.1
    found = fit(clusters_of(two_faces(at=(10, 4))))
    assert_allclose(found.low, [[10, 4]])
    assert_allclose(found.high, [[14.1, 5.7]])


def test_every_cell_lies_in_its_rectangle():
    rng = np.random.default_rng(0)
    groups = [rng.normal(10 * k, 1, (30, 2)) for k in range(4)]
    clusters = clusters_of(*groups)
    found = fit(clusters)
    for k, group in enumerate(groups):
        along = turned(group, -found.angle[k])
        assert (along >= found.low[k] - 1e-9).all()
        assert (along <= found.high[k] + 1e-9).all()


def test_an_l_is_as_close_as_can_be_and_a_blob_is_not():
    blob = np.random.default_rng(1).uniform(-1, 1, (200, 2))
    found = fit(clusters_of(two_faces(), blob + np.array([20, 0])))
    assert_allclose(found.closeness[0], 1.0, atol=1e-6)
    assert found.closeness[1] < 0.6


def test_closeness_by_hand():
    # a square of four corners 2 m apart, one more point in its middle, 1 m from every edge
    corners = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2], [1, 1]])
    found = fit(clusters_of(corners))
    assert_allclose(found.closeness, [(4 + CLOSEST_M / 1.0) / 5], rtol=1e-5)


def test_no_clusters_have_no_rectangles():
    found = fit(clusters_of())
    assert found.angle.shape == (0,)
    assert found.low.shape == (0, 2)


def test_the_fit_of_one_does_not_depend_on_the_others():
    one, other = two_faces(0.4), two_faces(1.1, at=(-8, 3))
    together, alone = fit(clusters_of(one, other)), fit(clusters_of(other))
    assert_allclose(together.angle[1], alone.angle[0])
    assert_allclose(together.low[1], alone.low[0])
    assert_allclose(together.closeness[1], alone.closeness[0])
