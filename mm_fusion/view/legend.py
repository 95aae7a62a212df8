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

"""What the colours of a view from above mean."""

from __future__ import annotations

import cv2
import numpy as np

from mm_fusion.objects import SEEN_BY, UNTRACKED, Objects
from mm_fusion.records import UInt8
from mm_fusion.view.colors import (
    AWAY,
    BACKGROUND,
    CLASS_COLORS,
    CLOSING,
    SENSOR_COLORS,
    STANDING,
    TEXT,
    TRUTH,
    Rgb,
    class_color,
)
from mm_fusion.view.labels import FONT

SCALE = 0.42
LINE_PX = 18
WORDS_PX = 30  # where the words begin, right of their colour


def legend(objects: Objects, *, truth: bool, radar: bool) -> list[tuple[str, Rgb]]:
    """Return words and colour of what is in a picture; what is not needs no explanation.

    Args:
        objects: those drawn.
        truth: labelled boxes are drawn too.
        radar: returns of a radar are drawn too.
    """
    detections = objects[objects.ids == UNTRACKED]
    seen = {class_color(int(label)) for label in detections.labels}
    entries = [(kind, color) for kind, color in CLASS_COLORS.items() if color in seen]
    bits = int(np.bitwise_or.reduce(objects.evidence)) if len(objects) else 0
    entries += [
        (f"seen by {kind}", SENSOR_COLORS[kind]) for kind in SEEN_BY if bits & SEEN_BY[kind]
    ]
    if truth:
        entries.append(("truth", TRUTH))
    if radar:
        entries += [("radar: closing", CLOSING), ("radar: away", AWAY)]
        entries.append(("radar: standing", STANDING))
    return entries


def draw_legend(canvas: UInt8, entries: list[tuple[str, Rgb]]) -> None:
    """List words and their colours at the bottom left of `canvas` (H, W, 3), the callers' own."""
    if not entries:
        return
    height, bottom = canvas.shape[0], canvas.shape[0] - 12
    width = max(cv2.getTextSize(words, FONT, SCALE, 1)[0][0] for words, _ in entries)
    corner = (WORDS_PX + width + 4, height)
    cv2.rectangle(canvas, (0, bottom - LINE_PX * len(entries)), corner, BACKGROUND, cv2.FILLED)
    for line, (words, color) in enumerate(reversed(entries)):
        base = bottom - LINE_PX * line
        cv2.rectangle(canvas, (12, base - 9), (22, base), color, cv2.FILLED)
        cv2.putText(canvas, words, (WORDS_PX, base), FONT, SCALE, TEXT, 1, cv2.LINE_AA)
