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

"""Moments in a row: where each picture lies, and that its time can be read."""

import numpy as np
import pytest

from mm_fusion.view.strip import GAP_PX, lay_out, write_stamp


def plain(value, height=20, width=30):
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("count", "height", "width"),
    [(1, 20, 30), (2, 20, 30 + 4 + 30), (3, 20 + 4 + 20, 64), (5, 3 * 20 + 2 * 4, 64)],
)
def test_two_stand_in_a_row_with_gaps_of_four_pixels(count, height, width):
    assert GAP_PX == 4
    assert lay_out([plain(9)] * count).shape == (height, width, 3)


def test_they_are_read_as_lines_of_a_page():
    page = lay_out([plain(1), plain(2), plain(3)])
    assert [page[5, 5, 0], page[5, 40, 0], page[30, 5, 0], page[30, 40, 0]] == [1, 2, 3, 0]


def test_another_size_is_cut_to_the_firsts_and_a_smaller_one_stays_whole():
    page = lay_out([plain(1), plain(2, 50, 50), plain(3, 10, 10)])
    assert page.shape == (44, 64, 3)
    assert (page[24:34, :10] == 3).all()
    assert not page[34:, :34].any()


@pytest.mark.parametrize("ground", [0, 255])
def test_a_stamp_is_light_on_dark_whatever_the_picture(ground):
    picture = plain(ground, 80, 200)
    write_stamp(picture, 12.34)
    tag = picture[-15:, :40].reshape(-1, 3)
    assert tag.min() < 30
    assert tag.max() > 200
    assert (picture[:40] == ground).all()
