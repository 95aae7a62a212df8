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

"""KITTI's average precision, worked by hand."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.cli import main
from mm_fusion.evaluation.kitti_ap import OverlapFrame, average_precision, overlap_frame
from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.objects import CLASSES, Objects

CAR = CLASSES.index("car")


def frame(scores, overlap, counted=None, excused=None, level=None, label_m=None, found_m=None):
    overlap = np.array(overlap, np.float64).reshape(len(overlap), len(scores))
    labels = len(overlap)
    return OverlapFrame(
        scores=np.array(scores, np.float64),
        overlap=overlap,
        counted=np.ones(labels, bool) if counted is None else np.array(counted),
        excused=np.zeros(len(scores), bool) if excused is None else np.array(excused),
        level=np.zeros(labels, int) if level is None else np.array(level),
        label_m=np.zeros(labels) if label_m is None else np.array(label_m),
        found_m=np.zeros(len(scores)) if found_m is None else np.array(found_m),
    )


def perfect(count, score=0.9):
    return [frame([score - 0.001 * k], [[1.0]]) for k in range(count)]


def test_all_found_and_nothing_else_is_a_hundred():
    ap = average_precision(perfect(80), 0.7)
    assert_allclose([ap.r40, ap.r11], 100)
    assert ap.labels == 80


def test_a_false_alarm_above_all_others_costs_at_every_recall():
    ap = average_precision([*perfect(80), frame([0.99], np.zeros((0, 1)))], 0.7)
    # the thresholds are at 1, 2, 4, ..., 80 hits, beside one false alarm; the best precision from
    # any recall on is the last one
    assert_allclose(ap.r40, 100 * 80 / 81)


def test_half_found_is_half_of_the_positions():
    ap = average_precision([*perfect(40), *(frame([], np.zeros((1, 0))) for _ in range(40))], 0.7)
    assert_allclose(ap.r40, 50)
    # positions 0, 4, ..., 20 of 40
    assert_allclose(ap.r11, 100 * 6 / 11)


def test_a_second_detection_of_one_label_is_a_false_alarm():
    frames = [frame([0.9, 0.8], [[0.8, 0.75]]) for _ in range(80)]
    assert_allclose(average_precision(frames, 0.7).r40, 100)  # the second is below every threshold
    frames = [frame([0.9, 0.95], [[0.8, 0.75]]) for _ in range(80)]
    # found with 0.95; from there on both are there, and the nearer one is the hit
    assert_allclose(average_precision(frames, 0.7).r40, 100)
    frames = [frame([0.9, 0.95], [[0.8, 0.65]]) for _ in range(80)]
    assert_allclose(average_precision(frames, 0.7).r40, 50)


def test_an_overlap_of_just_the_least_is_not_enough():
    assert average_precision([frame([0.9], [[0.7]])] * 40, 0.7).r40 == 0


def test_a_label_that_does_not_count_takes_its_detection_out():
    frames = [*perfect(80), *(frame([0.99], [[0.9]], counted=[False]) for _ in range(80))]
    ap = average_precision(frames, 0.7)
    assert_allclose(ap.r40, 100)
    assert ap.labels == 80


def test_an_excused_detection_is_no_false_alarm():
    frames = [*perfect(80), frame([0.99], np.zeros((0, 1)), excused=[True])]
    assert_allclose(average_precision(frames, 0.7).r40, 100)


def test_levels_and_distances_let_only_their_labels_count():
    one = frame(
        [0.9, 0.8, 0.7],
        np.eye(3),
        level=[0, 1, 2],
        label_m=[10.0, 20.0, 30.0],
        found_m=[10.0, 19.9, 31.0],
    )
    assert one.hidden_at_most(1).counted.tolist() == [True, True, False]
    far = one.within(20.0, 40.0)
    assert far.counted.tolist() == [False, True, True]
    assert far.excused.tolist() == [True, True, False]


def test_without_labels_there_is_no_figure():
    ap = average_precision([frame([0.9], np.zeros((0, 1)))], 0.5)
    assert np.isnan(ap.r40)


def test_the_interval_holds_the_figure_and_is_drawn_alike_again():
    rng = np.random.default_rng(3)
    frames = [frame([rng.random()], [[rng.random()]]) for _ in range(200)]
    ap = average_precision(frames, 0.5, resamples=100)
    assert ap.low < ap.r40 < ap.high
    assert ap == average_precision(frames, 0.5, resamples=100)
    assert ap.high - ap.low < 60


def test_overlaps_are_those_of_boxes_on_the_ground_and_in_space():
    truth = Objects.of_boxes(np.array([[10, 0, 1, 4, 2, 2, 0.0]]), labels=np.array([CAR]))
    # 1 m along: 3 of 5 m shared; and 1 m higher: half of the height
    found = Objects.of_boxes(np.array([[11, 0, 2, 4, 2, 2, 0.0]]), labels=np.array([CAR]))
    scored = ScoredFrame(
        token="0",
        stamp_ns=0,
        detections=found,
        truth=truth,
        counted=np.ones(1, bool),
        ignored=Objects.none(),
        excused=np.zeros(1, bool),
    )
    level = np.array([-1])
    assert_allclose(overlap_frame(scored, level, CAR, "bev").overlap, [[3 / 5]])
    assert_allclose(overlap_frame(scored, level, CAR, "3d").overlap, [[3 / 13]])
    assert overlap_frame(scored, level, CAR, "3d").level.tolist() == [0]


@pytest.fixture(scope="module")
def results(astyx, tmp_path_factory):
    path = tmp_path_factory.mktemp("kitti_ap") / "results.json"
    assert main(["run", str(astyx), "--out", str(path)]) == 0
    return path


def test_a_run_is_scored_printed_whole_and_written(results, astyx, tmp_path, capsys):
    out = tmp_path / "figures.json"
    words = ["evaluate", str(results), "--truth", str(astyx), "--kitti", "--bootstrap", "20"]
    assert main([*words, "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    cars = [row for row in json.loads(out.read_text()) if row["name"] == "car"]
    by = {(row["metric"], row["least_overlap"]): row["levels"]["hard"] for row in cars}
    assert by["bev", 0.5]["r40"] >= by["bev", 0.7]["r40"]
    assert by["bev", 0.5]["r40"] >= by["3d", 0.5]["r40"] > 0
    levels = cars[0]["levels"]
    assert levels["easy"]["labels"] <= levels["moderate"]["labels"] <= levels["hard"]["labels"]
