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

"""KITTI's label_02 files, and track files that are spelt alike, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.recordings.kitti_tracking import boxes_of, lines_of
from mm_fusion.records import Float64, Int64

NUMBERS = 14  # behind the type; a score may follow
REGION = "DontCare"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackLines:
    """The lines of one file; L lines, in the order of their frames."""

    frame: Int64  # (L,)
    track: Int64  # (L,) -1 for regions
    kind: tuple[str, ...]  # L names: Car, Van, DontCare, ...
    truncated: Float64  # (L,)
    occluded: Float64  # (L,)
    box_px: Float64  # (L, 4) left, top, right, bottom
    boxes: Float64  # (L, 7) in our axes
    score: Float64  # (L,) 0 where the file has none

    def rows(self, frame: int) -> Int64:
        """Return the rows of one frame."""
        return np.arange(*np.searchsorted(self.frame, [frame, frame + 1]))


def read_track_lines(path: Path) -> TrackLines:
    """Read a file of label_02's columns, with or without a score as the 18th.

    Raises:
        RecordingError: it cannot be read, or a line is malformed; the text names it.
    """
    rows, kinds = [], []
    for where, line in lines_of(path):
        words = line.split()
        if len(words) not in (NUMBERS + 3, NUMBERS + 4):
            raise RecordingError(f"{where} has {len(words)} columns; 17 or 18 are due")
        try:
            values = [float(word) for word in words[:2] + words[3:]]
        except ValueError as error:
            raise RecordingError(f"{where}: {error}") from error
        rows.append([*values, 0.0][: NUMBERS + 3])
        kinds.append(words[2])
    table = np.array(rows, np.float64).reshape(-1, NUMBERS + 3)
    order = np.argsort(table[:, 0], kind="stable")
    table = table[order]
    return TrackLines(
        frame=table[:, 0].astype(np.int64),
        track=table[:, 1].astype(np.int64),
        kind=tuple(kinds[k] for k in order),
        truncated=table[:, 2],
        occluded=table[:, 3],
        box_px=table[:, 5:9],
        boxes=boxes_of(table[:, 9:16]),
        score=table[:, 16],
    )
