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

"""Gathers the records of all cameras, LiDARs and radars into frames, by their stamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.errors import ConfigError
from mm_fusion.records import FRAMED_KINDS, NS_PER_S, FramedRecord, SensorFrame
from mm_fusion.sync.anchors import Anchor, AnchorQueue
from mm_fusion.sync.clock import StreamClock
from mm_fusion.sync.states import state_of, why_missing
from mm_fusion.sync.stats import BAD_STAMP, StreamState, StreamStats, SyncStats
from mm_fusion.sync.stream import Stream


class FrameSynchronizer:
    """Anchors frames on the best living stream and adds the nearest record of every other.

    Time is what the stamps say, never the wall clock, so a bag replayed at any speed gives the
    frames the vehicle saw. Call from one thread.

    - **Reference**: the living stream whose kind comes first in `reference_priority`; among
      streams of one kind the order of the sensors. When it falls silent the next takes over and
      the records it sent meanwhile anchor frames too; when it returns it takes back. A record
      that was in a frame anchors none, and the first anchor of a new reference lies more than
      `tolerance_s` after the last frame, so no moment is told twice. At the start every stream
      is given `silence_s` to begin.
    - **Match**: the nearest record within the sensor's tolerance, the older of two as near. A slow
      stream's record may serve two frames; it is counted as used once. Records in a frame carry
      corrected stamps (`SensorConfig.offset_s` taken out).
    - **Release**: once every other living stream has a record at or after the anchor's stamp, or
      once the stamps went on by `deadline_s` since the anchor came.
    - **Order**: output stamps rise strictly, except over a reset (see `mm_fusion.sync.clock`).

    The cost of a record does not depend on the number of streams; that of a frame is a bisection
    per stream.
    """

    def __init__(self, config: SyncConfig, sensors: Sequence[SensorConfig]) -> None:
        self._sensors = [s for s in sensors if s.kind in FRAMED_KINDS]
        self.stats = SyncStats(streams={s.name: StreamStats() for s in self._sensors})
        self._start(config)

    def _start(self, config: SyncConfig) -> None:
        self._streams = {s.name: Stream(s, self.stats.streams[s.name]) for s in self._sensors}
        self._clock = StreamClock(config, self._streams.values())
        self._anchors = AnchorQueue(config, self._clock, self._streams.values(), self.stats)
        self.retune(config)

    def retune(self, config: SyncConfig) -> None:
        """Take over changed settings from the next record on."""
        self._config = config
        self._clock.retune(config)
        self._anchors.retune(config)
        for sensor in self._sensors:
            tolerance_s = sensor.tolerance_s or config.tolerance_s
            self._streams[sensor.name].tolerance_ns = round(tolerance_s * NS_PER_S)

    def add(self, stream: str, record: FramedRecord) -> list[SensorFrame]:
        """Take one record and return the frames it completes, oldest first.

        Raises:
            ConfigError: no camera, LiDAR or radar has that name.
        """
        source = self._streams.get(stream)
        if source is None:
            raise ConfigError(
                f"no camera, lidar or radar is named {stream!r}; known: {list(self._streams)}"
            )
        source.stats.received += 1
        stamp_ns = record.stamp_ns
        if stamp_ns <= 0:
            source.drop(BAD_STAMP)
            return []
        if source.offset_ns:
            stamp_ns -= source.offset_ns
            record = replace(record, stamp_ns=stamp_ns)
        if self._clock.fits(source, stamp_ns):
            return self._take(source, stamp_ns, record)
        return self._jump_to(self._clock.hold(source, stamp_ns, record))

    def flush(self, now_ns: int) -> list[SensorFrame]:
        """Return the frames that are past their deadline though no record came to say so.

        Args:
            now_ns: the stream time the caller believes in, as `newest_ns` plus the time passed
                since. It also settles whether stamps that jumped are the truth.
        """
        frames = self._jump_to(self._clock.agreeing(now_ns))
        newest_ns = self._clock.newest_ns
        if newest_ns is None:
            return frames
        self._anchors.choose_reference(extra_ns=max(0, now_ns - newest_ns))
        return frames + self._gathered(self._anchors.ready(max(now_ns, newest_ns)))

    def reset(self) -> None:
        """Forget every record and all that was learnt of time; the counters stay."""
        for stream in self._streams.values():
            stream.forsake_strays()
            stream.clear()
        self.stats.resets += 1
        self._start(self._config)

    @property
    def newest_ns(self) -> int | None:
        """The stream time: the newest stamp that fits the others; None before the first."""
        return self._clock.newest_ns

    @property
    def reference(self) -> str | None:
        """Name of the stream the frames are anchored on; None before the first record."""
        return self._anchors.reference.name if self._anchors.reference else None

    def stream_states(self, now_ns: int) -> Mapping[str, StreamState]:
        """Say how every stream fares at a stream time, for diagnostics."""
        return {
            name: state_of(self._clock, s, now_ns, is_reference=name == self.reference)
            for name, s in self._streams.items()
        }

    def _take(self, source: Stream, stamp_ns: int, record: FramedRecord) -> list[SensorFrame]:
        clock, anchors = self._clock, self._anchors
        clock.hear(source, stamp_ns)
        if source.insert(stamp_ns, record, anchors.done_ns, clock.buffer_ns):
            anchors.take(source, stamp_ns)
        return self._gathered(anchors.ready(clock.newest_ns or 0))

    def _gathered(self, anchors: Iterable[Anchor]) -> list[SensorFrame]:
        return [frame for a in anchors if (frame := self._gather(a)) is not None]

    def _gather(self, anchor: Anchor) -> SensorFrame | None:
        """Make the anchor's frame; None if a required stream is not in it."""
        stamp_ns = anchor.stamp_ns
        found: list[tuple[Stream, int]] = []
        absent: list[Stream] = []
        for stream in self._streams.values():
            at = stream.nearest(stamp_ns)
            if at >= 0 and abs(stream.stamps[at] - stamp_ns) <= stream.tolerance_ns:
                found.append((stream, at))
            else:
                absent.append(stream)
        frame = None
        if any(stream.required for stream in absent):
            self.stats.frames_withheld += 1
        else:
            frame = self._frame(anchor, found, absent)
        for stream in self._streams.values():
            stream.finish(stamp_ns)
        return frame

    def _frame(
        self, anchor: Anchor, found: list[tuple[Stream, int]], absent: list[Stream]
    ) -> SensorFrame:
        now_ns = self._clock.newest_ns or anchor.stamp_ns
        return SensorFrame(
            stamp_ns=anchor.stamp_ns,
            reference=anchor.stream.name,
            records={stream.name: stream.take(at) for stream, at in found},
            missing={s.name: why_missing(self._clock, s, anchor.stamp_ns, now_ns) for s in absent},
        )

    def _jump_to(self, group: list[Stream]) -> list[SensorFrame]:
        """Make the held records of some streams the present; backwards is a reset."""
        if not group:
            return []
        frames: list[SensorFrame] = []
        if max(s.strays[-1][1] for s in group) <= (self._clock.newest_ns or 0):
            frames += self._gathered(self._anchors.drain())  # nothing more can come for them
            self._restart()
        for _, source, stamp_ns, record in self._clock.release(group):
            frames += self._take(source, stamp_ns, record)
        return frames

    def _restart(self) -> None:
        """Begin anew on a clock that went back; who was alive is expected to go on."""
        for stream in self._streams.values():
            stream.clear()
        self._anchors.clear()
        self._clock.restart()
        self.stats.resets += 1
