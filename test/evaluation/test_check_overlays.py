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

"""The pictures and the printed report of `check`, on synthetic and on real bags."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from bags import MS, OPTICAL, START_NS

from mm_fusion.calibration import Camera
from mm_fusion.cli import main
from mm_fusion.evaluation.check import CheckReport, check, print_check
from mm_fusion.evaluation.check_findings import error
from mm_fusion.evaluation.pictures import save_png
from mm_fusion.recordings.bag import STATIC_TRANSFORMS, TRANSFORMS
from mm_fusion.recordings.bag_writer import BagWriter
from mm_fusion.recordings.convert import convert
from mm_fusion.recordings.encode import info_of, message_of
from mm_fusion.recordings.message_parts import part, transform
from mm_fusion.recordings.open import open_recording
from mm_fusion.records import CameraImage, LidarScan, RadarScan, TwistSample
from mm_fusion.view.colors import STANDING, ramp

GREY = 90
FRONT = Camera(
    name="front",
    image_from_camera=np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]),
    ego_from_camera=OPTICAL,
    size_px=(640, 480),
)


def scan(stamp_ns, points):
    count = len(points)
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=np.array(points, np.float32),
        intensity=np.full(count, 0.5, np.float32),
        offset_s=np.zeros(count, np.float32),
    )


def image(stamp_ns):
    return CameraImage(
        stamp_ns=stamp_ns,
        data=np.full(640 * 480, GREY, np.uint8),
        encoding="mono8",
        width=640,
        height=480,
        step=640,
    )


def radar_scan(stamp_ns, point):
    return RadarScan(
        stamp_ns=stamp_ns,
        points_radar=np.array([point], np.float32),
        range_rate_mps=np.zeros(1, np.float32),
        rcs_dbsm=np.zeros(1, np.float32),
    )


def write(path, *, image_after_ms=0, speed_mps=0.0, tf=True):
    """Eleven scans 0.1 s apart; the k-th has one point 10 m ahead and 0.2 k m to the left."""
    edges = [
        transform("base_link", frame, place, START_NS)
        for frame, place in (("lidar", np.eye(4)), ("radar", np.eye(4)), ("front", OPTICAL))
    ]
    with BagWriter(path, held_ns=1000 * MS) as writer:
        if tf:
            writer.write(
                STATIC_TRANSFORMS, TRANSFORMS, part(TRANSFORMS, transforms=edges), START_NS
            )
        for k in range(11):
            t = START_NS + k * 100 * MS
            at = t + image_after_ms * MS
            moving = np.array([speed_mps, 0, 0])
            twist = TwistSample(stamp_ns=t, linear_ego=moving, angular_ego=np.zeros(3))
            writer.write("/twist", *message_of(twist, "base_link"), t)
            point = (10.0, 0.2 * k, 1.5)
            writer.write("/lidar/points", *message_of(scan(t, [point]), "lidar"), t)
            writer.write("/radar/points", *message_of(radar_scan(t, point), "radar"), t)
            writer.write("/front/camera_info", *info_of(FRONT, at, "front"), at)
            writer.write("/front/image", *message_of(image(at), "front"), at)
    return path


def picture(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def coloured(rgb):
    """Rows and columns of the pixels below the caption that are not the image's grey."""
    v, u = np.nonzero((rgb != GREY).any(axis=2))
    return v[v > 30], u[v > 30]


def test_the_scan_amid_the_bag_is_drawn_where_it_is(tmp_path):
    report = check(write(tmp_path / "bag"), tmp_path / "out")
    assert report.findings[0].severity == "remark"  # no times of points
    assert len(report.findings) == 1
    rgb = picture(tmp_path / "out" / "front_lidar.png")
    # the sixth scan: 1 m left at a depth of 10 m is 320 - 500 / 10 = 270, at the camera's height
    v, u = coloured(rgb)
    assert sorted(zip(v, u, strict=True)) == [(240, 270), (240, 271), (241, 270), (241, 271)]
    assert rgb[240, 270].tolist() == ramp(np.array([10.0]), 60, 0)[0].tolist()


def test_a_radar_return_is_a_circle_about_its_place(tmp_path):
    check(write(tmp_path / "bag"), tmp_path / "out")
    rgb = picture(tmp_path / "out" / "front_radar.png")
    v, u = coloured(rgb)
    assert (v.min() + v.max(), u.min() + u.max()) == (2 * 240, 2 * 270)
    assert 12 <= (v.max() - v.min()) / 2 <= 14  # 120 px m at 10 m, and half the line's width
    assert rgb[240, 258].tolist() == list(STANDING)
    assert rgb[240, 270].tolist() == [GREY] * 3


