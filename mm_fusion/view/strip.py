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

"""Moments in a row: each with the time it was, two beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mm_fusion.records import UInt8
from mm_fusion.view.colors import BACKGROUND
from mm_fusion.view.labels import draw_label

COLUMNS = 2
GAP_PX = 4
STAMP_SCALE = 0.7


def write_stamp(picture: UInt8, since_s: float) -> None:
    """Write a time at the bottom left of `picture` (H, W, 3), the callers' own."""
    draw_label(picture, f"{since_s:.1f} s", (0, picture.shape[0]), BACKGROUND, STAMP_SCALE)


def lay_out(pictures: Sequence[UInt8]) -> UInt8:
    """Lay pictures (H, W, 3) out row by row, in reading order; what differs in size is cut.

    Returns:
        (H', W', 3) u1, the first picture's size for each, with gaps between
    """
    height, width = pictures[0].shape[:2]
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3)
    canvas = np.zeros(shape, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP_PX), column * (width + GAP_PX)
        fitting = picture[:height, :width]
        canvas[top : top + fitting.shape[0], left : left + fitting.shape[1]] = fitting
    return canvas
