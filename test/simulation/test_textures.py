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

"""Patterns are functions of the place, and lie where streets have them."""

import numpy as np
import pytest

from mm_fusion.simulation.materials import Material, is_line, is_window, laser_reflectivity
from mm_fusion.simulation.textures import grain


def test_grain_is_uniform_and_the_same_for_the_same_cell():
    points = np.random.default_rng(0).uniform(-500, 500, (20_000, 3)).astype(np.float32)
    values = grain(points, 0.5)
    assert values.min() >= 0
    assert values.max() < 1
    assert abs(values.mean() - 0.5) < 0.01  # 3 sigma: 3 * 0.289 / sqrt(20000) = 0.006
    assert abs(values.std() - 0.2887) < 0.01
    again = grain(np.floor(points / 0.5 + 0.25).astype(np.float32) * 0.5, 0.5)
    assert (values == again).mean() > 0.999  # but for float32's rounding at the edges


def test_neighbouring_cells_are_independent():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(120.0), np.arange(120.0)))
    values = grain(np.column_stack([x, y, np.zeros_like(x)]).astype(np.float32), 1.0)
    values = values.reshape(120, 120)
    across = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    along = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    assert abs(across) < 0.03  # 3 sigma: 3 / sqrt(14280) = 0.025
    assert abs(along) < 0.03


@pytest.mark.parametrize(
    ("x", "y", "painted"),
    [
        (0.5, 0.0, True),  # within the first dash of 3 m
        (4.0, 0.0, False),  # in its gap
        (0.5, 0.07, False),  # beside it: half of 12 cm
        (4.0, 3.5, True),  # the line before the parking strip
        (42.0, 2.25, True),  # a zebra's stripe: 2.25 modulo 1 is below one half
        (42.0, 2.75, False),
        (42.0, 5.8, False),  # beyond the kerb
        (44.3, 0.0, False),  # the dash ends before the zebra
    ],
)
def test_lines_are_painted_where_streets_have_them(x, y, painted):
    point = np.array([[x, y, 0.0]], np.float32)
    asphalt = np.array([Material.ASPHALT], np.uint8)
    assert is_line(point, asphalt, np.array([42.0])).tolist() == [painted]


def test_windows_are_in_facades_only():
    # the bay of 2.6 m has its window in the middle, the storey of 3.1 m between 1 and 2.55 m
    points = np.array([[1.3, 9.2, 1.8], [0.1, 9.2, 1.8], [1.3, 9.2, 0.5]], np.float32)
    normals = np.tile(np.array([0.0, -1.0, 0.0], np.float32), (3, 1))
    facade = np.full(3, Material.FACADE, np.uint8)
    assert is_window(points, normals, facade).tolist() == [True, False, False]
    assert not is_window(points, normals, np.full(3, Material.PAINT, np.uint8)).any()


def test_dark_paint_returns_less_light_than_bright():
    paint = np.full(2, Material.PAINT, np.uint8)
    colors = np.array([[0.02, 0.02, 0.02], [0.9, 0.9, 0.9]], np.float32)
    no = np.zeros(2, np.bool_)
    dark, bright = laser_reflectivity(paint, colors, no, no)
    assert dark < 0.4 * bright
    assert laser_reflectivity(paint, colors, ~no, no).max() < 0.1  # glass
