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

"""Cells of the grid: a point on an edge, just inside and just outside."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.errors import ConfigError
from mm_fusion.geometry.grid import BevGrid

GRID = BevGrid(x_min_m=0.0, x_max_m=8.0, y_min_m=-2.0, y_max_m=2.0, cell_m=0.5)


def test_the_shape_is_forward_first():
    assert GRID.shape == (16, 8)
    assert GRID.centers().shape == (16, 8, 2)
    assert_allclose(GRID.centers()[0, 0], [0.25, -1.75])
    assert_allclose(GRID.centers()[-1, 0], [7.75, -1.75])
    assert GRID.coarser(2).shape == (8, 4)


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        ((0.01, 0.0), (0, 4)),
        ((0.0, -2.0), (0, 0)),
        ((-0.01, 0.0), None),  # truncated, it would lie in the first cell
        ((7.99, 1.99), (15, 7)),
        ((8.0, 0.0), None),
        ((8.01, 0.0), None),
        ((4.0, 2.0), None),
        ((4.0, 2.01), None),
        ((4.0, -1.99), (8, 0)),
        ((4.0, -2.01), None),
        ((np.nan, 0.0), None),
        ((np.inf, 0.0), None),
    ],
)
def test_points_a_centimetre_from_the_edges(point, cell):
    cells, inside = GRID.cells(np.array([[*point, 5.0]]))
    assert inside.tolist() == [cell is not None]
    assert cell is None or tuple(cells[0]) == cell


def test_a_coarser_grid_has_the_same_extent_or_is_refused():
    coarse = GRID.coarser(4)
    assert (coarse.x_max_m, coarse.y_min_m, coarse.cell_m) == (8.0, -2.0, 2.0)
    with pytest.raises(ConfigError, match=r"x from 0 to 8 m is 5.33333 cells of 1.5 m"):
        GRID.coarser(3)


def test_the_centre_of_every_cell_lies_in_it():
    cells, inside = GRID.cells(GRID.centers().reshape(-1, 2))
    assert inside.all()
    assert (cells[:, 0] * 8 + cells[:, 1] == np.arange(128)).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cell_m": 0.3}, r"x from 0 to 8 m is 26.6667 cells of 0.3 m"),
        ({"cell_m": 0.0}, r"a cell of 0 m cannot be"),
        ({"y_max_m": -2.0}, r"y from -2 to -2 m is 0 cells"),
        ({"x_max_m": float("nan")}, r"x from 0 to nan m"),
    ],
)
def test_an_extent_that_is_no_whole_number_of_cells_is_refused(change, sentence):
    values = {"x_min_m": 0.0, "x_max_m": 8.0, "y_min_m": -2.0, "y_max_m": 2.0, "cell_m": 0.5}
    with pytest.raises(ConfigError, match=sentence):
        BevGrid(**{**values, **change})
