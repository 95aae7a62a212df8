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

"""Tells a stray stamp from a clock that jumped: by whether the other sensors jump, too."""

from __future__ import annotations

from dataclasses import dataclass, field

from mm_fusion.records import MotionRecord

ALONE_NS = 1_500_000_000  # a run this long, undisturbed, is believed though sensors lack in it
AHEAD_RUN, BEHIND_RUN = 2, 5  # least records of a run that is believed


@dataclass(frozen=True, slots=True)
class Told:
    """A record, from which stream, and when it is of."""

    stream: str
    record: MotionRecord
    stamp_ns: int


@dataclass(slots=True)
class Elsewhere:
    """The records in a row that are not of this time: farther than `reach_ns` from the newest."""

    reach_ns: int
    streams: set[str] = field(default_factory=set)  # that have told something of this time
    run: list[Told] = field(default_factory=list)

    def fits(self, stamp_ns: int, newest_ns: int) -> bool:
        """Tell whether a stamp is of this time."""
        return abs(stamp_ns - newest_ns) <= self.reach_ns

    def follows(self, told: Told, newest_ns: int) -> bool:
        """Tell whether a record continues the run."""
        if not self.run:
            return True
        last_ns = self.run[-1].stamp_ns
        same_side = (told.stamp_ns > newest_ns) == (last_ns > newest_ns)
        return same_side and told.stamp_ns >= last_ns - self.reach_ns

    def believed(self, newest_ns: int) -> bool:
        """Tell whether the run is the new time: every stream is in it, or it lasts."""
        ahead = self.run[-1].stamp_ns > newest_ns
        if len(self.run) < (AHEAD_RUN if ahead else BEHIND_RUN):
            return False
        lasted_ns = self.run[-1].stamp_ns - self.run[0].stamp_ns
        return self.streams <= {told.stream for told in self.run} or lasted_ns >= ALONE_NS
