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

"""Points at their own moments, brought to one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.config import SensorConfig
from mm_fusion.geometry.rigid import compose, rotation_from_rpy, transform
from mm_fusion.preprocess.align import align
from mm_fusion.preprocess.radar import fold, forward_speed, over_ground, velocity_at
from mm_fusion.recordings.open import open_recording
from mm_fusion.records import CameraImage, EgoMotion, LidarScan, RadarScan, SensorFrame

MS = 1_000_000
SENSORS = {
    "lidar": SensorConfig(name="lidar", kind="lidar", topic="lidar"),
    "radar": SensorConfig(name="radar", kind="radar", topic="radar"),
    "front": SensorConfig(name="front", kind="camera", topic="front"),
}
STILL = EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3))


def motion(forward=0.0, turn=0.0, known=True):
    return EgoMotion(
        linear_ego=np.array([forward, 0, 0]), angular_ego=np.array([0, 0, turn]), known=known
    )


def scan(points, ms=1000, offset_s=None):
    points = np.array(points, np.float32).reshape(-1, 3)
    zeros = np.zeros(len(points), np.float32)
    return LidarScan(
        stamp_ns=ms * MS,
        points_lidar=points,
        intensity=zeros,
        offset_s=zeros if offset_s is None else np.array(offset_s, np.float32),
    )


def sweep(points, rates, ms=1000):
    return RadarScan(
        stamp_ns=ms * MS,
        points_radar=np.array(points, np.float32).reshape(-1, 3),
        range_rate_mps=np.array(rates, np.float32),
        rcs_dbsm=np.zeros(len(rates), np.float32),
    )


def frame(**records):
    return SensorFrame(stamp_ns=1000 * MS, reference="lidar", records=records)


def aligned(records, calibration, vehicle=STILL, sensors=None):
    return align(
        frame(**records),
        calibration,
        sensors or SENSORS,
        map_from_ego=np.eye(4),
        motion=vehicle,
    )


def place(*names, where=(0.0, 0, 0)):
    return Calibration(ego_from={n: compose(np.eye(3), np.array(where)) for n in names})


def test_extrinsics_carry_points_into_the_vehicles_frame():
    ego = aligned({"lidar": scan([[1, 2, 3]])}, place("lidar", where=(0.5, 0, 1.7)))
    assert_allclose(ego.points_ego, [[1.5, 2, 4.7]], rtol=1e-6)
    assert ego.present == {"lidar"}
    assert ego.present_kinds == {"lidar"}


def test_a_point_measured_later_is_moved_by_what_was_driven():
    # at 20 m/s a post seen 50 ms later at 10 m was 11 m away at the frame's stamp
    ego = aligned(
        {"lidar": scan([[10, 0, 0], [10, 0, 0]], offset_s=[0.0, 0.05])},
        place("lidar"),
        motion(forward=20),
    )
    assert_allclose(ego.points_ego[:, 0], [10, 11], rtol=1e-6)


def test_a_scan_of_another_stamp_is_moved_as_a_whole():
    ego = aligned({"lidar": scan([[10, 0, 0]], ms=940)}, place("lidar"), motion(forward=20))
    assert_allclose(ego.points_ego, [[10 - 1.2, 0, 0]], rtol=1e-5)


def test_what_stands_still_has_no_speed_over_ground_wherever_the_radar_sits():
    # the radar sits 4 m ahead; the vehicle drives 10 m/s and turns 0.5 rad/s: it moves (10, 2)
    vehicle = motion(forward=10, turn=0.5)
    assert_allclose(velocity_at(vehicle, np.array([4.0, 0, 0])), [10, 2, 0])
    posts = np.array([[20.0, 0, 0], [10, 10, 0], [5, -8, 0]])
    rays = posts / np.linalg.norm(posts, axis=1, keepdims=True)
    ego = aligned(
        {"radar": sweep(posts, -rays @ [10, 2, 0])}, place("radar", where=(4.0, 0, 0)), vehicle
    )
    assert_allclose(ego.radial_speed_mps, 0, atol=1e-5)
    assert_allclose(ego.radar_ego - posts, np.tile([4, 0, 0], (3, 1)))


def test_a_car_that_approaches_at_30_degrees_by_hand():
    # it drives at 10 m/s along -x, seen at 30 degrees: -10 cos 30 = -8.66; we drive 5 along x
    ray = np.array([[np.cos(np.pi / 6), np.sin(np.pi / 6), 0]])
    measured = np.array([-8.6603 - 5 * ray[0, 0]])
    assert_allclose(over_ground(measured, ray, np.array([5.0, 0, 0]), 0.0), [-8.6603], atol=1e-4)


def test_a_sensor_whose_closing_rates_are_positive_is_turned():
    sensors = dict(SENSORS)
    sensors["radar"] = SensorConfig(name="radar", kind="radar", topic="r", range_rate_sign=-1.0)
    ego = aligned({"radar": sweep([[20, 0, 0]], [3.0])}, place("radar"), sensors=sensors)
    assert_allclose(ego.radial_speed_mps, [-3.0])


@pytest.mark.parametrize(("rate", "folded"), [(0, 0), (5.1, 5.1), (5.3, -5.1), (-13.0, -2.6)])
def test_folding_by_hand(rate, folded):
    assert_allclose(fold(np.array([rate]), 10.4), [folded], atol=1e-9)
    assert_allclose(fold(np.array([rate]), 0.0), [rate])


@pytest.mark.parametrize("period", [0.0, 10.4])
@pytest.mark.parametrize("speed", [-3.0, 0.0, 4.0, 17.3, 33.0])
def test_the_radar_alone_says_how_fast_we_drive(speed, period):
    rng = np.random.default_rng(2)
    azimuth = rng.uniform(-0.9, 0.9, 200)
    rays = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(200)], axis=1)
    rates = -speed * rays[:, 0] + rng.normal(0, 0.1, 200)
    rates[:60] += rng.uniform(-8, 8, 60)  # traffic
    assert forward_speed(fold(rates, period), rays, period) == pytest.approx(speed, abs=0.1)


def test_noise_alone_says_nothing_of_our_speed():
    rng = np.random.default_rng(3)
    azimuth = rng.uniform(-0.9, 0.9, 200)
    rays = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(200)], axis=1)
    assert forward_speed(rng.uniform(-40, 40, 200), rays, 0.0) is None
    assert forward_speed(rng.uniform(-1, 1, 5), rays[:5], 0.0) is None


def test_a_sensor_without_a_place_is_missing_with_its_reason():
    ego = aligned({"lidar": scan([[1, 2, 3]]), "radar": sweep([[1, 0, 0]], [0])}, place("radar"))
    assert ego.missing == {"lidar": "no transform into the vehicle's frame"}
    assert len(ego.points_ego) == 0
    assert ego.present == {"radar"}


def test_without_odometry_the_frame_says_what_it_took_for_its_motion():
    ego = aligned({"lidar": scan([[1, 2, 3]])}, place("lidar"), motion(known=False))
    assert ego.notes == ("nothing measures the vehicle's own motion: taken to stand still",)


def test_an_image_knows_where_the_vehicle_was_when_it_was_taken():
    camera = Camera(
        name="front",
        image_from_camera=np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]),
        ego_from_camera=compose(rotation_from_rpy(-np.pi / 2, 0, -np.pi / 2), np.zeros(3)),
        size_px=(100, 100),
    )
    image = CameraImage(stamp_ns=1050 * MS, data=np.zeros(3, np.uint8), encoding="jpeg")
    ego = aligned({"front": image}, Calibration(cameras={"front": camera}), motion(forward=20))
    # 50 ms later the vehicle is 1 m farther on: a post at 10 m is then at 9 m
    later = transform(ego.image_stamp_from_frame["front"], np.array([[10.0, 0, 0]]))
    assert_allclose(later, [[9.0, 0, 0]])


def test_on_real_returns_the_static_world_stands_still(astyx):
    recording = open_recording(astyx)
    (sensor,) = (s for s in recording.sensors if s.kind == "radar")
    for recorded in recording.frames():
        record = recorded.records[sensor.name]
        points = record.points_radar.astype(np.float64)
        rays = points / np.linalg.norm(points, axis=1, keepdims=True)
        speed = forward_speed(record.range_rate_mps, rays, sensor.range_rate_period_mps)
        assert speed is not None
        rest = over_ground(
            record.range_rate_mps, rays, np.array([speed, 0, 0]), sensor.range_rate_period_mps
        )
        # of the raw rates of +-5.2 m/s a tenth would lie within 0.5 m/s by chance
        assert np.mean(np.abs(rest) < 0.5) > 0.3
        assert abs(np.median(rest[np.abs(rest) < 1.0])) < 0.1
