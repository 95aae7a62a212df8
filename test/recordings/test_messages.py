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

"""What the vehicle says of itself, and the definitions the messages are read with."""

from pathlib import Path
from types import SimpleNamespace as Values

import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg

from mm_fusion.errors import MessageError
from mm_fusion.recordings.interfaces import DEFINITIONS
from mm_fusion.recordings.messages import DECODERS, edge_of
from mm_fusion.recordings.vehicle import (
    DEFAULT_STD_MPS,
    gps_fix,
    imu_sample,
    odometry_sample,
    twist_sample,
)
from mm_fusion.records import KINDS

OVERLAY = Path(__file__).parents[2] / "overlay"


def xyz(x, y, z):
    return Values(x=x, y=y, z=z)


def turn(w, x, y, z):
    return Values(w=w, x=x, y=y, z=z)


def fix(header, **changes):
    values = {"latitude": 45.0, "longitude": -90.0, "altitude": 100.0, "status": Values(status=0)}
    values |= {"position_covariance": [1.0, 0, 0, 0, 4, 0, 0, 0, 9], "position_covariance_type": 2}
    return Values(header=header, **{**values, **changes})


def test_every_kind_has_decoders():
    assert set(DECODERS) == set(KINDS)


def test_fix(header_at):
    record = gps_fix(fix(header_at()))
    np.testing.assert_allclose([record.latitude_rad, record.longitude_rad], [np.pi / 4, -np.pi / 2])
    np.testing.assert_array_equal(record.covariance_enu, np.diag([1.0, 4, 9]))
    unsaid = gps_fix(fix(header_at(), position_covariance_type=0, altitude=np.nan))
    assert not unsaid.covariance_enu.any()
    assert unsaid.altitude_m == 0.0


def test_broken_fixes(header_at):
    with pytest.raises(MessageError, match="status is -1: the receiver has no fix"):
        gps_fix(fix(header_at(), status=Values(status=-1)))
    with pytest.raises(MessageError, match="latitude 91, .* is no place on Earth"):
        gps_fix(fix(header_at(), latitude=91.0))
    with pytest.raises(MessageError, match="no place on Earth"):
        gps_fix(fix(header_at(), longitude=np.nan))
    with pytest.raises(MessageError, match="stamp is zero"):
        gps_fix(fix(header_at(0)))


def imu(header, **changes):
    values = {"angular_velocity": xyz(0.1, 0.2, 0.3), "linear_acceleration": xyz(0, 0, 9.81)}
    values |= {"orientation": turn(1.6, 0, 0, 1.2), "orientation_covariance": [0.0] * 9}
    return Values(header=header, **{**values, **changes})


def test_imu(header_at):
    half = imu_sample(imu(header_at(), orientation=turn(0.8, 0, 0, 0.6)))
    np.testing.assert_allclose(half.orientation_wxyz, [0.8, 0, 0, 0.6])
    np.testing.assert_array_equal(half.angular_velocity_radps, [0.1, 0.2, 0.3])
    assert imu_sample(imu(header_at(), orientation_covariance=[-1.0] * 9)).orientation_wxyz is None
    assert imu_sample(imu(header_at(), orientation=turn(0, 0, 0, 0))).orientation_wxyz is None
    with pytest.raises(MessageError, match=r"angular_velocity is \[nan.*must be finite"):
        imu_sample(imu(header_at(), angular_velocity=xyz(np.nan, 0, 0)))


def test_twists_with_and_without_covariance(header_at):
    twist = Values(linear=xyz(8.0, 0, 0), angular=xyz(np.nan, np.nan, np.nan))
    bare = twist_sample(Values(header=header_at(), twist=twist))
    np.testing.assert_array_equal(bare.linear_ego, [8, 0, 0])
    assert np.isnan(bare.angular_ego).all()  # not measured
    assert bare.linear_std_mps == DEFAULT_STD_MPS
    stated = Values(twist=twist, covariance=[0.25] + [0.0] * 35)
    assert twist_sample(Values(header=header_at(), twist=stated)).linear_std_mps == 0.5
    broken = Values(linear=xyz(np.nan, 0, 0), angular=xyz(0, 0, 0))
    with pytest.raises(MessageError, match=r"twist.linear is \[nan"):
        twist_sample(Values(header=header_at(), twist=broken))


def odometry(header, rotation):
    pose = Values(position=xyz(1.0, 2.0, 0.0), orientation=rotation)
    twist = Values(linear=xyz(3.0, 0, 0), angular=xyz(0, 0, 0.1))
    return Values(header=header, pose=Values(pose=pose), twist=Values(twist=twist))


def test_odometry(header_at):
    half = np.sqrt(0.5)
    record = odometry_sample(odometry(header_at(), turn(half, 0, 0, half)))
    ahead = record.odom_from_ego @ [1, 0, 0, 1]  # a quarter turn left: ahead is north
    np.testing.assert_allclose(ahead[:3], [1, 3, 0], atol=1e-12)
    with pytest.raises(MessageError, match="Odometry: quaternion .* has no direction"):
        odometry_sample(odometry(header_at(), turn(0, 0, 0, 0)))


def test_transforms_lose_their_leading_slash(header_at):
    pose = Values(translation=xyz(1.0, 0, 2.0), rotation=turn(1.0, 0, 0, 0))
    stamped = Values(header=header_at(frame="/base_link"), child_frame_id="/lidar", transform=pose)
    parent, child, matrix = edge_of(stamped)
    assert (parent, child) == ("base_link", "lidar")
    np.testing.assert_array_equal(matrix[:3, 3], [1, 0, 2])


@pytest.mark.parametrize("msgtype", list(DEFINITIONS))
def test_definitions_are_those_of_the_packages(msgtype):
    package, _, name = msgtype.split("/")
    text = (OVERLAY / package / "msg" / f"{name}.msg").read_text()
    ours = get_types_from_msg(DEFINITIONS[msgtype], msgtype)
    assert ours == get_types_from_msg(text, msgtype)
