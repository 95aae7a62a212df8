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

"""Which detection found which object: greedy by score, nearest first, as nuScenes does.

Source: Caesar et al., "nuScenes: A multimodal dataset for autonomous driving", CVPR 2020,
section 3.1: a match is the distance of centres on the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_fusion.objects import Objects
from mm_fusion.records import Bool, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredFrame:
    """One frame's detections beside the truth, all in the ego frame."""

    token: str
    stamp_ns: int
    detections: Objects
    truth: Objects
    counted: Bool  # (K,) of truth: False where neither a hit nor a miss counts
    ignored: Objects  # objects of no scored class: who finds them is neither right nor wrong
    excused: Bool  # (D,) of detections: lies where nothing was labelled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matches:
    """All detections of all frames, best first, and what each of them was."""

    scores: Float64  # (D,)
    hit: Bool  # (D,) it found a counted object
    frame: Int64  # (D,) index into the frames
    detection: Int64  # (D,) row of the frame's detections
    truth: Int64  # (D,) row of the frame's truth, -1 where not a hit
    objects: int  # counted objects there were

    @property
    def precision(self) -> float:
        """Hits among the detections; NaN where there are none."""
        return float(self.hit.mean()) if len(self.hit) else float("nan")

    @property
    def recall(self) -> float:
        """Counted objects that were found; NaN where there are none."""
        return float(self.hit.sum() / self.objects) if self.objects else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        hits = float(self.hit.sum())
        total = len(self.hit) + self.objects
        return 2 * hits / total if total else float("nan")


def match(
    frames: Sequence[ScoredFrame], distance_m: float, label: int | None, *, as_any: bool = False
) -> Matches:
    """Match detections to truth within `distance_m` on the ground.

    A detection that falls on an object that does not count, or into an ignored region, is left
    out: neither hit nor false alarm.

    Args:
        frames: what to match.
        distance_m: largest distance of two centres.
        label: class of the truth, and of the detections unless `as_any`; None: every class.
        as_any: take detections of every class for finding objects of `label`.
    """
    rows: list[tuple[float, bool, int, int, int]] = []
    objects = 0
    for index, frame in enumerate(frames):
        wanted = (
            np.ones(len(frame.truth), np.bool_) if label is None else (frame.truth.labels == label)
        )
        objects += int((wanted & frame.counted).sum())
        rows += _match_frame(index, frame, wanted, distance_m, None if as_any else label)
    rows.sort(key=lambda row: (-row[0], row[2], row[3]))
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return Matches(
        scores=np.array(columns[0], np.float64),
        hit=np.array(columns[1], np.bool_),
        frame=np.array(columns[2], np.int64),
        detection=np.array(columns[3], np.int64),
        truth=np.array(columns[4], np.int64),
        objects=objects,
    )


def _match_frame(
    index: int, frame: ScoredFrame, wanted: Bool, distance_m: float, label: int | None
) -> list[tuple[float, bool, int, int, int]]:
    found = frame.detections
    order = np.argsort(-found.scores, kind="stable")
    if label is not None:
        order = order[found.labels[order] == label]
    distance = distances(found, frame.truth)
    distance[:, ~wanted] = np.inf
    near_ignored = np.asarray((distances(found, frame.ignored) <= distance_m).any(axis=1))
    rows = []
    for detection in order:
        nearest = int(distance[detection].argmin()) if distance.shape[1] else -1
        if nearest >= 0 and distance[detection, nearest] <= distance_m:
            distance[:, nearest] = np.inf
            if frame.counted[nearest]:
                rows.append((found.scores[detection], True, index, int(detection), nearest))
        elif not (near_ignored[detection] or frame.excused[detection]):
            rows.append((found.scores[detection], False, index, int(detection), -1))
    return rows


def distances(a: Objects, b: Objects) -> Float64:
    """Return the distances (A, B) of the centres on the ground, m."""
    return np.asarray(
        np.linalg.norm(a.centers_ego[:, None, :2] - b.centers_ego[None, :, :2], axis=2)
    )
