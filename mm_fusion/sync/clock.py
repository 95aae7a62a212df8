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

"""Tells a jump of the clock from one sensor's bad stamp.

A bag that loops, or a /clock that is reset, moves every stream; a driver that restarts with a
wrong clock, or one broken stamp, moves one. So a stamp far from the others' is held back until a
second stream agrees with it, or until no other stream is alive to contradict.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mm_fusion.records import FramedRecord


@dataclass(slots=True)
class ClockGuard:
    """Holds back records whose stamps are `jump_ns` off, at most one a stream."""

    jump_ns: int
    held: dict[str, FramedRecord] = field(default_factory=dict)

    def is_suspect(self, stamp_ns: int, newest_ns: int | None, own_ns: int | None) -> bool:
        """Tell whether a stamp is far before its own stream's newest, or far after everyone's."""
        if newest_ns is None:
            return False
        behind_ns = newest_ns if own_ns is None else own_ns
        return stamp_ns < behind_ns - self.jump_ns or stamp_ns > newest_ns + self.jump_ns

    def confirm(self, stream: str, record: FramedRecord, alone: bool) -> list[str] | None:
        """Hold a suspect record; return the streams that agree once there is agreement.

        Args:
            stream: whose record it is.
            record: the suspect one; the stream's former suspect is replaced by it.
            alone: no other stream is alive, so nobody can contradict.
        """
        self.held[stream] = record
        agreeing = [
            name
            for name, other in self.held.items()
            if abs(other.stamp_ns - record.stamp_ns) <= self.jump_ns
        ]
        return agreeing if alone or len(agreeing) > 1 else None

    def take(self, streams: list[str]) -> list[tuple[str, FramedRecord]]:
        """Hand the agreed records out, oldest first."""
        taken = [(name, self.held.pop(name)) for name in streams]
        return sorted(taken, key=lambda pair: pair[1].stamp_ns)

    def contradict(self) -> list[str]:
        """Give up what is held: a stream went on in the old time. Returns whose they were."""
        streams = list(self.held)
        self.held.clear()
        return streams
