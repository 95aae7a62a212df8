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

"""One frame on its way through every stage, and what is kept from one to the next."""

from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.config import (
    FusionConfig,
    GeometricConfig,
    LocalizerConfig,
    SensorConfig,
    TrackerConfig,
)
from mm_fusion.geometry.rigid import compose
from mm_fusion.objects import CLASSES, SEEN_BY
from mm_fusion.pipeline import build_pipeline
from mm_fusion.records import CameraImage, GpsFix, LidarScan, RadarScan, SensorFrame, TwistSample

FIRST_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
HEIGHT_M = 1.7
SENSORS = (
    SensorConfig(name="lidar", kind="lidar", topic="lidar/points"),
    SensorConfig(name="front", kind="camera", topic="front/image"),
    SensorConfig(name="radar", kind="radar", topic="radar/points"),
    SensorConfig(name="twist", kind="twist", topic="twist"),
)
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
CALIBRATION = Calibration(
    cameras={
        "front": Camera(
            name="front",
            image_from_camera=np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]),
            ego_from_camera=compose(OPTICAL, np.array([0.5, 0, 1.4])),
            size_px=(64, 48),
        )
    },
    ego_from={
        "lidar": compose(np.eye(3), np.array([0, 0, HEIGHT_M])),
        "radar": compose(np.eye(3), np.array([2.0, 0, 0.5])),
    },
)


def street(car_x=12.0):
    """Ground, and rear and right side of a car at (car_x, 3), in the LiDAR's frame."""
    x, y = np.meshgrid(np.arange(-25, 35, 0.8), np.arange(-20, 20, 0.8))
    ground = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    across, up = np.meshgrid(np.arange(2.1, 3.91, 0.1), np.arange(0.3, 1.5, 0.15))
    rear = np.column_stack([np.full(across.size, car_x - 2.1), across.ravel(), up.ravel()])
    along, up = np.meshgrid(np.arange(car_x - 2.1, car_x + 2.11, 0.1), np.arange(0.3, 1.5, 0.15))
    side = np.column_stack([along.ravel(), np.full(along.size, 2.1), up.ravel()])
    return np.concatenate([ground, rear, side]) - [0, 0, HEIGHT_M]


def scan(stamp_ns, points=None):
    points = (street() if points is None else points).astype(np.float32)
    zeros = np.zeros(len(points), np.float32)
    return LidarScan(stamp_ns=stamp_ns, points_lidar=points, intensity=zeros, offset_s=zeros)


def sweep(stamp_ns, rate=0.0):
    """Returns of the near end of a car whose rear is 18 m ahead of the radar."""
    rng = np.random.default_rng(0)
    points = rng.uniform((18, -0.8, 0), (19.4, 0.8, 1), (14, 3)).astype(np.float32)
    return RadarScan(
        stamp_ns=stamp_ns,
        points_radar=points,
        range_rate_mps=np.full(14, rate, np.float32),
        rcs_dbsm=np.zeros(14, np.float32),
    )


def image(stamp_ns):
    data = np.zeros(64 * 48 * 3, np.uint8)
    return CameraImage(stamp_ns=stamp_ns, data=data, encoding="rgb8", width=64, height=48, step=192)


def frame(k=0, *, lidar=True, radar=False, camera=False, points=None, rate=0.0):
    stamp_ns = FIRST_NS + k * STEP_NS
    records = {}
    if lidar:
        records["lidar"] = scan(stamp_ns, points)
    if radar:
        records["radar"] = sweep(stamp_ns, rate)
    if camera:
        records["front"] = image(stamp_ns)
    return SensorFrame(stamp_ns=stamp_ns, reference=next(iter(records)), records=records)


def built(calibration=CALIBRATION, stage=None, **settings):
    config = FusionConfig(sensors=SENSORS, **settings)
    pipeline = build_pipeline(config, stage) if stage else build_pipeline(config)
    pipeline.calibrate(calibration)
    return pipeline


def test_a_frame_comes_out_with_its_stamp_and_the_car_where_it_stands():
    result = built().process(frame())
    assert (result.stamp_ns, result.reference) == (FIRST_NS, "lidar")
    assert result.missing == {}
    (car,) = [result.detections]
    assert [CLASSES[k] for k in car.labels] == ["car"]
    assert_allclose(car.centers_ego[0, :2], (12, 3), atol=0.4)
    assert result.pose_covariance.shape == (6, 6)


