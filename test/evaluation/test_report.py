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

"""From a results file to its figures: the truth itself is perfect, nothing at all is nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.report import evaluate, plot_score, print_score
from mm_fusion.evaluation.results import Results, boxes_of
from mm_fusion.recordings.open import open_recording

LIMITS = {"distance_m": 1.0, "range_m": 30.0, "min_lidar_points": 0}


def truth_as_results(source, offset_m=0.0, score=0.9):
    """Results that say what the labels say, moved to the left."""
    frames = {}
    for frame in source.frames():
        objects = frame.truth.objects
        centers = objects.centers_ego + np.array([0, offset_m, 0])
        scores = np.full(len(objects), score)
        moved = replace(objects, centers_ego=centers, scores=scores)
        frames[frame.token] = boxes_of(frame.token, moved, frame.result_from_ego)
    return Results(meta={}, frames=frames)


@pytest.fixture
def source(astyx):
    return open_recording(astyx)


def test_the_truth_itself_is_found_wholly(source):
    figures, curves = evaluate(truth_as_results(source), source, **LIMITS)
    assert figures.frames == 6
    (car,) = [c for c in figures.classes if c.name == "car"]
    assert car.objects == car.detections > 0
    assert (car.precision, car.recall, car.f1) == (1, 1, 1)
    assert_allclose(car.mean_ap, 1)
    assert_allclose([car.translation_m, car.scale, car.yaw_rad], 0, atol=1e-3)
    assert curves["car"].hit.all()


def test_boxes_just_off_are_found_at_a_metre_and_not_at_half(source):
    figures, _ = evaluate(truth_as_results(source, offset_m=0.7), source, **LIMITS)
    (car,) = [c for c in figures.classes if c.name == "car"]
    assert car.ap["0.5"] == 0
    assert car.ap["1"] > 0.9  # one or another is moved out of the labelled sector
    assert_allclose(car.translation_m, 0.7, atol=0.02)


def test_no_detections_are_no_recall_and_no_precision(source):
    nothing = Results(meta={}, frames={f.token: [] for f in source.frames()})
    figures, _ = evaluate(nothing, source, **LIMITS)
    assert figures.any_class.recall == 0
    assert math.isnan(figures.any_class.precision)
    assert figures.mean_ap == 0


def test_what_is_beyond_the_range_does_not_count(source):
    results = truth_as_results(source)
    near, _ = evaluate(results, source, **{**LIMITS, "range_m": 15.0})
    far, _ = evaluate(results, source, **{**LIMITS, "range_m": 60.0})
    assert near.any_class.objects < far.any_class.objects
    assert near.any_class.recall == far.any_class.recall == 1


def test_objects_without_points_can_be_left_out(source):
    results = truth_as_results(source)
    every, _ = evaluate(results, source, **LIMITS)
    hit, _ = evaluate(results, source, **{**LIMITS, "min_lidar_points": 20})
    assert 0 < hit.any_class.objects < every.any_class.objects
    assert hit.any_class.precision == 1  # who finds the others is not wrong


def test_only_the_frames_named_are_scored(source):
    results = truth_as_results(source)
    some = list(results.frames)[:2]
    figures, _ = evaluate(results, source, **LIMITS, tokens=some)
    assert figures.frames == 2


def test_results_of_another_recording_are_refused(source):
    stranger = Results(meta={}, frames={"1700000000": []})
    with pytest.raises(RecordingError):
        evaluate(stranger, source, **LIMITS)


def test_a_recording_without_labels_is_refused(kitti_raw):
    drive = open_recording(kitti_raw)
    tokens = [frame.token for frame in drive.frames()]
    with pytest.raises(RecordingError, match="none of the 8 frames of the results is labelled"):
        evaluate(Results(meta={}, frames={t: [] for t in tokens}), drive, **LIMITS)


def test_the_table_has_a_row_for_each_class_and_one_for_any(source, capsys):
    figures, _ = evaluate(truth_as_results(source), source, **LIMITS)
    print_score(figures, "mine.json")
    shown = capsys.readouterr().out
    assert "mine.json" in shown
    for row in (*figures.classes, figures.any_class):
        assert row.name in shown
    assert "mAP 1.000" in " ".join(shown.split())


@pytest.mark.parametrize("columns", ["80", "200"])
def test_no_figure_is_cut_off_in_a_terminal_of_80_columns(source, capsys, monkeypatch, columns):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the output for a terminal
    monkeypatch.setenv("COLUMNS", columns)
    figures, _ = evaluate(truth_as_results(source), source, **LIMITS)
    print_score(figures, "mine.json")
    shown = capsys.readouterr().out
    assert "recall" in shown
    assert "1.000" in shown
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


def test_a_figure_nobody_knows_is_not_shown(source, capsys):
    nothing = Results(meta={}, frames={f.token: [] for f in source.frames()})
    figures, _ = evaluate(nothing, source, **LIMITS)
    print_score(figures, "nothing")
    shown = capsys.readouterr().out
    assert "nan" not in shown
    assert "0.000" in shown


def test_the_figures_are_plain_values(source):
    figures, _ = evaluate(truth_as_results(source), source, **LIMITS)
    tree = figures.as_dict()
    assert tree["classes"][0]["name"] == "car"
    assert isinstance(tree["any_class"]["recall"], float)


@pytest.mark.parametrize("name", ["curve.png", "new/curve", "curve.of.cars"])
def test_the_plot_is_a_png_whatever_its_name(source, tmp_path, name):
    _, curves = evaluate(truth_as_results(source), source, **LIMITS)
    plot_score(curves, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
