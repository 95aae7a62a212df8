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

"""Gathers the records that belong to one moment, whichever sensors are alive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.records import FRAMED_KINDS, NS_PER_S, FramedRecord, SensorFrame
from mm_fusion.sync.clock import ClockGuard
from mm_fusion.sync.stats import StreamState, SyncStats
from mm_fusion.sync.stream import Stream

CLOCK_OFF = "clock off"  # a stamp that no other stream agrees with


class FrameSynchronizer:
    """Anchors frames on the best live stream and adds the nearest record of every other.

    Time is what the stamps say, never the wall clock, so a bag replayed at any speed gives the
    frames the vehicle saw. A frame goes out once no nearer record can come, or once the stamps
    are `deadline_s` past it. A stream that is silent is not waited for, and if it was the
    reference the next in `reference_priority` takes over; it hands back when the better one
    returns. Stamps of frames always rise, except after a reset of the clock.

    Silence is measured in activity: stream time with long pauses, in which every sensor was
    silent, cut short. A recording with gaps is therefore no recording with dead sensors.

    No lock, no ROS: call from one thread.
    """

    def __init__(self, config: SyncConfig, sensors: Sequence[SensorConfig]) -> None:
        order = {kind: place for place, kind in enumerate(config.reference_priority)}
        streams = [Stream(s, config) for s in sensors if s.kind in FRAMED_KINDS]
        self._streams = {s.name: s for s in streams}
        self._by_priority = sorted(
            (s for s in streams if s.kind in order), key=lambda s: order[s.kind]
        )
        self._deadline_ns = round(config.deadline_s * NS_PER_S)
        self._buffer_ns = round(config.buffer_s * NS_PER_S)
        self._silence_ns = round(config.silence_s * NS_PER_S)
        self._guard = ClockGuard(round(config.clock_jump_s * NS_PER_S))
        self.stats = SyncStats(streams={s.name: s.stats for s in streams})
        self._forget()

    def add(self, stream: str, record: FramedRecord) -> list[SensorFrame]:
        """Take one record and return the frames it completes, oldest first."""
        target = self._streams[stream]
        target.stats.received += 1
        if record.stamp_ns <= 0:
            target.stats.dropped["no stamp"] += 1
            return []
        record = target.corrected(record)
        if self._guard.is_suspect(record.stamp_ns, self._newest_ns, target.newest_ns):
            return self._doubt(target, record)
        for name in self._guard.contradict():
            self._streams[name].stats.dropped[CLOCK_OFF] += 1
        self._admit(target, record)
        return self._released()

    def flush(self, now_ns: int) -> list[SensorFrame]:
        """Release what is past its deadline when the stream time is `now_ns`.

        For a timer, so that the last frame is not held until the next record. Nothing of
        `now_ns` is remembered: the clock of the timer may run on while a bag is paused.
        """
        if self._newest_ns is None:
            return []
        pause_ns = min(max(now_ns - self._newest_ns, 0), self._silence_ns // 2)
        return list(self._release(max(now_ns, self._newest_ns), self._activity_ns + pause_ns))

    def reset(self) -> None:
        """Forget every record and frame; the counters go on."""
        for name in self._guard.contradict():
            self._streams[name].stats.dropped["reset"] += 1
        for stream in self._streams.values():
            stream.forget_all("reset")
        self._forget()

    def stream_states(self) -> Mapping[str, StreamState]:
        """Describe every stream as it is now."""
        return {
            name: StreamState(
                alive=stream.is_alive(self._activity_ns),
                newest_ns=stream.newest_ns,
                rate_hz=stream.rate_hz,
                is_reference=stream is self._reference,
                received=stream.stats.received,
                used=stream.stats.used,
                dropped=dict(stream.stats.dropped),
            )
            for name, stream in self._streams.items()
        }

    @property
    def newest_ns(self) -> int | None:
        """The stream time: the newest stamp so far; None before the first record."""
        return self._newest_ns

    @property
    def reference(self) -> str:
        """Name of the stream that frames are anchored on; empty before the first."""
        return self._reference.name if self._reference else ""

    def _forget(self) -> None:
        self._newest_ns: int | None = None
        self._first_ns = 0
        self._activity_ns = 0
        self._sent_ns = -1  # stamp of the last frame
        self._reference: Stream | None = None

    def _doubt(self, target: Stream, record: FramedRecord) -> list[SensorFrame]:
        """Hold a record whose stamp is far off, until it is confirmed or contradicted."""
        assert self._newest_ns is not None
        if target.name in self._guard.held:
            target.stats.dropped[CLOCK_OFF] += 1
            step_ns = abs(record.stamp_ns - self._guard.held[target.name].stamp_ns)
            self._activity_ns += min(step_ns, self._silence_ns // 2)
        others = (s for s in self._streams.values() if s is not target)
        alone = not any(s.is_alive(self._activity_ns) for s in others)
        agreed = self._guard.confirm(target.name, record, alone)
        if agreed is None:
            return []
        confirmed = self._guard.take(agreed)
        if confirmed[0][1].stamp_ns < self._newest_ns:
            self._fall_back()
        for name, held in confirmed:
            self._admit(self._streams[name], held)
        return self._released()

    def _released(self) -> list[SensorFrame]:
        """Release what is ready, then let go of what is too old: in this order, after a gap."""
        assert self._newest_ns is not None
        frames = list(self._release(self._newest_ns, self._activity_ns))
        for stream in self._streams.values():
            stream.forget_before(self._newest_ns - self._buffer_ns, "unmatched")
        return frames

    def _fall_back(self) -> None:
        """Start anew after the clock fell back: the bag looped, or the clock was reset."""
        for stream in self._streams.values():
            stream.forget_all("clock reset")
        self._forget()
        self.stats.resets += 1

    def _admit(self, target: Stream, record: FramedRecord) -> None:
        newest_ns = self._newest_ns
        if newest_ns is None:
            self._first_ns = newest_ns = record.stamp_ns
        step_ns = max(record.stamp_ns - newest_ns, 0)
        self._activity_ns += min(step_ns, self._silence_ns // 2)
        self._newest_ns = newest_ns + step_ns
        if record.stamp_ns <= self._sent_ns - target.tolerance_ns:
            target.stats.dropped["late"] += 1
            target.heard_ns = self._activity_ns
            return
        target.add(record, self._activity_ns)

    def _release(self, now_ns: int, activity_ns: int) -> Iterator[SensorFrame]:
        self._choose_reference(activity_ns)
        while self._reference is not None:
            anchor = self._reference.first_after(self._sent_ns)
            if anchor is None or not self._is_settled(anchor.stamp_ns, now_ns, activity_ns):
                return
            frame = self._gather(self._reference, anchor, activity_ns)
            self._sent_ns = anchor.stamp_ns
            self._tidy()
            if frame is not None:
                yield frame

    def _choose_reference(self, activity_ns: int) -> None:
        for stream in self._by_priority:
            if stream.is_alive(activity_ns):
                break
        else:
            return
        if stream is self._reference:
            return
        if self._reference is not None:
            self.stats.takeovers += 1
            if not self._reference.is_alive(activity_ns) and stream.newest_ns is not None:
                # what waited while the old reference was given up is stale by now
                self._sent_ns = max(self._sent_ns, stream.newest_ns - self._deadline_ns)
        self._reference = stream

    def _is_settled(self, stamp_ns: int, now_ns: int, activity_ns: int) -> bool:
        if now_ns - stamp_ns >= self._deadline_ns:
            return True
        return all(
            stream is self._reference
            or stream.has_settled(stamp_ns)
            or self._is_not_awaited(stream, activity_ns)
            for stream in self._streams.values()
        )

    def _is_not_awaited(self, stream: Stream, activity_ns: int) -> bool:
        """Silent streams are not waited for; one never heard is, at the start."""
        if stream.heard_ns is None:
            return activity_ns > self._silence_ns
        return not stream.is_alive(activity_ns)

    def _gather(
        self, reference: Stream, anchor: FramedRecord, activity_ns: int
    ) -> SensorFrame | None:
        stamp_ns = anchor.stamp_ns
        records: dict[str, FramedRecord] = {reference.name: anchor}
        missing: dict[str, str] = {}
        for name, stream in self._streams.items():
            if stream is reference:
                continue
            nearest = stream.nearest(stamp_ns)
            if nearest is not None and abs(nearest.stamp_ns - stamp_ns) <= stream.tolerance_ns:
                records[name] = nearest
            else:
                missing[name] = self._why_missing(stream, nearest, stamp_ns, activity_ns)
        if any(self._streams[name].required for name in missing):
            self.stats.frames_withheld += 1
            return None
        for name, record in records.items():
            self._streams[name].use(record)
        if missing:
            self.stats.frames_partial += 1
        else:
            self.stats.frames_complete += 1
        return SensorFrame(
            stamp_ns=stamp_ns, reference=reference.name, records=records, missing=missing
        )

    def _why_missing(
        self, stream: Stream, nearest: FramedRecord | None, stamp_ns: int, activity_ns: int
    ) -> str:
        if stream.heard_ns is None:
            return "nothing received yet"
        if not stream.is_alive(activity_ns):
            return f"silent for {(activity_ns - stream.heard_ns) / NS_PER_S:.1f} s"
        if nearest is None:
            return "no record in time"
        off_ms = abs(nearest.stamp_ns - stamp_ns) / 1e6
        return f"nearest record {off_ms:.0f} ms away, tolerance {stream.tolerance_ns / 1e6:.0f} ms"

    def _tidy(self) -> None:
        """Let go of what no later frame can take."""
        for stream in self._streams.values():
            stream.forget_before(self._sent_ns + 1 - stream.tolerance_ns, "unmatched")
