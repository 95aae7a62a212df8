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

"""Records become events of the filter; what cannot be is none."""

import math

import numpy as np
import pytest
from drives import ANTENNA, CALIBRATION, GRAVITY_MPS2, circle, fix_at, ns, speed, still
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration
from mm_fusion.config import LocalizerConfig, SensorConfig
from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.localization.intake import Intake
from mm_fusion.records import GpsFix, OdometrySample, TwistSample

LEVER = np.array([2.0, 0.5, 1.0])


@pytest.fixture
def intake():
    made = Intake(LocalizerConfig())
    made.calibrate(CALIBRATION, ())
    return made


def odometry(t, pose, linear=(0, 0, 0), turn=0.0):
    return OdometrySample(
        stamp_ns=ns(t),
        odom_from_ego=pose,
        linear_ego=np.array(linear, float),
        angular_ego=np.array([0, 0, turn]),
    )


def test_the_first_fix_is_the_datum_and_the_second_lies_east_of_it(intake):
    first = intake.event_of("gps", fix_at(1, [0, 0, 0]))
    second = intake.event_of("gps", fix_at(2, [100, 0, 0]))
    assert intake.datum == pytest.approx((math.radians(48), math.radians(11), 500))
    assert_allclose(first.antenna_map, 0, atol=1e-6)
    assert_allclose(second.antenna_map, [100, 0, 0], atol=1e-6)
    assert_allclose(second.lever_ego, ANTENNA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latitude_rad", np.nan),
        ("latitude_rad", 1.6),  # beyond the pole
        ("longitude_rad", np.inf),
        ("longitude_rad", 200.0),  # degrees
        ("altitude_m", np.nan),
        ("altitude_m", 1e300),
        ("covariance_enu", np.diag([1e9, 1e9, 1.0])),  # 30 km
    ],
)
def test_a_fix_that_cannot_be_is_none_and_no_datum(intake, name, value):
    fields = {"latitude_rad": 0.8, "longitude_rad": 0.2, "altitude_m": 100.0}
    fields |= {"covariance_enu": np.eye(3), name: value}
    assert intake.event_of("gps", GpsFix(stamp_ns=1, **fields)) is None
    assert intake.datum is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e5])
@pytest.mark.parametrize("name", ["turn", "force"])
def test_an_inertial_sample_that_cannot_be_is_none(intake, name, value):
    assert intake.event_of("imu", still(1, **{name: (0, value, 0)})) is None


@pytest.mark.parametrize("wxyz", [(0, 0, 0, 0), (np.nan, 0, 0, 0), (0.1, 0, 0, 0)])
def test_an_orientation_that_is_none_leaves_the_sample(intake, wxyz):
    event = intake.event_of("imu", still(1, wxyz=wxyz))
    assert event.map_from_ego is None
    assert_allclose(event.force, [0, 0, GRAVITY_MPS2])


def test_an_imu_off_the_origin_feels_its_own_circle(intake):
    # at 0.5 rad/s a place 2 m ahead and 0.5 m to the left feels 0.25 x (2, 0.5) m/s^2 inwards
    turned = compose(rotation_from_rpy(0, 0, math.pi / 2), LEVER)
    intake.calibrate(Calibration(ego_from={"imu": turned}), ())
    inwards_ego = np.array([-0.5, -0.125, GRAVITY_MPS2])
    sample = still(1, turn=(0, 0, 0.5), force=turned[:3, :3].T @ inwards_ego)
    event = intake.event_of("imu", sample)
    assert_allclose(event.force, [0, 0, GRAVITY_MPS2], atol=1e-12)
    assert_allclose(event.gyro, [0, 0, 0.5])


def test_the_orientation_of_a_turned_imu_is_turned_back(intake):
    turned = compose(rotation_from_rpy(0, 0, math.pi / 2), np.zeros(3))
    intake.calibrate(Calibration(ego_from={"imu": turned}), ())
    event = intake.event_of("imu", still(1, wxyz=(1, 0, 0, 0)))
    # the IMU faces east and is mounted facing left: the vehicle faces south
    assert_allclose(event.map_from_ego @ [1, 0, 0], [0, -1, 0], atol=1e-12)


