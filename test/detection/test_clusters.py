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

"""What belongs together: gaps from both sides, and the same groups as the slow way finds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.clusters import Clusters, cluster

VOXEL_M = 0.25


def grouped(xy, height=None, **settings):
    xy = np.array(xy, np.float32).reshape(-1, 2)
    height = np.full(len(xy), 0.5) if height is None else np.array(height)
    settings = {"voxel_m": VOXEL_M, "min_points": 1, **settings}
    return cluster(xy, height.astype(np.float32), GeometricConfig(**settings))


def members(clusters, k):
    return clusters.xy[clusters.start[k] : clusters.start[k + 1]]


def middles(*columns_and_rows):
    """Points in the middles of cells, so that a gap in cells is the gap in metres."""
    return [((column + 0.5) * VOXEL_M, (row + 0.5) * VOXEL_M) for column, row in columns_and_rows]


@pytest.mark.parametrize(("apart", "count"), [(1, 1), (2, 1), (3, 2)])
def test_cells_are_linked_up_to_the_link_length(apart, count):
    # cells of 0.25 m and 0.55 m: two cells apart are 0.5 m, three 0.75 m
    found = grouped(middles((0, 0), (0, apart)), link_m=0.55, link_growth=0.0)
    assert len(found) == count


@pytest.mark.parametrize(("apart", "count"), [((2, 2), 1), ((3, 2), 2)])
def test_the_link_is_a_circle(apart, count):
    # 0.75 m reach: (2, 2) cells are 0.71 m apart, (3, 2) are 0.90 m
    found = grouped(middles((0, 0), apart), link_m=0.75, link_growth=0.0)
    assert len(found) == count


@pytest.mark.parametrize(("column", "count"), [(20, 2), (240, 1)])
def test_links_grow_with_range(column, count):
    # 4 cells are 1 m; the reach is 0.55 + 0.012 * 5 = 0.61 m at 5 m, 1.27 m at 60 m
    found = grouped(middles((column, 0), (column, 4)), link_m=0.55, link_growth=0.012)
    assert len(found) == count


def test_groups_of_few_points_are_left_out():
    crowd = [(5.1 + 0.01 * k, 0.1) for k in range(4)]
    found = grouped([*crowd, (9.1, 0.1), (9.12, 0.1), (9.14, 0.1)], min_points=4)
    assert len(found) == 1
    assert found.points.sum() == 4


def test_a_cell_knows_its_mean_its_lowest_and_its_highest():
    # cells for clustering are halved: all three lie in the one from (5, 1) to (5.125, 1.125)
    xy = [(5.02, 1.03), (5.04, 1.03), (5.12, 1.09)]
    found = grouped(xy, height=[0.4, 1.7, 0.9])
    assert_allclose(found.xy, [[5.06, 1.05]], atol=1e-6)
    assert_allclose([found.low[0], found.high[0]], [0.4, 1.7], atol=1e-6)
    assert found.points.tolist() == [3]


@pytest.mark.parametrize(("lowest", "count"), [(1.9, 1), (2.1, 0)])
def test_what_hangs_higher_than_two_metres_is_passed_under(lowest, count):
    assert len(grouped([(5.1, 0.1), (5.1, 0.1)], height=[lowest, 3.0])) == count


def test_no_points_make_no_clusters():
    found = grouped([])
    assert len(found) == 0
    assert found.least(found.low).shape == (0,)
    assert found.total(found.xy).shape == (0, 2)


def test_every_point_is_counted_once():
    xy = np.random.default_rng(0).uniform(-20, 20, (3000, 2))
    assert grouped(xy).points.sum() == 3000


def test_the_order_of_the_points_changes_nothing():
    rng = np.random.default_rng(1)
    xy = rng.uniform(-10, 10, (400, 2))
    one, other = grouped(xy), grouped(rng.permutation(xy))
    assert one.start.tolist() == other.start.tolist()
    assert_allclose(one.xy, other.xy, atol=1e-5)


def test_the_groups_are_those_of_comparing_every_pair_of_cells():
    rng = np.random.default_rng(2)
    xy = rng.uniform((3, -1.5), (7, 1.5), (60, 2)).astype(np.float32)
    found = grouped(xy, link_m=0.5, link_growth=0.0)
    cell = np.unique(np.floor(xy / VOXEL_M).astype(int), axis=0)
    group = np.arange(len(cell))
    near = np.linalg.norm(cell[:, None] - cell[None], axis=2) <= 2  # 0.5 m are two cells
    for _ in range(len(cell)):
        group = np.array([group[row].min() for row in near])
    slow = {frozenset(map(tuple, cell[group == g])) for g in set(group)}
    fast = {
        frozenset(map(tuple, np.floor(members(found, k) / VOXEL_M).astype(int)))
        for k in range(len(found))
    }
    assert fast == slow
    assert len(slow) > 3


def test_a_car_beside_a_hedge_is_taken_off_it():
    # half a metre between the two: one by the link of 0.8 m, two where only touching cells link
    hedge = [(5 + 0.2 * k, 5.1) for k in range(60)]  # 12 m long
    car = [(8 + 0.2 * k, 4.35) for k in range(20)]  # three cells beside it
    found = grouped(hedge + car, link_m=0.8, link_growth=0.0)
    assert len(found) == 2
    assert not found.whole.any()
    assert sorted(round(float(np.ptp(members(found, k)[:, 0])), 1) for k in (0, 1)) == [3.8, 11.8]


def test_what_is_shorter_than_a_lorry_is_left_whole():
    two = [(5 + 0.2 * k, 5.1) for k in range(20)] + [(5 + 0.2 * k, 4.35) for k in range(20)]
    found = grouped(two, link_m=0.8, link_growth=0.0)
    assert len(found) == 1
    assert found.whole.all()


def by_hand():
    return Clusters(
        xy=np.array([[1.0, 9], [3, 5], [2, 7], [8, 8]]),
        low=np.array([0.3, 0.1, 0.2, 0.5]),
        high=np.array([1.0, 1.4, 0.6, 2.0]),
        points=np.array([5, 1, 2, 7]),
        start=np.array([0, 3, 4]),
        whole=np.array([True, False]),
    )


def test_least_greatest_and_total_are_of_each_cluster():
    two = by_hand()
    assert_allclose(two.least(two.xy), [[1, 5], [8, 8]])
    assert_allclose(two.greatest(two.high), [1.4, 2.0])
    assert two.total(two.points.astype(float)).tolist() == [8, 7]
    assert two.owner.tolist() == [0, 0, 0, 1]


def test_a_chosen_cluster_keeps_its_cells():
    (second,) = [by_hand().chosen(np.array([False, True]))]
    assert len(second) == 1
    assert_allclose(second.xy, [[8, 8]])
    assert second.whole.tolist() == [False]
    assert len(by_hand().chosen(np.zeros(2, bool))) == 0
