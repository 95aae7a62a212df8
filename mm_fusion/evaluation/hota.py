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

"""HOTA: how well tracks detect and how well they associate, weighed alike.

Source: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV
2021, and its public evaluation. Similarity is the overlap of volumes. Labels that are ignored,
results that meet one of them and excused results that meet nothing are taken out before.

Axis letters: G labels, R results of a frame; T trajectories, U tracks, P pairs, A thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from mm_fusion.evaluation.mot_kitti import TrackingCase, TrackingFrame, frame_with, pairs_of
from mm_fusion.records import Float64, Int64

ALPHAS = np.arange(1, 20) / 20  # 0.05 to 0.95
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class HotaScore:
    """Means over the thresholds; NaN where there is neither label nor result."""

    hota: float
    detection: float  # DetA
    association: float  # AssA


def hota(case: TrackingCase, iou: float) -> HotaScore:
    """Score every track of a case.

    Args:
        case: what to score.
        iou: a result that overlaps an ignored label by at least this is taken out with it.
    """
    frames = [_counted(frame, iou) for frame in case.frames]
    lives = _lives(frame.labels for frame in frames), _lives(frame.tracks for frame in frames)
    labels, results = (int(life.sum()) for life in lives)
    trajectory, track, overlap = _pairs(frames, _alignment(frames, *lives))
    scores = []
    for alpha in ALPHAS:
        met = overlap >= alpha - ROUNDING
        hits = int(met.sum())
        together = np.column_stack([trajectory[met], track[met]])
        pairs, times = np.unique(together, axis=0, return_counts=True)
        ever = lives[0][pairs[:, 0]] + lives[1][pairs[:, 1]] - times
        association = float((times * times / ever).sum()) / max(hits, 1)
        scores.append((hits / max(labels + results - hits, 1), association))
    detection, association = np.array(scores).T  # (A,)
    some = 1.0 if labels + results else float("nan")
    return HotaScore(
        hota=some * float(np.sqrt(detection * association).mean()),
        detection=some * float(detection.mean()),
        association=some * float(association.mean()),
    )


def _counted(frame: TrackingFrame, iou: float) -> TrackingFrame:
    rows, columns = pairs_of(frame.overlap, iou)
    results = ~frame.excused
    results[columns] = ~frame.ignored[rows]
    return frame_with(frame, results=results, labels=~frame.ignored)


def _lives(indices: Iterable[Int64]) -> Int64:
    """Return how many frames each trajectory or track is in."""
    return np.bincount(np.concatenate([np.zeros(0, np.int64), *indices]), minlength=1)


def _alignment(frames: Sequence[TrackingFrame], labels: Int64, tracks: Int64) -> Float64:
    """Return how much of their lives trajectories and tracks could be together (T, U)."""
    shared = np.zeros((len(labels), len(tracks)))
    for frame in frames:
        overlap = frame.overlap  # (G, R)
        either = overlap.sum(axis=0)[None, :] + overlap.sum(axis=1)[:, None] - overlap
        share = np.divide(overlap, either, out=np.zeros_like(overlap), where=overlap > 0)
        shared[frame.labels[:, None], frame.tracks[None, :]] += share
    return np.asarray(shared / np.maximum(labels[:, None] + tracks[None, :] - shared, 1))


def _pairs(frames: Sequence[TrackingFrame], alignment: Float64) -> tuple[Int64, Int64, Float64]:
    """Pair labels with results; return trajectory, track and overlap (P,) of every pair."""
    trajectories, tracks, overlaps = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in frames:
        worth = alignment[frame.labels[:, None], frame.tracks[None, :]] * frame.overlap
        rows, columns = linear_sum_assignment(-worth)
        trajectories.append(frame.labels[rows])
        tracks.append(frame.tracks[columns])
        overlaps.append(frame.overlap[rows, columns])
    return np.concatenate(trajectories), np.concatenate(tracks), np.concatenate(overlaps)
