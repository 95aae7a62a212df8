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

"""Scores of tracking by hand-made frames: KITTI's counts, averages over recall, CLEAR MOT, HOTA."""

import numpy as np
import pytest

from mm_fusion.evaluation.hota import hota
from mm_fusion.evaluation.mot_continuity import clear_mot
from mm_fusion.evaluation.mot_counts import Counter, breaks, shares
from mm_fusion.evaluation.mot_kitti import TrackingCase, TrackingFrame, pairs_of
from mm_fusion.evaluation.mot_recall import recall_points, recall_score


def frame(labels, tracks, *, ignored=(), excused=(), overlap=None):
    """Labels and tracks by index; those at the same place of both lists overlap wholly."""
    if overlap is None:
        overlap = np.eye(len(labels), len(tracks))
    return TrackingFrame(
        labels=np.array(labels, np.int64),
        ignored=np.isin(labels, list(ignored)).reshape(len(labels)),
        tracks=np.array(tracks, np.int64),
        excused=np.isin(tracks, list(excused)).reshape(len(tracks)),
        overlap=np.array(overlap, np.float64).reshape(len(labels), len(tracks)),
    )


def case(frames, scores=None):
    return TrackingCase(
        sequences=("0001",),
        left_out=(),
        frames=tuple(frames),
        scores=np.ones(10) if scores is None else np.array(scores, np.float64),
    )


def counted(frames, scores=None, threshold=-np.inf):
    return Counter(case(frames, scores), 0.25).count(threshold)


def errors(counts):
    return (counts.hits, counts.misses, counts.false_alarms, counts.switches)


def test_a_perfect_tracker_scores_one_in_everything():
    frames = [frame([0, 1], [3, 2])] * 100
    score = recall_score(case(frames), 0.25)
    assert (score.samota, score.amota, score.amotp) == pytest.approx((1, 1, 1))
    best = score.best
    assert (best.mota, best.motp, best.recall, best.precision, best.f1) == (1, 1, 1, 1, 1)
    assert (best.mostly_tracked, best.mostly_lost, best.fragments) == (1, 0, 0)
    assert (clear_mot(case(frames), 0.25).mota, clear_mot(case(frames), 0.25).motp) == (1, 1)
    whole = hota(case(frames), 0.25)
    assert (whole.hota, whole.detection, whole.association) == pytest.approx((1, 1, 1))


def test_one_switch_one_miss_and_one_false_alarm_are_counted_once_each():
    frames = [frame([0], [1]), frame([0], [2, 9]), frame([0], [2]), frame([0], [])]
    assert errors(counted(frames)) == errors(clear_mot(case(frames), 0.25)) == (3, 1, 1, 1)
    assert counted(frames).mota == clear_mot(case(frames), 0.25).mota == 1 - 3 / 4
    assert (counted(frames).recall, counted(frames).precision) == (3 / 4, 3 / 4)


def test_a_switch_behind_a_gap_counts_for_clear_mot_and_not_for_kitti():
    frames = [frame([0], [1]), frame([0], []), frame([0], [2])]
    assert (counted(frames).switches, clear_mot(case(frames), 0.25).switches) == (0, 1)


def test_clear_mot_keeps_who_was_followed_where_another_overlaps_more():
    # in the second frame track 1 overlaps by 0.4, enough; KITTI takes track 2, which does by 0.9
    frames = [frame([0], [1]), frame([0], [1, 2], overlap=[[0.4, 0.9]])]
    assert (counted(frames).switches, clear_mot(case(frames), 0.25).switches) == (1, 0)
    assert clear_mot(case(frames), 0.25).motp == pytest.approx((1 + 0.4) / 2)
    assert clear_mot(case(frames), 0.5).switches == 1  # 0.4 is not enough there


def test_as_many_pairs_as_overlap_enough_are_made():
    # 0.9 + nothing would overlap more than 0.3 + 0.3, but leave one label alone
    rows, columns = pairs_of(np.array([[0.9, 0.3], [0.3, 0.0]]), 0.25)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


