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

"""Pedestrians as meshes: x ahead, origin on the ground between the feet."""

from __future__ import annotations

from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.mesh import Mesh, Rgb, ball, box, join, rod

SKINS: tuple[Rgb, ...] = ((0.5, 0.33, 0.24), (0.3, 0.17, 0.1), (0.6, 0.42, 0.33))
HAIR: tuple[Rgb, ...] = ((0.02, 0.015, 0.01), (0.12, 0.06, 0.03), (0.3, 0.2, 0.08))
SHOE: Rgb = (0.02, 0.02, 0.02)


def pedestrian(height_m: float, coat: Rgb, trousers: Rgb, kind: int = 0) -> Mesh:
    """Return somebody in mid-step; `kind` picks skin and hair."""
    scale = height_m / 1.76
    skin, hair = SKINS[kind % len(SKINS)], HAIR[kind % len(HAIR)]
    cloth = Material.CLOTH
    parts = [
        rod((0, 0, 0.84), (0.02, 0, 1.42), (0.15, 0.19), coat, cloth, sides=10),
        ball((0.02, 0, 1.42), (0.14, 0.22, 0.1), coat, cloth),
        rod((0.02, 0, 1.42), (0.03, 0, 1.56), (0.06, 0.06), skin, cloth),
        ball((0.03, 0, 1.63), (0.105, 0.085, 0.13), skin, cloth),
        ball((0.0, 0, 1.66), (0.105, 0.095, 0.1), hair, cloth),
    ]
    for side, step in ((-1, 0.2), (1, -0.2)):
        hip, knee = (0.0, 0.09 * side, 0.88), (0.75 * step, 0.09 * side, 0.48)
        foot = (step if step > 0 else 1.6 * step, 0.09 * side, 0.08)
        parts.append(rod(hip, knee, (0.095, 0.075), trousers, cloth))
        parts.append(rod(knee, foot, (0.07, 0.05), trousers, cloth))
        parts.append(box((0.25, 0.09, 0.08), (foot[0] + 0.05, foot[1], 0.04), SHOE, cloth))
        hand = (-step, 0.25 * side, 0.86)
        parts.append(rod((0.02, 0.22 * side, 1.4), hand, (0.06, 0.045), coat, cloth))
        parts.append(ball(hand, (0.045, 0.045, 0.06), skin, cloth, rings=4, sides=6))
    body = join(*parts)
    return Mesh(
        vertices=body.vertices * scale,
        triangles=body.triangles,
        colors=body.colors,
        materials=body.materials,
    )
