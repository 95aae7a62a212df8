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

"""Labels between two stamps."""

import numpy as np
from numpy.testing import assert_allclose

from mm_fusion.evaluation.labels import at
from mm_fusion.objects import Objects, Truth

MS = 1_000_000


def truth(*rows):
    """Rows of id, x, yaw."""
    boxes = np.array([[x, 0.0, 0.8, 4, 2, 1.6, yaw] for _, x, yaw in rows]).reshape(-1, 7)
    ids = np.array([row[0] for row in rows], np.int64)
    return Truth(objects=Objects.of_boxes(boxes, ids=ids), occlusion=np.zeros(len(rows), np.int64))


TRUTHS = {
    1000 * MS: truth((1, 10.0, 3.1), (2, 50.0, 0.0)),
    1100 * MS: truth((3, 0.0, 0.0), (1, 12.0, -3.1)),
    5000 * MS: truth((1, 99.0, 0.0)),
}
STAMPS = sorted(TRUTHS)


def test_labels_of_the_very_stamp_are_taken_as_they_are():
    assert at(TRUTHS, STAMPS, 1100 * MS) is TRUTHS[1100 * MS]
    assert at(TRUTHS, STAMPS, 1100 * MS + 999) is TRUTHS[1100 * MS]


def test_between_two_stamps_what_both_have_is_interpolated_the_short_way_round():
    found = at(TRUTHS, STAMPS, 1025 * MS)
    assert found.objects.ids.tolist() == [1]
    assert_allclose(found.objects.centers_ego[0, 0], 10.5)  # a quarter of the way
    # from 3.1 to -3.1 is 0.0832 through pi, not 6.2 through zero
    assert_allclose(found.objects.yaws_rad[0], 3.1 + 0.25 * (2 * np.pi - 6.2), atol=1e-9)


def test_far_from_any_label_there_is_none():
    assert at(TRUTHS, STAMPS, 900 * MS) is None
    assert at(TRUTHS, STAMPS, 3000 * MS) is None  # 3.9 s apart: nobody knows
    assert at(TRUTHS, STAMPS, 6000 * MS) is None