def test_ignored_labels_and_excused_results_count_neither_way():
    met, alone = frame([7], [1], ignored=[7]), frame([7], [], ignored=[7])
    right = frame([0], [2])
    false = frame([], [5], excused=[5])
    for extra in (met, alone, false):
        assert counted([right, extra]).mota == clear_mot(case([right, extra]), 0.25).mota == 1
        assert hota(case([right, extra]), 0.25).hota == pytest.approx(1)
    assert counted([right, frame([], [5])]).false_alarms == 1


def test_an_ignored_label_that_is_met_counts_in_recall_but_not_in_mota():
    # AB3DMOT's custom: two hits, one of them ignored, and one miss
    counts = counted([frame([7, 0, 1], [3, 4], ignored=[7])])
    assert (counts.recall, counts.labels, counts.mota) == (2 / 3, 2, 1 - 1 / 2)


@pytest.mark.parametrize(
    ("followed", "ignored", "expected"),
    [
        ([1, 1, 1, 1], "....", (0, 0)),
        ([1, 2, 2, 2], "....", (1, 1)),
        ([1, -1, 1, 1], "....", (0, 1)),  # lost and found
        ([1, -1, 2, 2], "....", (0, 1)),  # found by another: a fragment only
        ([1, -1, 1, -1], "....", (0, 0)),  # found for one frame only
        ([1, 1, -1, 1], "....", (0, 1)),  # found in its last frame
        ([-1, 1, 1, 1], "....", (0, 0)),  # found late: nothing was followed before
        ([1, 1, 2, 2], ".i..", (0, 0)),  # an ignored label ends what was followed
        ([1, 2, 2, 2], "i...", (1, 1)),  # but for the first
    ],
)
def test_switches_and_fragments_are_those_of_kitti(followed, ignored, expected):
    masked = np.array([letter == "i" for letter in ignored])
    assert breaks(np.array(followed), masked, np.zeros(4, np.int64)) == expected


def told_slowly(followed, ignored):
    """Switches and fragments of one trajectory, label by label."""
    switches = fragments = 0
    current = followed[0]
    for k in range(1, len(followed)):
        last = k == len(followed) - 1
        if ignored[k]:
            current = -1
            continue
        now, before = followed[k], followed[k - 1]
        if now >= 0 and now != before:
            switches += current >= 0 and before >= 0 and now != current
            fragments += last or (current >= 0 and followed[k + 1] >= 0)
        current = now if now >= 0 else current
    return switches, fragments


def test_breaks_are_those_told_label_by_label():
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 9, 400)
    lives = [(rng.integers(-1, 3, n), rng.random(n) < 0.2) for n in lengths]
    together = breaks(
        np.concatenate([followed for followed, _ in lives]),
        np.concatenate([ignored for _, ignored in lives]),
        np.repeat(np.arange(400), lengths),
    )
    assert together == tuple(np.sum([told_slowly(*life) for life in lives], axis=0))


def test_more_than_four_fifths_is_mostly_tracked_and_less_than_one_mostly_lost():
    # five labels each: 5, 4 and 1, 0 of them met, the bounds themselves are neither; one ignored
    followed = np.repeat([1, 1, -1, 1, -1, -1, 1], [5, 4, 1, 1, 4, 5, 5])
    ignored = np.arange(25) >= 20
    assert shares(followed, ignored, np.repeat(np.arange(5), 5)) == (1 / 4, 1 / 4)


def test_a_track_below_the_threshold_is_not_there():
    frames = [frame([0, 1], [1, 2])] * 3
    scores = [0, 0.9, 0.1]
    assert errors(counted(frames, scores, 0.5)) == (3, 3, 0, 0)
    assert errors(counted(frames, scores, 0.1)) == (6, 0, 0, 0)


