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

"""Rays into the street at any moment: what they hit, how far, and what it is made of.

Axis letters: N rays, F faces, A actors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_fusion.records import Bool, Float32, Float64, Int64, UInt8
from mm_fusion.simulation.mesh import Mesh, join
from mm_fusion.simulation.street import Actor, Street

REACH_M = 150.0  # movers farther than this from the place asked for are not cast
SCENERY = -1  # "actor" of a ray that hit nobody
LIFT_M = 0.02  # start of a shadow ray above its surface


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hits:
    """What N rays met; rows of rays that met nothing have an infinite range."""

    range_m: Float32  # (N,)
    normals: Float32  # (N, 3) unit, towards the ray's origin
    colors: Float32  # (N, 3) linear RGB
    materials: UInt8  # (N,) values of `Material`
    actors: Int64  # (N,) index into `Street.actors`, or SCENERY

    @property
    def met(self) -> Bool:
        """Tell which rays met something."""
        return np.isfinite(self.range_m)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Faces:
    """The look of every face of a scene and the scene itself."""

    scene: Any  # open3d.t.geometry.RaycastingScene
    colors: Float32  # (F, 3)
    materials: UInt8  # (F,)
    actors: Int64  # (F,)


class World:
    """The street with everything that stands still already built."""

    def __init__(self, street: Street) -> None:
        self.street = street
        indices = range(len(street.actors))
        standing = [i for i in indices if not street.actors[i].moving]
        self._movers = [i for i in indices if street.actors[i].moving]
        meshes = [_placed(street.actors[i], 0.0) for i in standing]
        self._still = _build([street.scenery, *meshes], [SCENERY, *standing])

    def at(self, time_s: float, near: Float64) -> Moment:
        """Build the world of one moment, as seen from near a place (3,) m of the street."""
        meshes, owners = [], []
        for index in self._movers:
            actor = self.street.actors[index]
            place = actor.path.positions(np.array([time_s]))[0]
            if np.linalg.norm(place - near) < REACH_M:
                meshes.append(_placed(actor, time_s))
                owners.append(index)
        return Moment([self._still, *([_build(meshes, owners)] if meshes else [])])


class Moment:
    """The world of one moment; made by `World.at`."""

    def __init__(self, parts: list[_Faces]) -> None:
        self._parts = parts

    def cast(self, origins: Float32 | Float64, directions: Float32 | Float64) -> Hits:
        """Cast rays from (N, 3) or one origin (3,) along unit directions (N, 3)."""
        rays = _rays(origins, directions)
        hits = [_cast(part, rays) for part in self._parts]
        first, *others = hits
        for other in others:
            nearer = other.range_m < first.range_m
            rows = nearer[:, None]
            first = Hits(
                range_m=np.where(nearer, other.range_m, first.range_m),
                normals=np.where(rows, other.normals, first.normals),
                colors=np.where(rows, other.colors, first.colors),
                materials=np.where(nearer, other.materials, first.materials),
                actors=np.where(nearer, other.actors, first.actors),
            )
        return first

    def shadowed(self, points: Float32, normals: Float32, towards: Float64) -> Bool:
        """Tell from which points (N, 3) the way to a distant light, `towards` (3,), is blocked."""
        rays = _rays(points + LIFT_M * normals, np.broadcast_to(towards, points.shape))
        blocked = np.zeros(len(points), np.bool_)
        for part in self._parts:
            blocked |= part.scene.test_occlusions(_tensor(rays)).numpy()
        return blocked


def _rays(origins: Float32 | Float64, directions: Float32 | Float64) -> Float32:
    rays = np.empty((len(directions), 6), np.float32)
    rays[:, :3] = origins
    rays[:, 3:] = directions
    return rays


def _cast(part: _Faces, rays: Float32) -> Hits:
    found = part.scene.cast_rays(_tensor(rays))
    range_m = found["t_hit"].numpy()
    face = np.where(np.isfinite(range_m), found["primitive_ids"].numpy().astype(np.int64), 0)
    normals = found["primitive_normals"].numpy()
    facing = np.einsum("nc,nc->n", normals, rays[:, 3:]) > 0
    normals = np.where(facing[:, None], -normals, normals)
    return Hits(
        range_m=range_m,
        normals=normals,
        colors=part.colors[face],
        materials=part.materials[face],
        actors=part.actors[face],
    )


def _placed(actor: Actor, time_s: float) -> Mesh:
    return actor.mesh.moved(actor.path.pose(time_s))


def _build(meshes: list[Mesh], owners: list[int]) -> _Faces:
    """Build a ray-casting scene; one thread, so that equal scenes are built equal."""
    import open3d as o3d  # slow to import, needed by nobody else

    mesh = join(*meshes)
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        _tensor(mesh.vertices.astype(np.float32)), _tensor(mesh.triangles.astype(np.uint32))
    )
    return _Faces(
        scene=scene,
        colors=mesh.colors,
        materials=mesh.materials,
        actors=np.repeat(owners, [len(m.triangles) for m in meshes]),
    )


def _tensor(array: Any) -> Any:  # noqa: ANN401  # open3d has no types
    import open3d as o3d

    return o3d.core.Tensor(np.ascontiguousarray(array))  # type: ignore[call-overload]
