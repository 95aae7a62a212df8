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

"""Poses between what was heard, and what was heard late."""

import numpy as np
import pytest
from drives import Drive, circle, fix_at, made, ns, play, speed, still
from numpy.testing import assert_allclose

from mm_fusion.config import LocalizerConfig
from mm_fusion.geometry.rigid import rotation_from_rpy
from mm_fusion.localization.belief import Velocity
from mm_fusion.localization.eskf import matrix_of
from mm_fusion.localization.history import History

HZ = {"imu": 50, "gps": 10, "twist": 20}


def poses(localizer, times):
    return np.array([localizer.pose_at(ns(t)).map_from_ego for t in times])


def velocity(t, mps, turn=0.0):
    return Velocity(
        stamp_ns=ns(t),
        linear_ego=np.array([mps, 0.0, 0.0]),
        angular_ego=np.array([0.0, 0.0, turn]),
        std_mps=0.01,
    )


def test_at_the_stamp_of_an_event_the_pose_is_what_was_believed_then():
    history, beliefs = History(LocalizerConfig()), []
    for k in range(20):
        history.hear(velocity(1 + k / 10, 10.0 + k % 3))
        beliefs.append(history.newest)
    for belief in beliefs[:-1]:
        state = history.state_at(belief.stamp_ns)
        assert_allclose(matrix_of(state), matrix_of(belief.state), atol=1e-12)
        assert_allclose(state.covariance, belief.state.covariance, atol=1e-12)


@pytest.mark.parametrize("event", [1.6, 2.0, 2.1])
def test_the_way_from_belief_to_belief_has_no_step(event):
    drive = Drive(noise={"gps": 1.0, "force": 0.5, "gyro": 0.02})
    localizer = play(made(), drive.records(2.5, **HZ))
    before, at, after = poses(localizer, [event - 1e-9, event, event + 1e-9])
    assert_allclose(before, at, atol=1e-4)
    assert_allclose(after, at, atol=1e-4)


def test_between_two_beliefs_on_a_circle_the_pose_is_on_the_circle():
    # 10 m/s on a circle of 20 m, told ten times a second by odometry alone
    history = History(LocalizerConfig(history_s=4.0))
    for k in range(31):
        history.hear(velocity(1 + k / 10, 10.0, 0.5))
    begin, middle = (matrix_of(history.state_at(ns(t))) for t in (3.0, 3.05))
    # wheels tell a turn rate to 0.02 rad/s, so the turn is learned to about a hundredth
    assert_allclose(np.linalg.inv(begin) @ middle, circle(0.05, 20, 10), atol=1e-3)


def test_the_turn_rate_between_two_samples_is_between_theirs():
    localizer = made()
    for k in range(100):
        localizer.observe("imu", still(1 + k / 100, turn=(0, 0, 0.01 * k)))
        localizer.observe("twist", speed(1 + k / 100, 10.0))
    bias = 0.01 * 50 - localizer.pose_at(ns(1.5)).motion.angular_ego[2]
    motion = localizer.pose_at(ns(1.505)).motion
    assert motion.angular_ego[2] == pytest.approx(0.505 - bias, abs=1e-3)


def shuffled_a_little(records, within, rng):
    """Every record up to `within` places late; the first stays, it begins the history."""
    order = np.argsort(np.arange(len(records) - 1) + rng.uniform(0, within, len(records) - 1))
    return [records[0], *(records[1 + k] for k in order)]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_does_not_matter(seed):
    drive = Drive(noise={"gps": 1.0, "force": 0.5, "gyro": 0.02, "twist": 0.1})
    records = drive.records(4.0, **HZ)
    late = shuffled_a_little(records, 12, np.random.default_rng(seed))
    assert late != records
    inorder, outoforder = play(made(), records), play(made(), late)
    assert outoforder.stats.out_of_order > 20
    times = np.arange(2.5, 4.2, 0.07)
    assert_allclose(poses(outoforder, times), poses(inorder, times), atol=1e-7)
    assert_allclose(
        outoforder.pose_at(ns(4)).covariance, inorder.pose_at(ns(4)).covariance, atol=1e-9
    )
    assert outoforder.stats.fixes_used == inorder.stats.fixes_used


def test_a_fix_a_second_late_is_used_as_if_it_were_in_time():
    records = Drive().records(4.0, imu=50, twist=20)
    fixes = [("gps", Drive().gps(1.013 + k)) for k in range(3)]
    intime = play(made(), sorted([*records, *fixes], key=lambda r: r[1].stamp_ns))
    late = made()
    for stream, record in records:
        late.observe(stream, record)
        while fixes and record.stamp_ns > fixes[0][1].stamp_ns + ns(1.0):
            late.observe(*fixes.pop(0))
    assert not fixes or late.observe(*fixes.pop(0)) is None
    assert late.stats.fixes_used == 3
    assert_allclose(poses(late, [3.0, 4.0]), poses(intime, [3.0, 4.0]), atol=1e-7)


def test_only_as_much_is_kept_as_the_history_is_long():
    history = History(LocalizerConfig(history_s=1.0))
    for k in range(1000):
        history.hear(velocity(1 + k / 100, 10.0))
    assert history.hear(velocity(10.0, 10.0)) == "velocities"  # of 10.99 s
    assert history.hear(velocity(9.97, 10.0)) == "too_old"


def test_a_pose_older_than_the_history_is_the_oldest_taken_back():
    localizer = made(history_s=1.0)
    play(localizer, [("twist", speed(1 + k / 20, 10.0)) for k in range(100)])  # until 5.95 s
    # what was believed at 4.9 s is the oldest; one second farther back it is still moved
    near, far = localizer.pose_at(ns(4.5)), localizer.pose_at(ns(2.0))
    assert near.map_from_ego[0, 3] == pytest.approx(10 * 3.5, abs=0.1)
    assert far.stamp_ns > ns(3.8)
    assert any("older ones are forgotten" in note for note in far.notes)


def test_a_late_orientation_turns_what_came_after_it():
    localizer = made()
    for k in range(50):
        localizer.observe("twist", speed(1 + k / 50, 10.0))
    north = (np.sqrt(0.5), 0, 0, np.sqrt(0.5))
    localizer.observe("imu", still(1.11, wxyz=north))
    pose = localizer.pose_at(ns(1.95)).map_from_ego
    assert_allclose(pose[:3, :3], rotation_from_rpy(0, 0, np.pi / 2), atol=0.05)
    # 1.1 m east before, 8.4 m north after
    assert_allclose(pose[:2, 3], [1.1, 8.4], atol=0.3)


def test_two_things_heard_of_one_moment_are_both_used():
    localizer = made()
    for k in range(10):
        localizer.observe("gps", fix_at(1 + k / 10, [0, 0, 0]))
        localizer.observe("twist", speed(1 + k / 10, 0.0))
    assert localizer.stats.fixes_used == 10
    assert localizer.stats.velocities == 10
    assert localizer.stats.out_of_order == 0
