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

import cv2
import numpy as np

from mm_fusion.objects import CLASSES, SEEN_BY, UNTRACKED, Objects
from mm_fusion.records import UInt8
from mm_fusion.view.colors import SENSOR_COLORS, Rgb

FONT = cv2.FONT_HERSHEY_SIMPLEX
INK: Rgb = (16, 18, 22)
PIP_PX = 6


def draw_label(
    canvas: UInt8, text: str, at_px: tuple[int, int], color: Rgb, scale: float = 0.4
) -> None:
    """Write dark text on a coloured tag whose bottom left corner is `at_px`, kept in the picture.

    Draws into `canvas` (H, W, 3) u1, which the callers own.
    """
    (width, height), below = cv2.getTextSize(text, FONT, scale, 1)
    left = int(np.clip(at_px[0], 0, max(canvas.shape[1] - width - 5, 0)))
    bottom = int(np.clip(at_px[1], height + below + 2, canvas.shape[0] - 1))
    cv2.rectangle(
        canvas, (left, bottom - height - below - 2), (left + width + 4, bottom), color, cv2.FILLED
    )
    cv2.putText(canvas, text, (left + 2, bottom - below), FONT, scale, INK, 1, cv2.LINE_AA)


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
    """Say class, id, score and speed of one object, as far as they are known."""
    label = int(objects.labels[row])
    words = [CLASSES[label] if 0 <= label < len(CLASSES) else "unknown"]
    if objects.ids[row] != UNTRACKED:
        words.append(f"#{objects.ids[row]}")
    words.append(f"{objects.scores[row]:.2f}")
    speed = float(np.hypot(*objects.velocities_ego[row]))
    if np.isfinite(speed) and speed >= 0.5:
        words.append(f"{speed:.0f} m/s")
    return " ".join(words)
