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

"""One stream's records, in the order of their stamps, for as long as they may matter."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import replace
from statistics import median

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.records import NS_PER_S, FramedRecord
from mm_fusion.sync.stats import StreamStats

PERIODS_KEPT = 8  # of which the median is taken
MISSED_PERIODS = 2.5  # a slow stream is silent only after this many of its periods


class Stream:
    """A sorted buffer, with the tolerance and the offset of its sensor."""

    def __init__(self, sensor: SensorConfig, config: SyncConfig) -> None:
        self.name = sensor.name
        self.kind = sensor.kind
        self.required = sensor.required
        self.tolerance_ns = round((sensor.tolerance_s or config.tolerance_s) * NS_PER_S)
        self.stats = StreamStats()
        self._offset_ns = round(sensor.offset_s * NS_PER_S)
        self._silence_ns = round(config.silence_s * NS_PER_S)
        self.clear()

    def clear(self) -> None:
        """Forget every record; the counters stay."""
        self._stamps: list[int] = []
        self._records: dict[int, FramedRecord] = {}
        self._used: set[int] = set()
        self._periods: deque[int] = deque(maxlen=PERIODS_KEPT)
        self.newest_ns: int | None = None
        self.heard_ns: int | None = None  # activity time of its last record

    def corrected(self, record: FramedRecord) -> FramedRecord:
        """Return the record with the sensor's offset taken out of its stamp."""
        if not self._offset_ns:
            return record
        return replace(record, stamp_ns=record.stamp_ns - self._offset_ns)

    def add(self, record: FramedRecord, activity_ns: int) -> None:
        """Take one record; a second one of the same stamp is dropped."""
        self.heard_ns = activity_ns
        if record.stamp_ns in self._records:
            self.stats.dropped["duplicate"] += 1
            return
        insort(self._stamps, record.stamp_ns)
        self._records[record.stamp_ns] = record
        if self.newest_ns is None or record.stamp_ns > self.newest_ns:
            if self.newest_ns is not None:
                self._periods.append(record.stamp_ns - self.newest_ns)
            self.newest_ns = record.stamp_ns

    def is_alive(self, activity_ns: int) -> bool:
        """Tell whether it spoke recently, by the activity of all streams and its own pace."""
        if self.heard_ns is None:
            return False
        slow_ns = MISSED_PERIODS * median(self._periods) if len(self._periods) > 2 else 0
        limit_ns = max(self._silence_ns, min(slow_ns, 10 * self._silence_ns))
        return activity_ns - self.heard_ns <= limit_ns

    @property
    def rate_hz(self) -> float:
        """Its rate by the median period of its stamps; NaN before the third record."""
        if len(self._periods) < 2:
            return float("nan")
        return NS_PER_S / max(median(self._periods), 1)

    def first_after(self, stamp_ns: int) -> FramedRecord | None:
        """Return the oldest record later than the stamp."""
        index = bisect_left(self._stamps, stamp_ns + 1)
        return self._records[self._stamps[index]] if index < len(self._stamps) else None

    def nearest(self, stamp_ns: int) -> FramedRecord | None:
        """Return the record nearest to the stamp, the older of two equally near."""
        index = bisect_left(self._stamps, stamp_ns)
        around = self._stamps[max(index - 1, 0) : index + 1]
        if not around:
            return None
        return self._records[min(around, key=lambda s: abs(s - stamp_ns))]

    def has_settled(self, stamp_ns: int) -> bool:
        """Tell whether no record nearer to the stamp can still come, given stamps in order."""
        return self.newest_ns is not None and self.newest_ns >= stamp_ns

    def use(self, record: FramedRecord) -> None:
        """Note that a record went into a frame; it may serve the next one too."""
        if record.stamp_ns not in self._used:
            self._used.add(record.stamp_ns)
            self.stats.used += 1

    def forget_before(self, stamp_ns: int, reason: str) -> None:
        """Let go of records older than the stamp; those never used count as dropped."""
        count = bisect_left(self._stamps, stamp_ns)
        for stamp in self._stamps[:count]:
            self._drop(stamp, reason)
        del self._stamps[:count]

    def forget_all(self, reason: str) -> None:
        """Let go of every record."""
        for stamp in self._stamps:
            self._drop(stamp, reason)
        self.clear()

    @property
    def buffered(self) -> int:
        """Records held that were not used yet."""
        return len(self._stamps) - len(self._used)

    def _drop(self, stamp_ns: int, reason: str) -> None:
        del self._records[stamp_ns]
        if stamp_ns in self._used:
            self._used.discard(stamp_ns)
        else:
            self.stats.dropped[reason] += 1
