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

"""Stacking: the weights that made the labels are found again, and they pay."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.detection.stacking import Stacking, feature_names, feature_rows, fit_stacking
from mm_fusion.errors import ConfigError

NAMES = feature_names(["lidar", "radar"])
WEIGHTS, BIAS = np.array([3.0, 2.0, -0.5, -1.0, 1.5]), -2.0


def drawn(count, seed):
    """Rows of two detectors, and labels drawn with the probability that the weights give."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0, 1, (count, 2)) * (rng.uniform(size=(count, 2)) < 0.7)
    silent = (scores == 0) & (rng.uniform(size=(count, 2)) < 0.6)
    agree = (scores > 0).all(axis=1) & (rng.uniform(size=count) < 0.5)
    rows = feature_rows(scores, silent, agree)
    chance = 1 / (1 + np.exp(-(rows @ WEIGHTS + BIAS)))
    return rows, rng.uniform(size=count) < chance


def log_loss(probability, labels):
    sure = np.clip(probability, 1e-3, 1 - 1e-3)
    return -np.where(labels, np.log(sure), np.log1p(-sure)).mean()


def test_the_weights_that_made_the_labels_are_found_again():
    fitted = fit_stacking(*drawn(40_000, 0), features=NAMES, l2=0.01)
    # five standard errors of the likeliest ones, about 0.05 each
    assert_allclose(fitted.weights, WEIGHTS, atol=0.25)
    assert_allclose(fitted.bias, BIAS, atol=0.25)


def test_held_out_rows_are_told_better_than_by_the_best_single_score():
    fitted = fit_stacking(*drawn(4000, 1), features=NAMES)
    rows, labels = drawn(4000, 2)
    single = min(log_loss(rows[:, h], labels) for h in (0, 1))
    assert log_loss(fitted.probability(rows), labels) < single


def test_and_better_than_by_the_best_single_score_that_is_calibrated_itself():
    rows, labels = drawn(4000, 1)
    tried, truth = drawn(4000, 2)
    single = min(
        log_loss(
            fit_stacking(rows[:, [h]], labels, features=["s"]).probability(tried[:, [h]]), truth
        )
        for h in (0, 1)
    )
    fitted = fit_stacking(rows, labels, features=NAMES)
    assert log_loss(fitted.probability(tried), truth) < single


def test_the_gradient_vanishes_where_the_fit_ends():
    rows, labels = drawn(500, 3)
    fitted = fit_stacking(rows, labels, features=NAMES, l2=2.0)
    excess = fitted.probability(rows) - labels
    assert_allclose(rows.T @ excess + 2.0 * fitted.weights, 0, atol=0.02)
    assert_allclose(excess.sum(), 0, atol=0.02)


def test_a_strong_ridge_leaves_only_the_share_of_real_ones():
    rows, labels = drawn(500, 4)
    fitted = fit_stacking(rows, labels, features=NAMES, l2=1e5)
    assert_allclose(fitted.weights, 0, atol=2e-3)
    assert_allclose(fitted.probability(rows[:1]), labels.mean(), atol=2e-3)


def test_a_detector_that_cannot_see_has_no_say():
    rows = feature_rows(np.array([[0.5, 0.0]]), np.array([[False, False]]), np.array([False]))
    assert_allclose(rows, [[0.5, 0, 0, 0, 0]])


def test_rows_of_one_kind_only_are_refused():
    rows, _ = drawn(10, 5)
    with pytest.raises(ConfigError, match="stacking: 0 of 10 rows are real objects; give some"):
        fit_stacking(rows, np.zeros(10, bool), features=NAMES)


def test_what_is_saved_is_read_again_in_whatever_order_the_detectors_come(tmp_path):
    path = tmp_path / "w.json"
    Stacking(features=NAMES, weights=WEIGHTS, bias=BIAS).save(path)
    turned = feature_names(["radar", "lidar"])
    read = Stacking.load(path, turned)
    assert read.bias == BIAS
    assert read.weights.tolist() == [2.0, 3.0, -1.0, -0.5, 1.5]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file"),
        ("no", "does not hold `bias` and `weights`; fit it again"),
        ("[1]", "does not hold `bias` and `weights`; fit it again"),
        (json.dumps({"bias": 0, "weights": {"sonar.score": 1}}), "sonar.score; these detectors"),
        (json.dumps({"bias": 0, "weights": dict.fromkeys(NAMES, np.nan)}), "that is no number"),
    ],
)
def test_a_bad_file_gets_its_sentence(tmp_path, content, sentence):
    path = tmp_path / "w.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        Stacking.load(path, NAMES)
