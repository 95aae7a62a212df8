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

"""The view from above: hand-computed pixels."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.objects import CLASSES, SEEN_BY, Objects
from mm_fusion.view.bev import HIGH_M, LOW_M, NO_TRAILS, TopView, draw_bev
from mm_fusion.view.colors import (
    AWAY,
    BACKGROUND,
    CLOSING,
    RAMP_RGB,
    SENSOR_COLORS,
    STANDING,
    TEXT,
    TRUTH,
    class_color,
    id_color,
)
from mm_fusion.view.labels import PIP_PX

VIEW = TopView(range_m=50.0, size_px=400)  # 4 px to the metre, the middle at 199.5
CAR = class_color(CLASSES.index("car"))


def drawn(points=(), radar=(), speeds=(), objects=None, truth=None, title="", trails=NO_TRAILS):
    radar = np.array(radar, np.float64).reshape(-1, 3)
    rays = radar / np.maximum(np.linalg.norm(radar, axis=1, keepdims=True), 1e-6)
    return draw_bev(
        points_ego=np.array(points, np.float64).reshape(-1, 3),
        radar_ego=radar,
        radial_speed_mps=np.array(speeds, np.float64),
        radar_ray_ego=rays,
        objects=Objects.none() if objects is None else objects,
        truth=truth,
        trails=trails,
        view=VIEW,
        title=title,
    )


def car(x, y, yaw=0.0, velocity=(np.nan, np.nan)):
    return Objects.of_boxes(
        np.array([[x, y, 0.8, 10.0, 6.0, 1.6, yaw]]),
        labels=np.array([CLASSES.index("car")]),
        velocities_ego=np.array([velocity]),
    )


def alike(pixel, color):
    """Thin lines are smoothed: they keep most of their colour only."""
    return (np.abs(np.asarray(pixel, int) - color).max(axis=-1) < 50).any()


def changed(picture, empty=None):
    return (picture != (drawn() if empty is None else empty)).any(axis=2)


def test_ahead_is_up_and_left_is_left():
    # 10.125 m ahead: 4 * (50 - 10.125) - 0.5 = 159; 5.125 m to the left: 4 * 44.875 - 0.5 = 179
    assert_allclose(VIEW.pixels(np.array([[10.125, 5.125, 3.0]])), [[179, 159]])


@pytest.mark.parametrize(
    ("x", "y", "shown"),
    [(49.99, 0, True), (50.01, 0, False), (-49.99, 0, True), (0, 50.01, False), (np.nan, 0, False)],
)
def test_the_picture_ends_at_its_range(x, y, shown):
    assert VIEW.nearest(np.array([[x, y]]))[1].tolist() == [shown]


def test_a_point_is_one_pixel_in_the_colour_of_its_height():
    picture = drawn(points=[[10.125, 5.125, HIGH_M]])
    expected = (RAMP_RGB[240] * 0.8).astype(np.uint8)
    assert picture[159, 179].tolist() == expected.tolist()
    assert np.count_nonzero(changed(picture)) == 1


def test_the_highest_point_of_a_pixel_is_on_top():
    low, high = [10.125, 5.125, LOW_M], [10.13, 5.12, HIGH_M]
    for order in ([low, high], [high, low]):
        assert (drawn(points=order)[159, 179] == drawn(points=[high])[159, 179]).all()


def test_points_outside_and_nan_are_left_out():
    assert not changed(drawn(points=[[80, 0, 0], [np.nan, 0, 0], [0, -51, 1]])).any()


def test_the_edges_of_a_box_are_where_the_box_ends():
    # centre (20.125, 10.125), 10 x 6 m: x from 15.125 to 25.125, y from 7.125 to 13.125
    picture = drawn(objects=car(20.125, 10.125))
    top, bottom, left, right = 99, 139, 147, 171  # 4 * (50 - 25.125) - 0.5 = 99 ...
    assert picture[110, left].tolist() == list(CAR)
    assert picture[110, right].tolist() == list(CAR)
    assert picture[top, 165].tolist() == list(CAR)
    assert picture[bottom, 150].tolist() == list(CAR)
    assert picture[130, 152].tolist() == list(BACKGROUND)  # inside nothing is filled


def test_a_line_shows_where_the_front_is():
    # from the centre (159, 119) to the nose at the top (159, 99)
    picture = drawn(objects=car(20.125, 10.125))
    assert alike(picture[109, 159], CAR)
    assert picture[129, 159].tolist() == list(BACKGROUND)
    backwards = drawn(objects=car(20.125, 10.125, np.pi))
    assert alike(backwards[129, 159], CAR)


def test_a_box_turned_left_is_wide():
    # 10 m across: y from 5.125 to 15.125 is 4 * (50 - 15.125) - 0.5 = 139 to 179
    picture = drawn(objects=car(20.125, 10.125, np.pi / 2))
    assert picture[125, 139].tolist() == list(CAR)
    assert picture[125, 179].tolist() == list(CAR)


def test_an_arrow_is_as_long_as_the_way_of_a_second():
    # 12 m/s ahead from the centre at v = 119: its tip is at 119 - 48 = 71, beyond the box at 99
    picture = drawn(objects=car(20.125, 10.125, velocity=(12.0, 0.0)))
    assert picture[85, 159].tolist() == list(CAR)
    standing = drawn(objects=car(20.125, 10.125, velocity=(0.1, 0.0)))
    assert standing[85, 159].tolist() == list(BACKGROUND)


def test_an_unknown_velocity_is_no_arrow():
    known = drawn(objects=car(20.125, 10.125, velocity=(0.0, 0.0)))
    assert (drawn(objects=car(20.125, 10.125)) == known).all()


def test_a_box_out_of_the_picture_is_not_drawn():
    with_legend = drawn(objects=car(200, 0))
    assert not changed(with_legend)[:, 60:].any()  # the legend names the class, at the left


def test_truth_is_a_white_line_without_a_name():
    picture = drawn(truth=car(20.125, 10.125))
    assert alike(picture[110, 147], TRUTH)
    assert picture[109, 159].tolist() == list(BACKGROUND)  # no line to the nose
    assert not changed(picture)[:, 175:].any()


@pytest.mark.parametrize(("speed", "color"), [(9.0, AWAY), (-9.0, CLOSING)])
def test_a_moving_return_is_a_filled_circle_with_an_arrow_along_its_ray(speed, color):
    # straight ahead at 25.125 m: v = 99, u = 200; 9 m are 36 px
    picture = drawn(radar=[[25.125, -0.125, 1]], speeds=[speed])
    assert picture[99, 200].tolist() == list(color)
    beyond = 99 - 18 if speed > 0 else 99 + 18
    assert alike(picture[beyond, 198:203], color)
    opposite = 99 + 18 if speed > 0 else 99 - 18
    assert not alike(picture[opposite, 198:203], color)


def test_a_standing_return_is_a_ring():
    picture = drawn(radar=[[25.125, -20.125, 1]], speeds=[0.6])
    assert picture[99, 280].tolist() == list(BACKGROUND)
    assert alike(picture[99, 283], STANDING)


def test_the_vehicle_is_in_the_middle():
    assert drawn()[199, 199].tolist() == list(TEXT)


def test_a_ring_is_ten_metres_away():
    # 40 px from the middle, to the right, where no writing is
    empty = drawn()
    assert (empty[200, 239:242] != BACKGROUND).any()
    assert (empty[200, 225:237] == BACKGROUND).all()


def test_the_title_is_written_at_the_top():
    assert changed(drawn(title="kitti 7"))[:30, :120].any()
    assert not changed(drawn(title="kitti 7"))[40:].any()


def test_the_picture_has_the_size_asked_for():
    assert drawn().shape == (400, 400, 3)
    assert drawn().dtype == np.uint8


def test_the_way_of_a_track_is_drawn_in_its_colour():
    picture = drawn(trails={3: np.array([[0.0, 10, 0], [20, 10, 0]])})
    ((u, v),) = VIEW.pixels(np.array([[10.0, 10.0]])).round().astype(int)
    assert alike(picture[v, u - 1 : u + 2], id_color(3))
    assert not alike(drawn()[v, u - 1 : u + 2], id_color(3))


def test_what_is_of_no_known_class_is_drawn_thin():
    # across the left edge of the box, at column 147
    thick = car(20.125, 10.125)
    thin = replace(thick, labels=np.array([CLASSES.index("unknown")]))
    edges = [changed(drawn(objects=o))[110, 140:152].sum() for o in (thin, thick)]
    assert 0 < edges[0] < edges[1]


def test_of_boxes_at_one_place_the_known_one_is_named_first():
    known = car(20.125, 10.125)
    unknown = replace(known, labels=np.array([CLASSES.index("unknown")]))
    both = drawn(objects=Objects.joined(unknown, known))
    # its tag begins 4 px right of the box, whose corner is at (171, 99)
    assert both[95, 176].tolist() == list(CAR)


@pytest.mark.parametrize("kinds", [(), ("lidar",), ("lidar", "radar"), ("camera",)])
def test_a_square_for_each_kind_of_sensor_that_saw_an_object(kinds):
    bits = np.array([sum(SEEN_BY[kind] for kind in kinds)], np.uint8)
    picture = drawn(objects=replace(car(10, 0), evidence=bits))
    ahead = picture[: VIEW.size_px // 2]  # the legend is behind
    squares = {
        kind: int((ahead == color).all(axis=2).sum()) for kind, color in SENSOR_COLORS.items()
    }
    assert squares == {kind: PIP_PX**2 if kind in kinds else 0 for kind in SENSOR_COLORS}
