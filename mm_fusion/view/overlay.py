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

"""What the sensors and the detector saw, drawn into a camera's image.

Axis letters: N LiDAR points, M radar returns, K objects, S line pieces.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.geometry.boxes import EDGES, corners
from mm_fusion.geometry.pinhole import project
from mm_fusion.geometry.rigid import invert, transform
from mm_fusion.objects import Objects
from mm_fusion.records import EgoFrame, Float32, Float64, Int64, UInt8
from mm_fusion.view.colors import STANDING, Rgb, object_color, ramp
from mm_fusion.view.labels import Tags, describe, tag_size

NEAR_M = 0.2  # box edges end here, in front of the camera
FAR_DEPTH_M = 60.0  # colour of the most distant LiDAR points
BENT_PIECES = 8  # pieces of an edge under a lens that bends it
MAX_POINTS = 20_000  # more LiDAR points than these are thinned: they would hide the image
TAG_STEPS = 4  # heights that a tag may be moved up to lie on no other
_SUBPIXEL = 4  # bits of cv2's fixed-point coordinates
_FAR_PX = 1e5  # a projected end beyond this is drawn no farther: it left the picture long before


def draw_camera(
    rgb: UInt8, camera: Camera, frame: EgoFrame, objects: Objects, *, width_px: int
) -> UInt8:
    """Draw objects and a frame's LiDAR and radar into the image of one of its cameras.

    The boxes are those of the frame's stamp; the camera is put where it was when it took the
    image, for the vehicle has moved between the two.

    Args:
        rgb: (H, W, 3) the frame's image of that camera, decoded.
        camera: where it is in the vehicle.
        frame: whose points are drawn.
        objects: boxes to draw.
        width_px: width of the picture.

    Returns:
        (H', W', 3) u1 RGB
    """
    return draw_overlay(
        rgb,
        camera_at_image(camera, frame),
        objects,
        points_ego=frame.points_ego,
        radar_ego=frame.radar_ego,
        width_px=width_px,
    )


def camera_at_image(camera: Camera, frame: EgoFrame) -> Camera:
    """Return the camera where it was, in the frame's `ego`, when it took the frame's image."""
    frame_from_image_stamp = invert(frame.image_stamp_from_frame[camera.name])
    return replace(camera, ego_from_camera=frame_from_image_stamp @ camera.ego_from_camera)


def draw_overlay(
    rgb: UInt8,
    camera: Camera,
    objects: Objects,
    *,
    points_ego: Float32 | Float64 | None = None,
    radar_ego: Float32 | Float64 | None = None,
    width_px: int | None = None,
) -> UInt8:
    """Draw boxes, LiDAR and radar into an image and return the new picture.

    Args:
        rgb: (H, W, 3) as the camera sees it; its size may differ from the camera's.
        camera: where it is and how its lens bends lines.
        objects: boxes, tracks in colours of their own, detections in their class's, with class,
            id, score and speed.
        points_ego: (N, 3) m LiDAR points, coloured by depth.
        radar_ego: (M, 3) m radar returns, drawn as circles.
        width_px: width of the picture; None keeps the image's.

    Returns:
        (H', W', 3) u1 RGB
    """
    canvas = _resized(rgb, width_px)
    camera = _scaled(camera, (canvas.shape[1], canvas.shape[0]))
    camera_from_ego = invert(camera.ego_from_camera)
    if points_ego is not None and len(points_ego):
        _draw_points(canvas, camera, camera_from_ego, points_ego)
    if radar_ego is not None and len(radar_ego):
        _draw_radar(canvas, camera, camera_from_ego, radar_ego)
    _draw_objects(canvas, camera, camera_from_ego, objects)
    return canvas


def _resized(rgb: UInt8, width_px: int | None) -> UInt8:
    height, width = rgb.shape[:2]
    if width_px is None or width_px == width:
        return np.array(rgb, np.uint8, order="C")
    size = (width_px, max(round(height * width_px / width), 1))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _scaled(camera: Camera, size_px: tuple[int, int]) -> Camera:
    """Return the camera of the same image at another size; pixel centres are whole numbers."""
    scale = np.array(size_px) / camera.size_px
    image_from_image = np.diag([*scale, 1.0])
    image_from_image[:2, 2] = (scale - 1) / 2  # (u + 1/2) s - 1/2
    return replace(
        camera, image_from_camera=image_from_image @ camera.image_from_camera, size_px=size_px
    )


def _draw_points(
    canvas: UInt8, camera: Camera, camera_from_ego: Float64, points_ego: Float32 | Float64
) -> None:
    points_camera = transform(camera_from_ego, points_ego[:: len(points_ego) // MAX_POINTS + 1])
    points_camera = points_camera[points_camera[:, 2] > NEAR_M]  # NaN compares False
    pixels, in_view = project(points_camera, camera)
    depth_m = points_camera[in_view, 2]
    order = np.argsort(-depth_m)  # near ones last, on top
    u, v = np.round(pixels[in_view][order]).astype(np.int64).T
    color = ramp(depth_m[order], FAR_DEPTH_M, 0.0)  # near is warm
    height, width = canvas.shape[:2]
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):  # two pixels square
        canvas[np.minimum(v + down, height - 1), np.minimum(u + right, width - 1)] = color


def _draw_radar(
    canvas: UInt8, camera: Camera, camera_from_ego: Float64, radar_ego: Float32 | Float64
) -> None:
    points_camera = transform(camera_from_ego, radar_ego)
    pixels, in_view = project(points_camera, camera)
    for (u, v), depth_m in zip(pixels[in_view], points_camera[in_view, 2], strict=True):
        radius = int(np.clip(120 / depth_m, 3, 12))
        cv2.circle(canvas, (round(u), round(v)), radius, STANDING, 2, cv2.LINE_AA)


def _draw_objects(
    canvas: UInt8, camera: Camera, camera_from_ego: Float64, objects: Objects
) -> None:
    ranges = np.hypot(objects.centers_ego[:, 0], objects.centers_ego[:, 1])
    edges = _box_edges(objects, camera_from_ego, camera)
    tops = [_top_left(lines, canvas) for lines in edges]
    near_first = [int(row) for row in np.argsort(ranges) if tops[row] is not None]
    for row in reversed(near_first):  # near boxes on top
        _draw_lines(canvas, edges[row], object_color(objects, row), 2)
    tags = Tags(canvas)
    for row in near_first:
        left, top = tops[row] or (0, 0)
        text = describe(objects, row)
        _, height = tag_size(text)
        places = [(left, top - 3 - height * step) for step in range(TAG_STEPS)]
        tags.draw(text, places, object_color(objects, row))


def _box_edges(objects: Objects, camera_from_ego: Float64, camera: Camera) -> list[Float64]:
    """Return for every box the pieces of its edges in the picture, (S, 2, 2) px each."""
    if not len(objects):
        return []
    corners_camera = transform(camera_from_ego, corners(objects.boxes).reshape(-1, 3))
    ends = corners_camera.reshape(-1, 8, 3)[:, np.array(EDGES)]  # (K, 12, 2, 3)
    pieces, owner = _clipped(ends.reshape(-1, 2, 3), np.repeat(np.arange(len(objects)), len(EDGES)))
    if any(camera.distortion):
        pieces, owner = _split(pieces, BENT_PIECES), np.repeat(owner, BENT_PIECES)
    pixels, _ = project(pieces.reshape(-1, 3), camera)
    lines = pixels.reshape(-1, 2, 2)
    drawable = (np.abs(lines) < _FAR_PX).all(axis=(1, 2))  # False for NaN: outside the lens
    lines, owner = lines[drawable], owner[drawable]
    return [lines[owner == row] for row in range(len(objects))]


def _clipped(ends: Float64, owner: Int64) -> tuple[Float64, Int64]:
    """Cut edges (S, 2, 3) of the optical frame at the near plane; drop what is behind it."""
    depth = ends[..., 2]
    ahead = (depth > NEAR_M).any(axis=1)
    ends, depth, owner = ends[ahead], depth[ahead], owner[ahead]
    rise = depth[:, 1] - depth[:, 0]
    cut = (NEAR_M - depth[:, 0]) / np.where(rise == 0, 1, rise)  # fraction of the way
    crossing = ends[:, 0] + cut[:, None] * (ends[:, 1] - ends[:, 0])
    behind = (depth <= NEAR_M)[..., None]
    return np.where(behind, crossing[:, None], ends), owner


def _split(ends: Float64, pieces: int) -> Float64:
    """Cut each line (S, 2, 3) into equal pieces (S * pieces, 2, 3)."""
    steps = np.linspace(0, 1, pieces + 1)[:, None]
    knots = ends[:, None, 0] + steps * (ends[:, 1] - ends[:, 0])[:, None]  # (S, pieces + 1, 3)
    return np.stack([knots[:, :-1], knots[:, 1:]], axis=2).reshape(-1, 2, 3)


def _draw_lines(canvas: UInt8, lines: Float64, color: Rgb, thickness: int) -> None:
    fixed = np.round(lines * 2**_SUBPIXEL).astype(np.int32)
    cv2.polylines(canvas, list(fixed), False, color, thickness, cv2.LINE_AA, _SUBPIXEL)


def _top_left(lines: Float64, canvas: UInt8) -> tuple[int, int] | None:
    """Return the corner of what the picture holds of the lines (S, 2, 2) px; None: it holds none.

    It lies on a line: that of the common rectangle may be far from a box seen from near by.
    """
    picture = (0, 0, canvas.shape[1], canvas.shape[0])
    ends: list[tuple[int, int]] = []
    for one, other in np.round(lines).astype(int).tolist():
        inside, start, end = cv2.clipLine(picture, one, other)
        if inside:
            ends += [(int(u), int(v)) for u, v in (start, end)]
    return min(ends, key=sum, default=None)
