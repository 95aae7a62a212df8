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

"""Figures worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.matching import Matches, ScoredFrame, match
from mm_fusion.evaluation.results import Results, boxes_of, load_results, objects_of, save_results
from mm_fusion.evaluation.scores import (
    average_precision,
    average_precision_r40,
    calibration_error,
    reliability,
    score,
)
from mm_fusion.geometry.rigid import compose, invert, rotation_from_rpy
from mm_fusion.objects import CLASSES, Objects

CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")


def objects(rows, label=CAR):
    """Rows of x, y, score."""
    rows = np.array(rows, np.float64).reshape(-1, 3)
    boxes = np.array([[x, y, 0.8, 4.0, 2.0, 1.6, 0.0] for x, y, _ in rows]).reshape(-1, 7)
    return Objects.of_boxes(boxes, scores=rows[:, 2], labels=np.full(len(rows), label))


def frame(detections, truth, counted=None, ignored=None):
    return ScoredFrame(
        token="a",
        stamp_ns=0,
        detections=detections,
        truth=truth,
        counted=np.ones(len(truth), bool) if counted is None else np.array(counted),
        ignored=Objects.none() if ignored is None else ignored,
        excused=np.zeros(len(detections), bool),
    )


def found(hits, total):
    count = len(hits)
    return Matches(
        scores=np.linspace(1, 0.1, count),
        hit=np.array(hits, bool),
        frame=np.zeros(count, int),
        detection=np.arange(count),
        truth=np.zeros(count, int),
        objects=total,
    )


def test_calibration_is_the_mean_distance_of_scores_from_hits():
    told = replace(
        found([1, 1, 0, 1, 0, 0], 9), scores=np.array([1.0, 0.92, 0.9, 0.56, 0.54, 0.05])
    )
    # of the upper tenth: mean score 0.94, 2 of 3 hit; middle: 0.55, 1 of 2; lowest: 0.05, 0 of 1
    rows = np.array([[0.05, 0, 1], [0.55, 0.5, 2], [0.94, 2 / 3, 3]])
    assert_allclose(reliability(told), rows)
    assert calibration_error(told) == pytest.approx((0.05 + 2 * 0.05 + 3 * (0.94 - 2 / 3)) / 6)
    assert np.isnan(calibration_error(found([], 4)))


def test_the_better_detection_of_two_takes_the_car_and_the_other_is_a_false_alarm():
    matches = match(
        [frame(objects([(10, 0.4, 0.5), (10, 0.6, 0.9)]), objects([(10, 0, 1)]))], 1.0, CAR
    )
    assert matches.scores.tolist() == [0.9, 0.5]
    assert matches.hit.tolist() == [True, False]
    assert (matches.precision, matches.recall) == (0.5, 1.0)
    assert_allclose(matches.f1, 2 / 3)


@pytest.mark.parametrize(("offset", "hit"), [(0.999, True), (1.001, False)])
def test_a_match_ends_at_the_distance(offset, hit):
    matches = match([frame(objects([(10 + offset, 0, 1)]), objects([(10, 0, 1)]))], 1.0, CAR)
    assert matches.hit.tolist() == [hit]


def test_an_object_that_does_not_count_is_neither_found_nor_missed():
    matches = match(
        [frame(objects([(10, 0, 0.9)]), objects([(10, 0, 1)]), counted=[False])], 1.0, CAR
    )
    assert len(matches.hit) == 0
    assert matches.objects == 0


def test_a_detection_in_an_ignored_region_is_no_false_alarm():
    matches = match(
        [
            frame(
                objects([(10, 0, 0.9), (30, 0, 0.8)]), Objects.none(), ignored=objects([(10, 0, 1)])
            )
        ],
        1.0,
        CAR,
    )
    assert matches.hit.tolist() == [False]  # only the one at 30 m


def test_a_car_called_a_pedestrian_is_found_by_any_class_only():
    frames = [frame(objects([(10, 0, 0.9)], label=PEDESTRIAN), objects([(10, 0, 1)]))]
    assert match(frames, 1.0, CAR).recall == 0
    assert match(frames, 1.0, CAR, as_any=True).recall == 1


def test_average_precision_by_hand():
    # one hit of two objects: precision 1 up to recall 0.5, then 0. Of the 90 recalls 0.11 .. 1.00,
    # 40 (0.11 .. 0.50) hold 1 - 0.1, so AP = 40 * 0.9 / 90 / 0.9
    assert_allclose(average_precision(found([True], 2)), 40 / 90)
    assert_allclose(average_precision(found([True, True], 2)), 1.0)
    assert average_precision(found([], 2)) == 0
    assert np.isnan(average_precision(found([], 0)))


def test_average_precision_at_forty_recalls_by_hand():
    # hit, miss, hit of two: precision 1 at recall 0.5, 2/3 at 1; 20 recalls each
    assert_allclose(average_precision_r40(found([True, False, True], 2)), (20 + 20 * 2 / 3) / 40)


def test_true_positive_errors_and_nds_by_hand():
    truth = objects([(10, 0, 1)])
    boxes = np.array([[10.18, 0.24, 0.8, 2.0, 2.0, 1.6, 0.2]])  # half as long
    seen = Objects.of_boxes(boxes, labels=np.array([CAR]), velocities_ego=np.array([[1.0, 0]]))
    result = score([frame(seen, truth)], distance_m=1.0, range_m=50, min_lidar_points=0)
    (car,) = result.classes
    assert_allclose(car.translation_m, 0.3)
    assert_allclose(car.scale, 0.5)
    assert_allclose(car.yaw_rad, 0.2)
    assert np.isnan(car.velocity_mps)  # the truth's is unknown
    assert car.ap == pytest.approx({"0.5": 1.0, "1": 1.0, "2": 1.0, "4": 1.0})
    # velocity (unknown) and attributes count as errors of 1
    assert_allclose(result.nds, (5 * 1 + 0.7 + 0.5 + 0.8 + 0 + 0) / 10)


def test_results_survive_the_file_in_another_frame(tmp_path):
    result_from_ego = compose(rotation_from_rpy(0.02, -0.01, 2.0), np.array([100.0, -20, 3]))
    before = Objects.of_boxes(
        np.array([[10.0, 2, 0.8, 4.0, 2.0, 1.6, 0.5]]),
        velocities_ego=np.array([[3.0, 1.0]]),
        scores=np.array([0.75]),
        labels=np.array([CAR]),
        ids=np.array([7]),
    )
    entries = boxes_of("t", before, result_from_ego)
    assert entries[0]["size"] == [2.0, 4.0, 1.6]  # width, length, height
    assert entries[0]["tracking_id"] == "7"
    save_results(tmp_path / "r.json", Results(meta={"frame": "radar"}, frames={"t": entries}))
    again = load_results(tmp_path / "r.json")
    after = objects_of(again.frames["t"], invert(result_from_ego))
    assert_allclose(after.boxes, before.boxes, atol=1e-3)
    assert_allclose(after.velocities_ego, before.velocities_ego, atol=2e-3)
    assert again.meta["frame"] == "radar"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "is not JSON"), ("[]", "lacks `results`"), ('{"meta": {}}', "lacks `results`")],
)
def test_a_file_of_another_layout_gets_its_sentence(tmp_path, text, sentence):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=sentence):
        load_results(path)
    with pytest.raises(RecordingError, match="No such file"):
        load_results(tmp_path / "none.json")


def test_a_malformed_entry_gets_its_sentence():
    with pytest.raises(RecordingError, match="malformed"):
        objects_of([{"translation": [1, 2, 3]}], np.eye(4))
