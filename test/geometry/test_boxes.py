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

"""Boxes: corners, membership and overlap, worked by hand."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.boxes import (
    EDGES,
    bev_intersection,
    corners,
    hit,
    inside,
    iou_3d,
    iou_bev,
    moved_boxes,
    wrap_angle,
)
from mm_fusion.geometry.rigid import compose, invert, rotation_from_rpy

BOX = np.array([10.0, 5, 1, 4, 2, 1.6, 0])


def turned(angle, **changed):
    box = BOX.copy()
    box[6] = angle
    for name, value in changed.items():
        box["xyz".index(name)] = value
    return box


@pytest.mark.parametrize(
    ("angle", "wrapped"),
    [
        (0.0, 0.0),
        (np.pi, -np.pi),
        (-np.pi, -np.pi),
        (1.5 * np.pi, -0.5 * np.pi),
        (-7.0, -7 + 2 * np.pi),
    ],
)
def test_angles_come_into_half_a_turn_either_way(angle, wrapped):
    assert_allclose(wrap_angle(angle), wrapped)


def test_a_box_turned_left_is_long_across():
    # length 4 along y, width 2 along x, from 0.2 to 1.8 m up
    found = corners(turned(np.pi / 2))[0]
    assert_allclose(found.min(axis=0), [9, 3, 0.2])
    assert_allclose(found.max(axis=0), [11, 7, 1.8])


def test_the_first_four_corners_are_the_floor_in_order_from_the_front_left():
    floor = corners(BOX)[0, :4]
    assert_allclose(floor[:, :2], [[12, 6], [8, 6], [8, 4], [12, 4]])
    assert_allclose(floor[:, 2], 0.2)


def test_twelve_edges_join_the_corners_three_at_each():
    ring = corners(turned(0.7))[0]
    lengths = Counter(round(float(np.linalg.norm(ring[a] - ring[b])), 6) for a, b in EDGES)
    assert lengths == {4.0: 4, 2.0: 4, 1.6: 4}
    assert set(Counter(np.array(EDGES).ravel().tolist()).values()) == {3}


@pytest.mark.parametrize(
    ("point", "within"),
    [
        ((11.99, 5, 1), True),
        ((12.01, 5, 1), False),
        ((10, 5.99, 1), True),
        ((10, 6.01, 1), False),
        ((10, 5, 1.79), True),
        ((10, 5, 1.81), False),
        ((10, 5, 0.19), False),
    ],
)
def test_a_box_ends_at_its_faces(point, within):
    assert inside(np.array([point]), BOX).tolist() == [within]


def test_a_margin_is_added_on_every_side():
    just_outside = np.array([[12.05, 5, 1], [10, 3.95, 1], [10, 5, 1.85]])
    assert not inside(just_outside, BOX).any()
    assert inside(just_outside, BOX, 0.1).all()


def test_membership_turns_with_the_box():
    # 1.8 m ahead of the centre is inside a box along x and outside of one along y
    ahead = np.array([[11.8, 5, 1]])
    assert inside(ahead, BOX).all()
    assert not inside(ahead, turned(np.pi / 2)).any()


def test_a_box_in_another_frame_by_hand():
    # the frame is turned left by 90 deg and carried by (1, 2, 3): (10, 5) becomes (-5, 10)
    target_from_source = compose(rotation_from_rpy(0, 0, np.pi / 2), np.array([1.0, 2, 3]))
    (found,) = moved_boxes(target_from_source, turned(3.0))
    assert_allclose(found, [-4, 12, 4, 4, 2, 1.6, 3 + np.pi / 2 - 2 * np.pi])


def test_boxes_come_back_from_another_frame():
    rng = np.random.default_rng(0)
    boxes = rng.uniform((-50, -50, 0, 1, 1, 1, -3), (50, 50, 2, 5, 3, 2, 3), (10, 7))
    target_from_source = compose(rotation_from_rpy(0, 0, 2.5), np.array([4.0, -3, 1]))
    back = moved_boxes(invert(target_from_source), moved_boxes(target_from_source, boxes))
    assert_allclose(back, boxes, atol=1e-12)


def test_half_a_length_apart_the_overlap_is_a_third():
    # 2 x 2 of 4 x 2 shared: 4 / (8 + 8 - 4)
    assert_allclose(bev_intersection(BOX[None], turned(0, x=12)[None]), [[4.0]])
    assert_allclose(iou_bev(BOX[None], turned(0, x=12)[None]), [[1 / 3]])


def test_half_a_height_apart_the_volumes_overlap_by_a_third_and_the_plans_wholly():
    above = turned(0, z=1.8)[None]
    assert_allclose(iou_3d(BOX[None], above), [[1 / 3]])
    assert_allclose(iou_bev(BOX[None], above), [[1.0]])


def test_squares_turned_by_45_degrees_share_an_octagon():
    # of area 2 (sqrt 2 - 1) s^2: over union 2 (sqrt 2 - 1) / (2 - 2 (sqrt 2 - 1)) = 1 / sqrt 2
    square = np.array([[0, 0, 0, 3.0, 3, 1, 0]])
    diamond = np.array([[0, 0, 0, 3.0, 3, 1, np.pi / 4]])
    assert_allclose(iou_bev(square, diamond), [[np.sqrt(0.5)]])


@pytest.mark.parametrize("apart", [{"x": 14.0}, {"y": 8.0}])
def test_boxes_apart_share_nothing(apart):
    assert iou_bev(BOX[None], turned(0, **apart)[None]) == 0
    assert iou_3d(BOX[None], turned(0, **apart)[None]) == 0


def test_boxes_above_each_other_share_no_volume():
    assert iou_3d(BOX[None], turned(0, z=3)[None]) == 0


def test_a_box_is_itself_from_either_end():
    assert_allclose(iou_3d(BOX[None], turned(np.pi)[None]), [[1.0]])


def test_no_boxes_overlap_nothing():
    none = np.zeros((0, 7))
    assert iou_bev(none, BOX[None]).shape == (0, 1)
    assert iou_3d(BOX[None], none).shape == (1, 0)
    assert corners(none).shape == (0, 8, 3)


def test_the_shared_ground_is_what_counting_points_says():
    rng = np.random.default_rng(1)
    a, b = rng.uniform((-1, -1, 0, 2, 1, 1, -3), (1, 1, 0, 5, 3, 1, 3), (2, 6, 7))
    points = np.column_stack([rng.uniform(-5, 5, (200_000, 2)), np.zeros(200_000)])
    areas = bev_intersection(a, b)
    for i in range(6):
        both = inside(points, a[i]) & inside(points, b[i])
        assert_allclose(areas[i, i], both.mean() * 100, atol=0.15)  # of 100 m^2; 6 sigma


def scattered(rng, count, reach_m):
    places, sizes = rng.uniform(-reach_m, reach_m, (count, 2)), rng.uniform(0.5, 5, (count, 3))
    return np.column_stack([places, np.zeros(count), sizes, rng.uniform(-3, 3, count)])


def test_boxes_that_any_point_is_in_are_found_as_one_by_one():
    rng = np.random.default_rng(4)
    boxes = np.column_stack(
        [
            rng.uniform(-20, 20, (60, 2)),
            np.zeros(60),
            rng.uniform(0.5, 5, (60, 3)),
            rng.uniform(-3, 3, 60),
        ]
    )
    points = np.column_stack([rng.uniform(-20, 20, (150, 2)), np.zeros(150)]).astype(np.float32)
    found = hit(points, boxes, 0.2)
    assert found.tolist() == [bool(inside(points, box, 0.2).any()) for box in boxes]
    assert 5 < found.sum() < 55
    assert not hit(points[:0], boxes).any()
    assert hit(points, boxes[:0]).shape == (0,)


def test_only_boxes_that_can_touch_are_intersected_and_none_is_forgotten():
    import shapely

    rng = np.random.default_rng(5)
    boxes = np.column_stack(
        [
            rng.uniform(-9, 9, (40, 2)),
            np.zeros(40),
            rng.uniform(0.5, 5, (40, 3)),
            rng.uniform(-3, 3, 40),
        ]
    )
    rings = [shapely.Polygon(ring) for ring in corners(boxes)[:, :4, :2]]
    every = [[one.intersection(other).area for other in rings] for one in rings]
    assert_allclose(bev_intersection(boxes, boxes), every, atol=1e-12)