def test_a_track_is_published_when_it_was_seen_often_enough_and_keeps_its_id():
    pipeline = built(tracker=TrackerConfig(confirm_hits=3))
    results = [pipeline.process(frame(k)) for k in range(5)]
    assert [len(r.tracks) for r in results] == [0, 0, 1, 1, 1]
    assert len({int(r.tracks.ids[0]) for r in results[2:]}) == 1


def test_a_camera_alone_gives_no_objects_and_says_why():
    result = built().process(frame(lidar=False, camera=True))
    assert len(result.detections) == len(result.tracks) == 0
    (said,) = [note for note in result.notes if "detector" in note]
    assert said == (
        "the geometric detector needs a lidar or radar; only front present: no objects can be seen"
    )


def test_a_frame_with_a_lidar_needs_no_such_note():
    assert not [n for n in built().process(frame()).notes if "detector" in n]


def test_without_lidar_the_radar_gives_objects():
    result = built().process(frame(lidar=False, radar=True))
    assert len(result.detections) == 1
    assert result.detections.evidence.tolist() == [SEEN_BY["radar"]]
    # the radar sits 2 m ahead: the rear is at 20 m, the middle of a car some 2 m behind it
    assert_allclose(result.detections.centers_ego[0, :2], (22, 0), atol=1.0)


def test_without_calibration_every_stream_is_missing_with_its_reason():
    result = built(Calibration()).process(frame(radar=True, camera=True))
    assert result.missing == {
        "lidar": "no transform into the vehicle's frame",
        "radar": "no transform into the vehicle's frame",
        "front": "no calibration yet",
    }
    assert any("only nothing present" in note for note in result.notes)
    assert len(result.detections) == 0


def test_a_calibration_holds_from_the_next_frame_on():
    pipeline = built(Calibration())
    assert len(pipeline.process(frame(0)).detections) == 0
    pipeline.calibrate(CALIBRATION)
    assert len(pipeline.process(frame(1)).detections) == 1


def test_what_is_missing_already_stays_missing():
    given = frame()
    lacking = SensorFrame(
        stamp_ns=given.stamp_ns,
        reference="lidar",
        records=given.records,
        missing={"front": "no image for 3 s"},
    )
    assert built().process(lacking).missing == {"front": "no image for 3 s"}


def test_an_empty_scan_is_a_scan():
    result = built().process(frame(points=np.zeros((0, 3))))
    assert len(result.detections) == 0
    assert result.frame.present == {"lidar"}


def twist(k, speed):
    return TwistSample(
        stamp_ns=FIRST_NS + k * STEP_NS,
        linear_ego=np.array([speed, 0, 0]),
        angular_ego=np.zeros(3),
        linear_std_mps=0.01,
    )


def test_the_vehicles_own_speed_is_taken_out_of_range_rates():
    # it closes with 10 m/s and we drive 10 m/s: it stands
    pipeline = built()
    for k in range(-10, 1):
        pipeline.observe("twist", twist(k, 10.0))
    result = pipeline.process(frame(0, radar=True, rate=-10.0))
    assert result.frame.motion.known
    assert_allclose(result.frame.motion.linear_ego[0], 10, atol=0.2)
    assert_allclose(result.frame.radial_speed_mps, 0, atol=0.3)


def test_the_pose_moves_with_the_vehicle():
    pipeline = built()
    for k in range(21):
        pipeline.observe("twist", twist(k, 10.0))
    start, end = (pipeline.process(frame(k)).frame.map_from_ego for k in (10, 20))
    # a second at 10 m/s
    assert_allclose(np.linalg.norm(end[:3, 3] - start[:3, 3]), 10, atol=0.3)


def test_a_parked_car_seen_from_a_moving_vehicle_has_no_velocity():
    pipeline = built(tracker=TrackerConfig(confirm_hits=1))
    for k in range(16):
        pipeline.observe("twist", twist(k, 5.0))
        result = pipeline.process(frame(k, points=street(20.0 - 0.5 * k)))
    (parked,) = [result.tracks]
    assert_allclose(parked.velocities_ego, np.zeros((len(parked), 2)), atol=0.6)
    assert len(parked) == 1


