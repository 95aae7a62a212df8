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
from mm_fusion.objects import UNTRACKED, Objects
from mm_fusion.records import Bool, Float32, Float64, Int64, UInt8
from mm_fusion.view.colors import (
    AWAY,
    CLASS_COLORS,
    CLOSING,
    RAMP_RGB,
    SENSOR_COLORS,
    STANDING,
    TRUTH,
    Rgb,
    class_color,
    id_color,
    object_color,
)
from mm_fusion.view.labels import FONT, describe, draw_label, draw_pips

BACKGROUND: Rgb = (17, 19, 24)
RING: Rgb = (52, 57, 68)
TEXT: Rgb = (190, 195, 205)
RING_STEP_M = 10.0
LOW_M, HIGH_M = -0.3, 3.0  # heights of the ends of the colour ramp
MOVING_MPS = 0.7  # radial speed from which a return gets an arrow
NO_TRAILS: Mapping[int, Float64] = MappingProxyType({})
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
    _draw_trails(canvas, view, trails)
    _draw_objects(canvas, view, objects)
    _draw_ego(canvas, view)
    _draw_legend(canvas, objects, title)
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


def _draw_trails(canvas: UInt8, view: TopView, trails: Mapping[int, Float64]) -> None:
    for ident, way in trails.items():
        line = np.round(view.pixels(way)).astype(np.int32)
        cv2.polylines(canvas, [line], False, id_color(ident), 1, cv2.LINE_AA)


def _draw_objects(canvas: UInt8, view: TopView, objects: Objects) -> None:
    _, shown = view.nearest(objects.centers_ego)
    outlines = _outlines(view, objects)
    for row in np.flatnonzero(shown):
        color = object_color(objects, int(row))
        cv2.polylines(canvas, [outlines[row]], True, color, 2, cv2.LINE_AA)
        yaw, center = objects.yaws_rad[row], objects.centers_ego[row, :2]
        nose = center + objects.sizes_m[row, 0] / 2 * np.array([np.cos(yaw), np.sin(yaw)])
        velocity = np.nan_to_num(objects.velocities_ego[row])  # unknown: no arrow
        ends = view.pixels(np.stack([center, nose, center + velocity * ARROW_S]))
        at, front, tip = ((round(u), round(v)) for u, v in ends)
        cv2.line(canvas, at, front, color, 1, cv2.LINE_AA)
        if np.hypot(*velocity) > MOVING_MPS:
            cv2.arrowedLine(canvas, at, tip, color, 2, cv2.LINE_AA, tipLength=0.15)
        tag = (int(outlines[row][:, 0].max()) + 4, int(outlines[row][:, 1].min()))
        draw_label(canvas, describe(objects, int(row)), tag, color, 0.35)
        draw_pips(canvas, objects, int(row), (tag[0], tag[1] + 2))


def _outlines(view: TopView, objects: Objects) -> list[NDArray[np.int32]]:
    footprint = corners(objects.boxes)[:, :4, :2]  # (K, 4, 2) m
    pixels = view.pixels(footprint.reshape(-1, 2)).reshape(-1, 4, 2)
    return list(np.round(pixels).astype(np.int32))


def _draw_ego(canvas: UInt8, view: TopView) -> None:
    """Draw a triangle that points ahead."""
    triangle = np.array([[2.0, 0.0], [-1.0, 0.9], [-1.0, -0.9]])
    outline = np.round(view.pixels(triangle)).astype(np.int32)
    cv2.fillPoly(canvas, [outline], TEXT, cv2.LINE_AA)


def _draw_legend(canvas: UInt8, objects: Objects, title: str) -> None:
    detections = objects[objects.ids == UNTRACKED]
    seen = {class_color(int(label)) for label in detections.labels}
    entries = [(name, color) for name, color in CLASS_COLORS.items() if color in seen]
    entries += [(f"seen by {kind}", color) for kind, color in SENSOR_COLORS.items()]
    entries += [("truth", TRUTH), ("radar: closing", CLOSING), ("radar: away", AWAY)]
    entries += [("radar: standing", STANDING)]
    bottom = canvas.shape[0] - 12
    for line, (name, color) in enumerate(reversed(entries)):
        base = bottom - 18 * line
        cv2.rectangle(canvas, (12, base - 9), (22, base), color, cv2.FILLED)
        cv2.putText(canvas, name, (30, base), FONT, 0.42, TEXT, 1, cv2.LINE_AA)
    if title:
        cv2.putText(canvas, title, (12, 24), FONT, 0.55, TEXT, 1, cv2.LINE_AA)
