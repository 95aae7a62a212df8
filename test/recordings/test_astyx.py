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

"""Astyx: hand-made frames for the traps, and the real data sets."""

import json
import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.evaluation.scope import lidar_points_of
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.geometry.rigid import transform
from mm_fusion.objects import CLASSES
from mm_fusion.recordings.astyx import Astyx
from mm_fusion.recordings.astyx_tables import RANGE_RATE_PERIOD_MPS
from mm_fusion.records import GpsFix, TwistSample

EYE = np.eye(4).tolist()
LIDAR = [[1.0, 0, 0, -0.5], [0, 1, 0, 0], [0, 0, 1, 0.2], [0, 0, 0, 1]]
CAMERA = [[0.0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]


def label(name, quat=(1, 0, 0, 0), occlusion=0):
    return {
        "classname": name,
        "center3d": [10, 2, 0.5],
        "dimension3d": [4, 1.8, 1.5],
        "orientation_quat": list(quat),
        "occlusion": occlusion,
        "object_id": -1,
    }


def frame_files(root, number, first_us, labels=()):
    """One frame of three LiDAR points over 0.1 s and two radar returns."""
    for room in ("calibration", "camera_front", "groundtruth_obj3d", "lidar_vlp16", "radar_6455"):
        (root / room).mkdir(parents=True, exist_ok=True)
    sensors = [
        {"sensor_uid": "radar_6455", "calib_data": {"T_to_ref_COS": EYE}},
        {"sensor_uid": "lidar_vlp16", "calib_data": {"T_to_ref_COS": LIDAR}},
        {
            "sensor_uid": "camera_front",
            "calib_data": {"T_to_ref_COS": CAMERA, "K": [[100, 0, 60], [0, 100, 40], [0, 0, 1]]},
        },
    ]
    name = f"{number:06d}"
    (root / "calibration" / f"{name}.json").write_text(json.dumps({"sensors": sensors}))
    cv2.imwrite(str(root / "camera_front" / f"{name}.jpg"), np.zeros((80, 120, 3), np.uint8))
    (root / "groundtruth_obj3d" / f"{name}.json").write_text(json.dumps({"objects": list(labels)}))
    times = (first_us, first_us + 50_000, first_us + 100_000)
    rows = [f"{x}.5 1 -1 {51 * x} {x} {t}" for x, t in enumerate(times)]
    head = "X Y Z Reflectivity LaserID Timestamp \n"
    (root / "lidar_vlp16" / f"{name}.txt").write_text(head + "\n".join(rows) + "\n")
    (root / "radar_6455" / f"{name}.txt").write_text(
        "\nX Y Z V_r Mag\n20 0 1 5.1968 60.5\n30 -2 1 -0.0812 45\n"
    )
    return name


def test_closing_returns_get_a_negative_range_rate(tmp_path):
    frame_files(tmp_path, 0, 1_000_000)
    recording = Astyx(tmp_path)
    (frame,) = recording.frames()
    radar = frame.records["radar"]
    assert_allclose(radar.range_rate_mps, [-5.1968, 0.0812], rtol=1e-6)
    assert_allclose(radar.rcs_dbsm, [60.5, 45])
    assert_allclose(radar.points_radar, [[20, 0, 1], [30, -2, 1]])
    (sensor,) = (s for s in recording.sensors if s.kind == "radar")
    assert sensor.range_rate_period_mps == pytest.approx(10.3936)  # 128 * 0.0812
    assert sensor.range_rate_sign == 1


def test_the_frame_is_dated_when_the_lidar_faces_forward(tmp_path):
    frame_files(tmp_path, 0, 1_000_000)
    (frame,) = Astyx(tmp_path).frames()
    lidar = frame.records["lidar"]
    assert frame.stamp_ns == lidar.stamp_ns == 1_050_000_000  # half a revolution after the first
    assert_allclose(lidar.offset_s, [-0.05, 0, 0.05], atol=1e-9)
    assert lidar.ring.tolist() == [0, 1, 2]
    assert_allclose(lidar.intensity, [0, 51 / 255, 102 / 255])


def test_stamps_grow_where_the_lidar_clock_passes_the_hour(tmp_path):
    frame_files(tmp_path, 3, 3_599_900_000)
    frame_files(tmp_path, 4, 100_000)
    frame_files(tmp_path, 5, 50_000)  # another drive: behind the one before, by less than an hour
    stamps = [frame.stamp_ns for frame in Astyx(tmp_path).frames()]
    assert stamps == [3_599_950_000_000, 3_600_150_000_000, 7_200_100_000_000]


def test_the_stamp_of_a_frame_does_not_depend_on_which_others_are_read(tmp_path):
    frame_files(tmp_path, 3, 3_599_900_000)
    name = frame_files(tmp_path, 4, 100_000)
    (frame,) = Astyx(tmp_path).frames([name])
    assert frame.stamp_ns == 3_600_150_000_000


def test_sensors_are_placed_by_each_frames_own_calibration(tmp_path):
    name = frame_files(tmp_path, 0, 0)
    frame_files(tmp_path, 1, 500_000)
    path = tmp_path / "calibration" / f"{name}.json"
    path.write_text(path.read_text().replace("-0.5", "-0.7"))
    first, second = Astyx(tmp_path).frames()
    assert first.calibration.ego_from["lidar"][0, 3] == -0.7
    assert second.calibration.ego_from["lidar"][0, 3] == -0.5
    assert_allclose(second.calibration.ego_from["radar"], np.eye(4))
    # 10 m ahead of the radar, 9.9 m before the camera, 1 m left and 0.5 m up
    pixels, _, _ = project_ego(np.array([[10.0, 1.0, 0.5]]), second.calibration.cameras["camera"])
    assert_allclose(pixels, [[60 - 100 / 9.9, 40 - 50 / 9.9]])


def test_labels_are_turned_as_their_quaternions_say(tmp_path):
    quarter = (math.cos(math.pi / 4), 0, 0, math.sin(math.pi / 4))  # w x y z
    labels = [label("Car", quarter, 1), label("Person_with_Object"), label("Towed Object")]
    frame_files(tmp_path, 0, 0, [*labels, label("Cyclist", occlusion=2)])
    (frame,) = Astyx(tmp_path).frames()
    truth = frame.truth
    assert [CLASSES[i] for i in truth.objects.labels] == ["car", "pedestrian", "bicycle"]
    assert_allclose(truth.objects.boxes[0], [10, 2, 0.5, 4, 1.8, 1.5, math.pi / 2])
    assert truth.occlusion.tolist() == [1, 0, 2]
    assert len(truth.ignored) == 1
    assert truth.azimuth_limit_rad == math.radians(50)


def test_a_table_cut_within_a_line_is_skipped_and_the_rest_stays(tmp_path):
    name = frame_files(tmp_path, 0, 0)
    path = tmp_path / "lidar_vlp16" / f"{name}.txt"
    path.write_text(path.read_text()[:-9])
    with pytest.warns(RecordingWarning, match=r"lidar_vlp16/000000.txt: truncated"):
        (frame,) = Astyx(tmp_path).frames()
    assert set(frame.records) == {"radar", "camera"}


def test_an_empty_table_is_skipped(tmp_path):
    name = frame_files(tmp_path, 0, 0)
    (tmp_path / "radar_6455" / f"{name}.txt").write_text("\nX Y Z V_r Mag\n")
    with pytest.warns(RecordingWarning, match=r"radar_6455/000000.txt: truncated"):
        (frame,) = Astyx(tmp_path).frames()
    assert set(frame.records) == {"lidar", "camera"}


def test_a_table_without_the_radial_speed_says_what_it_has(tmp_path):
    name = frame_files(tmp_path, 0, 0)
    (tmp_path / "radar_6455" / f"{name}.txt").write_text("X Y Z Mag\n1 2 3 4\n")
    with pytest.warns(RecordingWarning, match=r"lacks the columns \['V_r'\]; has \['X'"):
        list(Astyx(tmp_path).frames())


def test_a_missing_calibration_names_its_file(tmp_path):
    name = frame_files(tmp_path, 0, 0)
    (tmp_path / "calibration" / f"{name}.json").unlink()
    with pytest.raises(RecordingError, match="calibration/000000.json"):
        list(Astyx(tmp_path).frames())


def test_a_frame_without_a_lidar_file_lies_between_its_neighbours(tmp_path):
    for number in range(3):
        name = frame_files(tmp_path, number, number * 99_000)
    (tmp_path / "lidar_vlp16" / name).with_name("000001.txt").unlink()
    first, second, third = Astyx(tmp_path).frames()
    assert set(second.records) == {"radar", "camera"}
    assert first.stamp_ns < second.stamp_ns < third.stamp_ns


def test_real_frames_agree_with_their_labels(astyx):
    recording = Astyx(astyx)
    frames = list(recording.frames())
    assert (recording.layout, recording.result_frame, len(frames)) == ("astyx", "radar", 6)
    assert all(a.stamp_ns < b.stamp_ns for a, b in pairwise(frames))
    points = np.concatenate(
        [lidar_points_of(f.truth.objects, f.records, f.calibration) for f in frames]
    )
    assert len(points) > 10
    assert (points > 0).mean() > 0.5  # 169 of 448 boxes checked hold none
    centers = np.concatenate([frame.truth.objects.centers_ego for frame in frames])
    beyond = np.abs(np.arctan2(centers[:, 1], centers[:, 0])) > math.radians(50)
    assert beyond.mean() < 0.1  # a few are labelled farther round, not all that is there
    for frame in frames:
        lidar = frame.records["lidar"]
        assert np.abs(lidar.offset_s).max() < 0.0525  # 10 Hz, half a revolution either way
        front = np.abs(np.arctan2(lidar.points_lidar[:, 1], lidar.points_lidar[:, 0])) < 0.1
        assert abs(np.median(lidar.offset_s[front])) < 0.003
        assert frame.calibration.cameras["camera"].size_px == (2048, 618)


def test_the_real_demo_closes_on_the_world_at_the_speed_of_its_car(data):
    recording = Astyx(data / "astyx_demo")
    frames = {frame.token: frame for frame in recording.frames()}
    assert recording.layout == "astyx_demo"
    assert list(frames) == ["000004", "000000", "000001", "000002", "000003"]  # by the clock
    frame = frames["000003"]
    (gps, fix), (twist, speed) = frame.motion
    assert (gps, twist) == ("gps", "twist")
    assert isinstance(fix, GpsFix)
    assert isinstance(speed, TwistSample)
    assert fix.latitude_rad == pytest.approx(math.radians(48.1207522))
    assert speed.linear_ego[0] == pytest.approx(55 / 3.6)
    assert _standing(frame, 56.05 / 3.6) > 0.4  # GPS_Speed_3D, finer than the tachometer's 55
    assert _standing(frame, -56.05 / 3.6) < 0.15


def _standing(frame, speed_mps):
    """Share of the returns whose range rate is that of the standing world, folded."""
    radar = frame.records["radar"]
    points = transform(frame.calibration.ego_from["radar"], radar.points_radar)
    expected = -speed_mps * points[:, 0] / np.linalg.norm(points, axis=1)
    half = RANGE_RATE_PERIOD_MPS / 2
    off = (radar.range_rate_mps - expected + half) % RANGE_RATE_PERIOD_MPS - half
    return (np.abs(off) < 0.25).mean()
