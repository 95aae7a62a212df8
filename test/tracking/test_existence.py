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

"""Bayes' rule by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.tracking.existence import (
    CLUTTER,
    SUREST,
    UNTOLD,
    after_detection,
    after_miss,
    after_time,
)


def one(value):
    return np.array([value])


def test_a_miss_by_hand():
    # 0.8 * 0.25 / (1 - 0.8 * 0.75) = 0.5
    assert_allclose(after_miss(one(0.8), one(0.75)), 0.5)


def test_what_nothing_could_see_is_not_missed():
    assert_allclose(after_miss(one(0.8), one(0.0)), 0.8)


def test_a_detection_by_hand():
    # odds 1 * (0.75 / 0.1) * (0.5 / 0.5) = 7.5
    assert_allclose(after_detection(one(0.5), one(0.5), one(UNTOLD)), 7.5 / 8.5)
    assert_allclose(UNTOLD / CLUTTER, 7.5)


@pytest.mark.parametrize("score", [0.0, 0.01, 0.3, 0.99, 1.0])
def test_a_detection_never_speaks_louder_against_an_object_than_a_miss(score):
    before = one(0.6)
    after = after_detection(before, one(score), one(UNTOLD))
    assert after >= after_miss(before, one(UNTOLD)) - 1e-12
    assert after <= SUREST


def test_a_stronger_score_makes_surer():
    scores = np.linspace(0.05, 0.95, 10)
    after = after_detection(np.full(10, 0.3), scores, np.full(10, UNTOLD))
    assert (np.diff(after) > 0).all()


def test_time_alone_takes_ten_seconds_to_a_third():
    assert_allclose(after_time(one(0.9), 10.0), 0.9 / np.e)
