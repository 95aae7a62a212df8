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

"""When objects are published: with each frame, at a steady rate, or as they are at that moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mm_fusion.config import FusionConfig
from mm_fusion.objects import FusionResult, Objects
from mm_fusion.tracking.extrapolation import Extrapolator, Moment

LOOKS = 4  # at the clock, in one period


class Schedule:
    """Hands objects to be published with the stamps they are of; results may come in any thread."""

    def __init__(
        self,
        config: FusionConfig,
        clock_ns: Callable[[], int],
        publish: Callable[[Objects, int], None],
    ) -> None:
        """Begin without a result.

        Args:
            config: the node's; of `output` the rate and whether latency is compensated.
            clock_ns: the node's clock, which a bag may drive.
            publish: takes tracks in the vehicle's frame and their stamp, one call at a time.
        """
        self._rate_hz = config.output.rate_hz
        self._compensate = config.output.compensate_latency
        self._clock_ns, self._publish = clock_ns, publish
        farthest_s = config.sync.silence_s + config.tracker.coast_s
        self._extrapolator = Extrapolator(self._rate_hz, farthest_s, compensate=self._compensate)
        self._lock = threading.Lock()

    @property
    def period_s(self) -> float | None:
        """How often `look` is to be called; None: never."""
        return 1 / (LOOKS * self._rate_hz) if self._rate_hz else None

    @property
    def age_ms(self) -> float:
        """Of the objects published last: from the frame they were seen in to their stamp."""
        return self._extrapolator.age_ms

    @property
    def stopped(self) -> str:
        """Why nothing is published at present; empty if something is."""
        return self._extrapolator.stopped

    def reset(self) -> None:
        """Forget the newest result."""
        with self._lock:
            self._extrapolator.reset()

    def take(self, result: FusionResult) -> None:
        """Take a frame's result, and publish its objects unless the rate will."""
        with self._lock:
            self._extrapolator.take(result, self._clock_ns())
            if self._rate_hz:
                return
            if not self._compensate:
                self._publish(result.tracks, result.stamp_ns)
            elif (moment := self._extrapolator.now(self._clock_ns())) is not None:
                self._give(moment)

    def look(self) -> None:
        """Publish what has come due at the steady rate."""
        with self._lock:
            for moment in self._extrapolator.due(self._clock_ns()):
                self._give(moment)

    def _give(self, moment: Moment) -> None:
        self._publish(moment.objects, moment.stamp_ns)
