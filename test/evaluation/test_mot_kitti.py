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

"""KITTI's rules of what counts, by small files."""

import numpy as np
import pytest

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.mot_kitti import read_cases


def line(frame, track, kind="Car", *, x=0.0, z=20.0, px="100 100 200 200", state="0 0", score=""):
    return f"{frame} {track} {kind} {state} 0 {px} 1.5 1.8 4.2 {x} 1.6 {z} 0.0 {score}\n"


@pytest.fixture
def read(tmp_path):
    """Read cases from files by their names."""

    def read_files(**files):
        for name, lines in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".txt").write_text("".join(lines))
        return read_cases(tmp_path / "tracks", tmp_path)

    return read_files


@pytest.fixture
def only_frame(read):
    """Read one frame of one class."""

    def read_frame(labels, tracks, kind="car"):
        (frame,) = read(label_02__0001=labels, **{f"tracks__{kind}__0001": tracks})[kind].frames
        return frame

    return read_frame


def test_boxes_overlap_as_they_lie_in_the_cameras_frame(only_frame):
    # length lies along x at rotation_y 0; 2.5 m apart, 1.7 of 6.7 m are shared
    frame = only_frame([line(0, 1)], [line(0, 7, x=2.5), line(0, 8, z=21.8)])
    assert sorted(frame.overlap[0]) == pytest.approx([0, 1.7 / 6.7], abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "name", "state", "ignored"),
    [
        ("car", "Car", "0 2", [False]),
        ("car", "Car", "0 3", [True]),
        ("car", "Car", "1 0", [True]),
        ("car", "Van", "0 0", [True]),
        ("car", "Truck", "0 0", []),
        ("pedestrian", "Pedestrian", "0 0", [False]),
        ("pedestrian", "Person_sitting", "0 0", [True]),
        ("pedestrian", "Person", "0 0", []),
        ("cyclist", "Cyclist", "0 0", [False]),
    ],
)
def test_which_labels_are_ignored_and_which_not_there(only_frame, kind, name, state, ignored):
    frame = only_frame([line(0, 1, name, state=state)], [line(0, 7, kind)], kind)
    assert frame.ignored.tolist() == ignored
    assert len(frame.tracks) == 1


@pytest.mark.parametrize(
    ("kind", "px", "excused"),
    [
        ("Car", "100 100 200 126", False),  # 26 px high
        ("Car", "100 100 200 125", True),  # 25 px: too low to be labelled
        ("Car", "399 100 499 200", True),  # 51 of its 100 columns lie in the region
        ("Car", "400 100 500 200", False),  # half of it is not more than half
        ("Car", "-500 -500 1500 1500", False),  # a region inside it is a small part of it
        ("Van", "100 100 200 200", True),
    ],
)
def test_which_results_are_no_false_alarms(only_frame, kind, px, excused):
    labels = [line(0, 1), line(0, -1, "DontCare", px="300 0 450 300")]
    assert only_frame(labels, [line(0, 8, kind, px=px)]).excused.tolist() == [excused]


def test_results_of_other_classes_are_passed_over(only_frame):
    assert len(only_frame([line(0, 1)], [line(0, 8, "Truck"), line(0, 9, "DontCare")]).tracks) == 0


def test_the_score_of_a_track_is_the_mean_over_its_life(read):
    tracks = [line(0, 7, score=3), line(1, 7, score=1), line(1, 2, x=9, score=5)]
    assert sorted(read(label_02__0001=[line(0, 1)], tracks__car__0001=tracks)["car"].scores) == [
        2,
        5,
    ]


def test_only_sequences_with_labels_and_tracks_are_scored(read):
    one = [line(0, 1)]
    cases = read(
        label_02__0001=one, label_02__0002=one, tracks__Car__0001=one, tracks__Car__0003=one
    )
    assert list(cases) == ["car"]
    assert (cases["car"].sequences, cases["car"].left_out) == (("0001",), ("0002", "0003"))


def test_the_same_id_in_another_sequence_is_another_one(read):
    one = [line(0, 1, score=2)]
    first, second = read(
        label_02__0001=one, label_02__0002=one, tracks__car__0001=one, tracks__car__0002=one
    )["car"].frames
    assert first.labels[0] != second.labels[0]
    assert first.tracks[0] != second.tracks[0]


def test_frames_without_a_line_are_there_and_empty_files_too(read):
    cases = read(label_02__0001=[line(2, 1)], tracks__car__0001=[])
    assert [frame.overlap.shape for frame in cases["car"].frames] == [(0, 0), (0, 0), (1, 0)]
    assert read(label_02__0001=[], tracks__car__0001=[])["car"].frames == ()


def test_what_is_wrong_with_a_file_is_said(read, tmp_path):
    one = [line(0, 1)]
    with pytest.raises(RecordingError, match="track 7 is there more than once in frame 4"):
        read(label_02__0001=one, tracks__car__0001=[line(4, 7), line(4, 7, x=9)])
    with pytest.raises(RecordingError, match="not finite"):
        read(label_02__0001=one, tracks__car__0001=[line(4, 7, x=np.nan)])
    with pytest.raises(RecordingError, match="holds cars twice, in CAR and car"):
        read(label_02__0001=one, tracks__car__0001=one, tracks__CAR__0001=one)
    with pytest.raises(RecordingError, match="no sequence is both in"):
        read_cases(tmp_path / "nothing", tmp_path)
