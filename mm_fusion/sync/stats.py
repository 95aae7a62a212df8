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

"""What became of the records, and how each stream fares: the synchroniser's numbers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

# Why a record took part in no frame.
BAD_STAMP = "stamp is zero"
CLOCK_DIFFERS = "clock differs"  # its stamps do not fit the other streams'
CLOCK_RESET = "clock reset"  # it was waiting when the stamps of all jumped back
DUPLICATE = "duplicate"  # the stream has a record of this very stamp
EXPIRED = "expired"  # no frame came for `sync.buffer_s`
LATE = "late"  # a newer one of its stream was there when the frames it is nearest to went out
UNMATCHED = "unmatched"  # others lay nearer to every frame

HISTORY = 64  # changes of the reference that are remembered


@dataclass(slots=True)
class StreamStats:
    """What became of one stream's records; `received` is the sum of the others and of `waiting`."""

    received: int = 0
    used: int = 0  # taken into at least one frame
    dropped: Counter[str] = field(default_factory=Counter)  # reason -> records


@dataclass(slots=True)
class SyncStats:
    """What became of the records and the frames, for diagnostics."""

    frames_withheld: int = 0  # not published, for want of a required stream
    resets: int = 0  # times the stamps jumped back and the buffers were emptied
    streams: dict[str, StreamStats] = field(default_factory=dict)
    references: deque[tuple[int, str]] = field(
        default_factory=lambda: deque(maxlen=HISTORY)
    )  # stream time of each change of the reference, and to which stream


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How one stream fares at one moment."""

    kind: str
    alive: bool
    is_reference: bool
    stamp_ns: int | None  # of its newest record that fits, its offset taken out
    age_s: float  # stream time since its newest record's stamp; inf before the first
    rate_hz: float  # from the median step of its last stamps; 0 where unknown
    jitter_s: float  # median deviation of the steps from their median
    received: int
    used: int
    waiting: int  # records that may still be taken into a frame
    dropped: Mapping[str, int]  # reason -> records
    why: str  # why it is not alive; empty when it is
