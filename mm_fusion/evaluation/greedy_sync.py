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

"""Greedy matching within a slop, which most vehicles run: what the bench compares with.

The algorithm of the ROS package message_filters in Python, as its behaviour is published: every
topic keeps its newest messages; with each that comes, all of the others' within the slop of it are
tried, nearest first, and the first set whose stamps lie within the slop of each other goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from mm_fusion.records import NS_PER_S, FramedRecord

MOST_SETS = 20_000  # tried for one message before the bench calls it stuck


class GreedySynchronizer:
    """Gives a set only if every stream is in it."""

    def __init__(self, streams: Sequence[str], *, queue: int, slop_s: float) -> None:
        """Keep `queue` records of each stream, and call sets within `slop_s` one moment."""
        self._kept: dict[str, dict[int, FramedRecord]] = {name: {} for name in streams}
        self._queue, self._slop_ns = queue, round(slop_s * NS_PER_S)
        self.stuck = 0  # records for which the sets to try were too many

    def add(self, stream: str, record: FramedRecord) -> list[dict[str, FramedRecord]]:
        """Take one record and return the set it completes, if any."""
        mine = self._kept[stream]
        mine[record.stamp_ns] = record
        while len(mine) > self._queue:
            del mine[min(mine)]
        near = []
        for name, kept in self._kept.items():
            stamps = [record.stamp_ns] if name == stream else list(kept)
            away = sorted((abs(t - record.stamp_ns), t) for t in stamps)
            near.append([t for distance, t in away if distance <= self._slop_ns])
            if not near[-1]:
                return []
        for tried, chosen in enumerate(product(*near)):
            if tried >= MOST_SETS:
                self.stuck += 1
                return []
            if max(chosen) - min(chosen) < self._slop_ns:
                pairs = zip(self._kept, chosen, strict=True)
                return [{name: self._kept[name].pop(stamp) for name, stamp in pairs}]
        return []
