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

"""A letter means one size throughout, and the sentence says which array breaks that."""

import numpy as np
import pytest

from mm_fusion.errors import FusionError, ShapeError
from mm_fusion.shapes import check_shapes


def test_a_letter_is_any_size_but_one_only():
    check_shapes(a=(np.zeros((4, 3)), ("N", 3)), b=(np.zeros(4), ("N",)))
    with pytest.raises(ShapeError, match=r"^b: expected \(4,\), got \(5,\)$"):
        check_shapes(a=(np.zeros((4, 3)), ("N", 3)), b=(np.zeros(5), ("N",)))


def test_the_size_of_a_letter_may_be_zero():
    with pytest.raises(ShapeError, match=r"b: expected \(0,\), got \(1,\)"):
        check_shapes(a=(np.zeros((0, 3)), ("N", 3)), b=(np.zeros(1), ("N",)))


@pytest.mark.parametrize("shape", [(3,), (1, 3, 1), (4, 2)])
def test_axes_are_counted_and_numbers_meant(shape):
    with pytest.raises(ShapeError, match=r"points: expected \('N', 3\)"):
        check_shapes(points=(np.zeros(shape), ("N", 3)))


def test_letters_of_different_calls_have_nothing_to_do_with_each_other():
    check_shapes(a=(np.zeros(4), ("N",)))
    check_shapes(a=(np.zeros(5), ("N",)))


def test_a_letter_used_twice_in_one_array_means_a_square():
    check_shapes(m=(np.zeros((2, 2)), ("N", "N")), v=(np.zeros(2), ("N",)))
    with pytest.raises(ShapeError, match="m: expected"):
        check_shapes(m=(np.zeros((2, 3)), ("N", "N")))


def test_it_is_an_error_a_user_can_be_told():
    assert issubclass(ShapeError, FusionError)
