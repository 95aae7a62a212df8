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

"""Objects: rows that are chosen, joined and unknown where nothing is said."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mm_fusion.errors import ShapeError
from mm_fusion.objects import CLASSES, UNKNOWN, UNTRACKED, Objects


def boxes(count):
    return np.arange(7.0 * count).reshape(count, 7)


def test_what_is_not_said_of_an_object_is_unknown():
    one = Objects.of_boxes(boxes(1))
    assert np.isnan(one.velocities_ego).all()
    assert one.labels.tolist() == [UNKNOWN]
    assert CLASSES[UNKNOWN] == "unknown"
    assert one.ids.tolist() == [UNTRACKED]
    assert one.evidence.tolist() == [0]


def test_boxes_come_back_as_they_were_given():
    assert_array_equal(Objects.of_boxes(boxes(4)).boxes, boxes(4))


def test_objects_do_not_share_the_memory_of_their_boxes():
    given = boxes(2)
    objects = Objects.of_boxes(given)
    given[:] = -1
    assert_array_equal(objects.boxes, boxes(2))


def test_a_column_of_another_length_is_refused():
    with pytest.raises(ShapeError, match="scores"):
        Objects.of_boxes(boxes(3), scores=np.ones(2))


@pytest.mark.parametrize(
    "rows",
    [np.array([True, False, True]), np.array([0, 2]), slice(0, 3, 2)],
    ids=["mask", "index", "slice"],
)
def test_rows_are_selected_in_every_column(rows):
    objects = Objects.of_boxes(boxes(3), ids=np.array([7, 8, 9]), scores=np.array([0.1, 0.2, 0.3]))
    chosen = objects[rows]
    assert len(chosen) == 2
    assert chosen.ids.tolist() == [7, 9]
    assert_array_equal(chosen.boxes, boxes(3)[[0, 2]])
    assert chosen.covariances.shape == (2, 4, 4)


def test_joining_stacks_rows_in_order():
    one = Objects.of_boxes(boxes(1), ids=np.array([3]))
    two = Objects.of_boxes(boxes(2), ids=np.array([5, 4]))
    assert Objects.joined(two, Objects.none(), one).ids.tolist() == [5, 4, 3]
    assert len(Objects.joined()) == 0


def test_no_objects_are_no_rows_of_the_right_width():
    none = Objects.none()
    assert len(none) == 0
    assert none.boxes.shape == (0, 7)
    assert none[np.zeros(0, np.bool_)].scores.shape == (0,)
