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


"""What a player is told and what it tells: options, report, and being asked to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """How to play."""

    rate: float = 1.0
    loop: bool = False
    topics: tuple[str, ...] = ()  # only these; empty: all
    wait_for: tuple[str, ...] = ()  # begin when each of these topics has a subscriber
    wait_count: int = 0  # and there are so many subscriptions in all
    wait_s: float = 30.0  # but no later than this


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayReport:
    """What was played, and how well the pace was kept."""

    messages: Mapping[str, int]  # topic -> published
    megabytes: float
    duration_s: float  # wall time from the first message to the last
    turns: int  # times through the bag, the last one perhaps not to its end
    lag_p95_s: float  # how much later than due messages went out
    lag_max_s: float
    cpu_s: float  # of this process while playing, reading and publishing
    stopped: bool = False  # by a signal
    acknowledged: bool = True  # every reliable subscriber has everything
    skipped: Mapping[str, str] = field(default_factory=dict)  # topic -> why

    def __str__(self) -> str:
        speed = self.megabytes / self.duration_s if self.duration_s else 0.0
        return (
            f"played {sum(self.messages.values())} messages on {len(self.messages)} topics in "
            f"{self.duration_s:.1f} s ({speed:.1f} MB/s), lag p95 {self.lag_p95_s * 1e3:.1f} ms, "
            f"max {self.lag_max_s * 1e3:.1f} ms"
        )


class Stop:
    """Turns SIGINT and SIGTERM into a flag, so that what runs can end cleanly."""

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, *_: object) -> None:
        self.asked = True

    @contextmanager
    def on_signals(self) -> Iterator[Stop]:
        """Listen to signals inside the block; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class PlayBar:
    """Shows position and lag on a terminal, and nothing elsewhere."""

    def __init__(self, duration_s: float, rate: float, shown: bool) -> None:
        self._rate = rate
        self._bar: tqdm[Any] = tqdm(
            total=round(duration_s, 1),
            desc="playing",
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} s{postfix}",
            disable=not shown,
        )

    def close(self) -> None:
        """Leave the bar as it is, on a line of its own."""
        self._bar.close()

    def show(self, position_s: float, lag_s: float, lag_max_s: float, turn: int) -> None:
        """Draw, where a tenth of a second has passed since the last time."""
        if self._bar.disable or abs(position_s - self._bar.n) < 0.1 * self._rate:
            return
        self._bar.n = position_s
        again = f", turn {turn + 1}" if turn else ""
        lag = f"lag {lag_s * 1e3:.0f} ms (max {lag_max_s * 1e3:.0f})"
        self._bar.set_postfix_str(f"rate {self._rate:g}, {lag}{again}", refresh=True)
