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

"""Text in pictures."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from mm_fusion.objects import CLASSES, SEEN_BY, UNKNOWN, UNTRACKED, Objects
from mm_fusion.records import UInt8
from mm_fusion.view.colors import SENSOR_COLORS, Rgb

FONT = cv2.FONT_HERSHEY_SIMPLEX
INK: Rgb = (16, 18, 22)
LIGHT_INK: Rgb = (255, 255, 255)
DARK = 75  # luminance below which a colour is written upon in light ink
PIP_PX = 6
Box = tuple[int, int, int, int]  # left, top, right, bottom in px, all within


def draw_label(
    canvas: UInt8, text: str, at_px: tuple[int, int], color: Rgb, scale: float = 0.4
) -> None:
    """Write dark text on a coloured tag whose bottom left corner is `at_px`, kept in the picture.

    Draws into `canvas` (H, W, 3) u1, which the callers own.
    """
    left, top, right, bottom = _tag(canvas, text, at_px, scale)
    _, below = cv2.getTextSize(text, FONT, scale, 1)
    ink = LIGHT_INK if np.dot(color, (0.299, 0.587, 0.114)) < DARK else INK
    cv2.rectangle(canvas, (left, top), (right, bottom), color, cv2.FILLED)
    cv2.putText(canvas, text, (left + 2, bottom - below), FONT, scale, ink, 1, cv2.LINE_AA)


def tag_size(text: str, scale: float = 0.4) -> tuple[int, int]:
    """Return width and height in px of the tag that `draw_label` draws."""
    (width, height), below = cv2.getTextSize(text, FONT, scale, 1)
    return width + 5, height + below + 3


class Tags:
    """The tags of one picture: none lies upon another, and one that finds no place is left out."""

    def __init__(self, canvas: UInt8) -> None:
        self._canvas = canvas
        self._taken: list[Box] = []

    def draw(
        self,
        text: str,
        places_px: Iterable[tuple[int, int]],
        color: Rgb,
        *,
        scale: float = 0.4,
        below_px: int = 0,
    ) -> tuple[int, int] | None:
        """Draw a tag as `draw_label` does, at the first place that is free.

        Args:
            text: what it says.
            places_px: bottom left corners, the best first.
            color: of the tag.
            scale: of the writing.
            below_px: as much is kept free beneath it.

        Returns:
            its bottom left corner; None where it found no place
        """
        for at_px in places_px:
            left, top, right, bottom = _tag(self._canvas, text, at_px, scale)
            wanted = (left, top, right, bottom + below_px)
            if not any(_overlap(wanted, other) for other in self._taken):
                draw_label(self._canvas, text, at_px, color, scale)
                self._taken.append(wanted)
                return left, bottom
        return None


def _tag(canvas: UInt8, text: str, at_px: tuple[int, int], scale: float) -> Box:
    width, height = tag_size(text, scale)
    left = int(np.clip(at_px[0], 0, max(canvas.shape[1] - width, 0)))
    bottom = int(np.clip(at_px[1], height - 1, canvas.shape[0] - 1))
    return left, bottom - height + 1, left + width - 1, bottom


def _overlap(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def draw_pips(canvas: UInt8, objects: Objects, row: int, at_px: tuple[int, int]) -> None:
    """Draw a small square for each kind of sensor that saw an object, rightwards from `at_px`.

    Draws into `canvas` (H, W, 3) u1, which the callers own.
    """
    kinds = [k for k, bit in SEEN_BY.items() if objects.evidence[row] & bit]
    for place, kind in enumerate(kinds):
        left, top = at_px[0] + (PIP_PX + 2) * place, at_px[1]
        corner = (left + PIP_PX - 1, top + PIP_PX - 1)
        cv2.rectangle(canvas, (left, top), corner, SENSOR_COLORS[kind], cv2.FILLED)


def describe(objects: Objects, row: int) -> str:
    """Say class, id or else score, and speed of one object, as far as they are known."""
    words = name(objects, row)
    if objects.ids[row] == UNTRACKED:
        words += f" {objects.scores[row]:.2f}"
    speed = float(np.hypot(*objects.velocities_ego[row]))
    return f"{words} {speed:.0f} m/s" if np.isfinite(speed) and speed >= 0.5 else words


def name(objects: Objects, row: int) -> str:
    """Say class and id of one object; of a track of no known class the id alone."""
    label, ident = int(objects.labels[row]), int(objects.ids[row])
    kind = CLASSES[label] if 0 <= label < len(CLASSES) else CLASSES[UNKNOWN]
    if ident == UNTRACKED:
        return kind
    return f"#{ident}" if kind == CLASSES[UNKNOWN] else f"{kind} #{ident}"
