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

"""KITTI raw: hand-made drives for the traps, and a real drive."""

import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.geometry.geodesy import LocalTangentPlane
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.geometry.rigid import rotation_from_quaternion, transform
from mm_fusion.recordings.kitti import KittiRaw
from mm_fusion.records import GpsFix, ImuSample, TwistSample

DRIVE = "2011_09_26_drive_0001_sync"
# velodyne x forward, y left, z up -> camera x right, y down, z forward
TURN = "0 -1 0 0 0 -1 1 0 0"
TRACKING = """P2: 100 0 50 20 0 100 40 0 0 0 1 0
R_rect 1 0 0 0 1 0 0 0 1
Tr_velo_cam 0 -1 0 0 0 0 -1 -0.1 1 0 0 -0.3
Tr_imu_velo 1 0 0 -0.8 0 1 0 0.3 0 0 1 -0.7
"""
OXTS = {
    "lat": 49.0, "lon": 8.0, "alt": 110.0, "roll": 0.0, "pitch": 0.0, "yaw": 0.0,
    "vn": 0.0, "ve": 5.0, "vf": 5.0, "vl": 0.0, "vu": 0.0, "ax": 0.1, "ay": 0.2, "az": 9.8,
    "af": 0.0, "al": 0.0, "au": 9.81, "wx": 0.0, "wy": 0.0, "wz": 0.5,
    "wf": 0.0, "wl": 0.0, "wu": 0.5, "pos_accuracy": 0.1, "vel_accuracy": 0.05,
    "navstat": 4, "numsats": 8, "posmode": 5, "velmode": 5, "orimode": 6,
}  # fmt: skip


