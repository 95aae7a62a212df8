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


"""Track files scored against KITTI's labels, by KITTI's rules."""

import json

import pytest

from mm_fusion.cli import main
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.mot_report import score_tracks

KINDS = {"car": "Car", "pedestrian": "Pedestrian", "cyclist": "Cyclist"}


def line(frame, track, kind="Car", *, x=0.0, z=20.0, px="100 100 200 200", state="0 0", score=""):
    return f"{frame} {track} {kind} {state} 0 {px} 1.5 1.8 4.2 {x} 1.6 {z} 0.0 {score}\n"


@pytest.fixture
def scored(tmp_path):
    """Score car tracks of one sequence against its labels."""

    def score(labels, tracks):
        for folder, lines in (("truth/label_02", labels), ("tracks/car", tracks)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / "0001.txt").write_text("".join(lines))
        return score_tracks(tmp_path / "tracks", tmp_path / "truth", 0.25)["car"]

    return score


def errors(score):
    return (score.best.hits, score.best.misses, score.best.false_alarms)


def test_a_box_beside_its_label_is_no_hit_unless_they_overlap(scored):
    labels = [line(f, 1) for f in range(50)]
    # the boxes lie along x; 2.5 m apart they share 1.7 of 6.7 m: an overlap of 0.254
    assert errors(scored(labels, [line(f, 7, x=2.5, score=1) for f in range(50)])) == (50, 0, 0)
    assert scored(labels, [line(f, 7, x=2.6, score=1) for f in range(50)]).samota == 0


def test_vans_truncated_and_hidden_cars_count_neither_way(scored):
    for kind, state in (("Van", "0 0"), ("Car", "1 0"), ("Car", "0 3")):
        labels = [line(f, 1) for f in range(50)]
        labels += [line(f, 2, kind, state=state, x=10) for f in range(50)]
        met = [line(f, 7 + k, x=10 * k, score=1) for f in range(50) for k in (0, 1)]
        alone = [line(f, 7, score=1) for f in range(50)]
        assert errors(scored(labels, met)) == errors(scored(labels, alone)) == (50, 0, 0)


@pytest.mark.parametrize(
    ("px", "excused"),
    [
        ("100 100 200 126", False),  # 26 px high
        ("100 100 200 125", True),  # 25 px: too low to be labelled
        ("400 100 500 200", True),  # the region holds half of it
        ("401 100 501 200", False),  # and now less
    ],
)
def test_results_nobody_could_label_are_no_false_alarms(scored, px, excused):
    labels = [line(f, 1) for f in range(50)]
    labels += [line(f, -1, "DontCare", px="300 0 450 300") for f in range(50)]
    tracks = [line(f, 7, score=1) for f in range(50)]
    tracks += [line(f, 8, x=30, px=px, score=1) for f in range(50)]
    assert errors(scored(labels, tracks)) == (50, 0, 0 if excused else 50)


def test_other_classes_are_not_asked_for(scored):
    labels = [line(f, 1) for f in range(50)] + [line(f, 2, "Pedestrian", x=9) for f in range(50)]
    assert errors(scored(labels, [line(f, 7, score=1) for f in range(50)])) == (50, 0, 0)


def test_a_malformed_line_and_an_empty_folder_are_named(scored, tmp_path):
    with pytest.raises(RecordingError, match=r"0001\.txt, line 2 has 3 columns"):
        scored([line(0, 1), "0 1 Car\n"], [])
    with pytest.raises(RecordingError, match=r"0001\.txt, line 1: could not convert"):
        scored([line(0, 1, x="far")], [])
    with pytest.raises(RecordingError, match="no sequence is both in"):
        score_tracks(tmp_path / "nothing", tmp_path / "truth", 0.25)


@pytest.fixture(scope="module")
def recorded(data):
    folder = data / "kitti_tracking"
    if not folder.is_dir():
        pytest.skip(f"{data} holds no kitti_tracking")
    return folder


def test_real_labels_score_perfectly_against_themselves(recorded, tmp_path):
    for path in (recorded / "label_02").glob("*.txt"):
        for kind, name in KINDS.items():
            (tmp_path / kind).mkdir(exist_ok=True)
            rows = [row for row in path.read_text().splitlines() if row.split()[2] == name]
            (tmp_path / kind / path.name).write_text("".join(f"{row} 1\n" for row in rows))
    scores = score_tracks(tmp_path, recorded, 0.7)
    assert {kind: (s.samota, s.best.mota) for kind, s in scores.items()} == {
        kind: (pytest.approx(1.0), 1.0) for kind in KINDS
    }


def test_the_trackers_files_score_well_on_real_drives(recorded, tmp_path, capsys):
    assert main(["track", str(recorded), "--out", str(tmp_path / "tracks")]) == 0
    figures = tmp_path / "figures.json"
    arguments = ["evaluate", str(tmp_path / "tracks"), "--tracking", "--truth", str(recorded)]
    assert main([*arguments, "--json", str(figures)]) == 0
    assert "sAMOTA" in capsys.readouterr().out
    scores = json.loads(figures.read_text())
    # what a plain tracker gets here: 0.88, 0.71 and 0.975
    assert scores["car"]["sAMOTA"] > 0.89
    assert scores["pedestrian"]["sAMOTA"] > 0.715
    assert scores["cyclist"]["sAMOTA"] > 0.975
    assert sum(score["switches"] for score in scores.values()) <= 12
