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

"""CLEAR MOT as it was first told: who is followed stays matched, and a switch behind a gap counts.

Source: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics", EURASIP Journal on Image and Video Processing 2008, section 2.1. What is ignored or
excused is left out as KITTI's rules say; see `mot_kitti`.

Axis letters: G labels, R results of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.mot_kitti import TrackingCase, TrackingFrame, mota, pairs_of
from mm_fusion.records import Int64

KEEP = 1e6  # what a pair of the frame before is worth: above all the others' of a frame together


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearScore:
    """The errors, and the two figures made of them."""

    labels: int
    hits: int
    misses: int
    false_alarms: int
    switches: int
    overlap: float  # sum over the hits

    @property
    def mota(self) -> float:
        """One less all errors over all labels; NaN without a label."""
        return mota(self.labels, self.misses, self.false_alarms, self.switches)

    @property
    def motp(self) -> float:
        """Mean overlap of the hits; NaN without a hit."""
        return self.overlap / self.hits if self.hits else float("nan")


def clear_mot(case: TrackingCase, iou: float) -> ClearScore:
    """Score every track of a case; results must overlap their labels by at least `iou`."""
    hits = misses = false_alarms = switches = 0
    overlap = 0.0
    newest: dict[int, int] = {}  # trajectory -> track that met it last
    before: dict[int, int] = {}  # the same of the frame before alone
    for frame in case.frames:
        rows, columns = _pairs(frame, before, iou)
        before = dict(zip(frame.labels[rows].tolist(), frame.tracks[columns].tolist(), strict=True))
        counted = ~frame.ignored[rows]
        for label, track in zip(
            frame.labels[rows][counted].tolist(),
            frame.tracks[columns][counted].tolist(),
            strict=True,
        ):
            switches += newest.get(label, track) != track
            newest[label] = track
        hits += int(counted.sum())
        misses += int((~frame.ignored).sum() - counted.sum())
        false_alarms += int((~np.delete(frame.excused, columns)).sum())
        overlap += float(frame.overlap[rows, columns][counted].sum())
    return ClearScore(
        labels=hits + misses,
        hits=hits,
        misses=misses,
        false_alarms=false_alarms,
        switches=switches,
        overlap=overlap,
    )


def _pairs(frame: TrackingFrame, before: dict[int, int], iou: float) -> tuple[Int64, Int64]:
    """Return the rows and columns of pairs; those of the frame before first, where they hold."""
    last = np.array([before.get(label, -1) for label in frame.labels.tolist()], np.int64)
    same = last[:, None] == frame.tracks[None, :]  # (G, R)
    return pairs_of(frame.overlap, iou, favour=KEEP * same)
