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

"""Calibration: rigid, complete, and clear about what is wrong."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration, Camera, load_calibration
from mm_fusion.errors import CalibrationError

ROOT = Path(__file__).parents[1]


def camera(**changes):
    values = {
        "name": "front",
        "image_from_camera": np.array([[100.0, 0, 320], [0, 100, 240], [0, 0, 1]]),
        "ego_from_camera": np.eye(4),
        "size_px": (640, 480),
    }
    return Camera(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image_from_camera": np.zeros((3, 3))}, "a CameraInfo of zeros means"),
        ({"ego_from_camera": np.diag([2.0, 1, 1, 1])}, "its rotation is not one"),
        ({"ego_from_camera": np.diag([-1.0, 1, 1, 1])}, "determinant -1"),
        ({"ego_from_camera": np.full((4, 4), np.nan)}, "expected a finite 4x4"),
        ({"distortion_model": "fisheye"}, "'fisheye' is unknown; known: plumb_bob"),
        ({"distortion_model": "equidistant", "distortion": (0.1,)}, "takes .* coefficients, got 1"),
    ],
)
def test_a_camera_that_cannot_be_gets_its_sentence(changes, sentence):
    with pytest.raises(CalibrationError, match=sentence):
        camera(**changes)


def test_what_is_added_is_known():
    calibration = Calibration().with_camera(camera()).with_extrinsic("top", np.eye(4))
    assert set(calibration.cameras) == {"front"}
    assert set(calibration.ego_from) == {"top"}


def test_the_example_file_is_read():
    calibration = load_calibration(ROOT / "config" / "calibration.example.yaml")
    assert_allclose(calibration.ego_from["lidar"][:3, 3], [0.8, 0.0, 1.73])
    front = calibration.cameras["front"]
    # the optical axis (z of the camera) looks forward (x of ego)
    assert_allclose(front.ego_from_camera[:3, 2], [1, 0, 0], atol=1e-9)
    assert front.size_px == (1242, 375)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sensors: [", "is not YAML"),
        ("lidar: 1", "expected a mapping `sensors:`"),
        ("sensors: {lidar: {rotation_wxyz: [1, 0, 0, 0]}}", "lidar: lacks 'translation_m'"),
        (
            "sensors: {lidar: {translation_m: [1, 2], rotation_wxyz: [1, 0, 0, 0]}}",
            "lidar: translation_m: expected",
        ),
        ("sensors: {lidar: {ego_from_sensor: [[1, 0], [0, 1]]}}", "lidar: ego_from_sensor: exp"),
        ("sensors: {lidar: 5}", "lidar is malformed: .*int"),
        (
            "sensors: {lidar: {translation_m: [1, x, 2], rotation_wxyz: [1, 0, 0, 0]}}",
            "lidar is malformed: could not convert string to float: 'x'",
        ),
    ],
)
def test_a_malformed_file_names_the_entry(tmp_path, text, sentence):
    path = tmp_path / "calibration.yaml"
    path.write_text(text)
    with pytest.raises(CalibrationError, match=sentence) as raised:
        load_calibration(path)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CalibrationError, match="none.yaml: No such file"):
        load_calibration(tmp_path / "none.yaml")
