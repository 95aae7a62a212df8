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

"""One stream's records in the order of their stamps, and what is known of the stream."""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections import deque
from itertools import pairwise

from mm_fusion.config import SensorConfig
from mm_fusion.records import NS_PER_S, FramedRecord
from mm_fusion.sync.stats import (
    CLOCK_DIFFERS,
    CLOCK_RESET,
    DUPLICATE,
    EXPIRED,
    LATE,
    UNMATCHED,
    StreamStats,
)

RATE_STAMPS = 33  # newest stamps the rate is estimated from


class Stream:
    """The buffer of one camera, LiDAR or radar; stamps here have the sensor's offset taken out.

    Every record that leaves the buffer without having been in a frame is counted by reason.
    """

    __slots__ = (
        "behind",
        "calm_ns",
        "heard_active_ns",
        "heard_ns",
        "jumped",
        "kind",
        "name",
        "newest_ns",
        "offset_ns",
        "rank",
        "recent",
        "records",
        "required",
        "stamps",
        "stats",
        "stray_ahead_ns",
        "strays",
        "tolerance_ns",
        "used",
    )

    def __init__(self, sensor: SensorConfig, stats: StreamStats) -> None:
        self.name, self.kind = sensor.name, sensor.kind
        self.rank = 0  # place in the order of references; the synchroniser's to set
        self.required = sensor.required
        self.offset_ns = round(sensor.offset_s * NS_PER_S)
        self.tolerance_ns = 0  # the synchroniser's to set
        self.stats = stats
        self.stamps: list[int] = []
        self.records: list[FramedRecord] = []
        self.used: list[bool] = []  # taken into a frame already
        self.recent: deque[int] = deque(maxlen=RATE_STAMPS)
        self.newest_ns: int | None = None  # newest stamp that fits the other streams
        self.heard_ns: int | None = None  # stream time when it last spoke
        self.heard_active_ns: int | None = None  # the same on the clock of activity
        self.behind = 0  # records in a row not newer than its newest
        # Records whose stamps do not fit the other streams', held until that is decided:
        self.strays: list[tuple[int, int, FramedRecord]] = []  # arrival number, stamp, record
        self.stray_ahead_ns = 0  # of the last of them, against stream time when it came
        self.jumped = False  # it fitted before the first of them
        self.calm_ns = 0  # since this stray stamp nobody has contradicted

    def drop(self, reason: str, count: int = 1) -> None:
        """Count records that no frame will hold."""
        if count:
            self.stats.dropped[reason] += count

    def insert(self, stamp_ns: int, record: FramedRecord, done_ns: int, buffer_ns: int) -> bool:
        """Take a record into the buffer, in order of stamps, unless it can no longer matter.

        Args:
            stamp_ns: its stamp, the offset taken out.
            record: the record.
            done_ns: stamp of the last frame.
            buffer_ns: span of stamps to keep.
        """
        if self.newest_ns is None or stamp_ns > self.newest_ns:
            self.newest_ns, self.behind = stamp_ns, 0
            self.recent.append(stamp_ns)
            at = len(self.stamps)
        else:
            self.behind += 1
            at = bisect_right(self.stamps, stamp_ns)
            if at and self.stamps[at - 1] == stamp_ns:
                self.drop(DUPLICATE)
                return False
            if at < len(self.stamps) and self.stamps[at] <= done_ns:
                self.drop(LATE)
                return False
        self.stamps.insert(at, stamp_ns)
        self.records.insert(at, record)
        self.used.insert(at, False)
        if self.stamps[0] < self.newest_ns - buffer_ns:
            self._forget(bisect_left(self.stamps, self.newest_ns - buffer_ns), EXPIRED)
        return True

    def nearest(self, stamp_ns: int) -> int:
        """Return the index of the record nearest to a stamp, the older of two; -1 if empty."""
        at = bisect_left(self.stamps, stamp_ns)
        if at == len(self.stamps) or (
            at and stamp_ns - self.stamps[at - 1] <= self.stamps[at] - stamp_ns
        ):
            return at - 1
        return at

    def take(self, at: int) -> FramedRecord:
        """Return a record for a frame; it stays, for a slow stream's record may serve two."""
        if not self.used[at]:
            self.used[at] = True
            self.stats.used += 1
        return self.records[at]

    def finish(self, stamp_ns: int) -> None:
        """Forget what no frame later than `stamp_ns` can be nearest to."""
        past = bisect_right(self.stamps, stamp_ns) - 1
        if past > 0:
            self._forget(past, UNMATCHED)

    def clear(self) -> None:
        """Forget all, the clock having been reset."""
        self._forget(len(self.stamps), CLOCK_RESET)
        self.newest_ns, self.behind = None, 0
        self.recent.clear()

    def forsake_strays(self, keep_from_ns: int | None = None) -> None:
        """Drop the held records that did not fit; those from `keep_from_ns` on stay."""
        kept = [s for s in self.strays if keep_from_ns is not None and s[1] >= keep_from_ns]
        self.drop(CLOCK_DIFFERS, len(self.strays) - len(kept))
        self.strays = kept

    @property
    def waiting(self) -> int:
        """Records that may still be taken into a frame for the first time."""
        return self.used.count(False) + len(self.strays)

    def rate_and_jitter(self) -> tuple[float, float]:
        """Return the rate (Hz) and the median deviation of its steps (s); zeros if unknown."""
        steps = [later - earlier for earlier, later in pairwise(sorted(self.recent))]
        if not steps:
            return 0.0, 0.0
        step = statistics.median(steps)
        jitter = statistics.median(abs(s - step) for s in steps)
        return NS_PER_S / step, jitter / NS_PER_S

    def _forget(self, count: int, reason: str) -> None:
        self.drop(reason, self.used[:count].count(False))
        del self.stamps[:count], self.records[:count], self.used[:count]
