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

"""The strip of moments: as many as asked, with the camera asked for, tracks named alike."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mm_fusion.cli import main
from mm_fusion.config import FusionConfig
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.strips import strip
from mm_fusion.recordings.convert import convert
from mm_fusion.recordings.open import open_recording
from mm_fusion.simulation.drive import simulate
from mm_fusion.simulation.rig import LidarModel, Rig


@pytest.fixture(scope="module")
def drawn(kitti_raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("strip") / "strip.png"
    assert main(["view", str(kitti_raw), "--strip", "3", "--png", str(path)]) == 0
    return path


def test_pictures_stand_two_in_a_row(drawn):
    picture = cv2.imread(str(drawn))
    assert picture.shape[1] == 2 * 960 + 4
    height = (picture.shape[0] - 4) // 2
    assert not picture[-height:, -960:].any()  # three fill three of four places
    assert picture[:height].any()


def told_of(source, path, **given):
    return strip(source, path, config=FusionConfig(), **given)


def test_tracks_that_stay_in_view_are_told(kitti_raw, tmp_path):
    told = told_of(open_recording(kitti_raw), tmp_path / "s.png", moments=2)
    assert told.startswith("2 moments, ")
    again, of = told.split("next: ")[1].split(" of ")  # frames 2 and 6 of a queue that stands
    assert 2 < int(again) <= int(of)


def test_about_a_named_frame_the_one_picture_is_that_frames(kitti_raw, tmp_path):
    source = open_recording(kitti_raw)
    tokens = [frame.token for frame in source.frames()]
    for name, token in (("a", tokens[0]), ("b", tokens[5])):
        told_of(source, tmp_path / f"{name}.png", moments=1, token=token)
    told_of(open_recording(kitti_raw, frames=1), tmp_path / "c.png", moments=1)
    first, other, alone = (cv2.imread(str(tmp_path / f"{n}.png")) for n in "abc")
    assert (first == alone).all()
    assert (first != other).any()


def test_about_a_named_frame_no_moment_is_drawn_twice(kitti_raw, tmp_path):
    source = open_recording(kitti_raw, frames=3)
    token = next(iter(source.frames())).token
    told = told_of(source, tmp_path / "s.png", moments=6, token=token)
    assert told.startswith("3 moments, ")


def test_a_frame_that_is_not_there_is_named(kitti_raw, tmp_path):
    with pytest.raises(RecordingError, match="no frame is named '77'; the last is "):
        told_of(open_recording(kitti_raw), tmp_path / "s.png", moments=2, token="77")


def simulated(path, cameras):
    """A bag of a short drive with a small LiDAR and these cameras."""
    rig = Rig(lidar=LidarModel(columns=512, beams=32), cameras=cameras)
    convert(simulate(0.4, rig=rig), path)
    return open_recording(path)


def test_without_a_camera_it_is_seen_from_above(tmp_path):
    told_of(simulated(tmp_path / "bag", ()), tmp_path / "s.png", moments=1)
    assert cv2.imread(str(tmp_path / "s.png")).shape == (600, 600, 3)


def test_of_several_cameras_the_one_that_looks_ahead_is_taken(tmp_path):
    (front,) = Rig().cameras
    small = np.diag([0.1, 0.1, 1.0]) @ front.camera.image_from_camera
    ahead = replace(front.camera, image_from_camera=small, size_px=(96, 54))
    about = np.diag([-1.0, -1.0, 1.0, 1.0])  # half a turn about z
    back = replace(ahead, name="back", ego_from_camera=about @ ahead.ego_from_camera)
    rig = tuple(replace(front, camera=camera) for camera in (back, ahead))
    source = simulated(tmp_path / "bag", rig)
    pictures = {}
    for camera in (None, "back", "front"):
        told_of(source, tmp_path / "s.png", moments=1, camera=camera)
        pictures[camera] = cv2.imread(str(tmp_path / "s.png"))
    assert (pictures[None] == pictures["front"]).all()
    assert (pictures[None] != pictures["back"]).any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--strip", "0"], "--strip is 0; it must lie in [1, 24]"),
        (["--strip", "2", "--camera", "rear"], "--camera rear: there is no such camera; known: "),
        (["--camera", "rear"], "--camera goes with --strip"),
        (["--strip", "25"], "--strip is 25; it must lie in [1, 24]"),
        (["--strip", "2", "--rrd", "a.rrd"], "ask for one at a time"),
        (["--strip", "2", "--results", "a.json"], "not results"),
        (["--tracks", "--results", "a.json"], "results carry their own ids"),
    ],
)
def test_what_cannot_be_drawn_is_said(kitti_raw, tmp_path, capsys, words, sentence):
    assert main(["view", str(kitti_raw), "--png", str(tmp_path / "p.png"), *words]) == 1
    assert sentence in capsys.readouterr().err


def test_tracks_have_a_picture_of_their_own(kitti_raw, tmp_path):
    pictures = []
    for name, words in (("a", []), ("b", ["--tracks"])):
        path = tmp_path / f"{name}.png"
        assert main(["view", str(kitti_raw), "--png", str(path), *words]) == 0
        pictures.append(cv2.imread(str(path)))
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
