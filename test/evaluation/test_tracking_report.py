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

"""Track files scored from the command line, on small files and on real drives."""

import json
import random

import pytest

from mm_fusion.cli import main
from mm_fusion.errors import ConfigError
from mm_fusion.evaluation.tracking_report import print_tracking, score_tracking, tracking_dict

KINDS = {"car": "Car", "pedestrian": "Pedestrian", "cyclist": "Cyclist"}


def copy_labels(recorded, folder, change=lambda rows: rows, sequences="*"):
    """Write the labels of each class as tracks, each of one confidence."""
    for path in sorted((recorded / "label_02").glob(f"{sequences}.txt")):
        lines = [row.split() for row in path.read_text().splitlines()]
        for kind, name in KINDS.items():
            rows = [[*row, str(int(row[1]) % 7)] for row in lines if row[2] == name]
            (folder / kind).mkdir(parents=True, exist_ok=True)
            text = "".join(" ".join(row) + "\n" for row in change(rows))
            (folder / kind / path.name).write_text(text)
    return folder


@pytest.mark.parametrize("iou", [0.25, 0.7])
def test_real_labels_score_one_in_every_figure_against_themselves(recorded, tmp_path, iou):
    scores = tracking_dict(score_tracking(copy_labels(recorded, tmp_path), recorded, iou))
    assert list(scores) == list(KINDS)
    for score in scores.values():
        perfect = ("MOTA", "MOTP", "recall", "precision", "F1", "mostly_tracked")
        assert [score[name] for name in perfect] == pytest.approx([1] * 6)
        none = ("switches", "fragments", "false_alarms", "misses", "mostly_lost")
        assert [score[name] for name in none] == [0] * 5
        assert score["sAMOTA"] == pytest.approx(1)
        for name in ("confident_tracks", "all_tracks"):
            figures = score[name]
            assert [figures[n] for n in ("MOTA", "MOTP", "HOTA", "DetA", "AssA")] == pytest.approx(
                [1] * 5
            )


def spoilt(rows):
    """Some boxes moved, some left out, some ids changed: the same for the same rows."""
    rng = random.Random(5)
    changed = []
    for row in rows:
        x = float(row[13]) + rng.choice([0, 0, 0.2, 3])
        track = int(row[1]) + rng.choice([0, 0, 0, 1000])
        changed.append([row[0], str(track), *row[2:13], f"{x:.3f}", *row[14:17], row[17]])
    return [row for row in changed if rng.random() < 0.9]


def renamed_and_shuffled(rows):
    rows = [[row[0], str(9999 - int(row[1])), *row[2:]] for row in spoilt(rows)]
    random.Random(1).shuffle(rows)
    return rows


def test_names_of_tracks_and_the_order_of_lines_mean_nothing(recorded, tmp_path):
    one, other = (
        tracking_dict(score_tracking(copy_labels(recorded, tmp_path / name, f), recorded, 0.25))
        for name, f in (("one", spoilt), ("other", renamed_and_shuffled))
    )
    assert one["car"]["switches"] > 0
    for kind in KINDS:
        for name in ("confident_tracks", "all_tracks"):
            assert one[kind].pop(name) == pytest.approx(other[kind].pop(name))
        assert one[kind] == other[kind]


def test_a_table_within_eighty_columns_says_what_was_scored(
    recorded, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    scores = score_tracking(copy_labels(recorded, tmp_path, sequences="000*"), recorded, 0.25)
    print_tracking(scores, 0.25)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "AB3DMOT 93.34 - - 86.47 79.40 0 15 368 766" in " ".join(said.split())
    assert "car: sequences 0001 0006 0008" in said
    assert "not scored, labels or tracks are missing: 0010 0012 0013" in said


def test_a_class_without_a_label_has_no_figure(tmp_path, capsys):
    for folder in ("label_02", "tracks/cyclist"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "0001.txt").write_text("")
    figures = tmp_path / "figures.json"
    arguments = ["evaluate", str(tmp_path / "tracks"), "--tracking", "--truth", str(tmp_path)]
    assert main([*arguments, "--json", str(figures)]) == 0
    assert json.loads(figures.read_text())["cyclist"]["sAMOTA"] is None
    assert "nan" not in capsys.readouterr().out


def test_an_overlap_above_one_cannot_be_asked_for(tmp_path):
    with pytest.raises(ConfigError, match=r"an overlap of 1.5 cannot be asked for"):
        score_tracking(tmp_path, tmp_path, 1.5)


def test_the_trackers_files_are_scored_from_the_command_line(recorded, tmp_path, capsys):
    detections = recorded / "pointrcnn_Cyclist_val"
    assert main(["track", str(detections), "--out", str(tmp_path)]) == 0
    figures = tmp_path / "figures.json"
    arguments = ["evaluate", str(tmp_path), "--tracking", "--truth", str(recorded)]
    assert main([*arguments, "--json", str(figures)]) == 0
    assert "AssA" in capsys.readouterr().out
    assert json.loads(figures.read_text())["cyclist"]["sAMOTA"] > 0.95


def test_the_trackers_files_score_well_on_real_drives(recorded, tmp_path):
    assert main(["track", str(recorded), "--out", str(tmp_path)]) == 0
    scores = tracking_dict(score_tracking(tmp_path, recorded, 0.25))
    assert scores["car"]["sAMOTA"] > 0.91
    assert scores["pedestrian"]["sAMOTA"] > 0.715
    assert scores["cyclist"]["sAMOTA"] > 0.975
    assert sum(score["switches"] for score in scores.values()) <= 12
