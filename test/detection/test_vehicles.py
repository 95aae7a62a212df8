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

"""The car that explains a cluster: boxes tried, what speaks for each, and the one that is taken."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import GeometricConfig
from mm_fusion.detection import rectangles, vehicles
from mm_fusion.detection.clusters import Clusters
from mm_fusion.detection.freespace import look
from mm_fusion.detection.rectangles import Rectangles, turned
from mm_fusion.detection.trials import (
    CELL_M,
    LENGTHS_M,
    WIDTH_M,
    by_size,
    laid,
    near_faces,
    outermost,
    plan_of,
)
from mm_fusion.preprocess.ground import find_ground

EYE = np.array([0.0, 0.0, 1.8])
LEVEL = find_ground(np.zeros((0, 3), np.float32), GeometricConfig())
STRAIGHT = np.zeros((1, 1))  # one cluster, one heading


def clusters_of(*groups):
    xy = np.concatenate([np.zeros((0, 2)), *groups])
    return Clusters(
        xy=xy,
        low=np.full(len(xy), 0.3),
        high=np.full(len(xy), 1.4),
        points=np.ones(len(xy), np.int64),
        start=np.concatenate([[0], np.cumsum([len(g) for g in groups])]).astype(np.int64),
        whole=np.ones(len(groups), np.bool_),
    )


def line(a, b, step=0.1):
    count = round(float(np.hypot(b[0] - a[0], b[1] - a[1])) / step) + 1
    return np.linspace(a, b, count)


def space_of(*groups):
    points = np.concatenate([np.zeros((0, 2)), *groups])
    points = np.column_stack([points, np.full(len(points), 0.8)]).astype(np.float32)
    return look(points, points[:, 2], EYE, LEVEL, 60.0)


def fitted(*groups, rows=None):
    grouped = clusters_of(*groups)
    rows = np.ones(len(groups), np.bool_) if rows is None else np.array(rows)
    return vehicles.fit(grouped, rectangles.fit(grouped), space_of(*groups), rows)


def l_shape(x, y, yaw=0.0, length=4.2, width=1.8):
    """The rear and the near side of a car at a place, as seen from the origin (y > 0)."""
    rear = line((-length / 2, -width / 2), (-length / 2, width / 2))
    side = line((-length / 2, -width / 2), (length / 2, -width / 2))
    return turned(np.concatenate([rear, side]), yaw) + np.array([x, y])


@pytest.mark.parametrize("yaw", [0.0, np.radians(12), np.radians(-9)])
def test_two_faces_give_the_whole_car(yaw):
    found = fitted(l_shape(12, 5, yaw))
    # lengths are tried 0.7 m apart, growing from the corner that is seen: half of it at the centre
    assert_allclose(found.centre, [[12, 5]], atol=0.36)
    assert_allclose(found.size, [[4.2, 1.8]], atol=0.71)
    assert abs(np.sin(found.yaw[0] - yaw)) < np.sin(np.radians(3))
    assert found.possible.tolist() == [1]


def test_of_a_rear_face_alone_the_car_lies_behind_it():
    # the face is at x = 10; the middle of a usual car is 2.1 m farther
    found = fitted(line((10, -0.9), (10, 0.9)))
    assert_allclose(found.centre, [[12.1, 0]], atol=0.3)
    assert abs(np.cos(found.yaw[0])) > 0.99


def test_what_is_wider_than_any_car_is_none():
    found = fitted(np.concatenate([line((10, -3), (10, 3)), line((10, -3), (15, -3))]))
    assert found.possible.tolist() == [0]


def test_clusters_that_were_not_asked_for_are_no_cars():
    found = fitted(l_shape(12, 5), l_shape(25, 5), rows=[True, False])
    assert found.possible.tolist() == [1, 0]
    assert_allclose(found.size[1], 0)


def test_no_clusters_have_no_fits():
    found = fitted()
    assert found.centre.shape == (0, 2)
    assert found.became.shape == (0, 4)


def test_the_scene_has_the_angle_of_its_long_straight_things():
    def one(angle, length):
        return Rectangles(
            angle=np.array([angle]),
            low=np.zeros((1, 2)),
            high=np.array([[length, 1.0]]),
            closeness=np.ones(1),
        )

    def both(a, b):
        return Rectangles(
            **{f: np.concatenate([getattr(a, f), getattr(b, f)]) for f in Rectangles.__slots__}
        )

    road, bush = one(np.radians(20), 10.0), one(np.radians(70), 1.5)
    # what is no longer than 1.5 m has no say
    assert_allclose(np.degrees(vehicles.scene_angle(both(road, bush))), 20)
    # 85 and 5 degrees are 10 apart modulo 90, their mean is 0
    crossing = both(one(np.radians(85), 6.0), one(np.radians(5), 6.0))
    assert_allclose(vehicles.scene_angle(crossing), 0, atol=1e-9)


def test_a_box_grows_from_the_measured_end_either_way():
    # 1 m x 0.5 m measured: the box of 3.5 m keeps its low end, or its high one
    low, high = np.array([[[10.0, 2.0]]]), np.array([[[11.0, 2.5]]])
    tried = laid(low, high, STRAIGHT, np.zeros(2))
    first = tried.low[0, 0], tried.high[0, 0]
    ends = {tuple(np.round([*a, *b], 6)) for a, b in zip(*first, strict=True)}
    assert len(first[0]) == len(LENGTHS_M) * 4
    assert (10.0, 2.0, 13.5, 3.8) in ends  # away and to the left
    assert (7.5, 0.7, 11.0, 2.5) in ends  # towards us and to the right
    assert_allclose(np.ptp(np.stack(first), axis=0)[:4], np.tile([3.5, WIDTH_M], (4, 1)))


def test_a_box_is_never_smaller_than_what_was_measured():
    low, high = np.array([[[10.0, 2.0]]]), np.array([[[15.2, 4.3]]])
    tried = laid(low, high, STRAIGHT, np.zeros(2))
    assert_allclose(tried.high - tried.low, np.broadcast_to([5.2, 2.3], (1, 1, 12, 2)))


def test_only_faces_that_look_at_us_are_seen():
    # straight ahead: the rear face is seen at its whole width, no side at all
    low, high = np.array([[[10.0, -0.9]]]), np.array([[[10.0, 0.9]]])
    tried = laid(low, high, STRAIGHT, np.zeros(2))
    away = tried.low[0, 0, :, 0] == 10.0
    assert_allclose(tried.seen[0, 0, away, 1], 0)
    assert (tried.seen[0, 0, away, 0] > 1.4).all()
    assert_allclose(tried.edge[0, 0, away, 0], 10.0)


def test_sizes_that_most_cars_have_cost_least():
    low, high = np.array([[[10.0, 2.0]]]), np.array([[[11.0, 2.5]]])
    tried = laid(low, high, STRAIGHT, np.zeros(2))
    cost = by_size(np.array([[[1.0, 0.5]]]), tried)[0, 0]
    # 0.15 for each metre off 4.2: 3.5, 4.2 and 4.9 m
    assert_allclose(cost[[0, 4, 8]], [-0.105, 0, -0.105], atol=1e-12)
    # 5.9 m measured are 1 m longer than the longest car: half a point more
    wide = by_size(np.array([[[5.9, 0.5]]]), tried)[0, 0]
    assert_allclose(wide - cost, -0.5)


def test_cells_on_a_visible_face_are_near_and_those_behind_are_not():
    on, off = line((10, -0.8), (10, 0.8)), line((10.9, -0.4), (10.9, 0.4))
    low, high = np.array([[[10.0, -0.9]]]), np.array([[[14.2, 0.9]]])
    tried = laid(low, high, STRAIGHT, np.zeros(2))
    for cells, nearness in ((on, 1.0), (off, 0.0)):
        clusters = clusters_of(cells)
        along = cells[:, None]
        near = near_faces(clusters, along, tried, np.ones(len(cells), np.bool_))
        faces_there = tried.low[0, 0, :, 0] == 10.0  # the longest also end there, and begin before
        assert_allclose(near[0, 0, faces_there], nearness, atol=1e-6)


def test_the_first_in_each_direction_is_outermost():
    # 10.1 m is within 0.2 m of the first, 10.5 m is not
    clusters = clusters_of(np.array([[10.0, 0.05], [10.1, 0.05], [10.5, 0.05]]))
    assert outermost(clusters, space_of()).tolist() == [True, True, False]


def test_each_cluster_has_its_own_first():
    clusters = clusters_of(np.array([[10.0, 0.05]]), np.array([[20.0, 0.1]]))
    assert outermost(clusters, space_of()).tolist() == [True, True]


def test_a_box_over_somebody_elses_cells_is_taken():
    mine, other = line((10, -0.9), (10, 0.9)), line((12, -0.9), (12, 0.9))
    clusters = clusters_of(mine, other)
    low, high = np.array([[[10.0, -0.9]], [[12.0, -0.9]]]), np.array([[[10.0, 0.9]], [[12.0, 0.9]]])
    tried = laid(low, high, np.zeros((2, 1)), np.zeros(2))
    taken = plan_of(clusters, np.array([True, True])).taken(tried)
    away, towards = tried.low[0, 0, :, 0] == 10.0, tried.high[0, 0, :, 0] == 10.0
    assert (taken[0, 0, away] > 0).all()  # from 10 m on it holds the cells at 12 m
    assert_allclose(taken[0, 0, towards], 0)  # before 10 m there is nobody
    assert CELL_M < 0.5  # the plan is finer than the gap it must tell
