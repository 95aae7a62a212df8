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

"""Stream time: what the stamps of all streams together say the time is, and which lie.

A stamp fits if it lies at most `silence_s` ahead of the newest stamp of all, not `clock_jump_s`
behind the newest of its own stream, and within `buffer_s` of the newest of all. A record that does
not fit is held. The held ones become the new time when
- more than half of the living streams have jumped to them (a bag that loops, a pause of all), or
- nobody else has spoken for `silence_s` of their stamps, or
- the caller's clock agrees (`FrameSynchronizer.flush`);
it always takes two records, or one and that clock. Else they are dropped: one driver with a wrong
clock moves nobody but itself. Time that goes back is a reset; time that goes on is a gap.
"""

from __future__ import annotations

from collections.abc import Collection

from mm_fusion.config import SyncConfig
from mm_fusion.records import NS_PER_S, FramedRecord
from mm_fusion.sync.stream import Stream

BEHIND_ROWS = 4  # records in a row behind their stream's newest: it replays, it is not disorder


class StreamClock:
    """Keeps stream time, and the clock of activity by which a stream is alive or silent.

    The clock of activity follows stream time but steps by `silence_s / 2` at most: where nobody
    spoke for long (a sparse recording, a pause), nobody is to be called silent for it.
    """

    def __init__(self, config: SyncConfig, streams: Collection[Stream]) -> None:
        self._streams = streams
        self.retune(config)
        self.restart()
        self.active_ns = 0
        self.strayed: set[Stream] = set()  # streams with held records
        self._arrivals = 0

    def retune(self, config: SyncConfig) -> None:
        """Take over changed settings."""
        self.silence_ns = round(config.silence_s * NS_PER_S)
        self.buffer_ns = round(config.buffer_s * NS_PER_S)
        self._jump_ns = round(config.clock_jump_s * NS_PER_S)

    def restart(self) -> None:
        """Let the next record say what the time is."""
        self.newest_ns: int | None = None

    def fits(self, stream: Stream, stamp_ns: int) -> bool:
        """Tell whether a stamp fits the stream time and the stream's own."""
        if self.newest_ns is None:
            return True
        if stream.newest_ns is not None and (
            stamp_ns < stream.newest_ns - self._jump_ns
            or (stream.behind >= BEHIND_ROWS and stamp_ns <= stream.newest_ns)
        ):
            return False
        return self.newest_ns - self.buffer_ns <= stamp_ns <= self.newest_ns + self.silence_ns

    def hear(self, stream: Stream, stamp_ns: int) -> None:
        """Let time go on to a stamp that fits, or that was decided to."""
        if self.newest_ns is None:
            self.newest_ns = stamp_ns
        elif stamp_ns > self.newest_ns:
            self.active_ns += min(stamp_ns - self.newest_ns, self.silence_ns // 2)
            self.newest_ns = stamp_ns
        stream.heard_ns, stream.heard_active_ns = self.newest_ns, self.active_ns
        if self.strayed:
            self._contradict(stream)

    def lives(self, stream: Stream, extra_ns: int = 0) -> bool:
        """Tell whether a stream is alive: it spoke within `silence_s`, or may still begin to.

        At the start every stream is given that long, of which `extra_ns` of quiet are past.
        """
        if stream.heard_active_ns is None:
            return self.active_ns + extra_ns <= self.silence_ns
        return self.active_ns - stream.heard_active_ns <= self.silence_ns

    def hold(self, stream: Stream, stamp_ns: int, record: FramedRecord) -> list[Stream]:
        """Keep a record that does not fit; return the streams whose held ones are now the time."""
        if stream.strays and abs(stamp_ns - stream.strays[-1][1]) > self.buffer_ns:
            stream.forsake_strays()
        if not stream.strays:
            stream.calm_ns = stamp_ns
            stream.jumped = self._has_jumped(stream, stamp_ns)
        self._arrivals += 1
        stream.stray_ahead_ns = stamp_ns - (self.newest_ns or 0)
        stream.strays.append((self._arrivals, stamp_ns, record))
        stream.forsake_strays(keep_from_ns=stamp_ns - self.buffer_ns)
        self.strayed.add(stream)
        group = self._near(stamp_ns)
        return group if self._believed(group) else []

    def agreeing(self, now_ns: int) -> list[Stream]:
        """Return the streams whose held records agree with the caller's clock, unlike the rest."""
        if self.newest_ns is None or abs(now_ns - self.newest_ns) <= self.silence_ns:
            return []
        return [s for s in self.strayed if abs(s.strays[-1][1] - now_ns) <= self.silence_ns]

    def release(self, group: Collection[Stream]) -> list[tuple[int, Stream, int, FramedRecord]]:
        """Hand over the held records of some streams, in the order they came."""
        held = [(n, s, stamp, record) for s in group for n, stamp, record in s.strays]
        for stream in group:
            stream.strays = []
            self.strayed.discard(stream)
        return sorted(held, key=lambda row: row[0])

    def why_strange(self, stream: Stream) -> str:
        """Say how a stream's held stamps differ; empty if it holds none."""
        if not stream.strays:
            return ""
        ahead_s = stream.stray_ahead_ns / NS_PER_S
        side = "ahead of" if ahead_s > 0 else "behind"
        return f"its stamps are {abs(ahead_s):.1f} s {side} the other streams'"

    def _has_jumped(self, stream: Stream, stamp_ns: int) -> bool:
        """A stream that is merely slow, or new, has not jumped and has no vote."""
        if stream.newest_ns is None or self.newest_ns is None:
            return False
        return stamp_ns <= stream.newest_ns or stamp_ns > self.newest_ns

    def _near(self, stamp_ns: int) -> list[Stream]:
        return [s for s in self.strayed if abs(s.strays[-1][1] - stamp_ns) <= self.buffer_ns]

    def _believed(self, group: list[Stream]) -> bool:
        if sum(len(stream.strays) for stream in group) < 2:
            return False
        voters = {stream for stream in group if stream.jumped}
        living = {s for s in self._streams if s.heard_ns is not None and self.lives(s)}
        if 2 * len(voters) > len(living | voters):
            return True
        newest_ns = max(stream.strays[-1][1] for stream in group)
        return newest_ns - min(s.calm_ns for s in group) >= self.silence_ns

    def _contradict(self, stream: Stream) -> None:
        """Note that a stream spoke in the present time, against those that do not."""
        if stream.strays:
            stream.forsake_strays()
            self.strayed.discard(stream)
        for other in self.strayed:
            other.calm_ns = other.strays[-1][1]
