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

"""A frame seen from above: forward is up, left is left.

Axis letters: N LiDAR points, M radar returns, K objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mm_fusion.geometry.boxes import corners
from mm_fusion.objects import UNKNOWN, UNTRACKED, Objects
from mm_fusion.records import Bool, Float32, Float64, Int64, UInt8
from mm_fusion.view.colors import (
    AWAY,
    BACKGROUND,
    CLOSING,
    RAMP_RGB,
    STANDING,
    TEXT,
    TRUTH,
    Rgb,
    id_color,
    object_color,
)
from mm_fusion.view.labels import FONT, PIP_PX, Tags, describe, draw_pips, name, tag_size
from mm_fusion.view.legend import draw_legend, legend

RING: Rgb = (52, 57, 68)
RING_STEP_M = 10.0
LOW_M, HIGH_M = -0.3, 3.0  # heights of the ends of the colour ramp
MOVING_MPS = 0.7  # radial speed from which a return gets an arrow
NO_TRAILS: Mapping[int, Float64] = MappingProxyType({})
TAG_SCALE = 0.35
ARROW_S = 1.0  # an arrow is as long as the way of this time


@dataclass(frozen=True, slots=True, kw_only=True)
class TopView:
    """The scale of one picture: ego in the middle, x up, y left."""

    range_m: float
    size_px: int

    @property
    def px_per_m(self) -> float:
        """Pixels of one metre."""
        return self.size_px / (2 * self.range_m)

    def pixels(self, points_ego: Float64 | Float32) -> Float64:
        """Return u, v (N, 2) of points (N, 2 or more); a pixel's centre has whole coordinates."""
        points = np.asarray(points_ego, np.float64)
        return (self.range_m - points[:, [1, 0]]) * self.px_per_m - 0.5

    def nearest(self, points_ego: Float64 | Float32) -> tuple[Int64, Bool]:
        """Return the pixel (N, 2) of each point and which (N,) are in the picture."""
        pixels = self.pixels(points_ego)
        whole = np.round(np.nan_to_num(pixels, nan=-1.0, posinf=-1.0, neginf=-1.0)).astype(np.int64)
        return whole, np.asarray(((whole >= 0) & (whole < self.size_px)).all(axis=1))


WHOLE = TopView(range_m=50.0, size_px=900)


def draw_bev(  # noqa: PLR0913  # each is one layer of the picture
    *,
    points_ego: Float32 | Float64,
    radar_ego: Float32 | Float64,
    radial_speed_mps: Float32 | Float64,
    radar_ray_ego: Float32 | Float64,
    objects: Objects,
    truth: Objects | None = None,
    trails: Mapping[int, Float64] = NO_TRAILS,
    view: TopView = WHOLE,
    title: str = "",
) -> UInt8:
    """Draw one frame from above.

    Args:
        points_ego: (N, 3) m LiDAR points, coloured by height.
        radar_ego: (M, 3) m radar returns.
        radial_speed_mps: (M,) over ground along the ray, positive away; arrows of a second.
        radar_ray_ego: (M, 3) unit vectors from the radar to each return.
        objects: boxes with heading, velocity (a second's way) and name, and a square for each kind
            of sensor that saw it; tracks in colours of their own, detections in their class's.
        truth: boxes drawn as thin white lines.
        trails: (P, 3) m in ego, the way of each track by its id.
        view: how far the picture reaches, and its size.
        title: a line at the top.

    Returns:
        (view.size_px, view.size_px, 3) u1 RGB
    """
    canvas = np.full((view.size_px, view.size_px, 3), BACKGROUND, np.uint8)
    _draw_rings(canvas, view)
    _draw_cloud(canvas, view, points_ego)
    _draw_radar(canvas, view, radar_ego, radial_speed_mps, radar_ray_ego)
    if truth is not None:
        _draw_outlines(canvas, view, truth)
    _draw_trails(canvas, view, trails, objects)
    _draw_objects(canvas, view, objects)
    _draw_ego(canvas, view)
    draw_legend(canvas, legend(objects, truth=truth is not None, radar=len(radar_ego) > 0))
    if title:
        cv2.putText(canvas, title, (12, 24), FONT, 0.55, TEXT, 1, cv2.LINE_AA)
    return canvas


def _draw_rings(canvas: UInt8, view: TopView) -> None:
    (center,) = view.pixels(np.zeros((1, 2)))
    middle = (round(center[0]), round(center[1]))
    for radius_m in np.arange(RING_STEP_M, view.range_m * np.sqrt(2), RING_STEP_M):
        radius_px = round(radius_m * view.px_per_m)
        cv2.circle(canvas, middle, radius_px, RING, 1, cv2.LINE_AA)
        at = (middle[0] + 4, middle[1] - radius_px - 4)
        cv2.putText(canvas, f"{radius_m:.0f} m", at, FONT, 0.36, TEXT, 1, cv2.LINE_AA)


def _draw_cloud(canvas: UInt8, view: TopView, points_ego: Float32 | Float64) -> None:
    whole, shown = view.nearest(points_ego)
    height_m = np.asarray(points_ego)[shown, 2]
    order = np.argsort(height_m)  # the highest on top
    u, v = whole[shown][order].T
    step = np.clip((height_m[order] - LOW_M) / (HIGH_M - LOW_M), 0, 1)
    color = RAMP_RGB[(step * 225 + 15).astype(np.uint8)]
    canvas[v, u] = (color * 0.8).astype(np.uint8)


