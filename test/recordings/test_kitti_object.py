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

"""KITTI object: labels worked by hand, and the real labelled frames."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.evaluation.scope import lidar_points_of
from mm_fusion.geometry.boxes import corners
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.objects import CLASSES
from mm_fusion.recordings.kitti_object import KittiObject

CALIB = """P2: 100 0 50 0 0 100 40 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 -0.2
Tr_imu_to_velo: 1 0 0 -0.8 0 1 0 0 0 0 1 -0.8
"""
LABELS = """Car 0.00 2 -1.57 0 0 10 10 1.50 1.60 4.00 3.00 1.00 20.00 0.00
Van 0.00 0 -1.57 0 0 10 10 2.00 1.60 4.00 3.00 1.00 30.00 -1.5707963
Cyclist 0.00 3 -1.57 0 0 10 10 2.00 0.60 1.80 0.00 1.00 10.00 -1.5707963
Tram 0.00 0 -1.57 0 0 10 10 3.00 2.50 20.0 0.00 1.00 40.00 -1.5707963
DontCare -1 -1 -10 12.00 3.50 60.00 20.00 -1 -1 -1 -1000 -1000 -1000 -10
"""


@pytest.fixture
def root(tmp_path):
    for room in ("image_2", "velodyne", "calib", "label_2"):
        (tmp_path / "training" / room).mkdir(parents=True)
    training = tmp_path / "training"
    cv2.imwrite(str(training / "image_2" / "000005.png"), np.zeros((80, 120, 3), np.uint8))
    np.ones((3, 4), "<f4").tofile(training / "velodyne" / "000005.bin")
    (training / "calib" / "000005.txt").write_text(CALIB)
    (training / "label_2" / "000005.txt").write_text(LABELS)
    return tmp_path


def test_a_label_becomes_a_box_about_its_geometric_centre(root):
    (frame,) = KittiObject(root).frames()
    objects = frame.truth.objects
    # rectified camera (3, 1, 20): right 3, down 1, ahead 20; the camera is 0.2 m ahead of the
    # velodyne, that 0.8 m ahead of and 1.73 m above the origin; the bottom is half of 1.5 m lower
    assert_allclose(objects.centers_ego[0], [20 + 0.2 + 0.8, -3, 1.73 - 1 + 0.75])
    assert_allclose(objects.sizes_m[0], [4.0, 1.6, 1.5])
    assert_allclose(objects.yaws_rad, [-np.pi / 2, 0], atol=1e-6)  # to the right, ahead
    assert [CLASSES[label] for label in objects.labels] == ["car", "bicycle"]
    assert frame.truth.occlusion.tolist() == [2, -1]  # 3 is KITTI's word for unknown


def test_what_kitti_counts_neither_way_is_ignored(root):
    (frame,) = KittiObject(root).frames()
    assert [CLASSES[label] for label in frame.truth.ignored.labels] == ["car", "unknown"]
    assert_allclose(frame.truth.ignored_px, [[12, 3.5, 60, 20]])
    assert frame.truth.ignored_camera == "camera"


def test_labels_reach_to_the_nearer_edge_of_the_image(root):
    (frame,) = KittiObject(root).frames()
    assert frame.truth.azimuth_limit_rad == pytest.approx(np.arctan2(50, 100))


def test_results_are_given_in_the_velodynes_frame(root):
    (frame,) = KittiObject(root).frames()
    assert_allclose(frame.result_from_ego @ frame.calibration.ego_from["lidar"], np.eye(4))


def test_a_frame_without_labels_has_no_truth_rather_than_an_empty_one(root):
    (root / "training" / "label_2" / "000005.txt").unlink()
    (frame,) = KittiObject(root).frames()
    assert frame.truth is None


def test_a_missing_calibration_names_its_file(root):
    (root / "training" / "calib" / "000005.txt").unlink()
    with pytest.raises(RecordingError, match="000005.txt cannot be read"):
        list(KittiObject(root).frames())


def test_a_transform_that_is_none_is_refused(root):
    path = root / "training" / "calib" / "000005.txt"
    path.write_text(CALIB.replace("R0_rect: 1", "R0_rect: 2"))
    with pytest.raises(RecordingError, match=r"000005.txt: camera camera: its rotation is not one"):
        list(KittiObject(root).frames())


def test_a_label_line_that_is_cut_is_refused(root):
    (root / "training" / "label_2" / "000005.txt").write_text("Car 0 0 1.5 0 0 10")
    with pytest.raises(RecordingError, match="the line of a Car has fewer than 15 columns"):
        list(KittiObject(root).frames())


def test_a_broken_image_is_skipped_and_the_scan_stays(root):
    (root / "training" / "image_2" / "000005.png").write_bytes(b"no image")
    with pytest.warns(RecordingWarning, match="neither a JPEG nor a PNG file"):
        (frame,) = KittiObject(root).frames()
    assert list(frame.records) == ["lidar"]
    assert "camera" not in frame.calibration.cameras


def test_the_real_boxes_hold_points_and_land_on_their_image_boxes(data):
    recording = KittiObject(data / "kitti_object")
    frames = {frame.token: frame for frame in recording.frames()}
    assert list(frames) == ["000000", "000001", "000008"]
    assert [len(f.truth.objects) for f in frames.values()] == [1, 3, 6]
    eighth = frames["000008"]  # its scan is the cropped one
    points = lidar_points_of(eighth.truth.objects, eighth.records, eighth.calibration)
    assert (points > 50).all()
    boxes_px = {  # the labels' own image boxes, of those wholly in the image
        3: [597.59, 176.18, 720.90, 261.14],
        4: [741.18, 168.83, 792.25, 208.43],
        5: [884.52, 178.31, 956.41, 240.18],
    }
    camera = eighth.calibration.cameras["camera"]
    for row, box_px in boxes_px.items():
        pixels, _, _ = project_ego(corners(eighth.truth.objects.boxes[row])[0], camera)
        assert_allclose([*pixels.min(axis=0), *pixels.max(axis=0)], box_px, atol=4)
