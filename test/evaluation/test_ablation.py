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

"""Faults change what they say and nothing else; the tables cover every subset and every fault."""

import json

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.cli import main
from mm_fusion.evaluation.ablation import Ablation, AblationRow, beaten, runs_of
from mm_fusion.evaluation.faults import Faulty, faults_of
from mm_fusion.evaluation.kitti_ap import KittiAp
from mm_fusion.geometry.rigid import invert, transform, yaw_of
from mm_fusion.preprocess.image import decode
from mm_fusion.recordings.open import open_recording
from mm_fusion.records import CameraImage, LidarScan, RadarScan

KINDS = ("camera", "lidar", "radar")


@pytest.fixture(scope="module")
def source(astyx):
    return open_recording(astyx, frames=2)


def both(source, fault):
    """The second frame as it is and with a fault."""
    return [list(r.frames())[1] for r in (source, Faulty(source, faults_of(KINDS)[fault]))]


def of_kind(frame, kind):
    (record,) = (r for r in frame.records.values() if isinstance(r, kind))
    return record


def test_a_black_image_is_black_and_the_rest_is_as_it_was(source):
    frame, faulty = both(source, "camera black")
    picture = decode(of_kind(faulty, CameraImage))
    assert picture.shape == decode(of_kind(frame, CameraImage)).shape
    assert not picture.any()
    assert np.array_equal(
        of_kind(faulty, LidarScan).points_lidar, of_kind(frame, LidarScan).points_lidar
    )
    assert np.array_equal(faulty.calibration.ego_from["lidar"], frame.calibration.ego_from["lidar"])


def test_a_frozen_sensor_shows_the_frame_before_with_this_ones_stamp(source):
    first = next(iter(source.frames()))
    frame, faulty = both(source, "lidar frozen")
    frozen = of_kind(faulty, LidarScan)
    assert np.array_equal(frozen.points_lidar, of_kind(first, LidarScan).points_lidar)
    assert frozen.stamp_ns == of_kind(frame, LidarScan).stamp_ns
    assert np.array_equal(
        of_kind(faulty, RadarScan).points_radar, of_kind(frame, RadarScan).points_radar
    )


def test_noise_is_as_wide_as_said_and_the_same_again(source):
    frame, faulty = both(source, "radar noisy")
    away = of_kind(faulty, RadarScan).points_radar - of_kind(frame, RadarScan).points_radar
    assert_allclose(away.std(), 0.5, rtol=0.1)
    _, again = both(source, "radar noisy")
    assert np.array_equal(
        of_kind(again, RadarScan).points_radar, of_kind(faulty, RadarScan).points_radar
    )
    frame, faulty = both(source, "camera noisy")
    gray = [
        cv2.cvtColor(decode(of_kind(f, CameraImage)), cv2.COLOR_RGB2GRAY) for f in (frame, faulty)
    ]
    assert 5 < np.abs(gray[0].astype(int) - gray[1]).mean() < 60


@pytest.mark.parametrize("degrees", [1, 3])
def test_a_sensor_that_was_knocked_looks_elsewhere_from_the_same_place(source, degrees):
    frame, faulty = both(source, f"lidar turned {degrees} deg")
    before, after = (f.calibration.ego_from["lidar"] for f in (frame, faulty))
    assert_allclose(np.degrees(yaw_of(after) - yaw_of(before)), degrees, atol=0.01)
    assert_allclose(after[:3, 3], before[:3, 3])
    frame, faulty = both(source, f"camera turned {degrees} deg")
    (name,) = frame.calibration.cameras
    ahead = np.array([[0.0, 0, 30]])
    turned = transform(
        invert(frame.calibration.cameras[name].ego_from_camera)
        @ faulty.calibration.cameras[name].ego_from_camera,
        ahead,
    )
    assert_allclose(
        np.linalg.norm(turned - ahead), 30 * 2 * np.sin(np.radians(degrees) / 2), rtol=0.01
    )


def test_every_subset_and_every_fault_has_its_row(astyx, tmp_path, capsys):
    figures, plot = tmp_path / "figures.json", tmp_path / "plot.png"
    words = ["ablate", str(astyx), "--frames", "2", "--json", str(figures), "--plot", str(plot)]
    assert main([*words, "--detector", "geometric"]) == 0
    tree = json.loads(figures.read_text())
    names = [row["name"] for row in tree["subsets"]]
    assert names == [
        "camera",
        "lidar",
        "radar",
        "camera + lidar",
        "camera + radar",
        "lidar + radar",
        "camera + lidar + radar",
    ]
    assert len(tree["subsets"]) + len(tree["faults"]) == runs_of(KINDS) == 20
    by = {row["name"]: row["bev"]["moderate"]["r40"] for row in tree["subsets"]}
    assert by["camera"] == 0  # the training-free detector looks at no image
    assert by["camera + lidar + radar"] == by["lidar + radar"] > 0
    printed = capsys.readouterr().out
    assert "lidar turned 3 deg" in printed
    assert "100 %" in printed
    assert cv2.imread(str(plot)) is not None


def test_a_bag_and_an_unknown_class_are_refused(astyx, tmp_path, capsys):
    bag = tmp_path / "bag"
    assert main(["convert", str(astyx), str(bag), "--frames", "1"]) == 0
    assert main(["ablate", str(bag)]) == 1
    assert "a bag has no frames of its own" in capsys.readouterr().err
    assert main(["ablate", str(astyx), "--class", "tram"]) == 1
    assert "'tram' is no class" in capsys.readouterr().err


def row(name, moderate, far):
    level = {"moderate": KittiAp(r40=moderate, r11=0.0, labels=9)}
    bins = {"40-80": KittiAp(r40=far, r11=0.0, labels=3)}
    return AblationRow(name=name, bev=level, volume=level, bev_bins=bins, volume_bins=bins)


def test_where_one_sensor_beats_all_it_is_named():
    rows = (row("lidar", 40, 5), row("radar", 30, 21), row("lidar + radar", 55, 20))
    assert beaten(Ablation(subsets=rows, faults=())) == [
        "3D 40-80: radar 21.0, all 20.0",
        "BEV 40-80: radar 21.0, all 20.0",
    ]
    pairs = (row("camera + lidar", 60, 60), row("camera + lidar + radar", 55, 20))
    assert beaten(Ablation(subsets=pairs, faults=())) == []  # a pair is not one sensor