def test_a_fix_that_moves_the_map_moves_no_track():
    gps = SensorConfig(name="gps", kind="gps", topic="fix")
    config = FusionConfig(sensors=(*SENSORS, gps), tracker=TrackerConfig(confirm_hits=1))
    pipeline = build_pipeline(config)
    pipeline.calibrate(CALIBRATION)
    poses, ids = [], set()
    for k in range(16):
        pipeline.observe("twist", twist(k, 5.0))
        if k == 8:  # the first fix: from here on the map begins where the vehicle is now
            fix = GpsFix(
                stamp_ns=FIRST_NS + k * STEP_NS,
                latitude_rad=0.85,
                longitude_rad=0.15,
                altitude_m=100.0,
                covariance_enu=0.01 * np.eye(3),
            )
            pipeline.observe("gps", fix)
        result = pipeline.process(frame(k, points=street(20.0 - 0.5 * k)))
        poses.append(result.frame.map_from_ego)
        ids |= set(result.tracks.ids.tolist())
        speeds = np.linalg.norm(result.tracks.velocities_ego, axis=1)
        assert k < 3 or speeds.max() < 0.6
    jump = np.linalg.norm(poses[8][:2, 3] - poses[7][:2, 3])
    assert jump > 2  # 4 m were driven, and forgotten
    assert len(ids) == 1


def test_a_reset_ends_tracks_and_keeps_the_calibration():
    pipeline = built(tracker=TrackerConfig(confirm_hits=2))
    before = [pipeline.process(frame(k)) for k in range(3)][-1].tracks
    pipeline.reset()
    after = [pipeline.process(frame(k)) for k in range(3)]
    assert [len(r.tracks) for r in after] == [0, 1, 1]
    assert not set(before.ids.tolist()) & set(after[-1].tracks.ids.tolist())


def test_a_reset_forgets_the_pose():
    pipeline = built()
    for k in range(21):
        pipeline.observe("twist", twist(k, 10.0))
    pipeline.reset()
    result = pipeline.process(frame(20))
    assert_allclose(result.frame.map_from_ego, np.eye(4))
    assert not result.frame.motion.known


def test_live_settings_are_taken_over_without_losing_tracks():
    pipeline = built(tracker=TrackerConfig(confirm_hits=2, lifetime_s=5.0))
    before = [pipeline.process(frame(k)) for k in range(3)][-1]
    strict = FusionConfig(
        sensors=SENSORS,
        geometric=GeometricConfig(score_threshold=1.0),
        tracker=TrackerConfig(confirm_hits=2, lifetime_s=5.0),
    )
    pipeline.retune(strict)
    after = pipeline.process(frame(3))
    assert (len(before.detections), len(after.detections)) == (1, 0)
    assert after.tracks.ids.tolist() == before.tracks.ids.tolist()


def test_the_trackers_settings_are_taken_over_too():
    pipeline = built(tracker=TrackerConfig(confirm_hits=2))
    assert len(pipeline.process(frame(0)).tracks) == 0
    pipeline.retune(FusionConfig(sensors=SENSORS, tracker=TrackerConfig(confirm_hits=5)))
    assert [len(pipeline.process(frame(k)).tracks) for k in range(1, 5)] == [0, 0, 0, 1]


def test_the_localizers_settings_are_taken_over_too():
    pipeline = built()
    settings = LocalizerConfig(heading_speed_mps=7.0)
    pipeline.retune(FusionConfig(sensors=SENSORS, localizer=settings))
    stamped = GpsFix(
        stamp_ns=frame(0).stamp_ns,
        latitude_rad=0.9,
        longitude_rad=0.2,
        altitude_m=100.0,
        covariance_enu=np.eye(3),
    )
    pipeline.observe("gps", stamped)
    notes = pipeline.process(frame(1)).notes
    assert any("drive faster than 7 m/s" in note for note in notes)


def test_the_stages_are_entered_one_after_the_other():
    told = []

    @contextmanager
    def stage(name):
        told.append(f"+{name}")
        yield
        told.append(f"-{name}")

    built(stage=stage).process(frame())
    names = ["localize", "align", "detect", "track"]
    assert told == [sign + name for name in names for sign in "+-"]


def test_the_same_frames_give_the_same_results():
    def once():
        pipeline = built()
        for k in range(4):
            pipeline.observe("twist", twist(k, 3.0))
            result = pipeline.process(frame(k, radar=True))
        return result

    one, other = once(), once()
    for name in ("detections", "tracks"):
        assert (getattr(one, name).boxes == getattr(other, name).boxes).all()
        assert (getattr(one, name).scores == getattr(other, name).scores).all()


@pytest.mark.parametrize("kinds", [{"lidar": True}, {"lidar": False, "radar": True}])
def test_a_frame_given_is_not_changed(kinds):
    given = frame(**kinds)
    (record,) = given.records.values()
    name = "points_lidar" if kinds["lidar"] else "points_radar"
    before = getattr(record, name).copy()
    built().process(given)
    assert (getattr(record, name) == before).all()
