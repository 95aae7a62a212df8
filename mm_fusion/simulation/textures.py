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

"""What surfaces look like close up: grain, bricks, windows, painted lines.

Patterns are functions of the place in the street, so they stand still; who moves is left plain.
Axis letters: N points.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import Bool, Float32
from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.world import SCENERY, Hits

GRAIN = {  # material -> cell of its grain in m, and how much brighter or darker a cell may be
    Material.ASPHALT: (0.05, 0.22),
    Material.PAVEMENT: (0.5, 0.16),
    Material.GRASS: (0.12, 0.45),
    Material.FACADE: (0.3, 0.1),
    Material.PLASTER: (0.25, 0.12),
    Material.LEAVES: (0.14, 0.6),
    Material.WOOD: (0.1, 0.3),
}
PANE = np.array([0.05, 0.06, 0.07], np.float32)
LINE = np.array([0.7, 0.7, 0.67], np.float32)
FAR_M = 1.0 / 900.0  # a pixel's angle: grain finer than it is smoothed away


def textured(points: Float32, hits: Hits, window: Bool, line: Bool) -> Float32:
    """Return the albedo (N, 3) of the points hit."""
    albedo = hits.colors.copy()
    for material, (cell_m, depth) in GRAIN.items():
        rows = np.flatnonzero((hits.materials == material) & (hits.actors == SCENERY))
        if not len(rows):
            continue
        blurred = np.clip(cell_m / (2 * FAR_M * hits.range_m[rows] + 1e-6), 0.0, 1.0)
        coarse = grain(points[rows], 17.0 * cell_m) - 0.5
        fine = (grain(points[rows], cell_m) - 0.5) * blurred
        albedo[rows] *= (1.0 + 2 * depth * (fine + 0.5 * coarse))[:, None].astype(np.float32)
    albedo[window], albedo[line] = PANE, LINE
    return albedo


def grain(points: Float32, cell_m: float) -> Float32:
    """Return a repeatable random number in [0, 1) for the cell each point (N, 3) lies in."""
    cells = np.floor(points / cell_m + 0.25).astype(np.int64).astype(np.uint32)
    mixed = cells[:, 0] * np.uint32(0x9E3779B1)
    for axis in (1, 2):
        mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x85EBCA6B)
        mixed ^= cells[:, axis] * np.uint32(0xC2B2AE35)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0x27D4EB2F)
    return np.asarray((mixed ^ (mixed >> np.uint32(16))) / np.float64(2**32), np.float32)
