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


"""A /clock that may stop: at the end of a bag, or where somebody pauses it."""

from __future__ import annotations

from mm_fusion.records import NS_PER_S

STALLED_NS = NS_PER_S  # of real time without a tick; players tick many times a second


class StallingClock:
    """Goes on with real time once /clock has stood still, so that no last frame waits for ever."""

    def __init__(self) -> None:
        self._clock_ns = 0  # what /clock said last
        self._since_ns = 0  # when it began to say so, by a steady clock

    def at(self, clock_ns: int, steady_ns: int) -> int:
        """Return the time.

        Args:
            clock_ns: what /clock says.
            steady_ns: a reading of a steady clock.
        """
        if clock_ns != self._clock_ns:
            self._clock_ns, self._since_ns = clock_ns, steady_ns
        return clock_ns + max(steady_ns - self._since_ns - STALLED_NS, 0)
