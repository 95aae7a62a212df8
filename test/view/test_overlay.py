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

"""Boxes, LiDAR and radar in an image: hand-computed pixels."""

from dataclasses import replace

import numpy as np
import pytest

from mm_fusion.calibration import Camera
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.view.colors import STANDING, class_color, ramp
from mm_fusion.view.labels import tag_size
from mm_fusion.view.overlay import FAR_DEPTH_M, draw_camera, draw_overlay

OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
CAMERA = Camera(
    name="front",
    image_from_camera=np.array([[200.0, 0, 100], [0, 200, 60], [0, 0, 1]]),
    ego_from_camera=OPTICAL,
    size_px=(200, 120),
)
CAR = class_color(CLASSES.index("car"))
BLACK = [0, 0, 0]


def box(x, y=0.0, z=0.0, size=2.0):
    return Objects.of_boxes(
        np.array([[x, y, z, size, size, size, 0.0]]), labels=np.array([CLASSES.index("car")])
    )


def drawn(objects=None, camera=CAMERA, shape=(120, 200), **given):
    rgb = np.zeros((*shape, 3), np.uint8)
    return draw_overlay(rgb, camera, Objects.none() if objects is None else objects, **given)


def test_the_near_face_of_a_box_is_drawn_where_it_projects():
    # from 10 m on, a metre to each side: u = 100 -+ 200 / 10, v = 60 -+ 20
    picture = drawn(box(11))
    assert picture[60, 80].tolist() == list(CAR)
    assert picture[60, 120].tolist() == list(CAR)
    assert picture[40, 110].tolist() == list(CAR)
    assert picture[80, 90].tolist() == list(CAR)


def test_the_far_face_is_smaller():
    # 12 m away: 200 / 12 = 16.7 px to each side; a box is its edges, so it is empty between
    picture = drawn(box(11))
    assert (picture[60, 83:85] != BLACK).any()
    assert picture[60, 100].tolist() == BLACK


def test_left_in_the_world_is_left_in_the_image_and_up_is_up():
    rows, columns = np.nonzero(drawn(box(20, y=5, z=2)).any(axis=2))
    assert columns.max() < 100
    assert rows.max() < 60


def test_a_camera_that_was_moved_ahead_sees_the_box_larger():
    # 5 m nearer: the face at 10 m is 5 m away, 40 px to each side
    moved = replace(CAMERA, ego_from_camera=OPTICAL + np.array([[0, 0, 0, 5.0]] + [[0] * 4] * 3))
    assert drawn(box(11), camera=moved)[60, 60].tolist() == list(CAR)


def test_what_is_behind_is_not_drawn():
    assert not drawn(box(-11)).any()
    assert not drawn(points_ego=np.array([[-10.0, 0, 0]])).any()
    assert not drawn(radar_ego=np.array([[-10.0, 0, 0]])).any()


def test_of_a_box_that_reaches_behind_the_camera_the_part_ahead_is_drawn():
    # a wall a metre to the left, from 9 m behind to 11 m ahead: its far end is at u = 100 - 18
    wall = Objects.of_boxes(np.array([[1.0, 2.0, 0, 20, 2, 2, 0]]), labels=np.array([0]))
    picture = drawn(wall)
    assert picture[60, 82].tolist() == list(CAR)
    assert not picture[60, 90:].any()  # nothing wraps around to the right


def test_a_box_beside_the_view_gets_no_label():
    assert not drawn(box(10, y=30)).any()


def test_a_name_stands_on_the_part_of_a_box_that_is_in_the_picture():
    # a wall from 5 m to 25 m ahead, 2.5 m to the right, its top 2 m up: from its far end at
    # (100 + 200 * 2.5 / 25, 60 - 200 * 2 / 25) = (120, 44) it rises out of the picture
    wall = Objects.of_boxes(np.array([[15.0, -3.0, 0, 20, 1, 4, 0]]), labels=np.array([0]))
    picture = drawn(wall)
    assert (picture[41, 121:130] == CAR).all()  # 3 px above that corner
    assert not picture[:20, 115:140].any()


def test_names_of_boxes_at_one_place_lie_upon_each_other_nowhere():
    pair = Objects.joined(box(11), box(11))
    one, both = ((drawn(o) == CAR).all(axis=2).sum() for o in (box(11), pair))
    width, height = tag_size("car 1.00")
    assert both - one > width * height / 2  # a second tag, of which the writing is dark