def test_thresholds_are_where_recall_comes_nearest():
    # 80 labels, 40 hits scored 40 to 1: recalls 1/80 to 1/2; k/40 is reached at the 2k-th hit, and
    # the lowest score serves 21/40 too, for it is the last and has no other
    points = recall_points(np.arange(1.0, 41.0), 80)
    scores, recalls = zip(*points, strict=True)
    assert recalls == pytest.approx([k / 40 for k in range(1, 21)])
    assert scores == pytest.approx([41 - 2 * k for k in range(1, 21)])


def test_samota_forgives_what_a_recall_cannot_give():
    # of 400 labels the one track meets 203: the recalls 1/40 to 20/40 lose nothing; at 21/40, the
    # first out of reach, 190 of 197 misses are forgiven and 7 of 210 not; the others give nothing
    score = recall_score(case([frame([0], [1] if k < 203 else []) for k in range(400)]), 0.25)
    assert score.samota == pytest.approx((20 + 1 - 7 / 210) / 40)
    assert score.amota == pytest.approx(21 * 203 / 400 / 40)
    assert score.amotp == pytest.approx(21 / 40)


def test_amota_may_be_below_zero_and_the_best_is_every_track_then():
    # one hit a frame, and three false alarms by the same confidence
    frames = [frame([0], [1, 2, 3, 4])] * 100
    score = recall_score(case(frames), 0.25)
    assert score.amota == pytest.approx(1 - 300 / 100)
    assert (score.samota, score.threshold, score.best.hits) == (0, -np.inf, 100)


def test_the_best_threshold_leaves_false_tracks_out():
    score = recall_score(case([frame([0], [1, 2])] * 100, [0, 0.9, 0.2]), 0.25)
    assert (score.threshold, score.best.mota, score.best.false_alarms) == (0.9, 1, 0)


def test_hota_weighs_a_split_track_by_its_shares():
    # four labels met by track 1 thrice and by track 2 once: DetA = 1,
    # AssA = (3 * 3/4 + 1 * 1/4) / 4 = 5/8 at every threshold
    score = hota(case([frame([0], [1])] * 3 + [frame([0], [2])]), 0.25)
    assert score.detection == pytest.approx(1)
    assert score.association == pytest.approx(5 / 8)
    assert score.hota == pytest.approx(np.sqrt(5 / 8))


def test_hota_counts_a_half_overlap_up_to_its_threshold():
    # 0.05 to 0.5 are ten of nineteen thresholds; one of two labels is missed: DetA = AssA = 1/2
    score = hota(case([frame([0], [1], overlap=[[0.5]]), frame([0], [])]), 0.25)
    assert score.detection == pytest.approx(10 / 19 / 2)
    assert score.association == pytest.approx(10 / 19 / 2)
    assert score.hota == pytest.approx(10 / 19 / 2)


def test_hota_pairs_with_the_track_of_a_life_rather_than_the_nearest():
    # in the last frame track 2 lies better, track 1 has been there always: pairing with 1 makes
    # AssA = 10/10, DetA = 10/11
    frames = [frame([0], [1])] * 9 + [frame([0], [1, 2], overlap=[[0.95, 1.0]])]
    score = hota(case(frames), 0.25)
    assert score.association == pytest.approx(1)
    assert score.detection == pytest.approx(10 / 11)


def test_without_labels_or_tracks_there_is_no_figure_or_none_above_zero():
    nothing = recall_score(case([frame([0], [])] * 3), 0.25)
    assert (nothing.samota, nothing.amota, nothing.best.misses) == (0, 0, 3)
    assert hota(case([frame([0], [])]), 0.25).hota == 0
    for empty in (case([frame([], [])]), case([])):
        assert np.isnan(recall_score(empty, 0.25).samota)
        assert np.isnan(clear_mot(empty, 0.25).mota)
        assert np.isnan(hota(empty, 0.25).hota)
