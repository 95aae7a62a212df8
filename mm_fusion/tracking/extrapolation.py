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

"""Objects at moments for which there is no frame: at a steady rate, or when they are published."""

from __future__ import annotations

from dataclasses import dataclass

from mm_fusion.geometry.rigid import invert, moved
from mm_fusion.objects import FusionResult, Objects
from mm_fusion.records import NS_PER_S
from mm_fusion.tracking.carrying import carried
from mm_fusion.tracking.prediction import predicted

FORGET = 0.02  # of the way to the newest frame's lateness that the estimate goes, a frame
MOST_BEHIND = 20  # moments made up for at once; more are left out


def at(result: FusionResult, stamp_ns: int) -> Objects:
    """Return a result's tracks at another stamp, in the vehicle's frame at that stamp.

    Each goes on with its own velocity and turn rate, the vehicle with its own.
    """
    seconds = (stamp_ns - result.stamp_ns) / NS_PER_S
    motion = result.frame.motion
    then_from_now = invert(moved(motion.linear_ego, motion.angular_ego, seconds))
    return carried(predicted(result.tracks, seconds), then_from_now)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """Objects of one stamp, and the stamp of the frame they are predicted from."""

    stamp_ns: int
    measured_ns: int
    objects: Objects


class Extrapolator:
    """Gives objects at whole multiples of a period of stream time, each stamp once, never back.

    How late frames come is followed by the earliest of them, so that one that comes late shifts
    no stamp. Not safe for two threads at once.
    """

    def __init__(self, rate_hz: float, farthest_s: float, *, compensate: bool) -> None:
        """Begin without a result.

        Args:
            rate_hz: of the moments; 0: only `now` is of use.
            farthest_s: nothing is predicted farther than this beyond the newest frame.
            compensate: predict to the present, not only as far as frames come late.
        """
        self._period_ns = round(NS_PER_S / rate_hz) if rate_hz else 0
        self._farthest_ns = round(farthest_s * NS_PER_S)
        self._compensate = compensate
        self.reset()

    def reset(self) -> None:
        """Forget the newest result and what was given."""
        self._newest: FusionResult | None = None
        self._behind_ns = 0.0  # of stream time, against the clock
        self._given_ns: int | None = None
        self.age_ms = 0.0  # of what was given last: from the newest frame on
        self.stopped = ""  # why nothing is given, for people

    def take(self, result: FusionResult, clock_ns: int) -> None:
        """Predict from this result from now on."""
        late_ns = float(clock_ns - result.stamp_ns)
        if self._newest is None or result.stamp_ns < self._newest.stamp_ns:
            self.reset()
            self._behind_ns = late_ns
        elif late_ns < self._behind_ns:
            self._behind_ns = late_ns
        else:
            self._behind_ns += FORGET * (late_ns - self._behind_ns)
        self._newest = result

    def due(self, clock_ns: int) -> list[Moment]:
        """Return the moments that have come since the last call, oldest first."""
        newest = self._newest
        if newest is None or not self._period_ns:
            return []
        now_ns = self._stream_ns(clock_ns)
        last = now_ns // self._period_ns
        given = self._given_ns
        first = last if given is None else max(given // self._period_ns + 1, last - MOST_BEHIND)
        moments = [self._moment(newest, step * self._period_ns) for step in range(first, last + 1)]
        return [moment for moment in moments if moment is not None]

    def now(self, clock_ns: int) -> Moment | None:
        """Return the moment of the clock, or None where the newest frame is too far from it."""
        return None if self._newest is None else self._moment(self._newest, clock_ns)

    def _stream_ns(self, clock_ns: int) -> int:
        return clock_ns if self._compensate else clock_ns - round(self._behind_ns)

    def _moment(self, newest: FusionResult, stamp_ns: int) -> Moment | None:
        if self._given_ns is not None and stamp_ns <= self._given_ns:
            return None
        ahead_ns = stamp_ns - newest.stamp_ns
        if abs(ahead_ns) > self._farthest_ns:
            self.stopped = (
                f"objects are not predicted: the newest frame is {ahead_ns / NS_PER_S:.1f} s "
                "from the moment asked for; no frame comes, or the clock is not the stamps'"
            )
            return None
        self._given_ns, self.stopped, self.age_ms = stamp_ns, "", ahead_ns / 1e6
        return Moment(stamp_ns=stamp_ns, measured_ns=newest.stamp_ns, objects=at(newest, stamp_ns))
