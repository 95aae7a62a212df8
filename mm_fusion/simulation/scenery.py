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

"""What stands still and is nobody: road, pavements, buildings, walls, trees, poles.

The street's frame: x along the road, y left of it, z up; the road's middle is y = 0.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.simulation.materials import KERB_M, STOREY_M, WINDOW_M, Material
from mm_fusion.simulation.mesh import Mesh, Rgb, ball, box, join, rod

FRONT_M = 9.2  # from the middle of the road to the facades
PAVEMENT_M = 0.12  # height of the kerb
FAR_M = 900.0  # how far the ground goes on beyond the street

_PLASTERS: tuple[Rgb, ...] = (
    (0.62, 0.52, 0.4), (0.5, 0.2, 0.14), (0.66, 0.62, 0.55), (0.36, 0.42, 0.46), (0.68, 0.5, 0.3),
    (0.56, 0.32, 0.22), (0.46, 0.5, 0.4),
)  # fmt: skip
_ROOF: Rgb = (0.12, 0.08, 0.07)
_GREY: Rgb = (0.32, 0.32, 0.33)


def scenery(start_m: float, end_m: float, rng: np.random.Generator) -> Mesh:
    """Return everything between two places of the street."""
    parts = [_ground(start_m, end_m)]
    for side in (-1, 1):
        parts += _row(start_m, end_m, side, rng)
        parts += _furniture(start_m, end_m, side, rng)
    return join(*parts)


def _ground(start_m: float, end_m: float) -> Mesh:
    middle, length = (start_m + end_m) / 2, end_m - start_m + 2 * FAR_M
    parts = [
        box((length, 2 * KERB_M, 0.2), (middle, 0.0, -0.1), (0.1, 0.1, 0.105), Material.ASPHALT)
    ]
    width = FRONT_M + 0.3 - KERB_M
    for side in (-1, 1):
        y = side * (KERB_M + width / 2)
        parts.append(
            box((length, width, 0.3), (middle, y, PAVEMENT_M - 0.15), (0.36, 0.35, 0.34),
                Material.PAVEMENT)
        )  # fmt: skip
        y = side * (FRONT_M + 150.0)
        parts.append(box((length, 300.0, 0.2), (middle, y, 0.0), (0.13, 0.2, 0.06), Material.GRASS))
    return join(*parts)


def _row(start_m: float, end_m: float, side: int, rng: np.random.Generator) -> list[Mesh]:
    """Return buildings with gaps; in a gap a garden wall or a hedge, and a tree behind it."""
    parts, x = [], start_m - float(rng.uniform(0, 10)) // WINDOW_M * WINDOW_M
    while x < end_m:
        if rng.random() < 0.28:
            gap = WINDOW_M * int(rng.integers(2, 5))
            parts += _garden(x, gap, side, rng)
        else:
            gap = WINDOW_M * int(rng.integers(3, 7))
            parts += _building(x, gap, side, rng)
        x += gap
    return parts


def _building(x_m: float, width_m: float, side: int, rng: np.random.Generator) -> list[Mesh]:
    height = STOREY_M * int(rng.integers(2, 6)) + 0.45
    color = _PLASTERS[int(rng.integers(len(_PLASTERS)))]
    front = FRONT_M + float(rng.choice([0.0, 0.0, 0.5, 1.2]))
    depth = 9.0
    center = (x_m + width_m / 2, side * (front + depth / 2))
    body = box((width_m, depth, height), (*center, height / 2), color, Material.FACADE)
    plinth = box((width_m, depth + 0.1, 0.6), (*center, 0.4), _GREY, Material.PLASTER)
    cornice = box((width_m, depth + 0.5, 0.25), (*center, height), _ROOF, Material.PLASTER)
    door_x = x_m + WINDOW_M * (int(rng.integers(int(width_m / WINDOW_M))) + 0.5)
    door_y = side * (front - 0.02)
    door = box((1.3, 0.14, 2.3), (door_x, door_y, 1.25), (0.1, 0.06, 0.04), Material.WOOD)
    return [body, plinth, cornice, door]


def _garden(x_m: float, width_m: float, side: int, rng: np.random.Generator) -> list[Mesh]:
    y = side * (FRONT_M + 0.2)
    if rng.random() < 0.5:
        barrier = box((width_m, 0.25, 1.7), (x_m + width_m / 2, y, 0.85), (0.5, 0.4, 0.32),
                      Material.PLASTER)  # fmt: skip
    else:
        barrier = box((width_m, 0.9, 1.3), (x_m + width_m / 2, y, 0.65), (0.05, 0.12, 0.03),
                      Material.LEAVES)  # fmt: skip
    place = (x_m + width_m / 2, side * (FRONT_M + 4.5))
    return [barrier, *_tree(*place, 7.5 + float(rng.uniform(-1, 2)), rng)]


def _furniture(start_m: float, end_m: float, side: int, rng: np.random.Generator) -> list[Mesh]:
    parts, kerb = [], side * (KERB_M + 0.5)
    for x in np.arange(start_m + (7 if side > 0 else 20), end_m, 29.0):
        parts += _lamp(float(x), kerb, side)
    for x in np.arange(start_m + (16 if side > 0 else 6), end_m, 17.0):
        if rng.random() < 0.6:
            parts += _tree(float(x), kerb, 5.5 + float(rng.uniform(-0.5, 1.5)), rng)
        elif rng.random() < 0.5:
            parts += _sign(float(x), kerb)
        else:
            parts.append(box((0.5, 0.45, 1.0), (float(x), kerb, 0.6), (0.05, 0.14, 0.08),
                             Material.METAL))  # fmt: skip
    return parts


def _tree(x_m: float, y_m: float, height_m: float, rng: np.random.Generator) -> list[Mesh]:
    bark: Rgb = (0.14, 0.09, 0.06)
    fork = 0.45 * height_m
    parts = [rod((x_m, y_m, 0), (x_m, y_m, fork + 0.8), (0.17, 0.1), bark, Material.WOOD)]
    for _ in range(7):
        dx, dy = rng.uniform(-0.9, 0.9, 2)
        z = fork + 1.0 + float(rng.uniform(0, 0.42 * height_m))
        radii = rng.uniform(0.75, 1.35, 3) * (0.2 * height_m / 1.3)
        green = (0.06 + 0.05 * float(rng.random()), 0.17 + 0.1 * float(rng.random()), 0.03)
        center = (x_m + float(dx), y_m + float(dy), z)
        crown = (float(radii[0]), float(radii[1]), 0.85 * float(radii[2]))
        parts.append(ball(center, crown, green, Material.LEAVES))
    return parts


def _lamp(x_m: float, y_m: float, side: int) -> list[Mesh]:
    arm = y_m - side * 1.6
    return [
        rod((x_m, y_m, 0), (x_m, y_m, 6.2), (0.08, 0.05), _GREY, Material.METAL),
        rod((x_m, y_m, 6.15), (x_m, arm, 6.35), (0.04, 0.04), _GREY, Material.METAL, sides=6),
        box((0.25, 0.7, 0.1), (x_m, arm, 6.33), (0.8, 0.8, 0.75), Material.LAMP),
    ]


def _sign(x_m: float, y_m: float) -> list[Mesh]:
    white, red = (0.85, 0.85, 0.85), (0.6, 0.03, 0.03)
    return [
        rod((x_m, y_m, 0), (x_m, y_m, 2.6), (0.035, 0.035), _GREY, Material.METAL, sides=6),
        rod((x_m - 0.03, y_m, 2.4), (x_m - 0.05, y_m, 2.4), (0.32, 0.32), red, Material.SIGN, 16),
        rod((x_m - 0.05, y_m, 2.4), (x_m - 0.06, y_m, 2.4), (0.24, 0.24), white, Material.SIGN, 16),
    ]
