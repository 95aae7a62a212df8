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

"""The IMU and the wheels: one of several, silent, without an accelerometer, upside down."""

import math

import numpy as np
import pytest
from drives import (
    ANTENNA,
    GRAVITY_MPS2,
    Drive,
    fix_at,
    heading,
    made,
    ns,
    off_m,
    speed,
    still,
)
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration
from mm_fusion.geometry.rigid import compose, rotation_from_rpy, rpy_from_rotation
from mm_fusion.records import TwistSample


def turning(t, rate=0.2):
    return still(t, turn=(0, 0, rate))


def test_the_first_sample_says_where_up_is():
    rotation = rotation_from_rpy(0.1, -0.05, 0.0)
    localizer = made()
    localizer.observe("imu", still(1, force=rotation.T @ [0, 0, GRAVITY_MPS2]))
    pose = localizer.pose_at(ns(1))
    assert_allclose(pose.map_from_ego[:3, :3], rotation, atol=1e-9)


def test_an_imu_that_states_its_heading_gives_it():
    localizer = made()
    yaw = 2.0
    localizer.observe("imu", still(1, wxyz=(math.cos(yaw / 2), 0, 0, math.sin(yaw / 2))))
    pose = localizer.pose_at(ns(1))
    assert heading(pose.map_from_ego) == pytest.approx(yaw)
    assert pose.covariance[5, 5] == pytest.approx(0.1**2)  # orientation_std_rad


def test_the_gyroscope_turns_the_vehicle_by_the_mean_of_its_readings():
    # the rate rises from 0 to 1 rad/s within a second: half a radian, where steps would lag 0.05
    localizer = made()
    for k in range(11):
        localizer.observe("imu", still(1 + k / 10, turn=(0, 0, k / 10)))
    yaw = heading(localizer.pose_at(ns(2)).map_from_ego)
    assert yaw == pytest.approx(0.5, abs=1e-3)


def test_an_imu_that_falls_silent_leaves_a_turn_that_fades():
    localizer = made()
    for k in range(150):
        t = 1 + k / 50
        localizer.observe("twist", speed(t, 1.0))
        if t < 2:  # on a circle: 1 m/s by 0.2 rad/s are 0.2 m/s^2 to the left
            localizer.observe("imu", still(t, turn=(0, 0, 0.2), force=(0, 0.2, GRAVITY_MPS2)))
    now, later = (localizer.pose_at(ns(t)).motion.angular_ego[2] for t in (2.0, 4.0))
    assert now == pytest.approx(0.2, abs=0.02)
    # silence is noticed after 0.3 s; then it fades within 3 s to 1 / e
    assert later == pytest.approx(now * math.exp(-2 / 3), rel=0.15)


def test_an_imu_that_comes_back_is_used_again():
    drive, localizer = Drive(), made()
    for stream, record in drive.records(16, imu=25, gps=5, twist=10):
        if stream != "imu" or not ns(5) < record.stamp_ns < ns(9):
            localizer.observe(stream, record)
    assert off_m(localizer, drive, 16) < 0.2
    assert localizer.pose_at(ns(16)).motion.angular_ego[2] == pytest.approx(
        drive.turn(16), abs=0.01
    )


def test_of_two_imus_one_is_heard_and_the_other_stands_in():
    localizer = made()
    for k in range(100):
        localizer.observe("imu", turning(1 + k / 100, 0.1))
        localizer.observe("spare", turning(1 + k / 100 + 0.001, 0.9))
    assert localizer.stats.ignored == 100
    assert heading(localizer.pose_at(ns(1.99)).map_from_ego) == pytest.approx(0.099, abs=0.01)
    for k in range(100):
        localizer.observe("spare", turning(2 + k / 100, 0.1))
    assert localizer.stats.imu_samples > 165  # silent for 0.3 s, then relieved


@pytest.mark.parametrize("force", [(0, 0, 0), (0, 0, 0.02), (500, 0, 0)])
def test_an_imu_without_gravity_is_a_gyroscope(force):
    localizer = made()
    for k in range(300):
        localizer.observe("imu", still(1 + k / 100, turn=(0, 0, 0.1), force=force))
        localizer.observe("twist", speed(1 + k / 100, 10.0))
    pose = localizer.pose_at(ns(3.99))
    assert heading(pose.map_from_ego) == pytest.approx(0.299, abs=0.01)
    roll, pitch, _ = rpy_from_rotation(pose.map_from_ego[:3, :3])
    assert_allclose([roll, pitch], 0, atol=0.02)


def test_an_imu_mounted_upside_down_is_turned_by_its_transform():
    # forward, right, down, as aircraft have it
    down = Calibration(ego_from={"imu": compose(np.diag([1.0, -1.0, -1.0]), np.zeros(3))})
    localizer = made()
    localizer.calibrate(down, ())
    for k in range(200):
        force = (0, 0, -GRAVITY_MPS2)
        localizer.observe("imu", still(1 + k / 100, turn=(0, 0, -0.1), force=force))
    pose = localizer.pose_at(ns(2.99)).map_from_ego
    assert_allclose(pose[:3, :3], rotation_from_rpy(0, 0, 0.199), atol=1e-3)


def test_wheels_that_stand_teach_the_gyroscope():
    localizer = made()
    for k in range(500):
        localizer.observe("imu", turning(1 + k / 100, 0.05))
        localizer.observe("twist", speed(1 + k / 100, 0.0))
    pose = localizer.pose_at(ns(5.99))
    assert pose.motion.angular_ego[2] == pytest.approx(0.0, abs=1e-3)
    assert abs(heading(pose.map_from_ego)) < 0.06  # 5 s of it would be 0.25


def test_a_forward_speed_alone_leaves_the_wheels_their_grip():
    # only forward is measured: that there is no sideways motion must still be known
    localizer = made()
    for k in range(100):
        linear = np.array([10.0, np.nan, np.nan])
        twist = TwistSample(
            stamp_ns=ns(1 + k / 20), linear_ego=linear, angular_ego=np.full(3, np.nan)
        )
        localizer.observe("twist", twist)
    motion = localizer.pose_at(ns(5.95)).motion
    assert motion.known
    assert_allclose(motion.linear_ego, [10, 0, 0], atol=0.01)


def test_a_vehicle_that_may_move_sideways_is_let():
    free = made(slip_std_mps=0.0)
    for k in range(100):
        sideways = np.array([0.0, 2.0, 0.0])
        twist = TwistSample(stamp_ns=ns(1 + k / 20), linear_ego=sideways, angular_ego=np.zeros(3))
        free.observe("twist", twist)
        free.observe("gps", fix_at(1 + k / 20, ANTENNA + np.array([0, k / 10, 0])))
    assert_allclose(free.pose_at(ns(5.95)).motion.linear_ego, [0, 2, 0], atol=0.05)
