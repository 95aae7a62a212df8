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

"""The reference stream, and its records that wait to become frames."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from mm_fusion.config import SyncConfig
from mm_fusion.records import NS_PER_S
from mm_fusion.sync.clock import StreamClock
from mm_fusion.sync.stats import SyncStats
from mm_fusion.sync.stream import Stream

NEVER_NS = -(2**63)


@dataclass(order=True, slots=True)
class Anchor:
    """A record of the reference stream that waits for the others."""

    stamp_ns: int
    due_ns: int = field(compare=False)  # stream time from which it waits no longer
    stream: Stream = field(compare=False)


class AnchorQueue:
    """Chooses the reference stream and says which of its records is the next frame, and when."""

    def __init__(
        self, config: SyncConfig, clock: StreamClock, streams: Collection[Stream], stats: SyncStats
    ) -> None:
        self._clock, self._streams, self._stats = clock, streams, stats
        self.reference: Stream | None = None
        self.retune(config)
        self.clear()

    def retune(self, config: SyncConfig) -> None:
        """Take over changed settings."""
        self._deadline_ns = round(config.deadline_s * NS_PER_S)
        self._apart_ns = round(config.tolerance_s * NS_PER_S)
        self._eligible = [
            s for kind in config.reference_priority for s in self._streams if s.kind == kind
        ]
        for stream in self._streams:
            stream.rank = len(self._eligible)
        for rank, stream in enumerate(self._eligible):
            stream.rank = rank

    def clear(self) -> None:
        """Forget what waits, and the last frame's stamp; the reference stays."""
        self._queue: list[Anchor] = []
        self._watched: Anchor | None = None  # the first, once the streams it awaits are known
        self._awaited: set[Stream] = set()  # living streams that may bring a record nearer to it
        self.done_ns = NEVER_NS  # stamp of the last frame
        self._floor_ns = NEVER_NS  # anchors come later than this

    def take(self, source: Stream, stamp_ns: int) -> None:
        """Note a record that went into its stream's buffer."""
        if self._watched is not None and stamp_ns >= self._watched.stamp_ns:
            self._awaited.discard(source)
        reference = self.reference
        if source is reference:
            self._append(source, stamp_ns)
        elif reference is None or source.rank < reference.rank or not self._clock.lives(reference):
            self.choose_reference()

    def choose_reference(self, extra_ns: int = 0) -> None:
        """Anchor on the best living stream; `extra_ns` of quiet have passed since any spoke."""
        best = next((s for s in self._eligible if self._clock.lives(s, extra_ns)), None)
        if best is None or best is self.reference or not self._may_lead(best):
            return
        former, self.reference = self.reference, best
        self._stats.references.append((self._clock.newest_ns or 0, best.name))
        waiting = [t for t, used in zip(best.stamps, best.used, strict=True) if not used]
        if former is not None:
            self._floor_ns = max(self._floor_ns, self.done_ns + self._apart_ns)
            self._part(former, best, waiting)
        for stamp_ns in waiting:
            self._append(best, stamp_ns)

    def _may_lead(self, best: Stream) -> bool:
        """A better one takes over with a moment of its own, or when it lags too far to be matched.

        A record as near to the last frame as `tolerance_s` leaves the living reference its place.
        """
        present = self.reference
        if present is None or best.newest_ns is None or not self._clock.lives(present):
            return True
        return abs(best.newest_ns - self.done_ns) > self._apart_ns

    def ready(self, now_ns: int) -> Iterator[Anchor]:
        """Yield the anchors no nearer record can come for, or that are due, oldest first."""
        while self._queue:
            head = self._queue[0]
            if head is not self._watched:
                self._watch(head)
            if self._awaited and not self._is_due(head, now_ns):
                return
            yield self._pop()

    def drain(self) -> Iterator[Anchor]:
        """Yield all that wait, oldest first."""
        while self._queue:
            yield self._pop()

    def _pop(self) -> Anchor:
        self._watched = None
        anchor = self._queue.pop(0)
        self.done_ns = anchor.stamp_ns
        return anchor

    def _append(self, source: Stream, stamp_ns: int) -> None:
        if stamp_ns > self._floor_ns and stamp_ns > self.done_ns:
            due_ns = max(stamp_ns, self._clock.newest_ns or stamp_ns) + self._deadline_ns
            insort(self._queue, Anchor(stamp_ns, due_ns, source))

    def _part(self, former: Stream, best: Stream, waiting: list[int]) -> None:
        """Divide the time between two references: what waits of the better one stays."""
        if not self._queue or not waiting:
            return
        if best.rank > former.rank:
            self._floor_ns = max(self._floor_ns, self._queue[-1].stamp_ns + self._apart_ns)
            return
        begins_ns = min((t for t in waiting if t > self._floor_ns), default=waiting[-1])
        self._queue = [a for a in self._queue if a.stamp_ns < begins_ns - self._apart_ns]

    def _watch(self, anchor: Anchor) -> None:
        """Note which living streams may still bring a record nearer to the anchor."""
        self._watched = anchor
        self._awaited = {
            s
            for s in self._streams
            if (s.newest_ns is None or s.newest_ns < anchor.stamp_ns) and self._clock.lives(s)
        }

    def _is_due(self, anchor: Anchor, now_ns: int) -> bool:
        """The anchor's own stream may say so too, should another's clock have run ahead."""
        own_ns = anchor.stream.newest_ns
        return now_ns >= anchor.due_ns or (
            own_ns is not None and own_ns >= anchor.stamp_ns + self._deadline_ns
        )
