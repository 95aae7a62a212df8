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

"""What the node knows of itself: how long things take, what was lost, what was said.

The only place that reads the performance counter.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from mm_fusion.objects import FusionResult
from mm_fusion.records import Int64, SensorFrame

FINEST_MS = 0.01
COARSEST_MS = 100_000.0
STEP = 1.005  # width of a bin, so a quantile is right within 0.25 %
REMEMBERED = 512  # arrivals kept of each stream


def steady_ns() -> int:
    """Return a steady clock's reading, for differences only."""
    return time.perf_counter_ns()


class Spread:
    """The distribution of a duration, in bounded memory however long the node runs."""

    def __init__(self) -> None:
        bins = math.ceil(math.log(COARSEST_MS / FINEST_MS) / math.log(STEP))
        self._counts: Int64 = np.zeros(bins + 1, np.int64)
        self.count = 0
        self.max_ms = 0.0

    def note(self, duration_ms: float) -> None:
        """Count one duration."""
        within = min(max(duration_ms, FINEST_MS), COARSEST_MS)
        self._counts[int(math.log(within / FINEST_MS) / math.log(STEP))] += 1
        self.count += 1
        self.max_ms = max(self.max_ms, duration_ms)

    def quantile_ms(self, share: float) -> float:
        """Return the duration that this share of all does not exceed; NaN while there is none."""
        if not self.count:
            return math.nan
        rank = max(math.ceil(share * self.count), 1)
        found = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(FINEST_MS * STEP ** (found + 0.5), self.max_ms)

    def values(self, shares: Iterable[float] = (0.5, 0.95)) -> dict[str, str]:
        """Return the figures as diagnostics show them."""
        figures = {f"p{share * 100:.0f}_ms": self.quantile_ms(share) for share in shares}
        figures["max_ms"] = self.max_ms if self.count else math.nan
        return {name: f"{figure:.2f}" for name, figure in figures.items()}


class StageClock:
    """Times the stages of the pipeline by name; call it to enter one."""

    def __init__(self) -> None:
        self.spreads: dict[str, Spread] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the block."""
        began_ns = steady_ns()
        try:
            yield
        finally:
            elapsed_ms = (steady_ns() - began_ns) / 1e6
            if name not in self.spreads:
                self.spreads = {**self.spreads, name: Spread()}  # others read it meanwhile
            self.spreads[name].note(elapsed_ms)


class Arrivals:
    """When each record came, until its frame goes out."""

    def __init__(self) -> None:
        self._by_stream: dict[str, OrderedDict[int, int]] = {}

    def note(self, stream: str, stamp_ns: int, arrived_ns: int) -> None:
        """Remember when the record of a stamp came."""
        known = self._by_stream.setdefault(stream, OrderedDict())
        known[stamp_ns] = arrived_ns
        known.move_to_end(stamp_ns)
        if len(known) > REMEMBERED:
            known.popitem(last=False)

    def last_of(self, frame: SensorFrame) -> int | None:
        """Return when the last of a frame's records came; None if that is not known."""
        came = (
            self._by_stream.get(stream, OrderedDict()).get(record.stamp_ns)
            for stream, record in frame.records.items()
        )
        return max((ns for ns in came if ns is not None), default=None)


@dataclass(slots=True, kw_only=True)
class SensorHealth:
    """What is known of one sensor's messages."""

    topic: str  # as it is resolved
    msgtype: str = ""  # empty: nobody publishes
    trouble: str = ""  # why nothing can be received, in a sentence; empty: nothing wrong
    received: int = 0
    decoded: int = 0
    lost: Counter[str] = field(default_factory=Counter)  # reason -> messages
    last_error: str = ""  # of the newest message, if it could not be decoded
    fault: str = ""  # why the newest message, though decoded, is of no use
    remark: str = ""  # what the newest message lacks, though it is of use
    arrived_ns: int = 0  # of the newest message; 0: none yet
    intervals_s: list[float] = field(default_factory=list)

    def note_message(self, now_ns: int) -> None:
        """Count a message that arrived now."""
        if self.received:
            self.intervals_s = [*self.intervals_s[-19:], (now_ns - self.arrived_ns) / 1e9]
        self.received += 1
        self.arrived_ns = now_ns

    @property
    def rate_hz(self) -> float:
        """The rate of the last twenty messages."""
        total_s = sum(self.intervals_s)
        return len(self.intervals_s) / total_s if total_s > 0 else 0.0

    def age_s(self, now_ns: int) -> float:
        """How long ago the newest message came; infinite if none did."""
        return (now_ns - self.arrived_ns) / 1e9 if self.received else math.inf


class PipelineHealth:
    """What came out of the pipeline since activation."""

    def __init__(self) -> None:
        self.latency = Spread()  # from the last input's arrival to publication
        self.answered = 0
        self.complete = 0
        self.dropped = 0
        self.errors = 0
        self.last_error = ""
        self.failing = False  # the newest frame could not be processed
        self.reference = ""
        self.detector = ""
        self.notes: tuple[str, ...] = ()
        self.missing: Mapping[str, str] = {}
        self.answered_ns = steady_ns()
        self.predicted_ms = 0.0  # from a frame to the stamp its objects are published with
        self.unpredicted = ""  # why none are published

    def note_result(self, result: FusionResult, arrived_ns: int | None) -> None:
        """Count a frame that has just been published."""
        self.answered_ns = steady_ns()
        if arrived_ns is not None:
            self.latency.note((self.answered_ns - arrived_ns) / 1e6)
        self.answered += 1
        self.complete += not result.missing
        self.failing = False
        self.reference, self.notes, self.missing = result.reference, result.notes, result.missing
        self.detector = result.detector

    def note_error(self, error: Exception) -> None:
        """Count a frame that could not be processed."""
        self.errors += 1
        self.failing = True
        self.last_error = f"{type(error).__name__}: {error}"
