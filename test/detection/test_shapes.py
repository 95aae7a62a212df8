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

"""From what was measured to what it is."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.clusters import Clusters
from mm_fusion.detection.freespace import HIDDEN, HIT, THROUGH
from mm_fusion.detection.rectangles import Rectangles
from mm_fusion.detection.shapes import (
    BICYCLE,
    CAR,
    PEDESTRIAN,
    TRUCK,
    UNKNOWN,
    Measured,
    candidates,
    car_likeness,
    classify,
    complete,
    cut_off,
    measure,
    score,
    unrivalled,
)
from mm_fusion.detection.vehicles import Fits
from mm_fusion.preprocess.ground import find_ground

LEVEL = find_ground(np.zeros((0, 3), np.float32), GeometricConfig())


def measured(
    long=0.5, short=0.5, *, bottom=0.2, top=1.7, whole=True, points=60.0, at=(10.0, 0.0), yaw=0.0
):
    return Measured(
        yaw=np.array([yaw]),
        centre=np.array([at]),
        extent=np.array([[long, short]]),
        bottom=np.array([bottom]),
        top=np.array([top]),
        closeness=np.array([0.9]),
        whole=np.array([whole]),
        points=np.array([points]),
        range_m=np.array([np.hypot(*at)]),
    )


def fits(*, hit=1.0, hidden=0.0, through=0.0, points=0.9, possible=1.0):
    became = np.zeros((1, 4))
    became[0, [HIT, HIDDEN, THROUGH]] = hit, hidden, through
    return Fits(
        centre=np.array([[10.0, 0]]),
        size=np.array([[4.2, 1.8]]),
        yaw=np.array([0.3]),
        became=became,
        points=np.array([points]),
        possible=np.array([possible]),
    )


def named(seen, likeness=0.0):
    return int(classify(seen, np.array([likeness]))[0])


def cells(high, low=0.2):
    high = np.array(high, np.float64)
    return Clusters(
        xy=np.column_stack([np.linspace(0, 1, len(high)), np.zeros(len(high))]),
        low=np.full(len(high), low),
        high=high,
        points=np.full(len(high), 3),
        start=np.array([0, len(high)]),
        whole=np.array([True]),
    )


def rectangle(low, high, angle=0.0):
    return Rectangles(
        angle=np.array([angle]),
        low=np.array([low], np.float64),
        high=np.array([high], np.float64),
        closeness=np.array([0.8]),
    )


def test_the_long_side_comes_first_and_gives_the_yaw():
    # 2 m along the x axis, 4 m along y, its middle at (6, 2)
    seen = measure(cells([1.5, 1.5]), rectangle((5, 0), (7, 4)))
    assert_allclose(seen.extent, [[4, 2]])
    assert_allclose(seen.yaw, [np.pi / 2])
    assert_allclose(seen.centre, [[6, 2]])
    assert_allclose(seen.range_m, [np.hypot(6, 2)])
    assert seen.points.tolist() == [6]


def test_the_middle_is_turned_back_from_the_rectangles_axes():
    seen = measure(cells([1.5]), rectangle((5, -1), (7, 1), angle=np.pi / 6))
    assert_allclose(seen.centre, [[6 * np.cos(np.pi / 6), 3]])


def test_a_twig_over_a_car_does_not_make_it_tall():
    # one cell of five is above 2.2 m: less than three tenths
    assert_allclose(measure(cells([1.4, 1.5, 1.5, 1.3, 3.1]), rectangle((0, 0), (4, 2))).top, [1.5])
    assert_allclose(measure(cells([1.4, 3.0, 3.2, 1.3, 3.1]), rectangle((0, 0), (4, 2))).top, [3.2])


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        (measured(0.5, 0.5), PEDESTRIAN),
        (measured(0.5, 0.5, top=1.1), UNKNOWN),  # too low for a person
        (measured(0.5, 0.5, top=2.2), UNKNOWN),  # too tall
        (measured(0.5, 0.5, bottom=1.2), UNKNOWN),  # hangs in the air
        (measured(0.5, 0.5, whole=False), UNKNOWN),  # a part of a hedge
        (measured(0.2, 0.1), UNKNOWN),  # a pole
        (measured(1.7, 0.5), BICYCLE),
        (measured(1.7, 0.5, at=(16.0, 0)), UNKNOWN),  # too far to be told
        (measured(2.5, 2.4, top=3.0), TRUCK),  # the rear of one
        (measured(8.0, 0.4, top=3.0), TRUCK),  # the side of one
        (measured(3.0, 0.4, top=3.0), UNKNOWN),  # a wall as high
        (measured(8.0, 4.0, top=3.0), UNKNOWN),  # a house
    ],
)
def test_size_gives_the_name(seen, name):
    assert named(seen) == name


@pytest.mark.parametrize(("likeness", "name"), [(0.26, CAR), (0.24, PEDESTRIAN)])
def test_what_is_like_a_car_is_one_whatever_its_size(likeness, name):
    assert named(measured(0.5, 0.5), likeness) == name


def test_candidates_stand_on_the_ground_and_are_no_longer_than_a_car():
    assert candidates(measured(4.0, 1.5)).all()
    assert not candidates(measured(6.1, 1.5)).any()
    assert not candidates(measured(0.2, 0.2)).any()
    assert not candidates(measured(4.0, 1.5, bottom=1.2)).any()


def likeness(seen=None, moving=0, **found):
    seen = measured(3.8, 1.6, top=1.5) if seen is None else seen
    return float(car_likeness(seen, fits(**found), np.array([moving]))[0])


def test_faces_that_were_hit_speak_for_a_car_and_those_looked_through_against_it():
    assert likeness(hit=1.0) > likeness(hit=0.5, hidden=0.5) > likeness(hit=0.5, through=0.5)
    assert likeness(hit=1.0) > 0.5 > likeness(hit=0.2, through=0.8)


def test_nothing_is_a_car_where_no_car_fits():
    assert likeness(possible=0.0) == 0.0


def test_moving_returns_and_no_odd_height_speak_for_a_car():
    assert likeness(moving=5) > likeness()
    tall, low = measured(3.8, 1.6, top=2.8), measured(3.8, 1.6, top=0.5)
    assert likeness(tall) < likeness(low) < likeness()


def test_a_car_gets_the_fitted_box_on_the_ground():
    (box,) = complete(measured(3.0, 0.3, top=1.4), fits(), np.array([CAR]), LEVEL)
    # at least 1.55 m high, so its centre is 0.775 m up
    assert_allclose(box, [10, 0, 0.775, 4.2, 1.8, 1.55, 0.3])


def test_all_else_gets_what_was_measured():
    (box,) = complete(measured(0.6, 0.4, top=1.7, yaw=0.5), fits(), np.array([PEDESTRIAN]), LEVEL)
    assert_allclose(box, [10, 0, 0.85, 0.6, 0.4, 1.7, 0.5])


@pytest.mark.parametrize("side", [1, -1])
def test_the_hidden_width_of_a_truck_is_added_on_its_far_side(side):
    # a side seen 0.5 m deep at y = +-4 m: 2 m are missing, the centre moves 1 m outwards
    seen = measured(8.0, 0.5, top=3.0, at=(0.0, 4.0 * side))
    (box,) = complete(seen, fits(), np.array([TRUCK]), LEVEL)
    assert_allclose(box, [0, 5.0 * side, 1.5, 8, 2.5, 3.0, 0])


def test_boxes_stand_on_the_slope():
    rng = np.random.default_rng(0)
    plan = rng.uniform(-40, 40, (6000, 2))
    slope = np.column_stack([plan, 0.1 * plan[:, 0]]).astype(np.float32)
    (box,) = complete(
        measured(0.6, 0.4, top=1.6),
        fits(),
        np.array([PEDESTRIAN]),
        find_ground(slope, GeometricConfig()),
    )
    assert_allclose(box[2], 0.1 * 10 + 0.8, atol=0.08)


def test_a_car_is_rated_by_its_likeness_and_all_else_by_how_solid_it_is():
    # at 10 m a whole car gives 120 points: 30 of them are sqrt(1/4) solid
    seen = measured(points=30.0)
    assert_allclose(score(seen, np.array([0.8]), np.array([CAR])), [0.8])
    assert_allclose(score(seen, np.array([0.0]), np.array([PEDESTRIAN])), [0.25])
    assert_allclose(score(seen, np.array([0.0]), np.array([UNKNOWN])), [0.225])
    many = replace(seen, points=np.array([1e5]))
    assert_allclose(score(many, np.array([0.0]), np.array([PEDESTRIAN])), [0.5])


def boxes(*places):
    return np.array([[x, y, 0.8, 4.0, 2.0, 1.6, 0.0] for x, y in places])


def test_what_lies_in_a_better_car_goes():
    at = boxes((10, 0), (11.9, 0), (12.1, 0))  # 4 m long: from 8 to 12 m
    stays = unrivalled(at, np.array([0.9, 0.5, 0.5]), np.array([CAR, UNKNOWN, UNKNOWN]))
    assert stays.tolist() == [True, False, True]


def test_what_is_rated_higher_stays_in_a_car():
    at = boxes((10, 0), (10.5, 0))
    stays = unrivalled(at, np.array([0.3, 0.5]), np.array([CAR, PEDESTRIAN]))
    assert stays.tolist() == [True, True]


def test_nothing_goes_for_what_is_no_car():
    at = boxes((10, 0), (10.5, 0))
    stays = unrivalled(at, np.array([0.9, 0.5]), np.array([TRUCK, CAR]))
    assert stays.tolist() == [True, True]


def test_a_car_that_goes_takes_nobody_with_it():
    # the second lies in the first, the third only in the second
    at = boxes((10, 0), (11.5, 0), (13.0, 0))
    stays = unrivalled(at, np.array([0.9, 0.8, 0.7]), np.full(3, CAR))
    assert stays.tolist() == [True, False, True]


def is_cut(top, label=UNKNOWN, *, range_m=10.0, start=1.8, rise=0.2, ceiling=3.5):
    """Whether something of that height goes on above the highest beam, start + rise * range."""
    seen = measured(top=top, at=(range_m, 0.0))
    return bool(cut_off(seen, np.array([label]), LEVEL, (start, rise), ceiling)[0])


def test_what_reaches_the_highest_beam_goes_on_above_it():
    # at 10 m the beam is 1.8 + 2 = 3.8 m high, the ceiling at 5 m; less 0.25 m and 0.01 * 10 m
    assert is_cut(3.46, ceiling=5.0)
    assert not is_cut(3.44, ceiling=5.0)


def test_what_reaches_the_ceiling_goes_on_above_it():
    # 3.5 - 0.25 - 0.1
    assert is_cut(3.16)
    assert not is_cut(3.14)


def test_of_a_sensor_that_looks_level_only_what_is_higher_than_people_is_cut():
    # the highest beam is at 1.8 m everywhere: a person reaches it, too, and is none the less one
    assert is_cut(2.2, rise=0.0)
    assert not is_cut(2.0, rise=0.0)


def test_what_has_a_name_is_never_cut():
    for label in (CAR, TRUCK, PEDESTRIAN, BICYCLE):
        assert not is_cut(3.4, label)
