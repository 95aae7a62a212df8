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

"""Detections to tracks in two stages: strong ones first, weak ones with what is left.

The stages are those of Zhang et al., "ByteTrack", 2022. Axis letters: T tracks, D detections,
P pairs.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.config import TrackerConfig
from mm_fusion.objects import Objects
from mm_fusion.records import NS_PER_S, Float64, Int64
from mm_fusion.tracking.association import associate
from mm_fusion.tracking.tracks import Tracks

DRIFT_MPS = 2.0  # how fast what is not seen may leave its prediction


def match(
    tracks: Tracks,
    detected: Objects,
    measured: Float64,
    noises: Float64,
    stamp_ns: int,
    config: TrackerConfig,
) -> tuple[Int64, Int64]:
    """Pair detections with tracks that were predicted to their stamp.

    Args:
        tracks: (T,) at `stamp_ns`.
        detected: (D,) in the map.
        measured: (D, 4) x, y, vx, vy of the detections.
        noises: (D, 4, 4) their covariances.
        stamp_ns: of the detections.
        config: gate and reach, the cost of unlike sizes, and what is a strong detection.

    Returns:
        rows of tracks and of detections, paired, each (P,).
    """
    reach_m = config.reach_m + DRIFT_MPS * (stamp_ns - tracks.seen_ns) / NS_PER_S

    def pair(rows: Int64, some: Int64) -> tuple[Int64, Int64]:
        matched, used = associate(
            tracks.states[rows, :2],
            tracks.covariances[rows, :2, :2],
            measured[some, :2],
            noises[some, :2, :2],
            config.gate,
            reach_m=reach_m[rows],
            sizes_m=(tracks.objects.sizes_m[rows], detected.sizes_m[some]),
            size_cost=config.size_cost,
        )
        return rows[matched], some[used]

    strong = detected.scores >= config.birth_score
    rows, used = pair(np.arange(len(tracks)), np.flatnonzero(strong))
    left = np.setdiff1d(np.arange(len(tracks)), rows)
    more, weak = pair(left, np.flatnonzero(~strong))
    return np.concatenate([rows, more]), np.concatenate([used, weak])
