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

"""Triangle meshes of a few primitives, each face with a colour and a material.

Axis letters: V vertices, F triangles, R rings of a loft, P points of a ring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.geometry.rigid import transform
from mm_fusion.records import Float32, Float64, Int64, UInt8
from mm_fusion.shapes import check_shapes
from mm_fusion.simulation.materials import Material

Rgb = tuple[float, float, float]
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """Triangles with a look; faces need no winding, the caster turns normals to the ray."""

    vertices: Float64  # (V, 3) m
    triangles: Int64  # (F, 3) rows of `vertices`
    colors: Float32  # (F, 3) linear RGB in [0, 1]
    materials: UInt8  # (F,) values of `Material`

    def __post_init__(self) -> None:
        check_shapes(
            vertices=(self.vertices, ("V", 3)),
            triangles=(self.triangles, ("F", 3)),
            colors=(self.colors, ("F", 3)),
            materials=(self.materials, ("F",)),
        )

    def moved(self, target_from_source: Float64) -> Mesh:
        """Return the mesh in another frame."""
        return Mesh(
            vertices=transform(target_from_source, self.vertices),
            triangles=self.triangles,
            colors=self.colors,
            materials=self.materials,
        )


def join(*meshes: Mesh) -> Mesh:
    """Make one mesh of several."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        triangles=np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=False)]
        ),
        colors=np.concatenate([mesh.colors for mesh in meshes]),
        materials=np.concatenate([mesh.materials for mesh in meshes]),
    )


def loft(rings: Float64, color: Rgb, material: Material) -> Mesh:
    """Join closed rings (R, P, 3) by quads and cap both ends by fans about their middles."""
    rings = np.asarray(rings, np.float64)
    count, size = rings.shape[:2]
    here = np.arange(size)
    after = (here + 1) % size
    triangles = []
    for ring in range(count - 1):
        low, high = ring * size, (ring + 1) * size
        triangles.append(np.stack([low + here, low + after, high + after], axis=1))
        triangles.append(np.stack([low + here, high + after, high + here], axis=1))
    for cap, ring in enumerate((0, count - 1)):
        middle = np.full(size, count * size + cap)
        triangles.append(np.stack([ring * size + here, ring * size + after, middle], axis=1))
    middles = rings[[0, -1]].mean(axis=1)
    return painted(
        np.concatenate([rings.reshape(-1, 3), middles]), np.concatenate(triangles), color, material
    )


def painted(vertices: Float64, triangles: Int64, color: Rgb, material: Material) -> Mesh:
    """Give all triangles one look."""
    return Mesh(
        vertices=np.asarray(vertices, np.float64),
        triangles=np.asarray(triangles, np.int64),
        colors=np.tile(np.array(color, np.float32), (len(triangles), 1)),
        materials=np.full(len(triangles), material, np.uint8),
    )


def box(size: Point, center: Point, color: Rgb, material: Material) -> Mesh:
    """Return an upright box."""
    half = np.array(size) / 2
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half[:2]
    rings = np.stack([np.column_stack([corners, np.full(4, z)]) for z in (-half[2], half[2])])
    return loft(rings + np.array(center), color, material)


def frustum(
    low: tuple[Point, Point], high: tuple[Point, Point], color: Rgb, material: Material
) -> Mesh:
    """Return a block whose bottom and top rectangles are each given by two opposite corners."""
    rings = []
    for (x0, y0, z), (x1, y1, _) in (low, high):
        rings.append([[x1, y1, z], [x0, y1, z], [x0, y0, z], [x1, y0, z]])
    return loft(np.array(rings), color, material)


def rod(
    start: Point,
    end: Point,
    radii_m: tuple[float, float],
    color: Rgb,
    material: Material,
    sides: int = 8,
) -> Mesh:
    """Return a round bar from `start` to `end`, with a radius for each end."""
    along = np.subtract(end, start) / np.linalg.norm(np.subtract(end, start))
    across = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    angle = np.arange(sides) * 2 * np.pi / sides
    circle = np.outer(np.cos(angle), across) + np.outer(np.sin(angle), np.cross(along, across))
    rings = [circle * radius + end_ for radius, end_ in zip(radii_m, (start, end), strict=True)]
    return loft(np.stack(rings), color, material)


def ball(
    center: Point, radii_m: Point, color: Rgb, material: Material, rings: int = 6, sides: int = 10
) -> Mesh:
    """Return an ellipsoid."""
    polar = np.linspace(0.02, np.pi - 0.02, rings)
    angle = np.arange(sides) * 2 * np.pi / sides
    unit = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(angle),
            np.sin(polar)[:, None] * np.sin(angle),
            np.tile(np.cos(polar)[:, None], (1, sides)),
        ],
        axis=-1,
    )
    return loft(unit * np.array(radii_m) + np.array(center), color, material)


def extruded(
    profile_xz: Float64, half_width_m: float, bevel_m: float, color: Rgb, material: Material
) -> Mesh:
    """Return a side profile (P, 2) given a width, its two edges drawn in by `bevel_m`."""
    profile = np.asarray(profile_xz, np.float64)
    middle = (profile.max(axis=0) + profile.min(axis=0)) / 2
    shrunk = middle + (profile - middle) * (1 - 2 * bevel_m / np.ptp(profile, axis=0))
    inner = half_width_m - bevel_m
    rings = [
        np.column_stack([ring[:, 0], np.full(len(ring), y), ring[:, 1]])
        for ring, y in (
            (shrunk, -half_width_m),
            (profile, -inner),
            (profile, inner),
            (shrunk, half_width_m),
        )
    ]
    return loft(np.stack(rings), color, material)
