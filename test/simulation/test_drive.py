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

"""A drive is repeatable, its sensors keep their pace and its truth is true."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import ConfigError
from mm_fusion.geometry.boxes import bev_intersection, inside
from mm_fusion.geometry.geodesy import LocalTangentPlane
from mm_fusion.geometry.rigid import transform
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.recordings.convert import convert
from mm_fusion.records import NS_PER_S
from mm_fusion.simulation.drive import START_NS, simulate
from mm_fusion.simulation.navigation import DATUM, ENU_FROM_STREET, Navigation
from mm_fusion.simulation.rig import LidarModel, NavigationModel, RadarModel, Rig
from mm_fusion.simulation.street import ego_path

from .conftest import MODEL

pytest.importorskip("open3d", reason="Open3D is not there; `make setup` brings it")

SMALL = Rig(
    lidar=LidarModel(columns=512, beams=32),
    cameras=(MODEL,),
    radar=RadarModel(),
)
EXACT = NavigationModel(
    gps_std_m=(0.0, 0.0, 0.0), gyroscope_std_radps=0.0, gyroscope_bias_radps=0.0,
    accelerometer_std_mps2=0.0, accelerometer_bias_mps2=0.0, wheel_std_mps=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def drive():
    return simulate(1.0, seed=1, rig=SMALL)


@pytest.fixture(scope="module")
def records(drive):
    return list(drive.records())


def fingerprint(records):
    digest = hashlib.sha256()
    for stream, record in records:
        digest.update(f"{stream} {record.stamp_ns}".encode())
        for name in type(record).__slots__:
            value = getattr(record, name)
            digest.update(
                value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            )
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_records_to_the_bit(records):
    assert fingerprint(simulate(1.0, seed=1, rig=SMALL).records()) == fingerprint(records)


def test_another_seed_gives_another_drive(records):
    assert fingerprint(simulate(1.0, seed=2, rig=SMALL).records()) != fingerprint(records)


def test_every_sensor_keeps_its_pace(records, drive):
    counts = Counter(stream for stream, _ in records)
    # 13 Hz from 1/39 s on: 0.0256 + k / 13 < 1 for k up to 12
    assert counts == {"lidar": 10, "front": 10, "radar": 13, "gps": 10, "imu": 100, "twist": 50}
    assert len(drive) == 10


def test_records_come_in_the_order_of_their_stamps_and_within_the_drive(records):
    stamps = [record.stamp_ns for _, record in records]
    assert stamps == sorted(stamps)
    assert stamps[0] >= START_NS
    assert stamps[-1] < START_NS + NS_PER_S


def test_points_of_road_users_lie_in_their_boxes(drive, records):
    scan = next(record for stream, record in records if stream == "lidar")
    (_, truth), *_ = drive.truths()
    points = transform(drive.calibration.ego_from["lidar"], scan.points_lidar)
    held = np.array([inside(points, box, 0.3).sum() for box in truth.objects.boxes])
    near = np.linalg.norm(truth.objects.centers_ego[:, :2], axis=1) < 25
    assert (held[near] > 20).sum() >= 5
    assert (held > 0).sum() >= 12


def test_velocities_are_the_slope_of_the_boxes_places(drive):
    before, now, after = (drive.truth(t).objects for t in (0.499, 0.5, 0.501))
    street = drive.world.street
    moved = {}
    for time_s, objects in ((0.499, before), (0.501, after)):
        centers = transform(street.ego.pose(time_s), objects.centers_ego)
        moved[time_s] = dict(zip(objects.ids.tolist(), centers, strict=True))
    for row, ident in enumerate(now.ids.tolist()):
        slope = (moved[0.501][ident] - moved[0.499][ident])[:2] / 0.002
        speed_street = street.ego.pose(0.5)[:2, :2] @ now.velocities_ego[row]
        assert_allclose(speed_street, slope, atol=0.05)


def test_nobody_runs_into_anybody(drive):
    for time_s in np.arange(0.0, 1.0, 0.2):
        boxes = drive.truth(time_s).objects.boxes
        boxes = np.vstack([boxes, [1.35, 0.0, 0.75, 4.6, 1.9, 1.5, 0.0]])  # the ego car itself
        shared = bev_intersection(boxes, boxes)
        np.fill_diagonal(shared, 0.0)
        assert shared.max() == 0.0


def test_a_drive_becomes_a_bag_with_every_stream_and_the_truth(drive, records, tmp_path):
    convert(drive, tmp_path / "bag")
    bag = BagRecording(tmp_path / "bag")
    assert {s.name for s in bag.sensors} == {"lidar", "front", "radar", "gps", "imu", "twist"}
    read = [(stream, record.stamp_ns) for stream, record in bag.records()]
    assert sorted(read) == sorted((stream, record.stamp_ns) for stream, record in records)
    truths = dict(bag.truths())
    assert len(truths) == 10
    for stamp_ns, truth in drive.truths():
        assert_allclose(truths[stamp_ns].objects.boxes, truth.objects.boxes, atol=1e-6)
        assert truths[stamp_ns].objects.ids.tolist() == truth.objects.ids.tolist()
    assert_allclose(bag.calibration.ego_from["lidar"], drive.calibration.ego_from["lidar"])


@pytest.mark.parametrize("seconds", [0.01, 1e5, float("nan")])
def test_a_drive_of_no_sensible_length_is_refused(seconds):
    with pytest.raises(ConfigError, match="cannot be simulated; ask for"):
        simulate(seconds)


@pytest.fixture
def navigation():
    return Navigation(EXACT, ego_path(), np.random.default_rng(0))


def test_an_exact_fix_is_where_the_antenna_is(navigation):
    fix = navigation.fix(2.0, 7)
    place_enu = LocalTangentPlane(*DATUM).enu(fix.latitude_rad, fix.longitude_rad, fix.altitude_m)
    antenna = (ENU_FROM_STREET @ ego_path().pose(2.0) @ EXACT.ego_from_gps)[:3, 3]
    assert_allclose(place_enu, antenna, atol=1e-4)


def test_the_exact_imu_integrates_to_the_change_of_speed_and_heading(navigation):
    times_s = np.arange(0.0, 3.0, 0.005)
    samples = [navigation.inertial(t, 0) for t in times_s]
    turned = sum(s.angular_velocity_radps[2] for s in samples) * 0.005
    headings = ego_path().yaws(np.array([0.0, 3.0]))
    assert_allclose(turned, headings[1] - headings[0], atol=1e-3)
    sped = np.zeros(3)
    for time_s, sample in zip(times_s, samples, strict=True):
        sped += ego_path().pose(time_s)[:3, :3] @ sample.linear_acceleration_mps2 * 0.005
    velocities = ego_path().velocities(np.array([0.0, 3.0]))
    expected = velocities[1] - velocities[0] + [0.0, 0.0, 3.0 * 9.80665]
    assert_allclose(sped, expected, atol=0.01)


def test_the_wheels_read_the_speed_along_the_heading(navigation):
    twist = navigation.twist(1.0, 0)
    assert_allclose(twist.linear_ego[0], np.linalg.norm(ego_path().velocities(np.ones(1))))
    assert np.isnan(twist.angular_ego).all()
