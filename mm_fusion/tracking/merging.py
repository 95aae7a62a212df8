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

"""Two tracks of one object become one: road users do not stand inside each other.

Axis letters: T tracks, P pairs.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mm_fusion.objects import UNKNOWN
from mm_fusion.records import Bool, Int64
from mm_fusion.tracking.tracks import Tracks

SPEED_GATE = 9.0  # squared deviations from which two velocities are those of two objects


def merge(tracks: Tracks, stamp_ns: int) -> Bool:
    """Give the history of a track to the one that took its detection; tell which rows stay (T,).

    A track not detected at `stamp_ns` ends if its centre lies in the box of one that was, of the
    same class and velocity as far as both are known. The one that goes on has the older id.
    """
    stay = np.ones(len(tracks), np.bool_)
    seen = tracks.seen_ns == stamp_ns
    idle, heirs = np.flatnonzero(~seen), np.flatnonzero(seen)
    if not len(idle) or not len(heirs):
        return stay
    reach_m = np.hypot(*tracks.objects.sizes_m[heirs, :2].T).max() / 2
    near = cKDTree(tracks.states[heirs, :2]).query_ball_point(tracks.states[idle, :2], reach_m)
    counts = [len(some) for some in near]
    first = np.repeat(idle, counts)
    second = heirs[np.concatenate([np.asarray(some, np.int64) for some in near])]
    same = _same(tracks, first, second)
    for old, heir in zip(first[same].tolist(), second[same].tolist(), strict=True):
        if stay[old]:
            stay[old] = False
            _inherit(tracks, heir, old)
    return stay


def _same(tracks: Tracks, first: Int64, second: Int64) -> Bool:
    """Tell which pairs (P,) are one object: the centre of the first in the box of the second."""
    away = tracks.states[first, :2] - tracks.states[second, :2]
    yaw = tracks.objects.yaws_rad[second]
    ahead = np.abs(away[:, 0] * np.cos(yaw) + away[:, 1] * np.sin(yaw))
    aside = np.abs(away[:, 1] * np.cos(yaw) - away[:, 0] * np.sin(yaw))
    half = tracks.objects.sizes_m[second] / 2
    inside = (ahead <= half[:, 0]) & (aside <= half[:, 1])
    labels = tracks.labels
    alike = (labels[first] == labels[second]) | (labels[first] == UNKNOWN)
    alike |= labels[second] == UNKNOWN
    difference = tracks.states[first, 2:4] - tracks.states[second, 2:4]
    spread = tracks.covariances[first, 2:4, 2:4] + tracks.covariances[second, 2:4, 2:4]
    solved = np.linalg.solve(spread, difference[..., None])[..., 0]
    return np.asarray(inside & alike & (np.einsum("pi,pi->p", difference, solved) <= SPEED_GATE))


def _inherit(tracks: Tracks, heir: int, old: int) -> None:
    ids = tracks.objects.ids
    ids[heir] = min(ids[heir], ids[old])
    tracks.votes[heir] += tracks.votes[old]
    tracks.hits[heir] += tracks.hits[old]
    tracks.existence[heir] = max(tracks.existence[heir], tracks.existence[old])
    tracks.confirmed[heir] |= tracks.confirmed[old]
