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

"""Cars, trucks and bicycles as meshes: x ahead, origin on the ground below their middle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.mesh import Mesh, Rgb, ball, box, extruded, frustum, join, rod

BLACK: Rgb = (0.015, 0.015, 0.017)
CHROME: Rgb = (0.5, 0.5, 0.52)
GLASS: Rgb = (0.05, 0.07, 0.08)
WHITE: Rgb = (0.85, 0.85, 0.8)
RED: Rgb = (0.6, 0.02, 0.02)


def car(length_m: float, width_m: float, height_m: float, color: Rgb, trunk: float = 0.15) -> Mesh:
    """Return a car; `trunk` is the part of its length behind the cabin (0: an estate or van)."""
    half, belt = length_m / 2, 0.56 * height_m
    bonnet = half - (0.26 if trunk > 0.02 else 0.18) * length_m
    profile = np.array(
        [
            [half - 0.05, 0.2], [half, 0.32], [half, 0.52], [half - 0.12, 0.46 * height_m],
            [bonnet, belt], [-half + 0.06, belt + 0.03], [-half, 0.45], [-half + 0.08, 0.22],
        ]
    )  # fmt: skip
    parts = [extruded(profile, width_m / 2, 0.07, color, Material.PAINT)]
    parts += _cabin(length_m, width_m, (belt, height_m), color, (bonnet, trunk))
    for x, side in ((x, side) for x in (0.31 * length_m, -0.31 * length_m) for side in (-1, 1)):
        parts += _wheel(x, side, width_m / 2, 0.33)
    parts += _lamps(half, width_m, 0.43 * height_m)
    return join(*parts)


def truck(color: Rgb, cargo_color: Rgb) -> Mesh:
    """Return a box lorry of 8.2 m."""
    cab = np.array([[4.1, 0.5], [4.1, 1.5], [3.75, 2.75], [2.3, 2.85], [2.3, 0.5]])
    parts = [
        extruded(cab, 1.2, 0.06, color, Material.PAINT),
        frustum(((3.86, -1.05, 1.6), (4.06, 1.05, 1.6)), ((3.7, -1.0, 2.55), (3.8, 1.0, 2.55)),
                GLASS, Material.GLASS),
        box((1.0, 2.42, 0.7), (3.1, 0.0, 2.05), GLASS, Material.GLASS),
        box((6.2, 2.5, 2.4), (-1.0, 0.0, 2.2), cargo_color, Material.PAINT),
        box((6.2, 2.52, 0.35), (-1.0, 0.0, 1.5), color, Material.PAINT),
        box((7.6, 1.0, 0.4), (-0.2, 0.0, 0.8), BLACK, Material.METAL),
        box((0.1, 2.3, 0.15), (-4.05, 0.0, 0.55), CHROME, Material.METAL),
    ]  # fmt: skip
    for x, side in ((x, side) for x in (3.1, -1.9, -3.0) for side in (-1, 1)):
        parts += _wheel(x, side, 1.24, 0.48)
    return join(*parts, *_lamps(4.1, 2.4, 0.85))


def cyclist(color: Rgb) -> Mesh:
    """Return a bicycle with its rider."""
    metal, skin = Material.METAL, (0.45, 0.28, 0.2)
    parts = [*_bicycle_wheel(0.52), *_bicycle_wheel(-0.52)]
    for start, end in (
        ((-0.52, 0.0, 0.34), (-0.1, 0.0, 0.32)), ((-0.1, 0.0, 0.32), (-0.22, 0.0, 0.9)),
        ((-0.18, 0.0, 0.8), (0.4, 0.0, 0.85)), ((-0.1, 0.0, 0.32), (0.4, 0.0, 0.8)),
        ((0.52, 0.0, 0.34), (0.38, 0.0, 1.05)), ((0.38, -0.27, 1.05), (0.38, 0.27, 1.05)),
    ):  # fmt: skip
        parts.append(rod(start, end, (0.022, 0.022), color, metal, sides=6))
    cloth = (0.5, 0.12, 0.1)
    parts.append(rod((-0.2, 0.0, 0.9), (0.08, 0.0, 1.42), (0.15, 0.2), cloth, Material.CLOTH))
    parts.append(ball((0.16, 0.0, 1.62), (0.12, 0.1, 0.14), skin, Material.CLOTH))
    parts.append(ball((0.14, 0.0, 1.68), (0.14, 0.11, 0.1), WHITE, Material.PAINT))
    for side, knee, foot in ((-1, (0.15, 0.72), (0.0, 0.25)), (1, (0.2, 0.88), (-0.02, 0.46))):
        y = 0.1 * side
        parts.append(
            rod((-0.2, y, 0.92), (knee[0], y, knee[1]), (0.09, 0.07), BLACK, Material.CLOTH)
        )
        parts.append(
            rod((knee[0], y, knee[1]), (foot[0], y, foot[1]), (0.07, 0.05), BLACK, Material.CLOTH)
        )
        parts.append(
            rod(
                (0.06, 0.2 * side, 1.36),
                (0.38, 0.22 * side, 1.08),
                (0.06, 0.045),
                cloth,
                Material.CLOTH,
            )
        )
    return join(*parts)


def _cabin(
    length_m: float,
    width_m: float,
    heights_m: tuple[float, float],
    color: Rgb,
    ends: tuple[float, float],
) -> list[Mesh]:
    belt, top = heights_m
    bonnet, trunk = ends
    rear = -length_m / 2 + trunk * length_m
    low = ((rear + 0.04, -0.46 * width_m, belt), (bonnet, 0.46 * width_m, belt))
    slant = 0.14 * length_m
    back = 0.09 * length_m if trunk > 0.02 else 0.05 * length_m
    high = (
        (rear + back, -0.37 * width_m, top - 0.05),
        (bonnet - slant, 0.37 * width_m, top - 0.05),
    )
    ridge = (
        (high[0][0] + 0.1, -0.34 * width_m, top),
        (high[1][0] - 0.1, 0.34 * width_m, top),
    )
    roof = frustum(high, ridge, color, Material.PAINT)
    parts = [frustum(low, high, GLASS, Material.GLASS), roof]
    middle = ((low[0][0] + low[1][0]) / 2, (high[0][0] + high[1][0]) / 2)
    for side in (0, 1):
        y_low, y_high = low[side][1], high[side][1]
        for x_low, x_high in ((low[0][0], high[0][0]), (low[1][0], high[1][0]), middle):
            parts.append(
                rod((x_low, y_low, belt), (x_high, y_high, top - 0.04), (0.05, 0.04), color,
                    Material.PAINT, sides=5)
            )  # fmt: skip
    return parts


def _wheel(x_m: float, side: int, half_width_m: float, radius_m: float) -> list[Mesh]:
    outer = side * (half_width_m - 0.005)
    inner = side * (half_width_m - 0.26)
    rubber, metal = Material.RUBBER, Material.METAL
    return [
        rod((x_m, inner, radius_m), (x_m, outer, radius_m), (radius_m, radius_m), BLACK, rubber,
            sides=16),
        rod((x_m, outer - 0.01 * side, radius_m), (x_m, outer + 0.005 * side, radius_m),
            (0.62 * radius_m, 0.55 * radius_m), CHROME, metal, 12),
    ]  # fmt: skip


def _lamps(half_length_m: float, width_m: float, z_m: float) -> list[Mesh]:
    parts = []
    for side in (-1, 1):
        y = side * 0.36 * width_m
        parts.append(box((0.1, 0.36, 0.14), (half_length_m - 0.055, y, z_m), WHITE, Material.LAMP))
        parts.append(
            box((0.08, 0.3, 0.2), (-half_length_m + 0.05, y, z_m + 0.04), RED, Material.LAMP)
        )
    for x in (half_length_m, -half_length_m):
        parts.append(box((0.03, 0.52, 0.12), (x * 0.998, 0.0, 0.45), WHITE, Material.SIGN))
    return parts


def _bicycle_wheel(x_m: float) -> list[Mesh]:
    angle = np.arange(13) * 2 * np.pi / 12
    rim = [(x_m + 0.33 * float(np.cos(a)), 0.0, 0.35 + 0.33 * float(np.sin(a))) for a in angle]
    return [
        rod(start, end, (0.022, 0.022), BLACK, Material.RUBBER, sides=5)
        for start, end in pairwise(rim)
    ]
