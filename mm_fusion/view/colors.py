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

"""Colours (RGB) of classes, tracks, sensors, depth and height, the same in every picture."""

from __future__ import annotations

import cv2
import numpy as np

from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.records import Float64, UInt8

Rgb = tuple[int, int, int]

CLASS_COLORS: dict[str, Rgb] = {
    "car": (64, 196, 255),
    "truck": (255, 171, 64),
    "bus": (255, 110, 64),
    "trailer": (198, 147, 98),
    "motorcycle": (199, 125, 255),
    "bicycle": (128, 255, 114),
    "pedestrian": (255, 92, 141),
    "unknown": (190, 190, 190),
}
BACKGROUND: Rgb = (17, 19, 24)
TEXT: Rgb = (190, 195, 205)
TRUTH: Rgb = (255, 255, 255)
AWAY: Rgb = (96, 160, 255)
CLOSING: Rgb = (255, 86, 86)
STANDING: Rgb = (214, 190, 120)
SENSOR_COLORS: dict[str, Rgb] = {
    "lidar": (120, 230, 200),
    "radar": (255, 214, 92),
    "camera": (224, 150, 255),
}
GOLDEN_ANGLE = 137.508  # degrees: neighbours on the wheel are never alike
TONES = ((150, 255), (200, 240), (70, 255), (120, 195))  # saturation and value, in 255ths
TONE_STEP = 0.8292  # of a round: ids whose hues meet (21, 34, 55 ... apart) differ by half a round

_RAMP_BGR = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)
RAMP_RGB: UInt8 = np.asarray(_RAMP_BGR, np.uint8)[:, 0, ::-1]  # (256, 3)


def class_color(label: int) -> Rgb:
    """Return the colour of a class by its index; an index that means nothing is grey."""
    name = CLASSES[label] if 0 <= label < len(CLASSES) else "unknown"
    return CLASS_COLORS[name]


def id_color(ident: int) -> Rgb:
    """Return the colour that a track keeps for life; ids that follow each other differ much."""
    hue = (ident * GOLDEN_ANGLE) % 360 / 2  # cv2 counts hues to 180
    tone = TONES[int(ident * TONE_STEP % 1 * len(TONES))]
    pixel = np.array([[[hue, *tone]]], np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


def object_color(objects: Objects, row: int) -> Rgb:
    """Return the colour of a track, or of a detection's class."""
    ident = int(objects.ids[row])
    return class_color(int(objects.labels[row])) if ident == UNTRACKED else id_color(ident)


def ramp(values: Float64, low: float, high: float) -> UInt8:
    """Colour values (N,) from `low` (blue) to `high` (red); beyond them the end colours."""
    steps = np.clip((np.asarray(values) - low) / (high - low) * 255, 0, 255)
    return RAMP_RGB[steps.astype(np.uint8)]
