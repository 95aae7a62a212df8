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

"""What a user is told of a stream: why it is missing, and how it fares."""

from __future__ import annotations

from mm_fusion.records import NS_PER_S
from mm_fusion.sync.clock import StreamClock
from mm_fusion.sync.stats import StreamState
from mm_fusion.sync.stream import Stream


def why_missing(clock: StreamClock, stream: Stream, stamp_ns: int, now_ns: int) -> str:
    """Say why a stream has no record in the frame of `stamp_ns` that goes out at `now_ns`."""
    if stream.heard_ns is None:
        return clock.why_strange(stream) or "no record yet"
    if not clock.lives(stream):
        return clock.why_strange(stream) or _silent(now_ns - stream.heard_ns)
    at = stream.nearest(stamp_ns)
    if at < 0:
        return "no record since the clock was reset"
    away_ms = abs(stream.stamps[at] - stamp_ns) / 1e6
    return f"nearest record {away_ms:.0f} ms away, tolerance {stream.tolerance_ns / 1e6:.0f} ms"


def state_of(clock: StreamClock, stream: Stream, now_ns: int, *, is_reference: bool) -> StreamState:
    """Say how a stream fares at a stream time."""
    silent_ns = None if stream.heard_ns is None else now_ns - stream.heard_ns
    alive = silent_ns is not None and silent_ns <= clock.silence_ns
    why = "no record yet" if silent_ns is None else _silent(silent_ns)
    rate_hz, jitter_s = stream.rate_and_jitter()
    newest_ns = stream.newest_ns
    return StreamState(
        kind=stream.kind,
        alive=alive,
        is_reference=is_reference,
        stamp_ns=newest_ns,
        age_s=float("inf") if newest_ns is None else (now_ns - newest_ns) / NS_PER_S,
        rate_hz=rate_hz,
        jitter_s=jitter_s,
        received=stream.stats.received,
        used=stream.stats.used,
        waiting=stream.waiting,
        dropped=dict(stream.stats.dropped),
        why="" if alive else clock.why_strange(stream) or why,
    )


def _silent(silent_ns: int) -> str:
    return f"silent for {silent_ns / NS_PER_S:.1f} s"