def oxts(path, stamps=("2011-09-26 13:00:00.100000001",), **changes):
    (path / "oxts" / "data").mkdir(parents=True, exist_ok=True)
    (path / "oxts" / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    for number in range(len(stamps)):
        row = " ".join(str(value) for value in (OXTS | changes).values())
        (path / "oxts" / "data" / f"{number:010d}.txt").write_text(row)


def scan(path, number, points, *, cut_bytes=0):
    folder = path / "velodyne_points" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.tile(np.array([[1, 2, 3, 0.5]], "<f4"), (points, 1)).tobytes()
    (folder / f"{number:010d}.bin").write_bytes(rows[: len(rows) - cut_bytes])


def image(path, number, suffix=".png"):
    folder = path / "image_02" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{number:010d}{suffix}"), np.zeros((80, 120, 3), np.uint8))


@pytest.fixture
def drive(tmp_path):
    path = tmp_path / DRIVE
    path.mkdir()
    (tmp_path / "calib_2011_09_26.txt").write_text(TRACKING)
    return path


STAMPS = tuple(f"2011-09-26 13:00:0{second}.000000000" for second in range(4))


def test_the_tracking_calibration_is_read_without_its_colons(drive):
    oxts(drive)
    image(drive, 0)
    (frame,) = KittiRaw(drive).frames()
    # velodyne is 0.8 m ahead of the IMU and 1.73 m above the road; the car's centre line is its
    assert_allclose(
        frame.calibration.ego_from["lidar"],
        [[1, 0, 0, 0.8], [0, 1, 0, 0], [0, 0, 1, 1.73], [0, 0, 0, 1]],
    )
    assert_allclose(frame.calibration.ego_from["gps"][:3, 3], [0, 0.3, 1.03])  # 1.73 - 0.7
    camera = frame.calibration.cameras["camera"]
    assert camera.size_px == (120, 80)
    # camera 0 is at (0.3, 0, -0.1) of the velodyne; camera 2 is 20 / 100 m to its left
    assert_allclose(camera.ego_from_camera[:3, 3], [0.8 + 0.3, 0.2, 1.73 - 0.1])


def test_the_three_files_of_the_raw_download_give_the_same_calibration(drive, tmp_path):
    oxts(drive)
    image(drive, 0)
    (tracking,) = KittiRaw(drive).frames()
    (tmp_path / "calib_2011_09_26.txt").unlink()
    (tmp_path / "calib_cam_to_cam.txt").write_text(
        "calib_time: 09-Jan-2012 13:57:47\nS_rect_02: 1.2e+02 8e+01\n"
        "R_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 100 0 50 20 0 100 40 0 0 0 1 0\n"
    )
    (tmp_path / "calib_velo_to_cam.txt").write_text(f"R: {TURN}\nT: 0 -0.1 -0.3\ndelta_f: 0 0\n")
    (tmp_path / "calib_imu_to_velo.txt").write_text("R: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.7\n")
    (three,) = KittiRaw(drive).frames()
    for stream, matrix in tracking.calibration.ego_from.items():
        assert_allclose(three.calibration.ego_from[stream], matrix)
    assert_allclose(
        three.calibration.cameras["camera"].ego_from_camera,
        tracking.calibration.cameras["camera"].ego_from_camera,
    )


def test_without_a_calibration_it_says_which_files_it_looked_for(drive, tmp_path):
    oxts(drive)
    (tmp_path / "calib_2011_09_26.txt").unlink()
    with pytest.raises(RecordingError, match=r"calib_velo_to_cam.txt.* or calib_2011_09_26.txt"):
        KittiRaw(drive)


def test_a_calibration_that_lacks_an_entry_names_it(drive, tmp_path):
    oxts(drive)
    (tmp_path / "calib_2011_09_26.txt").write_text(TRACKING.replace("Tr_imu_velo", "Tr_other"))
    with pytest.raises(RecordingError, match="Tr_imu_to_velo or Tr_imu_velo of 12 numbers, got 0"):
        KittiRaw(drive)


def test_a_scan_cut_within_a_point_is_skipped_and_the_image_stays(drive):
    oxts(drive, STAMPS[:1])
    scan(drive, 0, 10, cut_bytes=5)
    image(drive, 0)
    with pytest.warns(RecordingWarning, match=r"0000000000.bin: truncated, 155 bytes"):
        (frame,) = KittiRaw(drive).frames()
    assert list(frame.records) == ["camera"]


def test_a_scan_far_shorter_than_the_others_is_skipped(drive):
    oxts(drive, STAMPS)
    for number, points in enumerate((100, 90, 110, 60)):
        scan(drive, number, points)
    with pytest.warns(RecordingWarning, match=r"0000000003.bin: truncated, 960 bytes"):
        *whole, last = KittiRaw(drive).frames()
    assert [len(frame.records["lidar"].intensity) for frame in whole] == [100, 90, 110]
    assert dict(last.records) == {}


def test_a_frame_may_lack_a_stream(drive):
    oxts(drive, STAMPS[:2])
    scan(drive, 0, 10)
    image(drive, 1, ".jpg")
    frames = list(KittiRaw(drive).frames())
    assert [list(frame.records) for frame in frames] == [["lidar"], ["camera"]]
    assert frames[1].records["camera"].encoding == "jpeg"
    assert frames[1].calibration.cameras["camera"].size_px == (120, 80)


def test_stamps_are_exact_nanoseconds_of_each_stream_where_it_has_its_own(drive):
    oxts(drive)
    scan(drive, 0, 10)
    image(drive, 0)
    (drive / "velodyne_points" / "timestamps.txt").write_text("2011-09-26 13:00:00.123456789\n")
    (frame,) = KittiRaw(drive).frames()
    assert frame.stamp_ns == 1317042000_123456789  # date -u -d '2011-09-26 13:00' +%s
    assert frame.records["camera"].stamp_ns == 1317042000_100000001  # the GPS/IMU unit's


def test_the_velocity_is_the_vehicles_own_not_the_units(drive):
    oxts(drive)  # 5 m/s, turning left at 0.5 rad/s, the unit 0.3 m left of the centre line
    scan(drive, 0, 1)
    (frame,) = KittiRaw(drive).frames()
    streams = [stream for stream, _ in frame.motion]
    fix, sample, twist = (record for _, record in frame.motion)
    assert streams == ["gps", "imu", "twist"]
    assert_allclose(twist.linear_ego, [5 + 0.5 * 0.3, 0, 0])  # the outer side is the faster one
    assert_allclose(twist.angular_ego, [0, 0, 0.5])
    assert_allclose(np.diag(fix.covariance_enu), [0.01, 0.01, 0.04])
    assert fix.latitude_rad == math.radians(49)
    assert_allclose(sample.linear_acceleration_mps2, [0.1, 0.2, 9.8])  # of the body, not levelled
    assert_allclose(sample.orientation_wxyz, [1, 0, 0, 0])


def test_a_folder_of_other_files_is_a_stream_skipped_aloud(drive):
    oxts(drive)
    (drive / "velodyne_points" / "data").mkdir(parents=True)
    (drive / "velodyne_points" / "data" / "0000000000.txt").write_text("1 2 3 0.5")
    with pytest.warns(RecordingWarning, match=r"holds no numbered .bin file; stream skipped"):
        recording = KittiRaw(drive)
    assert [sensor.name for sensor in recording.sensors] == ["gps", "imu", "twist"]


def test_motion_of_frames_left_out_comes_with_the_next_one(drive):
    oxts(drive, STAMPS)
    image(drive, 0)
    (frame,) = KittiRaw(drive).frames(["0000000002"])
    assert [record.stamp_ns % 10_000_000_000 for _, record in frame.motion[::3]] == [
        0,
        1_000_000_000,
        2_000_000_000,
    ]


def test_an_unknown_frame_name_is_refused_with_the_range_there_is(drive):
    oxts(drive, STAMPS)
    with pytest.raises(RecordingError, match=r"no frame '7'.*from 0000000000 to 0000000003"):
        list(KittiRaw(drive).frames(["7"]))


def test_the_first_frames_only(drive):
    oxts(drive, STAMPS)
    assert len(KittiRaw(drive, frames=2)) == len(list(KittiRaw(drive, frames=2).frames())) == 2


def test_a_real_drive_puts_the_road_at_zero_and_the_points_on_the_image(kitti_raw):
    recording = KittiRaw(kitti_raw)
    frames = list(recording.frames())
    assert len(recording) == len(frames) == 8
    assert [sensor.name for sensor in recording.sensors] == [
        "lidar",
        "camera",
        "gps",
        "imu",
        "twist",
    ]
    frame = frames[0]
    points = transform(frame.calibration.ego_from["lidar"], frame.records["lidar"].points_lidar)
    ahead = (np.abs(points[:, 1]) < 2) & (np.abs(points[:, 0]) < 8) & (points[:, 2] < 0.3)
    assert abs(np.median(points[ahead, 2])) < 0.1
    _, in_view, _ = project_ego(points, frame.calibration.cameras["camera"])
    assert 0.1 < in_view.mean() < 0.25  # the camera sees 82 of 360 degrees
    gaps_ns = np.diff([f.stamp_ns for f in frames])
    assert ((gaps_ns > 95e6) & (gaps_ns < 115e6)).all()  # 10 Hz


def test_the_real_fixes_move_as_the_real_velocity_says(kitti_raw):
    frames = list(KittiRaw(kitti_raw).frames())
    motion = [dict(frame.motion) for frame in frames]
    first = motion[0]["gps"]
    assert isinstance(first, GpsFix)
    plane = LocalTangentPlane(first.latitude_rad, first.longitude_rad, first.altitude_m)
    last = motion[-1]["gps"]
    went = plane.enu(last.latitude_rad, last.longitude_rad, last.altitude_m)
    expected = np.zeros(3)
    for now, then in pairwise(motion):
        twist, sample = now["twist"], now["imu"]
        assert isinstance(twist, TwistSample)
        assert isinstance(sample, ImuSample)
        seconds = (then["gps"].stamp_ns - now["gps"].stamp_ns) / 1e9
        expected += rotation_from_quaternion(sample.orientation_wxyz) @ twist.linear_ego * seconds
    assert np.linalg.norm(went) > 1
    assert_allclose(went[:2], expected[:2], atol=0.15)
