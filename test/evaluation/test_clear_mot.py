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

"""Scores of tracking by hand-made frames."""

import numpy as np
import pytest

from mm_fusion.evaluation.clear_mot import Counts, MotFrame, count, mot_score


def frame(truth, tracks, *, ignored=(), excused=(), scores=None, sequence="0001", pairs=None):
    """Labels and tracks by name; those at the same place of both lists overlap wholly."""
    overlap = np.zeros((len(truth), len(tracks)))
    for label, track in enumerate(range(min(overlap.shape))) if pairs is None else pairs:
        overlap[label, track] = 1.0
    return MotFrame(
        sequence=sequence,
        truth_ids=truth,
        ignored=np.array([name in ignored for name in truth], np.bool_),
        track_ids=tracks,
        scores=np.ones(len(tracks)) if scores is None else np.array(scores, np.float64),
        excused=np.array([name in excused for name in tracks], np.bool_),
        overlap=overlap,
    )


def counted(frames, threshold=-np.inf, means=None):
    means = means or {(f.sequence, i): 1.0 for f in frames for i in f.track_ids}
    return count(frames, 0.25, means, threshold)


def numbers(counts):
    return (counts.hits, counts.misses, counts.false_alarms, counts.switches)


def test_a_track_that_follows_its_object_makes_no_error():
    frames = [frame(["a", "b"], [1, 2])] * 100
    assert numbers(counted(frames)) == (200, 0, 0, 0)
    score = mot_score(frames, 0.25)
    assert (score.samota, score.amota, score.best.mota) == pytest.approx((1.0, 1.0, 1.0))


def test_one_miss_one_false_alarm_and_one_switch_are_counted_once_each():
    frames = [frame(["a"], [1]), frame(["a"], []), frame(["a"], [2, 9]), frame(["a"], [2])]
    counts = counted(frames)
    assert numbers(counts) == (3, 1, 1, 1)
    assert counts.mota == pytest.approx(1 - 3 / 4)


def test_the_same_name_in_another_sequence_is_another_object():
    frames = [frame(["a"], [1]), frame(["a"], [2], sequence="0002")]
    assert counted(frames).switches == 0


def test_ignored_labels_and_excused_results_count_neither_way():
    frames = [frame(["van"], [1], ignored=["van"]), frame(["van"], [], ignored=["van"])]
    assert numbers(counted(frames)) == (0, 0, 0, 0)
    assert numbers(counted([frame([], [5], excused=[5])])) == (0, 0, 0, 0)
    assert numbers(counted([frame([], [5])])) == (0, 0, 1, 0)


def test_a_result_that_overlaps_too_little_is_a_miss_and_a_false_alarm():
    one = frame(["a"], [1])
    one.overlap[:] = 0.2
    assert numbers(counted([one])) == (0, 1, 1, 0)


def test_tracks_below_the_threshold_are_not_there():
    frames = [frame(["a", "b"], [1, 2])]
    means = {("0001", 1): 0.9, ("0001", 2): 0.1}
    assert numbers(counted(frames, 0.5, means)) == (1, 1, 0, 0)


def test_a_tracks_score_is_the_mean_of_its_boxes():
    # track 2 is false; its boxes score 0.9 and 0.1, the right one's 0.6: above 0.5 only the right
    frames = [
        frame(["a"], [1, 2], scores=[0.6, 0.9]),
        frame(["a"], [1, 2], scores=[0.6, 0.1]),
    ]
    assert mot_score(frames, 0.25).best == Counts(hits=2, scores=(0.6, 0.6))


def test_names_of_tracks_mean_nothing():
    frames = [frame(["a", "b"], [1, 2]), frame(["a", "b"], [1, 3]), frame(["b"], [2])]
    renamed = [
        frame(["a", "b"], [7, 5]), frame(["a", "b"], [7, 0]), frame(["b"], [5]),
    ]  # fmt: skip
    assert numbers(counted(frames)) == numbers(counted(renamed)) == (5, 0, 0, 2)


def test_samota_forgives_what_a_recall_cannot_give():
    # of 400 labels the one track hits 203: the recalls 1/40 to 20/40 lose nothing; at 21/40, the
    # first out of reach, 190 of 197 misses are forgiven and 7 of 210 not; the others give nothing
    frames = [frame(["a"], [1] if k < 203 else []) for k in range(400)]
    score = mot_score(frames, 0.25)
    assert score.best.mota == pytest.approx(203 / 400)
    assert score.samota == pytest.approx((20 + 1 - 7 / 210) / 40)
    assert score.amota == pytest.approx(21 * 203 / 400 / 40)


def test_nothing_found_scores_nothing():
    score = mot_score([frame(["a"], [])] * 3, 0.25)
    assert (score.samota, score.amota, score.best.misses) == (0.0, 0.0, 3)
