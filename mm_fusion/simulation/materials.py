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

"""What surfaces are made of: how they answer a laser and a radar, and what is painted on them.

Reflectivities at 905 nm and relative radar strengths are round figures, of the right order:
asphalt 0.12, concrete 0.35, leaves 0.45, car paint 0.3 to 0.6, retro-reflectors beyond 1.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from mm_fusion.records import Bool, Float32, Float64, UInt8

WINDOW_M = 2.6  # width of a window's bay; buildings are whole bays wide
STOREY_M = 3.1  # height of a storey; buildings are whole storeys high
LANE_M = 3.5
KERB_M = 5.7  # from the middle of the road to the kerb
LINE_M = 0.12
DASH_M = 6.0  # a dash and its gap


class Material(IntEnum):
    """Kinds of surface."""

    ASPHALT = 0
    PAVEMENT = 1
    GRASS = 2
    FACADE = 3
    PAINT = 4
    GLASS = 5
    RUBBER = 6
    METAL = 7
    CLOTH = 8
    LEAVES = 9
    WOOD = 10
    LAMP = 11
    SIGN = 12
    PLASTER = 13


#: Diffuse reflectivity of each material for the laser; paint, cloth: scaled by their colour.
LASER = np.array(
    [0.12, 0.3, 0.35, 0.4, 0.55, 0.04, 0.06, 0.4, 0.5, 0.45, 0.35, 0.9, 1.0, 0.4], np.float32
)
#: Radar cross section of a square metre facing the radar, m^2.
RADAR = np.array([0.0, 0.02, 0.01, 0.5, 4.0, 0.6, 0.2, 6.0, 0.25, 0.06, 0.1, 3.0, 8.0, 0.4])

_TINTED = (Material.PAINT, Material.CLOTH, Material.FACADE, Material.PLASTER)


def is_window(points: Float32, normals: Float32, materials: UInt8) -> Bool:
    """Tell which points (N, 3) of the street lie on a window of a facade."""
    along = np.where(np.abs(normals[:, 1]) > 0.5, points[:, 0], points[:, 1])
    bay, storey = along % WINDOW_M, points[:, 2] % STOREY_M
    framed = (np.abs(bay - WINDOW_M / 2) < 0.62) & (storey > 1.0) & (storey < 2.55)
    return np.asarray(framed & (materials == Material.FACADE) & (np.abs(normals[:, 2]) < 0.5))


def is_line(points: Float32, materials: UInt8, crossings_m: Float64) -> Bool:
    """Tell which points (N, 3) of the street lie on a painted line of the road.

    A broken line in the middle, a line before the parking strips, zebras at `crossings_m` (Z,).
    """
    x, y = points[:, 0], np.abs(points[:, 1])
    dash = (y < LINE_M / 2) & (x % DASH_M < DASH_M / 2)
    edge = np.abs(y - LANE_M) < LINE_M / 2
    line = dash | edge
    for crossing_m in crossings_m:
        near = np.abs(x - crossing_m)
        line = np.where(near < 2.6, (near < 1.7) & (points[:, 1] % 1.0 < 0.5) & (y < KERB_M), line)
    return np.asarray(line & (materials == Material.ASPHALT))


def laser_reflectivity(materials: UInt8, colors: Float32, window: Bool, line: Bool) -> Float32:
    """Return the diffuse reflectivity (N,) of surfaces for the LiDAR's laser."""
    reflectivity = LASER[materials]
    tinted = np.isin(materials, _TINTED)
    brightness = 0.3 + 0.7 * colors.max(axis=1)  # dark paint returns less
    reflectivity = np.where(tinted, reflectivity * brightness, reflectivity)
    reflectivity = np.where(window, LASER[Material.GLASS], reflectivity)
    return np.asarray(np.where(line, 0.75, reflectivity), np.float32)
