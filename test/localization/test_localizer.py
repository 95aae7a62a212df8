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

"""The localizer: anything may be missing, and what is absurd is counted, never raised."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from drives import Drive, fix_at, made, ns, off_m, play, position, speed, still, yaw_off_rad
from numpy.testing import assert_allclose

from mm_fusion.config import LocalizerConfig, SensorConfig
from mm_fusion.records import GpsFix, OdometrySample, TwistSample

NOISE = {"gps": 0.5, "gyro": 0.01, "force": 0.3, "twist": 0.1, "wheel_scale": 0.01}
RATES = {"imu": 25, "twist": 10, "odometry": 10}


def test_nothing_heard_is_the_origin_and_no_known_motion():
    localizer = made()
    for stamp_ns in (-1, 0, ns(1), ns(1e9)):
        pose = localizer.pose_at(stamp_ns)
        assert pose.stamp_ns == stamp_ns
        assert_allclose(pose.map_from_ego, np.eye(4))
        assert not pose.motion.known
        assert not pose.motion.linear_ego.any()
    assert localizer.datum is None


@pytest.mark.parametrize("others", [c for n in range(4) for c in itertools.combinations(RATES, n)])
def test_fixes_with_any_of_the_others_follow_the_drive(others):
    drive = Drive(noise=NOISE)
    rates = {name: RATES[name] for name in others}
    localizer = play(made(), drive.records(12, gps=10, **rates))
    assert off_m(localizer, drive, 12) < 0.8
    turns = {"imu", "odometry"} & set(others)  # else fixes alone tell the turn, to 0.13 rad
    assert yaw_off_rad(localizer, drive, 12) < (0.05 if turns else 0.3)
    motion = localizer.pose_at(ns(12)).motion
    assert motion.known
    assert motion.linear_ego[0] == pytest.approx(drive.speed(12), abs=0.5 if others else 1.5)


@pytest.mark.parametrize("wheels", ["twist", "odometry"])
@pytest.mark.parametrize("imu", [True, False])
def test_without_fixes_the_way_is_reckoned_from_the_origin(wheels, imu):
    drive, localizer = Drive(), made()
    for k in range(250):
        t = 1 + k / 25
        if imu:
            localizer.observe("imu", drive.imu(t))
        if wheels == "twist":
            localizer.observe("twist", drive.twist(t, turn=True))
        else:
            localizer.observe("odometry", drive.odometry(t))
    begin, end = np.linalg.inv(drive.pose(1.0)), drive.pose(10.96)
    pose = localizer.pose_at(ns(10.96))
    assert localizer.datum is None
    assert_allclose(pose.map_from_ego[:2, 3], (begin @ end)[:2, 3], atol=1.0)  # of 90 m
    assert any("no GPS fix yet" in note for note in pose.notes)


def test_an_imu_alone_knows_no_speed_but_the_turn_of_the_vehicle():
    localizer = play(made(), [("imu", still(1 + k / 50, turn=(0, 0, 0.3))) for k in range(100)])
    pose = localizer.pose_at(ns(2.98))
    assert not pose.motion.known
    assert_allclose(pose.map_from_ego[:2, 0], [np.cos(0.594), np.sin(0.594)], atol=0.01)


def test_fixes_that_state_no_covariance_and_a_clock_that_is_off_are_used():
    drive = Drive()
    localizer = made(sensors=[SensorConfig(name="gps", kind="gps", offset_s=0.1)], gps_std_m=1.0)
    for stream, record in drive.records(12, gps=10, imu=50):
        if stream == "gps":
            late = replace(record, stamp_ns=record.stamp_ns + ns(0.1))
            localizer.observe("gps", replace(late, covariance_enu=np.zeros((3, 3))))
        else:
            localizer.observe(stream, record)
    assert off_m(localizer, drive, 12) < 0.1  # a tenth of a second is half a metre


def test_after_the_last_record_the_pose_is_predicted_with_less_and_less_certainty():
    drive = Drive()
    localizer = play(made(), drive.records(10, gps=10, twist=20))
    spread = [localizer.pose_at(ns(10 + late)).covariance[0, 0] for late in (0, 0.1, 0.5, 2)]
    assert spread == sorted(spread)
    assert off_m(localizer, drive, 10.1) < 0.2
    motion = localizer.pose_at(ns(60)).motion
    assert not motion.known
    notes = localizer.pose_at(ns(60)).notes
    assert any("nothing heard of the vehicle's motion for 50" in note for note in notes)
    assert any("last GPS fix used is 50 s old" in note for note in notes)


ABSURD = [np.nan, np.inf, -np.inf, 1e300, -1e300]


@pytest.mark.parametrize("value", ABSURD)
def test_absurd_numbers_are_counted_and_move_nothing(value):
    records = Drive().records(4, gps=5, imu=20, twist=10, odometry=10)
    localizer, twin = play(made(), records), play(made(), records)
    absurd = np.full(3, value)
    fix = {"latitude_rad": 0.8, "longitude_rad": 0.2, "altitude_m": 100.0}
    for name in fix:
        record = GpsFix(stamp_ns=ns(4), covariance_enu=np.eye(3), **fix | {name: value})
        localizer.observe("gps", record)
    localizer.observe("imu", still(4, turn=absurd))
    localizer.observe("imu", still(4, force=absurd))
    localizer.observe("twist", TwistSample(stamp_ns=ns(4), linear_ego=absurd, angular_ego=absurd))
    localizer.observe(
        "odometry",
        OdometrySample(
            stamp_ns=ns(4),
            odom_from_ego=np.full((4, 4), value),
            linear_ego=absurd,
            angular_ego=absurd,
        ),
    )
    assert localizer.stats.invalid == 7
    a, b = (one.pose_at(ns(4)) for one in (localizer, twin))
    assert_allclose(a.map_from_ego, b.map_from_ego)
    assert_allclose(a.covariance, b.covariance)


@pytest.mark.parametrize("value", ABSURD)
def test_one_absurd_component_leaves_the_pose_finite(value):
    localizer = made()
    for k in range(40):
        t = 1 + k / 10
        localizer.observe(
            "gps", replace(fix_at(t, [k, 0, 0]), covariance_enu=np.diag([1, 1, value]))
        )
        localizer.observe("imu", still(t, wxyz=(value, 0, 0, 1)))
        for place in range(6):
            vector = np.where(np.arange(6) == place, value, 1.0)
            twist = TwistSample(stamp_ns=ns(t), linear_ego=vector[:3], angular_ego=vector[3:])
            localizer.observe("twist", twist)
            localizer.observe("twist", replace(twist, linear_std_mps=value))
    pose = localizer.pose_at(ns(5))
    assert np.isfinite(pose.map_from_ego).all()
    assert np.isfinite(pose.covariance).all()
    assert (np.linalg.eigvalsh(pose.covariance) > 0).all()


def test_a_reset_forgets_pose_and_datum_and_keeps_the_calibration():
    drive = Drive()
    localizer = play(made(), drive.records(6, gps=10, imu=50))
    localizer.reset()
    assert localizer.datum is None
    assert not localizer.pose_at(ns(6)).motion.known
    assert localizer.stats.resets == 1
    play(localizer, drive.records(8, gps=10, imu=50))
    assert off_m(localizer, drive, 8) < 0.05  # the lever of the antenna is still known


def test_the_map_keeps_its_origin_when_the_vehicle_goes_on():
    localizer = play(made(), [("gps", fix_at(1 + k / 10, [10.0 * k, 0, 0])) for k in range(100)])
    datum = localizer.datum
    localizer.observe("gps", fix_at(11, [1000, 0, 0]))
    assert localizer.datum == datum
    assert position(localizer, 11)[0] == pytest.approx(998.5, abs=1.5)


def test_a_standing_vehicle_stands():
    localizer = made()
    rng = np.random.default_rng(0)
    for k in range(500):
        t = 1 + k / 25
        localizer.observe("imu", still(t, turn=rng.normal(0, 0.01, 3)))
        localizer.observe("twist", speed(t, 0.0))
        if k % 5 == 0:
            localizer.observe("gps", fix_at(t, rng.normal(0, 1.0, 3), 1.0))
    pose = localizer.pose_at(ns(21))
    assert np.abs(pose.motion.linear_ego).max() < 0.02
    assert np.linalg.norm(position(localizer, 21)[:2]) < 2.0  # somewhere below its antenna


def test_a_wider_gate_is_in_force_from_the_next_fix_on():
    localizer = made()
    for k in range(50):
        localizer.observe("imu", still(1 + k / 10))
        localizer.observe("gps", fix_at(1 + k / 10, [0.0, 0.0, 0.0]))
    used, strayed = localizer.stats.fixes_used, [0.0, 0.0, 30.0]
    localizer.observe("gps", fix_at(6.0, strayed))
    assert (localizer.stats.fixes_used, localizer.stats.fixes_rejected) == (used, 1)
    localizer.retune(LocalizerConfig(gps_gate=1e6))
    localizer.observe("gps", fix_at(6.1, strayed))
    assert (localizer.stats.fixes_used, localizer.stats.fixes_rejected) == (used + 1, 1)
