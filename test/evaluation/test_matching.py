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

"""Who finds whom: nearest first, each object once."""

import numpy as np
import pytest

from mm_fusion.evaluation.matching import ScoredFrame, match
from mm_fusion.objects import CLASSES, Objects

CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")


def objects(*rows, label=CAR):
    """Rows of x, y, score."""
    rows = np.array(rows, np.float64).reshape(-1, 3)
    boxes = np.zeros((len(rows), 7))
    boxes[:, :2], boxes[:, 3:6] = rows[:, :2], 1.0
    return Objects.of_boxes(boxes, scores=rows[:, 2], labels=np.full(len(rows), label))


def frame(detections, truth, *, excused=None, ignored=None):
    count = len(detections)
    return ScoredFrame(
        token="a",
        stamp_ns=0,
        detections=detections,
        truth=truth,
        counted=np.ones(len(truth), bool),
        ignored=Objects.none() if ignored is None else ignored,
        excused=np.zeros(count, bool) if excused is None else np.array(excused),
    )


def test_a_detection_takes_the_nearest_object():
    # at 0.4: the object at 1 is nearer than the one at -0.5
    (only,) = [match([frame(objects((0.4, 0, 1)), objects((-0.5, 0, 1), (1, 0, 1)))], 1.0, CAR)]
    assert only.truth.tolist() == [1]
    assert only.recall == 0.5


def test_the_better_one_chooses_first_and_the_other_takes_what_is_left():
    truth = objects((0, 0, 1), (1, 0, 1))
    found = match([frame(objects((0.6, 0, 0.5), (0.9, 0, 0.9)), truth)], 1.0, CAR)
    assert found.scores.tolist() == [0.9, 0.5]
    assert found.truth.tolist() == [1, 0]
    assert found.detection.tolist() == [1, 0]


def test_height_does_not_matter():
    truth = objects((5, 0, 1))
    high = Objects.of_boxes(np.array([[5.0, 0, 9, 1, 1, 1, 0]]), labels=np.array([CAR]))
    assert match([frame(high, truth)], 1.0, CAR).hit.tolist() == [True]


def test_detections_of_all_frames_are_ranked_together():
    frames = [
        frame(objects((0, 0, 0.3)), objects((0, 0, 1))),
        frame(objects((0, 0, 0.8), (50, 0, 0.5)), objects((0, 0, 1))),
    ]
    found = match(frames, 1.0, CAR)
    assert found.scores.tolist() == [0.8, 0.5, 0.3]
    assert found.frame.tolist() == [1, 1, 0]
    assert found.hit.tolist() == [True, False, True]
    assert found.objects == 2


def test_equal_scores_keep_the_order_of_the_frames():
    frames = [frame(objects((50, 0, 0.5)), objects()), frame(objects((60, 0, 0.5)), objects())]
    assert match(frames, 1.0, CAR).frame.tolist() == [0, 1]
    assert match(frames[::-1], 1.0, CAR).frame.tolist() == [0, 1]


def test_an_object_of_another_class_is_not_found():
    found = match([frame(objects((0, 0, 1)), objects((0, 0, 1), label=PEDESTRIAN))], 1.0, CAR)
    assert found.hit.tolist() == [False]
    assert found.objects == 0
    assert np.isnan(found.recall)


def test_every_class_counts_where_none_is_named():
    truth = Objects.joined(objects((0, 0, 1)), objects((9, 0, 1), label=PEDESTRIAN))
    found = match([frame(objects((0, 0, 0.9), (9, 0, 0.8)), truth)], 1.0, None)
    assert found.hit.tolist() == [True, True]
    assert found.objects == 2


def test_what_lies_where_nothing_was_labelled_is_left_out():
    detections = objects((30, 0, 0.9), (40, 0, 0.8))
    found = match([frame(detections, objects(), excused=[True, False])], 1.0, CAR)
    assert found.detection.tolist() == [1]


def test_an_excuse_takes_no_hit_away():
    found = match([frame(objects((0, 0, 1)), objects((0, 0, 1)), excused=[True])], 1.0, CAR)
    assert found.hit.tolist() == [True]


def test_an_object_beats_an_ignored_one_beside_it():
    both = frame(objects((0, 0, 1)), objects((0.5, 0, 1)), ignored=objects((0, 0, 1)))
    assert match([both], 1.0, CAR).hit.tolist() == [True]


def test_without_frames_nothing_is_known():
    found = match([], 1.0, CAR)
    assert len(found.hit) == 0
    assert np.isnan([found.precision, found.recall, found.f1]).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_object_is_found_twice(seed):
    rng = np.random.default_rng(seed)
    detections, truth = (
        objects(*np.column_stack([rng.uniform(0, 6, (20, 2)), rng.random(20)])) for _ in range(2)
    )
    found = match([frame(detections, truth)], 1.0, CAR)
    hits = found.truth[found.hit]
    assert len(set(hits.tolist())) == len(hits)
    assert (np.diff(found.scores) <= 0).all()
    for k in np.flatnonzero(found.hit):
        a = detections.centers_ego[found.detection[k]]
        assert np.linalg.norm(a - truth.centers_ego[found.truth[k]]) <= 1.0


def test_a_larger_distance_finds_no_less_where_everyone_stands_apart():
    rng = np.random.default_rng(9)
    places = np.stack([np.arange(30) * 10.0, np.zeros(30), rng.random(30)], axis=1)
    near = places + np.column_stack([rng.uniform(-3, 3, 30), np.zeros((30, 2))])
    recalls = [
        match([frame(objects(*near), objects(*places))], d, CAR).recall for d in (0.5, 1, 2, 4)
    ]
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1