def _draw_radar(
    canvas: UInt8,
    view: TopView,
    radar_ego: Float32 | Float64,
    radial_speed_mps: Float32 | Float64,
    radar_ray_ego: Float32 | Float64,
) -> None:
    _, shown = view.nearest(radar_ego)
    speeds = np.asarray(radial_speed_mps, np.float64)[shown]
    from_ego = np.asarray(radar_ego, np.float64)[shown]
    way = np.asarray(radar_ray_ego, np.float64)[shown] * (speeds * ARROW_S)[:, None]
    starts, tips = view.pixels(from_ego), view.pixels(from_ego + way)
    for start, tip, speed in zip(starts, tips, speeds, strict=True):
        moving = abs(speed) > MOVING_MPS
        color = STANDING if not moving else AWAY if speed > 0 else CLOSING
        at = (round(start[0]), round(start[1]))
        cv2.circle(canvas, at, 3, color, cv2.FILLED if moving else 1, cv2.LINE_AA)
        if moving:
            end = (round(tip[0]), round(tip[1]))
            cv2.arrowedLine(canvas, at, end, color, 1, cv2.LINE_AA, tipLength=0.2)


def _draw_outlines(canvas: UInt8, view: TopView, truth: Objects) -> None:
    for outline in _outlines(view, truth):
        cv2.polylines(canvas, [outline], True, TRUTH, 1, cv2.LINE_AA)


def _draw_trails(
    canvas: UInt8, view: TopView, trails: Mapping[int, Float64], objects: Objects
) -> None:
    thin = set(objects.ids[objects.labels == UNKNOWN].tolist())
    for ident, way in trails.items():
        line = np.round(view.pixels(way)).astype(np.int32)
        thickness = 1 if ident in thin else 2
        cv2.polylines(canvas, [line], False, id_color(ident), thickness, cv2.LINE_AA)


def _draw_objects(canvas: UInt8, view: TopView, objects: Objects) -> None:
    _, shown = view.nearest(objects.centers_ego)
    outlines = _outlines(view, objects)
    for row in np.flatnonzero(shown):
        color = object_color(objects, int(row))
        thickness = 1 if objects.labels[row] == UNKNOWN else 2
        cv2.polylines(canvas, [outlines[row]], True, color, thickness, cv2.LINE_AA)
        yaw, center = objects.yaws_rad[row], objects.centers_ego[row, :2]
        nose = center + objects.sizes_m[row, 0] / 2 * np.array([np.cos(yaw), np.sin(yaw)])
        velocity = np.nan_to_num(objects.velocities_ego[row])  # unknown: no arrow
        ends = view.pixels(np.stack([center, nose, center + velocity * ARROW_S]))
        at, front, tip = ((round(u), round(v)) for u, v in ends)
        cv2.line(canvas, at, front, color, 1, cv2.LINE_AA)
        if np.hypot(*velocity) > MOVING_MPS:
            cv2.arrowedLine(canvas, at, tip, color, thickness, cv2.LINE_AA, tipLength=0.15)
    _draw_tags(canvas, objects, outlines, np.flatnonzero(shown))


def _draw_tags(
    canvas: UInt8, objects: Objects, outlines: list[NDArray[np.int32]], rows: Int64
) -> None:
    """Name the objects of these rows, known ones first, and show beneath what saw each."""
    tags = Tags(canvas)
    range_m = np.hypot(*objects.centers_ego[rows, :2].T)
    for row in rows[np.lexsort([range_m, objects.labels[rows] == UNKNOWN])].tolist():
        text = (describe if objects.ids[row] == UNTRACKED else name)(objects, row)
        width, height = tag_size(text, TAG_SCALE)
        left, top = outlines[row].min(axis=0).tolist()
        right, bottom = outlines[row].max(axis=0).tolist()
        under = bottom - PIP_PX - 2
        places = [(right + 4, top), (left - width - 4, top), (right + 4, under + 1)]
        places += [(left - width - 4, under + 1), (right + 4, top - height)]
        color = object_color(objects, row)
        at = tags.draw(text, places, color, scale=TAG_SCALE, below_px=PIP_PX + 3)
        at = (right + 4, top) if at is None else at
        draw_pips(canvas, objects, row, (at[0], at[1] + 2))


def _outlines(view: TopView, objects: Objects) -> list[NDArray[np.int32]]:
    footprint = corners(objects.boxes)[:, :4, :2]  # (K, 4, 2) m
    pixels = view.pixels(footprint.reshape(-1, 2)).reshape(-1, 4, 2)
    return list(np.round(pixels).astype(np.int32))


def _draw_ego(canvas: UInt8, view: TopView) -> None:
    """Draw a triangle that points ahead."""
    triangle = np.array([[2.0, 0.0], [-1.0, 0.9], [-1.0, -0.9]])
    outline = np.round(view.pixels(triangle)).astype(np.int32)
    cv2.fillPoly(canvas, [outline], TEXT, cv2.LINE_AA)
