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

"""Frames of detections and truth as a case of tracking: what is near on the ground overlaps.

Similarity falls from 1 at the truth's centre to 0.5 at the distance that still counts as found, and
on to 0 at twice that, so that scores of overlap serve for distances as well.

Axis letters: G labels, R results of a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.matching import ScoredFrame, distances
from mm_fusion.evaluation.mot_kitti import TrackingCase, TrackingFrame
from mm_fusion.objects import UNTRACKED
from mm_fusion.records import Bool, Float64, Int64

FOUND = 0.5  # similarity at the distance that still counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedCase:
    """A case of tracking by distance, and the rows of its frames it was made from."""

    case: TrackingCase
    distance_m: float  # centres this close are found
    stamps_s: Float64  # (F,) of the frames
    truth_rows: tuple[Int64, ...]  # a frame's labels (G,) in its truth
    result_rows: tuple[Int64, ...]  # a frame's results (R,) in its detections

    def apart_m(self, similarity: Float64) -> Float64:
        """Return the distances that similarities above 0 stand for."""
        return np.asarray((1 - similarity) * 2 * self.distance_m)


def placed_case(frames: Sequence[ScoredFrame], label: int | None, distance_m: float) -> PlacedCase:
    """Make a case of one class, or of all of them together where `label` is None.

    Detections without an id are left out: they belong to no track.

    Args:
        frames: in the order of time; ids of truth and detections hold through all of them.
        label: index of the class in truth and detections.
        distance_m: of two centres on the ground.
    """
    truths = tuple(_rows(frame.truth.labels, label) for frame in frames)
    results = tuple(
        _rows(np.where(frame.detections.ids == UNTRACKED, -1, frame.detections.labels), label)
        for frame in frames
    )
    trajectory = _Numbers()
    track = _Numbers()
    placed = tuple(
        TrackingFrame(
            labels=trajectory(frame.truth.ids[rows]),
            ignored=~frame.counted[rows],
            tracks=track(frame.detections.ids[found]),
            excused=_excused(frame, found, distance_m),
            overlap=_similarity(frame, rows, found, distance_m),
        )
        for frame, rows, found in zip(frames, truths, results, strict=True)
    )
    return PlacedCase(
        case=TrackingCase(
            sequences=(),
            left_out=(),
            frames=placed,
            scores=_mean_scores(frames, results, placed, len(track)),
        ),
        distance_m=distance_m,
        stamps_s=np.array([frame.stamp_ns / 1e9 for frame in frames]),
        truth_rows=truths,
        result_rows=results,
    )


class _Numbers(dict[int, int]):
    """Numbers ids from 0 in the order they come."""

    def __call__(self, ids: Int64) -> Int64:
        return np.array([self.setdefault(ident, len(self)) for ident in ids.tolist()], np.int64)


def _rows(labels: Int64, label: int | None) -> Int64:
    return np.flatnonzero(labels >= 0 if label is None else labels == label)


def _similarity(frame: ScoredFrame, rows: Int64, found: Int64, distance_m: float) -> Float64:
    apart_m = distances(frame.truth[rows], frame.detections[found])
    return np.asarray(np.clip(1 - apart_m / (2 * distance_m), 0.0, 1.0))


def _excused(frame: ScoredFrame, found: Int64, distance_m: float) -> Bool:
    near = distances(frame.detections[found], frame.ignored) <= distance_m
    return np.asarray(frame.excused[found] | near.any(axis=1))


def _mean_scores(
    frames: Sequence[ScoredFrame],
    results: Sequence[Int64],
    placed: Sequence[TrackingFrame],
    tracks: int,
) -> Float64:
    """Return the mean score of each track over its life."""
    track = np.concatenate([np.zeros(0, np.int64), *(frame.tracks for frame in placed)])
    parts = (f.detections.scores[rows] for f, rows in zip(frames, results, strict=True))
    scores = np.concatenate([np.zeros(0), *parts])
    return np.bincount(track, scores, tracks) / np.maximum(np.bincount(track, minlength=tracks), 1)
