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

"""Tracks against labels by distance: every count and mean worked by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.evaluation.mot_continuity import clear_mot
from mm_fusion.evaluation.mot_distance import FOUND, placed_case
from mm_fusion.evaluation.mot_following import count, follow
from mm_fusion.evaluation.mot_nuscenes import nuscenes_score
from mm_fusion.evaluation.track_motion import motion_score
from mm_fusion.objects import CLASSES, UNTRACKED, Objects

CAR, TRUCK = CLASSES.index("car"), CLASSES.index("truck")
PERIOD_NS = 500_000_000


def objects(rows, label=CAR):
    """Rows of id, x, score, speed along x."""
    rows = np.array(rows, np.float64).reshape(-1, 4)
    boxes = np.tile([0.0, 0, 0, 4, 2, 1.5, 0], (len(rows), 1))
    boxes[:, 0] = rows[:, 1]
    return Objects.of_boxes(
        boxes,
        ids=rows[:, 0].astype(np.int64),
        scores=rows[:, 2],
        labels=np.full(len(rows), label),
        velocities_ego=np.column_stack([rows[:, 3], 0 * rows[:, 3]]),
    )


def frames(*pairs, counted=None):
    """Frames half a second apart, of pairs of labels and results."""
    return [
        ScoredFrame(
            token=str(k),
            stamp_ns=1_000_000_000 + k * PERIOD_NS,
            detections=objects(results),
            truth=objects(labels),
            counted=np.ones(len(labels), bool) if counted is None else np.array(counted[k], bool),
            ignored=Objects.none(),
            excused=np.zeros(len(results), bool),
        )
        for k, (labels, results) in enumerate(pairs)
    ]


def car(ident, x=0.0, score=0.9, speed=0.0):
    return (ident, x, score, speed)


# one car: missed, met twice by 7, missed, met by 8
LIFE = (
    ([car(1)], []),
    ([car(1)], [car(7)]),
    ([car(1)], [car(7, 0.5)]),
    ([car(1)], []),
    ([car(1)], [car(8, score=0.8)]),
)


def test_a_life_with_a_wait_a_gap_and_a_switch_is_counted():
    placed = placed_case(frames(*LIFE), CAR, 2.0)
    counts = count(placed, follow(placed))
    assert (counts.labels, counts.matches, counts.switches, counts.misses) == (5, 2, 1, 2)
    assert (counts.fragments, counts.false_alarms) == (1, 0)
    assert_allclose([counts.tid_s, counts.lgd_s], [0.5, 0.5])
    assert_allclose(counts.recall, 3 / 5)
    assert_allclose(counts.mota, 1 - 3 / 5)
    assert_allclose(counts.motar, 1.0)  # 3 errors, 3 labels out of a recall of 2 of 5
    assert_allclose(counts.motp_m, 0.5 / 3)
    assert (counts.mostly_tracked, counts.mostly_lost) == (0, 0)


def test_means_over_recall_take_the_worst_where_it_is_not_reached():
    score = nuscenes_score(placed_case(frames(*LIFE), CAR, 2.0))
    # matches at 0.9 reach a recall of 0.4: 14 of the 40 from 0.1 to 1; MOTAR 1, 0.25 m off there
    assert_allclose(score.amota, 14 / 40)
    assert_allclose(score.amotp_m, (14 * 0.25 + 26 * 2.0) / 40)
    assert_allclose(score.threshold, 0.9)
    assert score.best.switches == 0


def test_a_confident_false_track_costs_at_every_recall():
    labels = [car(1)]
    case = frames(*[(labels, [car(7), car(9, 30.0, 0.95)])] * 4)
    score = nuscenes_score(placed_case(case, CAR, 2.0))
    assert_allclose(score.amota, 0.0)  # 4 false alarms against 4 matches
    assert score.best.false_alarms == 4


def test_a_track_counts_with_the_mean_of_its_scores():
    placed = placed_case(frames(([], [car(7, score=0.2)]), ([], [car(7, score=0.6)])), CAR, 2.0)
    assert_allclose(placed.case.scores, [0.4])


def test_a_label_stays_with_its_track_though_another_is_nearer():
    placed = placed_case(
        frames(([car(1)], [car(7)]), ([car(1)], [car(7, 1.5), car(8, 0.0)])), CAR, 2.0
    )
    following = follow(placed)
    assert following.track.tolist() == [0, 0]
    assert following.false_alarms == 1
    assert_allclose(placed.apart_m(following.similarity), [0, 1.5])


def test_what_is_farther_than_the_distance_is_not_met():
    placed = placed_case(frames(([car(1)], [car(7, 2.1)]), ([car(1)], [car(7, 1.9)])), CAR, 2.0)
    assert follow(placed).met.tolist() == [False, True]
    assert clear_mot(placed.case, FOUND).hits == 1


def test_a_label_that_does_not_count_takes_its_track_out_with_it():
    case = frames(([car(1), car(2, 9.0)], [car(7), car(8, 9.0)]), counted=[[True, False]])
    counts = count(placed := placed_case(case, CAR, 2.0), follow(placed))
    assert (counts.labels, counts.matches, counts.false_alarms) == (1, 1, 0)


def test_what_is_called_something_else_is_found_by_any_class_only():
    case = frames(([car(1)], []))
    case = [
        ScoredFrame(
            token="0",
            stamp_ns=0,
            detections=objects([car(7)], TRUCK),
            truth=case[0].truth,
            counted=case[0].counted,
            ignored=Objects.none(),
            excused=np.zeros(1, bool),
        )
    ]
    assert not follow(placed_case(case, CAR, 2.0)).met.any()
    assert follow(placed_case(case, None, 2.0)).met.all()


def test_detections_without_an_id_belong_to_no_track():
    placed = placed_case(frames(([car(1)], [car(UNTRACKED)])), CAR, 2.0)
    following = follow(placed)
    assert not following.met.any()
    assert following.false_alarms == 0


def test_without_a_label_nothing_can_be_said():
    score = nuscenes_score(placed_case(frames(([], [car(7)])), CAR, 2.0))
    assert np.isnan([score.amota, score.amotp_m, score.best.mota, score.best.tid_s]).all()
    assert score.best.false_alarms == 1


def test_velocity_is_compared_where_it_is_known_and_young_tracks_apart():
    # 3 m/s wrong in the first second (three frames), then 4 m/s; the sixth has no true velocity
    wrong = [3, 3, 3, 4, 4, 4]
    true = [5, 5, 5, 0, 0, np.nan]
    case = frames(
        *(([car(1, speed=v)], [car(7, speed=v + w)]) for v, w in zip(true, wrong, strict=True))
    )
    placed = placed_case(case, CAR, 2.0)
    motion = motion_score(case, placed, follow(placed))
    assert motion.compared == 5
    assert_allclose(motion.first_second_mps, 3.0)
    assert_allclose(motion.moving_mps, 3.0)
    assert_allclose(motion.all_mps, np.sqrt((3 * 9 + 2 * 16) / 5))


@pytest.mark.parametrize("threshold", [0.85, 0.95])
def test_a_higher_threshold_leaves_tracks_out(threshold):
    placed = placed_case(frames(*LIFE), CAR, 2.0)
    met = follow(placed, threshold).track
    assert met.tolist() == ([-1, 0, 0, -1, -1] if threshold < 0.9 else [-1] * 5)
