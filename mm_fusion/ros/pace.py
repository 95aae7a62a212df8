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


"""When recorded messages are due, and how late they went out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from mm_fusion.errors import ConfigError

REMEMBERED = 100_000  # lags of the latest messages, for the percentiles


class Pace:
    """Maps log times to a monotonic clock, at a rate."""

    def __init__(self, rate: float, clock_ns: Callable[[], int]) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ConfigError(f"rate is {rate:g}; give a number above 0 (1: as recorded)")
        self._rate = rate
        self._clock_ns = clock_ns
        self._stamp_ns = 0
        self._began_ns = 0
        self._lags_ns: deque[int] = deque(maxlen=REMEMBERED)
        self.lag_max_s = 0.0

    def begin(self, stamp_ns: int) -> None:
        """Let the message logged at `stamp_ns` be due now, and all others relative to it."""
        self._stamp_ns = stamp_ns
        self._began_ns = self._clock_ns()

    def remaining_s(self, stamp_ns: int) -> float:
        """Return how long it is until the message is due; negative when it is late."""
        due_ns = self._began_ns + (stamp_ns - self._stamp_ns) / self._rate
        return (due_ns - self._clock_ns()) * 1e-9

    def stream_ns(self) -> int:
        """Return the log time that is due now."""
        return self._stamp_ns + int((self._clock_ns() - self._began_ns) * self._rate)

    def note(self, stamp_ns: int) -> None:
        """Remember how late this message goes out."""
        late_s = max(0.0, -self.remaining_s(stamp_ns))
        self.lag_max_s = max(self.lag_max_s, late_s)
        self._lags_ns.append(int(late_s * 1e9))

    @property
    def lag_s(self) -> float:
        """Lag of the latest message."""
        return self._lags_ns[-1] * 1e-9 if self._lags_ns else 0.0

    def lag_quantile_s(self, quantile: float) -> float:
        """Return the lag that this share of the latest messages did not exceed."""
        if not self._lags_ns:
            return 0.0
        return float(np.quantile(np.array(self._lags_ns), quantile)) * 1e-9
