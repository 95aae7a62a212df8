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

"""A drive is run, its tracks written and scored, and what cannot be scored is said."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mm_fusion.cli import main
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.report import paired
from mm_fusion.evaluation.results import load_results, objects_of
from mm_fusion.evaluation.tracks_report import print_tracks, score_tracks
from mm_fusion.objects import UNTRACKED
from mm_fusion.recordings.convert import convert
from mm_fusion.recordings.open import open_recording
from mm_fusion.simulation.drive import simulate

LIMITS = {"range_m": 40.0, "min_lidar_points": 5}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks") / "bag"
    convert(simulate(1.5, seed=3), folder)
    return folder


@pytest.fixture(scope="module")
def results(bag):
    path = bag.parent / "tracks.json"
    assert main(["run", str(bag), "--out", str(path), "--tracks"]) == 0
    return path


def perfect(frames):
    """The labels that count as the tracks themselves, seen at once and named for life."""
    return [
        replace(
            frame,
            detections=replace(
                frame.truth[frame.counted], scores=np.ones(int(frame.counted.sum()))
            ),
            excused=np.zeros(int(frame.counted.sum()), bool),
        )
        for frame in frames
    ]


def test_tracks_of_a_run_keep_their_ids_in_the_file(results):
    frames = load_results(results).frames
    ids = [set(objects_of(boxes, np.eye(4)).ids.tolist()) for boxes in frames.values()]
    assert UNTRACKED not in set.union(*ids)
    assert len(ids[-1] & ids[-2]) > len(ids[-1]) / 2


def test_the_figures_are_printed_and_written(bag, results, tmp_path, capsys):
    out = tmp_path / "figures.json"
    words = ["evaluate", str(results), "--truth", str(bag), "--tracking", "--json", str(out)]
    assert main([*words, "--min-lidar-points", "5"]) == 0
    figures = json.loads(out.read_text())
    cars = next(c for c in figures["classes"] if c["name"] == "car")
    assert 0 < cars["every"]["matches"] <= cars["every"]["labels"]
    assert cars["motion"]["compared"] > 0
    printed = capsys.readouterr().out
    assert "AMOTA" in printed
    assert "…" not in printed


def test_labels_as_tracks_score_one_and_know_their_velocity(bag, results, capsys):
    frames = paired(load_results(results), open_recording(bag), **LIMITS)
    score = score_tracks(perfect(frames), 2.0)
    for row in score.classes:
        assert row.every.mota == row.hota.hota == row.clear.mota == 1.0
        assert (row.every.switches, row.every.tid_s, row.every.lgd_s) == (0, 0.0, 0.0)
    assert score.any_class.motion.all_mps == 0.0
    print_tracks(score, "perfect")
    assert "1.000" in capsys.readouterr().out


def test_results_and_labels_without_ids_are_refused(bag, results):
    frames = paired(load_results(results), open_recording(bag), **LIMITS)
    nameless = [
        replace(f, detections=replace(f.detections, ids=np.full(len(f.detections), UNTRACKED)))
        for f in frames
    ]
    with pytest.raises(RecordingError, match=r"no tracking_id; make them with `mm_fusion run --"):
        score_tracks(nameless, 2.0)
    unnamed = [
        replace(f, truth=replace(f.truth, ids=np.full(len(f.truth), UNTRACKED))) for f in frames
    ]
    with pytest.raises(RecordingError, match="labels of this source carry no ids"):
        score_tracks(unnamed, 2.0)


def test_an_id_that_is_no_number_is_kept_apart_by_its_text():
    box = {
        "translation": [0, 0, 0],
        "size": [2, 4, 1.5],
        "rotation": [1, 0, 0, 0],
        "detection_name": "car",
        "detection_score": 0.5,
    }
    entries = [{**box, "tracking_id": text} for text in ("17", "a7", "b7", "a7", "")]
    ids = objects_of(entries, np.eye(4)).ids.tolist()
    assert ids[0] == 17
    assert ids[1] == ids[3] != ids[2]
    assert ids[4] == UNTRACKED
