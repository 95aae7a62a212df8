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

"""A frame as a picture: what is beside what, and which frame it is."""

import cv2
import numpy as np
import pytest

from mm_fusion.config import FusionConfig
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.pictures import draw_frame, picture, results_picture, save_png
from mm_fusion.evaluation.results import Results
from mm_fusion.evaluation.runner import run
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.recordings.open import open_recording
from mm_fusion.view.colors import class_color


@pytest.fixture(scope="module")
def first(kitti_raw):
    """The first KITTI frame, run."""
    return next(run(open_recording(kitti_raw, frames=1), FusionConfig()))


def draw(frame, objects=None):
    return draw_frame(
        frame.result, frame.calibration, objects=Objects.none() if objects is None else objects
    )


def test_the_cameras_stand_beside_the_view_from_above(first):
    drawn = draw(first)
    assert drawn.shape[0] == 900
    assert drawn.shape[1] > 900
    assert drawn[:, 900:].any()


def test_a_frame_without_images_is_the_view_from_above_alone(kitti_raw):
    (frame,) = run(open_recording(kitti_raw, frames=1), FusionConfig(), without=("camera",))
    assert draw(frame).shape == (900, 900, 3)


def test_an_object_is_drawn_in_every_view(first):
    car = Objects.of_boxes(
        np.array([[15.0, 0, 0.8, 4, 2, 1.6, 0]]), labels=np.array([CLASSES.index("car")])
    )
    changed = (draw(first, car) != draw(first)).any(axis=2)
    assert changed[:, :900].any()
    assert changed[:, 900:].any()


def test_the_middle_frame_is_drawn_unless_another_is_named(kitti_raw, tmp_path):
    source = open_recording(kitti_raw)
    tokens = [frame.token for frame in source.frames()]
    assert picture(source, tmp_path / "a.png", config=FusionConfig()) == tokens[4]
    named = picture(source, tmp_path / "b.png", config=FusionConfig(), token=tokens[1])
    assert named == tokens[1]
    assert cv2.imread(str(tmp_path / "b.png")).shape[0] == 900


def test_a_frame_that_is_not_there_is_named(kitti_raw, tmp_path):
    with pytest.raises(RecordingError, match="no frame is named '77'"):
        picture(
            open_recording(kitti_raw, frames=2),
            tmp_path / "a.png",
            config=FusionConfig(),
            token="77",
        )
    assert not (tmp_path / "a.png").exists()


def test_results_replace_the_pipelines_objects(kitti_raw, tmp_path):
    source = open_recording(kitti_raw, frames=1)
    empty = Results(meta={}, frames={})
    picture(source, tmp_path / "none.png", config=FusionConfig(), results=empty)
    picture(source, tmp_path / "ours.png", config=FusionConfig())
    none, ours = (cv2.imread(str(tmp_path / f"{n}.png")) for n in ("none", "ours"))
    assert (none != ours).any()


@pytest.mark.parametrize("name", ["a.png", "new/folder/a.png", "a.of.mine", "a"])
def test_a_picture_is_a_png_whatever_its_name(tmp_path, name):
    rgb = np.random.default_rng(0).integers(0, 255, (8, 9, 3), np.uint8)
    save_png(tmp_path / name, rgb)
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    read = cv2.imread(str(tmp_path / name))
    assert (read[..., ::-1] == rgb).all()


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match="directory"):
        save_png(tmp_path, np.zeros((8, 8, 3), np.uint8))


def entry(x, y):
    """A car heading along x."""
    return {
        "sample_token": "a",
        "translation": [x, y, 0.8],
        "size": [1.8, 4.2, 1.6],
        "rotation": [1.0, 0.0, 0.0, 0.0],
        "velocity": [0.0, 0.0],
        "detection_name": "car",
        "detection_score": 0.9,
    }


def colored(path):
    """Where the colour of cars is, (N, 2) rows and columns; the legend left out."""
    drawn = cv2.imread(str(path))[:600, :, ::-1]
    return np.argwhere((drawn == class_color(CLASSES.index("car"))).all(axis=2))


def test_results_alone_are_drawn_from_above(tmp_path):
    results = Results(meta={"frame": "base_link"}, frames={"a": [entry(10.0, 0.0)], "b": []})
    assert results_picture(results, tmp_path / "a.png", "a") == "a"
    # 900 px for 100 m: the box's rear is at x = 7.9 m, row 450 - 9 x = 379, its left side at
    # y = 0.9 m, column 450 - 9 y = 442; its name stands above it, to the right
    rows, columns = colored(tmp_path / "a.png").T
    assert abs(rows.max() - 379) <= 2
    assert abs(columns.min() - 442) <= 2


def test_results_on_a_map_are_drawn_about_their_middle(tmp_path):
    places = [(1000.0, 2000.0), (1010.0, 2000.0), (990.0, 2000.0)]
    boxes = [entry(x, y) for x, y in places]
    results_picture(Results(meta={"frame": "global"}, frames={"a": boxes}), tmp_path / "a.png")
    rows, _ = colored(tmp_path / "a.png").T
    assert rows.min() < 370  # the one 10 m ahead: its rear is at row 379
    assert rows.max() > 550  # the one 10 m behind: at row 450 + 9 * 12.1


@pytest.mark.parametrize(
    ("frames", "token", "reason"),
    [({}, None, "hold no frame"), ({"a": []}, "z", "no frame is named 'z'; the last is a")],
)
def test_a_frame_the_results_lack_is_named(tmp_path, frames, token, reason):
    with pytest.raises(RecordingError, match=reason):
        results_picture(Results(meta={}, frames=frames), tmp_path / "a.png", token)
