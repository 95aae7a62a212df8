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

"""Who belongs to whom: gates, sharpness, and what no order may change."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from mm_fusion.tracking.association import associate

GATE = 9.0


def pairs(predicted, measured, *, covariances=None, noises=None, gate=GATE):
    predicted, measured = (np.array(a, np.float64).reshape(-1, 2) for a in (predicted, measured))
    half = np.eye(2) / 2  # of either: the difference has a variance of 1 m^2
    covariances = np.tile(half, (len(predicted), 1, 1)) if covariances is None else covariances
    noises = np.tile(half, (len(measured), 1, 1)) if noises is None else noises
    tracks, detections = associate(predicted, covariances, measured, noises, gate)
    return set(zip(tracks.tolist(), detections.tolist(), strict=True))


def test_nothing_is_paired_with_nothing():
    assert pairs([], []) == set()
    assert pairs([(1, 1)], []) == set()
    assert pairs([], [(1, 1)]) == set()


def test_each_detection_serves_one_track_only():
    assert len(pairs([(0, 0), (0.1, 0)], [(0, 0)])) == 1


def test_more_detections_than_tracks_leave_the_far_ones_alone():
    assert pairs([(0, 0), (10, 0)], [(10.2, 0), (30, 0), (0.1, 0)]) == {(0, 2), (1, 0)}


def test_a_correlated_spread_is_wide_along_its_diagonal_only():
    # variance 8 along (1, 1) and 2 across: 4 m along is 16 / 8 = 2, across 16 / 2 = 8
    spread = np.array([[[5.0, 3], [3, 5]]]) / 2
    along, across = [(np.sqrt(8), np.sqrt(8))], [(np.sqrt(8), -np.sqrt(8))]
    assert pairs([(0, 0)], along, covariances=spread, noises=spread, gate=5.0) == {(0, 0)}
    assert pairs([(0, 0)], across, covariances=spread, noises=spread, gate=5.0) == set()
    assert pairs([(0, 0)], across, covariances=spread, noises=spread, gate=8.1) == {(0, 0)}


def test_a_sharp_track_wins_over_a_vague_one_at_the_same_place():
    covariances = np.stack([np.eye(2) * 50, np.eye(2) * 0.2])
    assert pairs([(0, 0), (0, 0)], [(0.3, 0)], covariances=covariances) == {(1, 0)}


def test_a_pair_beyond_the_gate_keeps_no_other_pair_from_being_made():
    # alone, track 1 would have detection 0; track 0 reaches nothing else
    found = pairs([(0, 0), (4, 0)], [(2.5, 0), (5.5, 0)])
    assert found == {(0, 0), (1, 1)}


def test_the_order_of_detections_changes_no_pair():
    rng = np.random.default_rng(0)
    predicted = rng.uniform(-30, 30, (12, 2))
    measured = predicted + rng.normal(0, 0.5, (12, 2))
    order = rng.permutation(12)
    straight = pairs(predicted, measured)
    shuffled = {(t, int(order[d])) for t, d in pairs(predicted, measured[order])}
    assert straight == shuffled == {(k, k) for k in range(12)}


def test_islands_of_pairs_are_matched_as_one_big_table_would_be():
    rng = np.random.default_rng(3)
    predicted = rng.uniform(0, 40, (60, 2))  # crowded: islands of many sizes
    measured = np.concatenate(
        [predicted[:50] + rng.normal(0, 1, (50, 2)), rng.uniform(0, 40, (9, 2))]
    )
    squared = ((measured[None] - predicted[:, None]) ** 2).sum(axis=2)  # variance 1 m^2
    table = np.where(squared <= GATE, squared, 1e6)
    rows, columns = linear_sum_assignment(table)
    kept = table[rows, columns] < 1e6
    found = pairs(predicted, measured)
    assert found == set(zip(rows[kept].tolist(), columns[kept].tolist(), strict=True))
    assert len(found) > 40


def test_however_vague_a_track_is_it_takes_nothing_from_afar():
    vague = np.eye(2)[None] * 400  # 20 m of standard deviation
    one = np.eye(2)[None]
    for x, count in ((4.9, 1), (5.1, 0)):
        tracks, _ = associate(np.zeros((1, 2)), vague, np.array([[x, 0.0]]), one, GATE, reach_m=5.0)
        assert len(tracks) == count
