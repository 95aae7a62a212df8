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

"""Radar returns as measurements, by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import TrackerConfig
from mm_fusion.objects import CLASSES, SEEN_BY, Objects
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.tracking.range_rates import RATE_STD_MPS, Returns, correct
from mm_fusion.tracking.tracker import Tracker
from mm_fusion.tracking.tracks import Tracks

CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")
AT_ONCE = TrackerConfig(confirm_hits=1, confirm_existence=0.0)


def tracks(x=20.0, y=0.0, velocity=(0.0, 0.0), label=PEDESTRIAN, std_mps=10.0):
    votes = np.zeros((1, len(CLASSES)))
    votes[0, label] = 1.0
    return Tracks(
        states=np.array([[x, y, *velocity, 0.0]]),
        covariances=np.diag([0.1, 0.1, std_mps**2, std_mps**2, 0.0])[None],
        objects=Objects.of_boxes(np.array([[x, y, 0.8, 4.0, 2.0, 1.6, 0.0]])),
        votes=votes,
        hits=np.ones(1, np.int64),
        seen_ns=np.zeros(1, np.int64),
        missed_s=np.zeros(1),
        existence=np.ones(1),
        confirmed=np.ones(1, np.bool_),
    )


def returns(places, speeds, rays=((1.0, 0.0),), offset_s=0.0):
    places = np.array(places, np.float64).reshape(-1, 2)
    return Returns(
        places=places,
        rays=np.broadcast_to(np.array(rays, np.float64), (len(places), 2)),
        speeds_mps=np.array(speeds, np.float64),
        offset_s=np.full(len(places), offset_s),
    )


def test_a_return_measures_the_speed_along_its_ray_and_nothing_across():
    one = tracks()
    assert correct(one, returns([(20, 0)], [8.0]), 0).tolist() == [0]
    weight = 100 / (100 + RATE_STD_MPS**2)
    assert_allclose(one.states[0], [20, 0, 8 * weight, 0, 0])
    assert_allclose(np.diagonal(one.covariances[0])[2:4], [RATE_STD_MPS**2 * weight, 100])


def test_a_vehicle_seen_along_its_heading_does_not_slip():
    one = tracks(label=CAR)
    correct(one, returns([(20, 0)], [8.0]), 0)
    assert_allclose(one.covariances[0, 3, 3], 0.25 + 0.8**2, rtol=0.02)
    other = tracks(label=CAR)  # seen from the side its heading says nothing of its speed
    correct(other, returns([(20, 0)], [0.5], rays=[(0.0, 1.0)]), 0)
    assert_allclose(other.covariances[0, 2, 2], 100)


@pytest.mark.parametrize(("x", "hit"), [(22.4, True), (22.6, False), (17.6, True), (17.4, False)])
def test_a_return_belongs_to_the_box_half_a_metre_around(x, hit):
    one = tracks()  # 4 m long: from 18 to 22
    assert (len(correct(one, returns([(x, 0)], [8.0]), 0)) == 1) is hit


def test_a_return_is_sought_where_the_track_was_at_its_own_stamp():
    # at 20 m/s, 50 ms before the frame, the box was 1 m back: from 17 to 21, half a metre around
    for offset_s, x, hit in ((-0.05, 16.6, True), (-0.05, 21.6, False), (0.05, 23.4, True)):
        one = tracks(velocity=(20.0, 0.0))
        found = correct(one, returns([(x, 0)], [20.0], offset_s=offset_s), 0)
        assert (len(found) == 1) is hit


def test_many_returns_of_one_object_count_once():
    one, many = tracks(), tracks()
    correct(one, returns([(20, 0)], [8.0]), 0)
    correct(many, returns([(19, 0), (20, 0), (21, 0)], [8.0, 8.0, 8.0]), 0)
    assert_allclose(many.covariances, one.covariances)


def test_one_wild_return_among_three_changes_nothing():
    one, wild = tracks(), tracks()
    correct(one, returns([(19, 0), (20, 0), (21, 0)], [8.0, 8.0, 8.0]), 0)
    correct(wild, returns([(19, 0), (20, 0), (21, 0)], [8.0, 8.0, -40.0]), 0)
    assert_allclose(wild.states, one.states)


def test_a_speed_no_object_of_this_kind_has_is_another_ones():
    sure = tracks(velocity=(8.0, 0.0), std_mps=0.5)
    before = sure.states.copy()
    assert len(correct(sure, returns([(20, 0)], [-5.0]), 0)) == 0
    assert_allclose(sure.states, before)


def test_an_old_heading_tells_nothing_new():
    one = tracks(label=CAR)
    correct(one, returns([(20, 0)], [8.0]), 100_000_000)  # last detected at 0
    assert_allclose(one.covariances[0, 3, 3], 100, rtol=1e-3)


def test_a_track_without_a_detection_goes_where_its_returns_are():
    # variance 0.1 against 1.5^2: 0.1 / 2.35 of the metre between
    one = tracks()
    correct(one, returns([(21, 0)], [8.0]), 100_000_000)
    assert_allclose(one.states[0, 0], 20 + 0.1 / 2.35, atol=1e-6)
    detected = tracks()
    correct(detected, returns([(21, 0)], [8.0]), 0)
    assert_allclose(detected.states[0, 0], 20)


def test_a_standing_return_is_no_sign_of_life():
    assert len(correct(tracks(), returns([(20, 0)], [0.2]), 0)) == 0


def frame(known):
    return EgoFrame(
        stamp_ns=0,
        points_ego=np.zeros((0, 3), np.float32),
        intensity=np.zeros(0, np.float32),
        radar_ego=np.array([[10, 0, 0]], np.float32),
        radar_ray_ego=np.array([[1, 0, 0]], np.float32),
        radial_speed_mps=np.array([3], np.float32),
        rcs_dbsm=np.zeros(1, np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3), known=known),
        map_from_ego=np.eye(4),
        present=frozenset({"radar"}),
        present_kinds=frozenset({"radar"}),
        missing={},
        radar_offset_s=np.array([0.02], np.float32),
    )


def test_returns_are_carried_into_the_map():
    map_from_ego = np.array([[0.0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    found = Returns.of(frame(known=True), map_from_ego)
    assert_allclose(found.places, [[5, 10]])  # 10 m ahead of who looks north at (5, 0)
    assert_allclose(found.rays, [[0, 1]], atol=1e-12)
    assert_allclose(found.offset_s, [0.02], atol=1e-8)


def test_range_rates_are_no_speeds_where_the_vehicles_own_is_unknown():
    assert Returns.of(frame(known=False), np.eye(4)) is None


def test_the_same_returns_are_not_used_twice():
    """The detection's velocity came from the returns that the tracker is given as well."""
    detected = Objects.of_boxes(
        np.array([[20.0, 0, 0.8, 4, 2, 1.6, 0]]),
        labels=np.array([PEDESTRIAN]),
        scores=np.array([0.8]),
        velocities_ego=np.array([[8.0, 0.0]]),
        covariances=np.diag([0.1, 0.1, RATE_STD_MPS**2, 16.0])[None],
        evidence=np.array([SEEN_BY["radar"] | SEEN_BY["lidar"]], np.uint8),
    )
    heard = Tracker(AT_ONCE).update(detected, np.eye(4), 0, returns=returns([(20, 0)], [8.0]))
    weight = 100 / (100 + RATE_STD_MPS**2)
    assert_allclose(heard.covariances[0, 2, 2], RATE_STD_MPS**2 * weight, rtol=1e-3)
    assert_allclose(heard.covariances[0, 3, 3], 100, rtol=1e-3)


def test_a_track_lives_on_by_what_moves_in_it():
    """Only a radar is left: no box is made, and its returns keep the car alive and measured."""
    tracker = Tracker(TrackerConfig())
    for k in range(10):
        box = np.array([[20.0 + k, 0, 0.8, 4, 2, 1.6, 0]])
        car = Objects.of_boxes(box, labels=np.array([CAR]), scores=np.array([0.8]))
        before = tracker.update(car, np.eye(4), k * 100_000_000)
    for k in range(10, 40):
        heard = returns([(20.0 + k, 0)], [10.0])
        after = tracker.update(Objects.none(), np.eye(4), k * 100_000_000, returns=heard)
        assert after.ids.tolist() == before.ids.tolist()
    assert_allclose(after.centers_ego[0, 0], 59.0, atol=1.5)
    assert_allclose(after.velocities_ego[0], [10, 0], atol=0.3)