def test_the_camera_is_moved_to_where_it_took_the_image(tmp_path):
    check(write(tmp_path / "bag", image_after_ms=40, speed_mps=25.0), tmp_path / "out")
    # 25 m/s for 40 ms are 1 m: the depth is 9 m, and 320 - 500 / 9 = 264.4
    _, u = coloured(picture(tmp_path / "out" / "front_lidar.png"))
    assert u.min() == 264


def test_a_png_that_is_there_is_replaced_and_an_obstacle_is_told(tmp_path, capsys):
    save_png(tmp_path / "out" / "front_lidar.png", np.zeros((5, 5, 3), np.uint8))
    check(write(tmp_path / "bag"), tmp_path / "out")
    assert picture(tmp_path / "out" / "front_lidar.png").shape == (480, 640, 3)
    (tmp_path / "file").write_text("")
    assert main(["check", str(tmp_path / "bag"), "--out", str(tmp_path / "file")]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("mm_fusion check: ")
    assert "Traceback" not in out + err


def test_a_sound_bag_exits_with_0_and_prints_a_row_a_topic(tmp_path, capsys):
    write(tmp_path / "bag")
    assert main(["check", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    (row,) = [line.split() for line in lines if line.startswith(" /lidar/points")]
    assert row[:4] == ["/lidar/points", "PointCloud2", "11", "10.0"]
    assert row[4:] == ["0.100", "0.000", "0.000", "lidar", "yes"]
    (row,) = [line.split() for line in lines if line.startswith(" /front/image")]
    assert row[-4:] == ["0.307", "front", "yes", "yes"]  # 640 * 480 bytes and a header
    assert max(len(line) for line in lines if not line.startswith("overlay: ")) <= 100
    assert f"overlay: {tmp_path / 'out' / 'front_radar.png'}" in lines
    assert lines[-1] == "0 errors, 0 warnings, 1 remark"


def test_a_bag_with_an_error_exits_with_1_and_says_it_whole(tmp_path, capsys):
    write(tmp_path / "bag", tf=False)
    assert main(["check", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    words = " ".join(out.split())
    assert "error: the bag: no transform speaks of 'base_link', so front, lidar, radar" in words
    assert "warning: front_lidar.png: not drawn: front has no calibration yet; lidar has" in words
    assert out.endswith("1 error, 2 warnings, 1 remark\n")
    assert not (tmp_path / "out").exists()


def test_brackets_are_printed_as_they_are(capsys):
    text = "focal lengths [0.0, 0.0] px; [bold] calibrate"
    report = CheckReport(
        bag=Path("bag[1]"),
        seconds=1.0,
        figures=(),
        placed={},
        informed={},
        findings=(error("front", text),),
        files=(Path("out[2]/front_lidar.png"),),
    )
    print_check(report)
    out = capsys.readouterr().out
    for wanted in (f"error: front: {text}\n", "bag[1]: 0 messages", "overlay: out[2]/front_lidar"):
        assert wanted in out


def checked(source, tmp_path):
    recording = open_recording(source)
    convert(recording, tmp_path / "bag")
    report = check(tmp_path / "bag", tmp_path / "out")
    assert report.errors == ()
    assert all(report.placed.values())
    assert all(report.informed.values())
    return report, {path.name: picture(path) for path in report.files}


def test_kitti(kitti_raw, tmp_path):
    report, pictures = checked(kitti_raw, tmp_path)
    assert not [f for f in report.findings if f.severity == "warning"]
    assert list(pictures) == ["camera_lidar.png"]
    assert pictures["camera_lidar.png"].shape == (375, 1242, 3)
    assert all(f.rate_hz == pytest.approx(10, abs=0.5) for f in report.figures if f.count > 1)
    (lidar,) = [f for f in report.figures if f.topic == "/lidar/points"]
    assert (lidar.count, lidar.back, lidar.unread) == (8, 0, 0)


def test_astyx(astyx, tmp_path):
    report, pictures = checked(astyx, tmp_path)
    assert list(pictures) == ["camera_lidar.png", "camera_radar.png"]
    assert {p.shape for p in pictures.values()} == {(386, 1280, 3)}
    said = [f.text for f in report.findings if f.severity == "remark"]
    assert "no GPS, IMU, odometry or twist: a radar alone tells how the vehicle moves" in said


def test_nuscenes(data, tmp_path):
    _, pictures = checked(data / "nuscenes", tmp_path)
    sides = ("back", "back_left", "back_right", "front", "front_left", "front_right")
    assert list(pictures) == [f"cam_{side}_lidar.png" for side in sides]
    for rgb in pictures.values():  # LiDAR all round: each image holds points in warm colours
        warm = (rgb[..., 0] > 200) & (rgb[..., 1] < 120) & (rgb[..., 2] < 60)
        assert warm.sum() > 100
