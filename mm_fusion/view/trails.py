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

"""The way each track has come: its last seconds, on the map."""

from __future__ import annotations

import numpy as np

from mm_fusion.objects import UNTRACKED
from mm_fusion.records import NS_PER_S, Float64, Int64

LENGTH_S = 3.0


class Trails:
    """Remembers where each track was, in a frame that does not move.

    A track that is lost keeps its trail until that is older than the length.
    """

    def __init__(self, length_s: float = LENGTH_S) -> None:
        self._length_ns = round(length_s * NS_PER_S)
        self._newest_ns: int | None = None
        self._points: dict[int, list[tuple[int, Float64]]] = {}  # id -> stamps and (3,) m

    def add(self, stamp_ns: int, ids: Int64, points_map: Float64) -> None:
        """Take the tracks (K,) of one stamp and their centres (K, 3) m; forget what is too old.

        A stamp before the last one begins anew: a bag that was looped.
        """
        if self._newest_ns is not None and stamp_ns < self._newest_ns:
            self._points.clear()
        self._newest_ns = stamp_ns
        for ident, point in zip(ids.tolist(), points_map, strict=True):
            if ident != UNTRACKED:
                self._points.setdefault(ident, []).append((stamp_ns, np.array(point)))
        oldest_ns = stamp_ns - self._length_ns
        recent = {i: [p for p in way if p[0] >= oldest_ns] for i, way in self._points.items()}
        self._points = {ident: way for ident, way in recent.items() if way}

    def strips(self) -> dict[int, Float64]:
        """Return the points (P, 3) of every trail that has two or more, oldest first, by id."""
        return {
            ident: np.stack([point for _, point in way])
            for ident, way in sorted(self._points.items())
            if len(way) > 1
        }
