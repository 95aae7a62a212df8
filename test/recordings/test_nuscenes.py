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

"""nuScenes: a hand-made frame, and the real one."""

import json

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.evaluation.scope import lidar_points_of
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.geometry.rigid import transform
from mm_fusion.objects import CLASSES
from mm_fusion.recordings.nuscenes import NuScenes

# lidar: x right, y forward -> ego: x forward, y left; 1 m ahead, 1.8 m up
EGO_FROM_LIDAR = [[0, 1, 0, 1.0], [-1, 0, 0, 0], [0, 0, 1, 1.8], [0, 0, 0, 1]]
CAM_TO_EGO = [[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]


def box(kind, points=5, velocity=(0.0, 3.0)):
    return {
        "bbox_3d": [2.0, 10.0, -1.0, 4.0, 1.8, 1.5, np.pi / 2],  # 2 m right, 10 ahead, facing ahead
        "bbox_label_3d": kind,
        "velocity": list(velocity),
        "num_lidar_pts": points,
        "num_radar_pts": 0,
        "bbox_3d_isvalid": True,
    }


def info(**changes):
    return {
        "token": "abc",
        "timestamp": 1532402927.647951,
        "ego2global": np.eye(4).tolist(),
        "lidar_points": {"lidar_path": "scan.pcd.bin", "lidar2ego": EGO_FROM_LIDAR},
        "images": {
            "CAM_FRONT": {
                "img_path": "front.jpg",
                "cam2img": [[100, 0, 60], [0, 100, 40], [0, 0, 1]],
                "cam2ego": CAM_TO_EGO,
                "timestamp": 1532402927.61246,
            }
        },
        "instances": [box(0), box(1, points=0), box(2), box(3, velocity=(np.nan, np.nan))],
    } | changes


@pytest.fixture
def root(tmp_path):
    categories = {"car": 0, "pedestrian": 1, "barrier": 2, "construction_vehicle": 3}
    tree = {"metainfo": {"categories": categories}, "data_list": [info()]}
    (tmp_path / "info.json").write_text(json.dumps(tree))
    np.array([[1, 2, 3, 255, 7]], "<f4").tofile(tmp_path / "scan.pcd.bin")
    cv2.imwrite(str(tmp_path / "front.jpg"), np.zeros((80, 120, 3), np.uint8))
    return tmp_path


def test_boxes_and_velocities_are_turned_from_the_lidars_axes(root):
    (frame,) = NuScenes(root).frames()
    objects = frame.truth.objects
    # lidar (2, 10, -1) -> ego (10 + 1, -2, -1 + 1.8); facing lidar +y is facing ahead
    assert_allclose(objects.boxes, [[11, -2, 0.8, 4, 1.8, 1.5, 0]], atol=1e-12)
    assert_allclose(objects.velocities_ego, [[3, 0]], atol=1e-12)
    assert CLASSES[objects.labels[0]] == "car"


def test_boxes_without_points_are_ignored_and_barriers_are_background(root):
    (frame,) = NuScenes(root).frames()
    assert [CLASSES[i] for i in frame.truth.ignored.labels] == ["pedestrian", "unknown"]


def test_stamps_are_whole_microseconds(root):
    (frame,) = NuScenes(root).frames()
    assert frame.stamp_ns == 1532402927_647951_000
    assert frame.records["cam_front"].stamp_ns == 1532402927_612460_000


def test_the_points_have_ring_and_intensity(root):
    (frame,) = NuScenes(root).frames()
    lidar = frame.records["lidar"]
    assert (lidar.ring.tolist(), lidar.intensity.tolist()) == ([7], [1.0])


def test_a_missing_image_is_skipped_and_the_rest_stays(root):
    (root / "front.jpg").unlink()
    with pytest.warns(RecordingWarning, match="front.jpg"):
        (frame,) = NuScenes(root).frames()
    assert list(frame.records) == ["lidar"]


def test_a_truncated_scan_is_skipped(root):
    (root / "scan.pcd.bin").write_bytes(bytes(33))
    with pytest.warns(RecordingWarning, match="truncated, 33 bytes"):
        (frame,) = NuScenes(root).frames()
    assert list(frame.records) == ["cam_front"]


def test_information_that_lacks_an_entry_is_refused_with_its_name(root):
    tree = json.loads((root / "info.json").read_text())
    del tree["data_list"][0]["ego2global"]
    (root / "info.json").write_text(json.dumps(tree))
    with pytest.raises(RecordingError, match="frame abc: KeyError.*ego2global"):
        list(NuScenes(root).frames())


def test_the_real_frame_agrees_with_its_labels(data):
    recording = NuScenes(data / "nuscenes")
    (frame,) = recording.frames()
    assert len(recording.sensors) == len(frame.records) == 7
    truth = frame.truth.objects
    assert (lidar_points_of(truth, frame.records, frame.calibration) > 0).mean() > 0.95
    speeds = np.linalg.norm(truth.velocities_ego, axis=1)
    fast = speeds > 5
    courses = np.arctan2(truth.velocities_ego[fast, 1], truth.velocities_ego[fast, 0])
    assert fast.sum() >= 4
    assert (np.cos(courses - truth.yaws_rad[fast]) > 0.99).all()  # they drive where they face
    points = transform(frame.calibration.ego_from["lidar"], frame.records["lidar"].points_lidar)
    seen = np.zeros(len(points), bool)
    for camera in frame.calibration.cameras.values():
        seen |= project_ego(points, camera)[1]
    assert seen.mean() > 0.5
    assert_allclose(frame.result_from_ego[:3, 3], [411.30392, 1180.89038, 0], atol=1e-4)
