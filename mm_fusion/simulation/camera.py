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

"""A camera in the street: one ray a pixel, sun and shadow, sky, haze, and a JPEG.

Colours are linear until the tone curve. Axis letters: N pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from mm_fusion.errors import FusionError
from mm_fusion.records import Bool, CameraImage, Float32, Float64, Int64, UInt8
from mm_fusion.simulation.materials import Material, is_line, is_window
from mm_fusion.simulation.rig import CameraModel
from mm_fusion.simulation.textures import textured
from mm_fusion.simulation.world import Hits, Moment, World

SUN = np.array([0.42, -0.5, 0.76]) / np.linalg.norm([0.42, -0.5, 0.76])  # towards it
SUNLIGHT = np.array([1.0, 0.93, 0.8], np.float32) * 2.1
ZENITH = np.array([0.16, 0.34, 0.72], np.float32)
HORIZON = np.array([0.62, 0.74, 0.86], np.float32)
SKYLIGHT = np.array([0.5, 0.6, 0.75], np.float32) * 0.75  # on a surface that faces up
BOUNCED = np.array([0.32, 0.3, 0.27], np.float32) * 0.6  # on one that faces down
HAZE_M = 420.0  # half the light of a thing this far is the horizon's
EXPOSURE = 1.15
MIRRORS = {Material.GLASS: 0.35, Material.PAINT: 0.06, Material.METAL: 0.12}  # of the sky


class CameraView:
    """Takes images, rectified and without blur."""

    def __init__(self, model: CameraModel) -> None:
        self._model = model
        camera = model.camera
        width, height = camera.size_px
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([u, v, np.ones_like(u)], axis=-1).reshape(-1, 3)
        rays = pixels @ np.linalg.inv(camera.image_from_camera).T
        self._rays_camera = rays / np.linalg.norm(rays, axis=1, keepdims=True)  # (N, 3)

    def image(
        self, world: World, time_s: float, stamp_ns: int, rng: np.random.Generator
    ) -> CameraImage:
        """Take one image at `time_s` of the drive."""
        rgb = self.render(world, time_s)
        noisy = rgb + rng.normal(0.0, self._model.noise, rgb.shape).astype(np.float32)
        picture = np.clip(255.0 * noisy + 0.5, 0, 255).astype(np.uint8)
        return CameraImage(stamp_ns=stamp_ns, data=_jpeg(picture, self._model), encoding="jpeg")

    def render(self, world: World, time_s: float) -> Float32:
        """Return what the lens sees, (H, W, 3) in [0, 1] after the tone curve, without noise."""
        origin, directions = self._rays(world, time_s)
        moment = world.at(time_s, origin)
        hits = moment.cast(origin, directions)
        light = sky(directions)
        met = np.flatnonzero(hits.met)
        light[met] = _shaded(world, moment, origin, directions[met], _rows(hits, met))
        width, height = self._model.camera.size_px
        return tone(light).reshape(height, width, 3)

    def hits(self, world: World, time_s: float) -> Hits:
        """Cast a ray a pixel, row by row."""
        origin, directions = self._rays(world, time_s)
        return world.at(time_s, origin).cast(origin, directions)

    def _rays(self, world: World, time_s: float) -> tuple[Float64, Float64]:
        """Return where the camera is in the street (3,), and the rays of its pixels (N, 3)."""
        street_from_camera = world.street.ego.pose(time_s) @ self._model.camera.ego_from_camera
        return street_from_camera[:3, 3], self._rays_camera @ street_from_camera[:3, :3].T


def sky(directions: Float64) -> Float32:
    """Return the light (N, 3) that comes from where nothing is."""
    height = np.clip(directions[:, 2:], 0.0, 1.0) ** 0.55
    towards = np.clip(directions @ SUN, 0.0, 1.0)[:, None]
    glow = 0.25 * towards**24 + 3.0 * towards**1500
    return np.asarray(HORIZON * (1 - height) + ZENITH * height + glow * SUNLIGHT, np.float32)


def tone(light: Float32) -> Float32:
    """Bring linear light into [0, 1]: a shoulder that keeps the sky, then the display's gamma."""
    exposed = np.maximum(EXPOSURE * light, 0.0)
    shoulder = exposed * (1 + exposed / 6.0) / (1 + exposed)
    return np.asarray(np.clip(shoulder, 0.0, 1.0) ** (1 / 2.2), np.float32)


def _shaded(
    world: World, moment: Moment, origin: Float64, directions: Float64, hits: Hits
) -> Float32:
    points = (origin + directions * hits.range_m[:, None]).astype(np.float32)
    window = is_window(points, hits.normals, hits.materials)
    line = is_line(points, hits.materials, world.street.crossings_m)
    albedo = textured(points, hits, window, line)
    facing = np.clip(hits.normals @ SUN, 0.0, 1.0)
    facing[facing > 0] *= ~moment.shadowed(points[facing > 0], hits.normals[facing > 0], SUN)
    upward = 0.5 + 0.5 * hits.normals[:, 2:]
    light = facing[:, None] * SUNLIGHT + upward * SKYLIGHT + (1 - upward) * BOUNCED
    lit = albedo * light + _mirrored(hits, window, directions)
    clear = np.exp2(-hits.range_m / HAZE_M)[:, None]
    return np.asarray(lit * clear + HORIZON * (1 - clear), np.float32)


def _mirrored(hits: Hits, window: Bool, directions: Float64) -> Float32:
    """Return the sky's light in glass, paint and metal; more at grazing rays (Schlick, 1994)."""
    share = np.zeros(len(hits.materials), np.float32)
    for material, part in MIRRORS.items():
        share[hits.materials == material] = part
    share[window] = MIRRORS[Material.GLASS]
    rows = np.flatnonzero(share)
    mirrored = np.zeros((len(share), 3), np.float32)
    normals, rays = hits.normals[rows], directions[rows]
    cosine = -np.einsum("nc,nc->n", normals, rays)
    bounced = rays + 2 * cosine[:, None] * normals
    amount = share[rows] + (1 - share[rows]) * np.clip(1 - cosine, 0, 1) ** 5
    bounced[:, 2] = np.abs(bounced[:, 2])  # the street below is about as bright as the sky
    mirrored[rows] = np.minimum(sky(bounced), 1.5) * amount[:, None] * 0.8
    return mirrored


def _rows(hits: Hits, rows: Int64) -> Hits:
    return Hits(
        range_m=hits.range_m[rows],
        normals=hits.normals[rows],
        colors=hits.colors[rows],
        materials=hits.materials[rows],
        actors=hits.actors[rows],
    )


def _jpeg(rgb: UInt8, model: CameraModel) -> UInt8:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, model.quality])
    if not done:
        raise FusionError(f"camera {model.camera.name}: an image could not be encoded as JPEG")
    return np.asarray(data, np.uint8).reshape(-1)
