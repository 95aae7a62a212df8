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

"""What beams passed through, by the heights they had on their way."""

import numpy as np
import pytest

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.freespace import (
    AZIMUTHS,
    HIDDEN,
    HIT,
    THROUGH,
    UNSEEN,
    azimuth_of,
    look,
)
from mm_fusion.preprocess.ground import find_ground

EYE = np.array([0.0, 0.0, 1.8])
LEVEL = find_ground(np.zeros((0, 3), np.float32), GeometricConfig())


def state_at(range_m, *returns, azimuth=0.01, eye=EYE):
    """State of a place, given returns (range, height) in the same direction."""
    ahead = np.array([np.cos(azimuth), np.sin(azimuth)])
    points = np.array([[*(eye[:2] + r * ahead), z] for r, z in returns]).reshape(-1, 3)
    points = points.astype(np.float32)
    space = look(points, points[:, 2], eye, LEVEL, 60.0)
    return int(space.state(eye[:2] + range_m * ahead))


@pytest.mark.parametrize(
    ("range_m", "state"), [(9.6, HIT), (10.0, HIT), (10.4, HIT), (10.6, HIDDEN), (30.0, HIDDEN)]
)
def test_a_return_marks_its_place_and_hides_what_is_behind(range_m, state):
    assert state_at(range_m, (10, 1.0)) == state


def test_a_low_beam_went_through_what_is_in_front_of_its_end():
    # from 1.8 m down to 0.3 m at 10 m: 1.8 - 0.15 * 7 = 0.75 m high at 7 m, less than a bonnet
    assert state_at(7.0, (10, 0.3)) == THROUGH


def test_a_beam_that_was_still_high_says_nothing():
    # 1.8 - 0.15 * 5 = 1.05 m at 5 m: a car may be below it
    assert state_at(5.0, (10, 0.3)) == UNSEEN


def test_a_beam_that_ends_on_the_ground_went_through_until_shortly_before():
    # ends at 20 m on the ground; at 14 m it was 1.8 * (1 - 14 / 20) = 0.54 m high
    assert state_at(14.0, (20, 0.0)) == THROUGH
    # at 19 m it was 0.09 m high, lower than UNDER_M: it may have passed below a vehicle
    assert state_at(19.0, (20, 0.0)) == UNSEEN


def test_the_ground_hides_nothing():
    # 0.1 m is below the body: it is no front of anything
    assert state_at(12.0, (10, 0.1)) != HIDDEN


def test_where_nothing_came_back_nothing_is_known():
    assert state_at(10.0) == UNSEEN


def test_another_direction_says_nothing():
    ahead = np.array([[10, 0.05, 1.0]], np.float32)
    space = look(ahead, ahead[:, 2], EYE, LEVEL, 60.0)
    places = np.array([[0.0, 10], [-10, 0], [0, -10]])
    assert (space.state(places) == UNSEEN).all()


def test_a_direction_without_beams_takes_over_its_neighbours_front():
    # half a degree is one bin; beams at bins 0 and 2, none in bin 1
    step = 2 * np.pi / AZIMUTHS
    azimuths = np.array([0.5, 2.5]) * step
    points = np.column_stack([10 * np.cos(azimuths), 10 * np.sin(azimuths), [1.0, 1.0]])
    points = points.astype(np.float32)
    space = look(points, points[:, 2], EYE, LEVEL, 60.0)
    between = 1.5 * step
    assert space.state(10 * np.array([np.cos(between), np.sin(between)])) == HIT


def test_the_table_is_seen_from_the_sensor_not_from_the_vehicle():
    eye = np.array([3.0, 1.0, 1.8])
    assert state_at(10.0, (10, 1.0), eye=eye) == HIT
    assert state_at(12.0, (10, 1.0), eye=eye) == HIDDEN


def test_heights_are_over_the_ground_of_the_sensor():
    low = np.array([[10.0, 0.05, -1.5]], np.float32)  # on ground that lies 1.5 m below the origin
    flat = np.random.default_rng(0).uniform((-30, -30), (30, 30), (4000, 2))
    below = np.column_stack([flat, np.full(4000, -1.5)]).astype(np.float32)
    ground = find_ground(below, GeometricConfig())
    space = look(low, np.zeros(1, np.float32), np.array([0, 0, 0.3]), ground, 60.0)
    assert abs(space.height_m - 1.8) < 0.05


@pytest.mark.parametrize(
    ("xy", "bin_"), [((1, 0), 0), ((1, -1e-6), AZIMUTHS - 1), ((0, 1), 180), ((-1, 1e-9), 359)]
)
def test_azimuths_run_anticlockwise_from_ahead(xy, bin_):
    assert azimuth_of(np.array(xy, np.float64)) == bin_


def test_a_place_beyond_the_table_is_unseen_or_hidden_and_no_error():
    assert state_at(500.0, (20, 0.0)) == UNSEEN
    assert state_at(500.0, (20, 1.0)) == HIDDEN
