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

"""Objects between frames, by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.objects import FusionResult, Objects
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.tracking.extrapolation import MOST_BEHIND, Extrapolator, at

MS = 1_000_000
STANDING, AHEAD = (0.0, 0.0), (20.0, 0.0, 0.8, 4, 2, 1.6, 0.0)


def result(stamp_ms, *, velocity=STANDING, ego_mps=10.0, ego_radps=0.0, count=1):
    nothing = np.zeros((0, 3), np.float32)
    frame = EgoFrame(
        stamp_ns=stamp_ms * MS,
        points_ego=nothing,
        intensity=nothing[:, 0],
        radar_ego=nothing,
        radar_ray_ego=nothing,
        radial_speed_mps=nothing[:, 0],
        rcs_dbsm=nothing[:, 0],
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(
            linear_ego=np.array([ego_mps, 0, 0]), angular_ego=np.array([0, 0, ego_radps])
        ),
        map_from_ego=np.eye(4),
        present=frozenset(),
        present_kinds=frozenset(),
        missing={},
    )
    tracks = Objects.of_boxes(
        np.array([AHEAD] * count),
        velocities_ego=np.array([velocity] * count, float).reshape(-1, 2),
        ids=np.arange(count),
    )
    return FusionResult(
        stamp_ns=stamp_ms * MS,
        reference="lidar",
        frame=frame,
        pose_covariance=np.zeros((6, 6)),
        detections=Objects.none(),
        tracks=tracks,
        odom_from_ego=np.eye(4),
        missing={},
    )


def test_a_standing_object_comes_nearer_as_we_drive():
    (center,) = at(result(0), 50 * MS).centers_ego
    assert_allclose(center, [19.5, 0, 0.8])  # 20 m less 10 m/s for 0.05 s


def test_an_object_as_fast_as_we_are_stays_where_it_is():
    moved = at(result(0, velocity=(10.0, 0.0)), 100 * MS)
    assert_allclose(moved.centers_ego, [[20, 0, 0.8]])
    assert_allclose(moved.velocities_ego, [[10, 0]])


def test_as_we_turn_left_what_is_ahead_goes_to_the_right():
    moved = at(result(0, velocity=(3.0, 0.0), ego_mps=0.0, ego_radps=0.5), 200 * MS)
    # it drives 0.6 m on; we see it 0.1 rad to the right, and its velocity too
    assert_allclose(moved.centers_ego[0, :2], 20.6 * np.array([np.cos(0.1), -np.sin(0.1)]))
    assert_allclose(moved.velocities_ego[0], 3 * np.array([np.cos(0.1), -np.sin(0.1)]))
    assert_allclose(moved.yaws_rad, [-0.1])


def test_the_past_is_predicted_as_well():
    assert_allclose(at(result(100), 0).centers_ego[0, 0], 21.0)


def stamps(moments):
    return [moment.stamp_ns // MS for moment in moments]


@pytest.fixture
def twenty():
    return Extrapolator(20.0, 1.0, compensate=False)


def test_stamps_are_multiples_of_the_period_each_once(twenty):
    """Frames of every 100 ms that come 60 to 90 ms late; the clock is looked at every 17 ms."""
    rng, given, frame = np.random.default_rng(0), [], 0
    arrivals = [(100 * k + 60 + int(rng.integers(0, 30)), 100 * k) for k in range(40)]
    for clock_ms in range(0, 4000, 17):
        while frame < len(arrivals) and arrivals[frame][0] <= clock_ms:
            twenty.take(result(arrivals[frame][1]), clock_ms * MS)
            frame += 1
        given += stamps(twenty.due(clock_ms * MS))
    assert len(given) > 70
    assert set(np.diff(given)) == {50}
    assert given[0] % 50 == 0


def test_each_moment_says_which_frame_it_is_predicted_from(twenty):
    twenty.take(result(1000), 1080 * MS)
    (moment,) = twenty.due(1080 * MS)
    assert (moment.stamp_ns, moment.measured_ns) == (1000 * MS, 1000 * MS)
    (moment,) = twenty.due(1135 * MS)
    assert (moment.stamp_ns, moment.measured_ns) == (1050 * MS, 1000 * MS)
    assert_allclose(moment.objects.centers_ego[0, 0], 19.5)
    assert_allclose(twenty.age_ms, 50.0)


def test_a_clock_that_stands_still_gives_nothing_new(twenty):
    twenty.take(result(1000), 1080 * MS)
    assert stamps(twenty.due(1140 * MS)) == [1050]
    assert twenty.due(1140 * MS) == []


def test_nothing_is_predicted_far_beyond_the_newest_frame(twenty):
    twenty.take(result(1000), 1080 * MS)
    assert stamps(twenty.due(1980 * MS))[-1] == 1900
    assert twenty.stopped == ""
    assert stamps(twenty.due(2500 * MS)) == [1950, 2000]
    assert "no frame comes" in twenty.stopped
    twenty.take(result(2500), 2580 * MS)
    assert stamps(twenty.due(2580 * MS))[-1] == 2500
    assert twenty.stopped == ""


def test_a_pause_is_not_made_up_for_at_length():
    fast = Extrapolator(100.0, 1e9, compensate=False)
    fast.take(result(0), 0)
    fast.due(0)
    assert len(fast.due(10_000 * MS)) == MOST_BEHIND + 1


def test_frames_that_go_back_begin_anew(twenty):
    twenty.take(result(5000), 5080 * MS)
    assert stamps(twenty.due(5080 * MS)) == [5000]
    twenty.take(result(100), 180 * MS)
    assert stamps(twenty.due(180 * MS)) == [100]


def test_compensated_objects_are_those_of_the_present():
    present = Extrapolator(0.0, 1.0, compensate=True)
    present.take(result(1000), 1080 * MS)
    moment = present.now(1080 * MS)
    assert (moment.stamp_ns, moment.measured_ns) == (1080 * MS, 1000 * MS)
    assert_allclose(moment.objects.centers_ego[0, 0], 19.2)  # 80 ms at 10 m/s


def test_a_clock_of_another_time_is_told_not_followed():
    present = Extrapolator(0.0, 1.0, compensate=True)
    present.take(result(1000), 1_700_000_000_000 * MS)
    assert present.now(1_700_000_000_000 * MS) is None
    assert "the clock is not the stamps'" in present.stopped


def test_without_a_frame_there_is_nothing(twenty):
    assert twenty.due(100 * MS) == []
    assert twenty.now(100 * MS) is None