def test_a_point_is_two_pixels_square_in_the_colour_of_its_depth():
    # 10 m ahead, 1 m to the left, 1 m up
    picture = drawn(points_ego=np.array([[10.0, 1, 1]]))
    (expected,) = ramp(np.array([10.0]), FAR_DEPTH_M, 0.0)
    assert (picture[40:42, 80:82] == expected).all()
    assert np.count_nonzero(picture.any(axis=2)) == 4


def test_the_nearer_point_is_on_top():
    near, far = [10.0, 1, 1], [20.0, 2, 2]
    for order in ([near, far], [far, near]):
        picture = drawn(points_ego=np.array(order))
        assert (picture == drawn(points_ego=np.array([near]))).all()


def test_points_without_numbers_are_left_out():
    points = np.array([[np.nan, 0, 0], [10, 1, 1]])
    assert (drawn(points_ego=points) == drawn(points_ego=points[1:])).all()


def test_a_radar_return_is_a_ring():
    # 20 m away it has a radius of 120 / 20 = 6 px
    picture = drawn(radar_ego=np.array([[20.0, 0, 0]]))
    assert picture[60, 100].tolist() == BLACK
    assert picture[60, 106].tolist() == list(STANDING)


def test_an_image_of_twice_the_size_is_drawn_on_at_its_own_scale():
    # pixel centres are whole: (80 + 1/2) * 2 - 1/2 = 160.5
    picture = drawn(points_ego=np.array([[10.0, 1, 1]]), shape=(240, 400))
    rows, columns = np.nonzero(picture.any(axis=2))
    assert abs(columns.mean() - 0.5 - 160.5) <= 0.5
    assert abs(rows.mean() - 0.5 - 80.5) <= 0.5


def test_a_picture_of_another_width_keeps_its_shape():
    assert drawn(box(11), width_px=100).shape == (60, 100, 3)
    # half the size: (80 + 1/2) / 2 - 1/2 = 39.75
    assert drawn(box(11), width_px=100)[30, 40].any()


def test_the_image_given_is_not_drawn_into():
    rgb = np.zeros((120, 200, 3), np.uint8)
    draw_overlay(rgb, CAMERA, box(11))
    assert not rgb.any()


@pytest.mark.parametrize("strength", [-0.2, 0.2])
def test_edges_bend_with_the_lens(strength):
    # x = y = 0.2 for the corner of the face at 5 m: u = 100 + 200 * 0.2 * (1 + k * 0.08)
    bent = replace(CAMERA, distortion_model="plumb_bob", distortion=(strength, 0, 0, 0, 0))
    picture = drawn(box(6), camera=bent)
    corner = round(100 + 40 * (1 + strength * 0.08)), round(60 + 40 * (1 + strength * 0.08))
    assert (picture[corner[1] - 1 : corner[1] + 2, corner[0] - 1 : corner[0] + 2] != 0).any()
    # the middle of the right edge: 100 + 40 * (1 + k * 0.04)
    assert picture[60, round(100 + 40 * (1 + strength * 0.04))].any()


def test_the_camera_is_put_where_it_took_the_image():
    # three metres on: the near face is 7 m ahead, u = 100 - 200 / 7 = 71, no longer 80
    later_from_frame = np.eye(4)
    later_from_frame[0, 3] = -3.0
    frame = EgoFrame(
        stamp_ns=1,
        points_ego=np.float32([[23, 1, 0]]),  # 20 m ahead by then: u = 100 - 200 / 20
        intensity=np.zeros(1, np.float32),
        radar_ego=np.zeros((0, 3), np.float32),
        radar_ray_ego=np.zeros((0, 3), np.float32),
        radial_speed_mps=np.zeros(0, np.float32),
        rcs_dbsm=np.zeros(0, np.float32),
        images={},
        image_stamp_from_frame={"front": later_from_frame},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset({"lidar", "front"}),
        present_kinds=frozenset({"lidar", "camera"}),
        missing={},
    )
    black = np.zeros((120, 200, 3), np.uint8)
    picture = draw_camera(black, CAMERA, frame, box(11), width_px=200)
    assert picture[60, 71].tolist() == list(CAR)
    assert picture[60, 80].tolist() != list(CAR)
    assert picture[60, 90].tolist() == ramp(np.array([20.0]), FAR_DEPTH_M, 0.0)[0].tolist()
