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

"""Detections and tracks as KITTI's files spell them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError
from mm_fusion.recordings.kitti_tracking import (
    TrackedBox,
    boxes_of,
    find_detections,
    kitti_of,
    save_tracks,
)


def line(frame, kind=2, score=5.0, x=2.0, z=20.0, turn=0.0):
    """A car-sized box 1.6 m below the camera."""
    return f"{frame},{kind},10,20,110,80,{score},1.5,1.8,4.2,{x},1.6,{z},{turn},0.3"


def folder_of(tmp_path, lines, name="cars_of_somebody", file="0003.txt"):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / file).write_text("".join(f"{text}\n" for text in lines))
    return tmp_path


def test_a_box_ahead_and_to_the_right_lies_there_in_our_axes():
    # bottom at camera y = 1.6, 1.5 m high: its middle is 0.85 m below the camera; rotation 0 means
    # that its length lies along the camera's x, to the right, which is our -y
    box = boxes_of(np.array([1.5, 1.8, 4.2, 2.0, 1.6, 20.0, 0.0]))
    assert_allclose(box, [[20.0, -2.0, -0.85, 4.2, 1.8, 1.5, -np.pi / 2]])


def test_a_car_that_drives_ahead_has_no_yaw():
    assert_allclose(boxes_of(np.array([1.5, 1.8, 4.2, 0, 1.6, 9, -np.pi / 2]))[0, 6], 0, atol=1e-12)


def test_boxes_go_to_kitti_and_back():
    rng = np.random.default_rng(0)
    boxes = rng.uniform(-3, 3, (50, 7))
    assert_allclose(boxes_of(kitti_of(boxes)), boxes, atol=1e-12)


def test_a_line_of_detections_is_read_column_by_column(tmp_path):
    found = find_detections(folder_of(tmp_path, [line(3, score=-0.5)]))["car", "0003"]
    assert found.frame.tolist() == [3]
    assert found.box_px.tolist() == [[10, 20, 110, 80]]
    assert found.score.tolist() == [-0.5]
    assert found.alpha_rad.tolist() == [0.3]
    assert_allclose(found.boxes, [[20.0, -2.0, -0.85, 4.2, 1.8, 1.5, -np.pi / 2]])


def test_detections_are_found_by_class_and_sequence(tmp_path):
    folder_of(tmp_path, [line(0), line(2)])
    folder_of(tmp_path, [line(1, kind=1)], name="walkers")
    folder_of(tmp_path, [], name="some_Cyclist_val")
    found = find_detections(tmp_path)
    assert {key: d.frames for key, d in found.items()} == {
        ("car", "0003"): 3,
        ("pedestrian", "0003"): 2,
        ("cyclist", "0003"): 0,
    }
    assert len(found["car", "0003"].score[found["car", "0003"].rows(1)]) == 0


def test_labels_beside_the_detections_are_no_detections(tmp_path):
    folder_of(tmp_path, [line(0)])
    folder_of(tmp_path, ["0 -1 DontCare -1 -1 -10 0 0 0 0 -1 -1 -1 -1 -1 -1 -1"], name="label_02")
    assert set(find_detections(tmp_path)) == {("car", "0003")}


def test_the_order_of_lines_means_nothing(tmp_path):
    lines = [line(f, x=x, score=s) for f in range(3) for x, s in ((0.0, 1.0), (5.0, 7.0))]
    one = find_detections(folder_of(tmp_path, lines))["car", "0003"]
    other = find_detections(folder_of(tmp_path, lines[::-1]))["car", "0003"]
    assert_allclose(one.boxes, other.boxes)
    assert one.frame.tolist() == other.frame.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0,2,1,2,3", r"0003\.txt, line 2 has 5 columns; 15 are needed"),
        (line(0).replace("20.0", "far"), r"line 2: could not convert string to float: 'far'"),
        (line(0).replace("20.0", "nan"), r"line 2 holds a number that is not finite"),
        (line(0, kind=7), r"line 2: type 7 is unknown; known are 1 pedestrian, 2 car, 3 cyclist"),
        (line(-1), r"line 2: frame -1 is no whole number from 0 to"),
        (line(1.5), r"line 2: frame 1\.5 is no whole number from 0 to"),
        (line("1e12"), r"line 2: frame 1e12 is no whole number from 0 to 1000000"),
        (line(0)[: len(line(0)) // 2], r"line 2 has 9 columns"),  # the file ends within a line
        (line(0).replace(",20,", ",,"), r"line 2: could not convert string to float: ''"),
        (
            line(0).replace("1.5,1.8,4.2", "1.5,0,4.2"),
            r"line 2: height, .* 1\.5 0 4\.2 must be abo",
        ),
    ],
)
def test_a_malformed_line_is_named(tmp_path, text, reason):
    with pytest.raises(RecordingError, match=reason):
        find_detections(folder_of(tmp_path, [line(0), text]))


def test_what_kitti_has_beside_the_detections_is_left_alone(tmp_path):
    folder_of(tmp_path, [line(0)])
    folder_of(tmp_path, ["P0: 7.2e+02 0 0"], name="calib")
    folder_of(tmp_path, ["49.0 8.4 112.8"], name="oxts")
    assert set(find_detections(tmp_path)) == {("car", "0003")}


def test_an_empty_file_has_the_classes_of_the_files_beside_it(tmp_path):
    folder_of(tmp_path, [line(0), line(0, kind=3)], name="things")
    folder_of(tmp_path, [], name="things", file="0004.txt")
    found = find_detections(tmp_path)
    assert {key: d.frames for key, d in found.items()} == {
        ("car", "0003"): 1,
        ("car", "0004"): 0,
        ("cyclist", "0003"): 1,
        ("cyclist", "0004"): 0,
    }


def test_an_empty_file_that_nothing_gives_a_class_has_all(tmp_path):
    folder_of(tmp_path, [], name="things")
    found = find_detections(tmp_path / "things" / "0003.txt")
    assert [kind for kind, _ in found] == ["car", "cyclist", "pedestrian"]
    assert not any(d.frames for d in found.values())


def test_a_folder_is_known_from_within_by_its_name(tmp_path, monkeypatch):
    folder_of(tmp_path, [], name="pointrcnn_Cyclist_val")
    monkeypatch.chdir(tmp_path / "pointrcnn_Cyclist_val")
    assert set(find_detections(Path())) == {("cyclist", "0003")}
    assert set(find_detections(Path("0003.txt"))) == {("cyclist", "0003")}


def test_detections_of_one_class_and_sequence_in_two_files_are_refused(tmp_path):
    folder_of(tmp_path, [line(0)], name="cars")
    folder_of(tmp_path, [line(0)], name="more_cars")
    with pytest.raises(RecordingError, match="cars of sequence 0003 are there twice"):
        find_detections(tmp_path)


def test_files_beside_folders_are_one_folder(tmp_path):
    folder_of(tmp_path, [line(0)], name=".", file="0001.txt")
    folder_of(tmp_path, [line(0, kind=1)], name="between", file="0001.txt")
    folder_of(tmp_path, [], name=".", file="z.txt")
    assert {key for key in find_detections(tmp_path) if key[1] == "z"} == {("car", "z")}


def test_a_folder_without_detections_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="holds no detections"):
        find_detections(tmp_path)
    with pytest.raises(RecordingError, match="there is no such file or folder"):
        find_detections(tmp_path / "nowhere")


def test_a_track_is_written_as_label_02_spells_it_with_its_score_last(tmp_path):
    tracked = TrackedBox(
        frame=4,
        track=12,
        box=np.array([20.0, -2.0, -0.85, 4.2, 1.8, 1.5, -np.pi / 2]),
        score=5.5,
        box_px=np.array([10.0, 20.0, 110.0, 80.0]),
        alpha_rad=0.3,
    )
    save_tracks(tmp_path, {("car", "0003"): [tracked], ("cyclist", "0003"): []})
    words = (tmp_path / "car" / "0003.txt").read_text().split()
    assert len(words) == 18
    assert words[:5] == ["4", "12", "Car", "0", "0"]
    expected = [0.3, 10, 20, 110, 80, 1.5, 1.8, 4.2, 2.0, 1.6, 20.0, 0.0, 5.5]
    assert_allclose([float(word) for word in words[5:]], expected, atol=1e-4)
    assert (tmp_path / "cyclist" / "0003.txt").read_text() == ""
