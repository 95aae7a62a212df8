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

"""Tracks: identity, velocity, life."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import TrackerConfig
from mm_fusion.geometry.rigid import compose, invert, rotation_from_rpy, transform
from mm_fusion.objects import CLASSES, UNKNOWN, Objects
from mm_fusion.records import NS_PER_S
from mm_fusion.tracking.association import associate
from mm_fusion.tracking.prediction import predicted
from mm_fusion.tracking.tracker import Tracker

CAR = CLASSES.index("car")
STILL = np.eye(4)
AT_ONCE = TrackerConfig(confirm_hits=1, confirm_existence=0.0)


def seen(*positions, labels=None, yaw=0.0):
    boxes = np.array([[x, y, 0.8, 4.2, 1.8, 1.6, yaw] for x, y in positions]).reshape(-1, 7)
    labels = np.full(len(boxes), CAR) if labels is None else np.array(labels)
    return Objects.of_boxes(boxes, labels=labels, scores=np.full(len(boxes), 0.8))


def at(seconds):
    return round(seconds * NS_PER_S)


@pytest.fixture
def tracker():
    return Tracker(TrackerConfig(confirm_hits=3, lifetime_s=1.0))


def test_a_car_is_confirmed_at_its_third_detection_and_keeps_its_id(tracker):
    counts = [len(tracker.update(seen((10 + k, 0)), STILL, at(0.1 * k))) for k in range(5)]
    assert counts == [0, 0, 1, 1, 1]
    ids = {
        int(tracker.update(seen((15 + k, 0)), STILL, at(0.5 + 0.1 * k)).ids[0]) for k in range(5)
    }
    assert ids == {1}


def test_velocity_is_over_ground_whatever_the_vehicle_does(tracker):
    # the other car drives east at 5 m/s; we drive north at 10 m/s, facing north
    for k in range(30):
        t = 0.1 * k
        map_from_ego = compose(rotation_from_rpy(0, 0, np.pi / 2), np.array([0.0, 10 * t, 0]))
        car_ego = transform(invert(map_from_ego), np.array([[20 + 5 * t, 15.0, 0.8]]))[0]
        tracks = tracker.update(seen(tuple(car_ego[:2])), map_from_ego, at(t))
    # facing north, east is to the right: -y
    assert_allclose(tracks.velocities_ego[0], [0, -5], atol=0.2)


def test_an_object_unseen_for_half_a_second_keeps_its_id_and_moves_on(tracker):
    for k in range(10):
        tracks = tracker.update(seen((10 + k, 0)), STILL, at(0.1 * k))
    (track_id,) = tracks.ids
    for k in range(10, 15):
        tracks = tracker.update(Objects.none(), STILL, at(0.1 * k))
    assert tracks.ids.tolist() == [track_id]
    assert_allclose(tracks.centers_ego[0, 0], 24.0, atol=0.5)  # 10 m/s for 1.4 s from 10 m
    tracks = tracker.update(seen((25, 0)), STILL, at(1.5))
    assert tracks.ids.tolist() == [track_id]


def test_a_track_ends_after_its_lifetime_and_its_id_is_not_used_again(tracker):
    for k in range(5):
        tracks = tracker.update(seen((10, 0)), STILL, at(0.1 * k))
    (old,) = tracks.ids
    for k in range(5, 16):
        tracks = tracker.update(Objects.none(), STILL, at(0.1 * k))
    assert len(tracks) == 0
    for k in range(5):
        tracks = tracker.update(seen((10, 0)), STILL, at(1.6 + 0.1 * k))
    assert tracks.ids[0] > old
    tracker.reset()
    for k in range(5):
        again = tracker.update(seen((10, 0)), STILL, at(3 + 0.1 * k))
    assert again.ids[0] > tracks.ids[0]


def test_a_single_false_alarm_never_becomes_a_track(tracker):
    assert len(tracker.update(seen((30, 5)), STILL, at(0))) == 0
    for k in range(1, 5):
        assert len(tracker.update(Objects.none(), STILL, at(0.1 * k))) == 0


def test_stamps_that_go_back_start_afresh(tracker):
    for k in range(5):
        tracker.update(seen((10, 0)), STILL, at(10 + 0.1 * k))
    assert len(tracker.update(seen((10, 0)), STILL, at(0))) == 0


def test_a_measured_velocity_is_believed_at_once(tracker):
    fast = Objects.of_boxes(
        np.array([[20.0, 0, 0.8, 4.2, 1.8, 1.6, 0]]),
        velocities_ego=np.array([[-8.0, 0.0]]),
        covariances=np.diag([0.1, 0.1, 0.25, 0.25])[None],
    )
    tracker = Tracker(AT_ONCE)
    tracks = tracker.update(fast, STILL, at(0))
    # weights 1/0.25 for the measurement, 1/100 for the prior at rest: -8 * 4 / 4.01
    assert_allclose(tracks.velocities_ego[0], [-8 * 4 / 4.01, 0], atol=1e-4)


def test_unknown_gives_way_to_the_class_seen_now_and_then(tracker):
    for k in range(6):
        tracks = tracker.update(
            seen((10, 0), labels=[CAR if k == 2 else UNKNOWN]), STILL, at(0.1 * k)
        )
    assert tracks.labels.tolist() == [CAR]


def test_front_and_back_follow_the_motion(tracker):
    for k in range(15):
        tracks = tracker.update(seen((30 - k, 0), yaw=0.05), STILL, at(0.1 * k))
    assert abs(abs(tracks.yaws_rad[0]) - np.pi) < 0.1  # the box says 0, the motion pi


def test_assignment_is_optimal_not_greedy():
    # tracks at 0 and 1, detections at 0.9 and 2: greedy pairs 1-0.9 and leaves 0-2 (4 > gate)
    variance = np.tile(np.eye(2) / 2, (2, 1, 1))
    tracks, detections = associate(
        np.array([[0.0, 0], [1, 0]]), variance, np.array([[0.9, 0], [2.0, 0]]), variance, 3.0
    )
    assert list(zip(tracks, detections, strict=True)) == [(0, 0), (1, 1)]


def test_nothing_is_paired_beyond_the_gate():
    one = np.eye(2)[None] / 2  # difference variance 1 m^2: squared distance is metres squared
    for x, pairs in ((2.9, 1), (3.1, 0)):
        tracks, _ = associate(np.zeros((1, 2)), one, np.array([[x, 0.0]]), one, 9.0)
        assert len(tracks) == pairs


def test_a_track_that_may_not_coast_is_not_published_unseen_but_kept():
    tracker = Tracker(replace(AT_ONCE, lifetime_s=1.0, coast_s=0.15))
    (track_id,) = tracker.update(seen((10, 0)), STILL, at(0)).ids
    counts = [len(tracker.update(Objects.none(), STILL, at(0.1 * k))) for k in (1, 2, 3)]
    assert counts == [1, 0, 0]
    assert tracker.update(seen((10, 0)), STILL, at(0.4)).ids.tolist() == [track_id]


def test_of_two_as_near_the_one_of_its_size_continues_a_track():
    tracker = Tracker(AT_ONCE)
    car, person = [0, 0, 0.8, 4.2, 1.8, 1.6, 0], [0, 1.5, 0.8, 0.5, 0.5, 1.7, 0]
    first = tracker.update(Objects.of_boxes(np.array([car, person])), STILL, at(0))
    car_id, person_id = first.ids.tolist()
    # both now lie as far from where the car was as from where the person was
    car[:2], person[:2] = (0.3, 0.75), (-0.3, 0.75)
    second = tracker.update(Objects.of_boxes(np.array([person, car])), STILL, at(0.1))
    lengths = dict(zip(second.ids.tolist(), second.sizes_m[:, 0].tolist(), strict=True))
    assert lengths[car_id] > 4
    assert lengths[person_id] < 1


def test_a_new_track_may_be_as_fast_as_the_setting_says():
    # 3 m in 0.1 s: within three standard deviations of 10 m/s, not of 2 m/s
    for std_mps, same in ((10.0, True), (2.0, False)):
        config = replace(AT_ONCE, birth_speed_std_mps=std_mps, gate=9.0)
        tracker = Tracker(config)
        (track_id,) = tracker.update(seen((10, 0)), STILL, at(0)).ids
        tracks = tracker.update(seen((13, 0)), STILL, at(0.1))
        assert (track_id in tracks.ids.tolist()[:1] and len(tracks) == 1) is same


def test_a_pause_in_which_nobody_looked_ends_nothing(tracker):
    for k in range(10):
        before = tracker.update(seen((10 + k, 0)), STILL, at(0.1 * k))
    after = tracker.update(seen((39, 0.5)), STILL, at(2.9))  # 10 m/s for 2 s more
    assert after.ids.tolist() == before.ids.tolist()


def test_a_late_frame_takes_its_place_and_ids_stay():
    frames = {k: seen((10 + k, 0), (10 + k, 8)) for k in range(12)}
    straight, shuffled = Tracker(AT_ONCE), Tracker(AT_ONCE)
    for k in range(12):
        expected = straight.update(frames[k], STILL, at(0.1 * k))
    for k in (0, 1, 2, 4, 5, 3, 6, 7, 9, 8, 10, 11):
        found = shuffled.update(frames[k], STILL, at(0.1 * k))
    assert shuffled.late == 2
    assert found.ids.tolist() == expected.ids.tolist()
    assert_allclose(found.centers_ego, expected.centers_ego, atol=1e-9)
    assert_allclose(found.covariances, expected.covariances, atol=1e-9)


def test_what_began_after_a_late_frame_keeps_the_id_it_was_published_with():
    tracker = Tracker(AT_ONCE)
    tracker.update(seen((10, 0)), STILL, at(0))
    tracker.update(seen((10, 0)), STILL, at(0.1))
    both = tracker.update(seen((10, 0), (30, 5)), STILL, at(0.3)).ids.tolist()
    tracker.update(seen((10, 0), (-20, 5)), STILL, at(0.2))  # late, with an object of its own
    after = tracker.update(seen((10, 0), (30, 5)), STILL, at(0.4))
    assert after.ids.tolist()[:1] == both[:1]
    assert set(both) <= set(after.ids.tolist())


def test_weak_detections_go_on_with_a_track_but_begin_none():
    tracker = Tracker(replace(AT_ONCE, birth_score=0.3))
    weak = replace(seen((10, 0)), scores=np.array([0.2]))
    assert len(tracker.update(weak, STILL, at(0))) == 0
    (track_id,) = tracker.update(seen((10, 0)), STILL, at(0.1)).ids
    for k in range(2, 30):
        tracks = tracker.update(weak, STILL, at(0.1 * k))
    assert tracks.ids.tolist() == [track_id]


def test_a_strong_detection_is_paired_before_a_weak_one_that_lies_nearer():
    tracker = Tracker(replace(AT_ONCE, birth_score=0.3))
    (track_id,) = tracker.update(seen((10, 0)), STILL, at(0)).ids
    both = replace(seen((10.6, 0), (10.1, 0)), scores=np.array([0.8, 0.2]))
    tracks = tracker.update(both, STILL, at(0.1))
    assert tracks.ids.tolist() == [track_id]  # and the weak one begins none
    assert tracks.centers_ego[0, 0] > 10.35


def test_a_turning_car_is_followed_through_its_turn():
    # 10 m/s on a circle of 20 m: 0.5 rad/s
    config = replace(AT_ONCE, acceleration_std_mps2=1.0)
    turning, straight = (Tracker(replace(config, turn_std_radps=s)) for s in (0.4, 0.0))
    for k in range(40):
        angle = 0.05 * k
        place = (20 * np.sin(angle), 20 - 20 * np.cos(angle))
        tracks = turning.update(seen(place, yaw=angle), STILL, at(0.1 * k))
        other = straight.update(seen(place, yaw=angle), STILL, at(0.1 * k))
    assert len(tracks) == 1
    assert_allclose(tracks.turn_rates_radps, [0.5], atol=0.15)
    ahead = 0.05 * 49  # a second later
    truth = np.array([20 * np.sin(ahead), 20 - 20 * np.cos(ahead)])
    missed_m = [
        np.linalg.norm(predicted(t, 1.0).centers_ego[0, :2] - truth) for t in (tracks, other)
    ]
    assert missed_m[0] < 1.3
    assert missed_m[0] < 0.5 * missed_m[1]


def test_pedestrians_have_no_turn_rate(tracker):
    for k in range(10):
        tracks = tracker.update(
            seen((10 + 0.1 * k, 0.02 * k * k), labels=[CLASSES.index("pedestrian")]),
            STILL,
            at(0.1 * k),
        )
    assert tracks.turn_rates_radps.tolist() == [0.0]


def test_ids_stay_through_two_seconds_behind_something():
    """Nothing can see the car; it is kept, less and less surely, and found again."""
    tracker, hidden = Tracker(TrackerConfig()), Hidden(0.0)
    for k in range(20):
        before = tracker.update(seen((10 + k, 3)), STILL, at(0.1 * k))
    for k in range(20, 40):
        coasting = tracker.update(Objects.none(), STILL, at(0.1 * k), visibility=hidden)
        assert coasting.ids.tolist() == before.ids.tolist()
    assert coasting.scores[0] < before.scores[0]
    assert np.trace(coasting.covariances[0]) > 10 * np.trace(before.covariances[0])
    for k in range(40, 45):
        after = tracker.update(seen((10 + k, 3)), STILL, at(0.1 * k))
    assert after.ids.tolist() == before.ids.tolist()
    assert after.ids[0] == before.ids[0]


def test_what_should_be_seen_and_is_not_ends_long_before():
    tracker = Tracker(TrackerConfig())
    for k in range(20):
        assert len(tracker.update(seen((10, 3)), STILL, at(0.1 * k))) == (k > 0)
    looked = [
        len(tracker.update(Objects.none(), STILL, at(0.1 * k), visibility=Hidden(0.75)))
        for k in range(20, 40)
    ]
    assert looked[0] == 1
    assert 3 <= sum(looked) <= 10


@pytest.mark.parametrize(("label", "moves"), [(CAR, False), (CLASSES.index("pedestrian"), True)])
def test_a_slow_vehicle_that_is_hidden_stands_and_a_slow_person_walks_on(label, moves):
    tracker = Tracker(TrackerConfig())
    for k in range(20):
        before = tracker.update(seen((10 + 0.08 * k, 0), labels=[label]), STILL, at(0.1 * k))
    for k in range(20, 40):
        after = tracker.update(Objects.none(), STILL, at(0.1 * k), visibility=Hidden(0.0))
    way_m = after.centers_ego[0, 0] - before.centers_ego[0, 0]
    assert (way_m > 1.2) == moves  # 0.8 m/s for 2 s are 1.6 m
    assert (way_m < 0.5) != moves


def test_a_hidden_track_ends_in_the_end():
    tracker = Tracker(TrackerConfig(hidden_s=1.0))
    for k in range(5):
        tracker.update(seen((10, 3)), STILL, at(0.1 * k))
    gone = [
        len(tracker.update(Objects.none(), STILL, at(0.1 * k), visibility=Hidden(0.0)))
        for k in range(5, 20)
    ]
    assert gone == [1] * 10 + [0] * 5  # last seen at 0.4 s


class Hidden:
    """Everything is seen with the same probability."""

    def __init__(self, probability):
        self._probability = probability

    def probability(self, boxes):
        return np.full(len(boxes), self._probability)
