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

import cv2
import pytest

from mm_fusion.cli import main


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


def test_tracks_that_stay_are_told(kitti_raw, tmp_path, capsys):
    path = tmp_path / "strip.png"
    assert main(["view", str(kitti_raw), "--strip", "2", "--png", str(path)]) == 0
    told = capsys.readouterr().out
    assert "2 moments" in told
    assert int(told.split("of each ")[1].split()[0]) > 2  # frames 2 and 6 of the queue


def test_without_a_camera_it_is_seen_from_above(tmp_path):
    from mm_fusion.recordings.convert import convert
    from mm_fusion.simulation.drive import simulate
    from mm_fusion.simulation.rig import LidarModel, Rig

    convert(
        simulate(0.6, rig=Rig(lidar=LidarModel(columns=512, beams=32), cameras=())), tmp_path / "b"
    )
    path = tmp_path / "strip.png"
    assert main(["view", str(tmp_path / "b"), "--strip", "1", "--png", str(path)]) == 0
    assert cv2.imread(str(path)).shape == (600, 600, 3)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--strip", "0"], "--strip is 0; it must lie in [1, 24]"),
        (["--strip", "2", "--camera", "rear"], "--camera rear: there is no such camera; known: "),
        (["--camera", "rear"], "--camera goes with --strip"),
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
