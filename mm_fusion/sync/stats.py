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

"""What became of every record, for diagnostics: nothing is lost without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class StreamStats:
    """The fate of one stream's records: received = used + dropped + still buffered."""

    received: int = 0
    used: int = 0  # put into at least one frame
    dropped: Counter[str] = field(default_factory=Counter)  # reason -> records


@dataclass(slots=True)
class SyncStats:
    """What the synchroniser has done so far."""

    streams: dict[str, StreamStats]
    frames_complete: int = 0  # frames with every stream
    frames_partial: int = 0  # frames that lack a stream
    frames_withheld: int = 0  # moments not published because a required stream was missing
    resets: int = 0  # times the clock fell back and the buffers were emptied
    takeovers: int = 0  # times another stream became the reference


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """One stream as it is now."""

    alive: bool
    newest_ns: int | None  # stamp of its newest record, None before the first
    rate_hz: float  # from the stamps; NaN before the third record
    is_reference: bool
    received: int
    used: int
    dropped: Mapping[str, int]