def test_a_sensors_offset_is_taken_from_its_stamps(intake):
    sensors = [SensorConfig(name="gps", kind="gps", offset_s=0.08)]
    intake.calibrate(Calibration(), sensors)
    assert intake.event_of("gps", fix_at(2, [0, 0, 0])).stamp_ns == ns(1.92)
    assert intake.event_of("twist", speed(2, 1.0)).stamp_ns == ns(2)


@pytest.mark.parametrize(
    ("linear", "std_mps"),
    [((np.nan,) * 3, 0.2), ((1e200, 0, 0), 0.2), ((500, 0, 0), 0.2), ((1, 0, 0), np.inf)],
)
def test_a_velocity_that_cannot_be_is_none(intake, linear, std_mps):
    twist = TwistSample(
        stamp_ns=1,
        linear_ego=np.array(linear, float),
        angular_ego=np.full(3, np.nan),
        linear_std_mps=std_mps,
    )
    assert intake.event_of("twist", twist) is None


@pytest.mark.parametrize("std_mps", [0.0, -1.0, np.nan])
def test_a_velocity_without_uncertainty_gets_one(intake, std_mps):
    assert intake.event_of("twist", speed(1, 5.0, std_mps=std_mps)).std_mps == 0.2


def test_two_poses_of_odometry_on_a_circle_give_speed_and_turn_exactly(intake):
    intake.event_of("odometry", odometry(1.0, circle(1.0, 20, 10)))
    event = intake.event_of("odometry", odometry(1.5, circle(1.5, 20, 10)))
    assert_allclose(event.linear_ego, [10, 0, 0], atol=1e-9)
    assert_allclose(event.angular_ego, [0, 0, 0.5], atol=1e-9)


def test_the_twist_of_odometry_is_used_where_poses_say_nothing(intake):
    twist = {"linear": (3, 0, 0), "turn": 0.1}
    first = intake.event_of("odometry", odometry(1.0, np.eye(4), **twist))
    same = intake.event_of("odometry", odometry(1.1, np.eye(4), **twist))
    leapt = intake.event_of("odometry", odometry(1.2, compose(np.eye(3), [900, 0, 0]), **twist))
    broken = intake.event_of("odometry", odometry(1.3, np.zeros((4, 4)), **twist))
    absurd = intake.event_of("odometry", odometry(1.4, np.full((4, 4), np.nan), **twist))
    for event in (first, same, leapt, broken, absurd):
        assert_allclose(event.linear_ego, [3, 0, 0])
        assert_allclose(event.angular_ego, [0, 0, 0.1])


def test_an_empty_twist_with_the_first_pose_is_not_a_standstill(intake):
    first = intake.event_of("odometry", odometry(1.0, np.eye(4)))
    assert np.isnan(first.linear_ego).all()
    stands = intake.event_of("odometry", odometry(1.1, np.eye(4)))
    assert_allclose(stands.linear_ego, 0)


def test_odometry_is_heard_again_after_its_clock_went_back(intake):
    for t in (100.0, 100.1):
        intake.event_of("odometry", odometry(t, circle(t, 20, 10)))
    intake.rewind()
    intake.event_of("odometry", odometry(1.0, circle(1.0, 20, 10)))
    event = intake.event_of("odometry", odometry(1.1, circle(1.1, 20, 10)))
    assert_allclose(event.linear_ego, [10, 0, 0], atol=1e-9)


def test_a_stream_without_a_place_is_named_until_it_has_one(intake):
    intake.event_of("roof_gps", fix_at(1, [0, 0, 0]))
    assert intake.unplaced["roof_gps"].startswith("roof_gps: no transform to the vehicle")
    intake.calibrate(Calibration(ego_from={"roof_gps": np.eye(4)}), ())
    assert not intake.unplaced
