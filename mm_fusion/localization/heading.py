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

"""The heading out of motion: where the fixes went, against where the wheels and gyroscope went."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mm_fusion.records import NS_PER_S, Float64

MEMORY_NS = 15_000_000_000  # fixes older than this no longer count
APART_NS = 400_000_000  # fixes remembered lie at least this far apart
CLEAR = 4.0  # a way is clear when it is this many times longer than its uncertainty
STRAIGHT_STD_RAD = 0.1  # how straight a way is that only the fixes know
FOLLOWED_STD_RAD = 0.03  # the same where wheels measured it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One fix, with what dead reckoning said then, in a frame of unknown heading."""

    stamp_ns: int
    east_north_m: Float64  # (2,)
    variance_m2: float  # of each of them
    way_m: Float64  # (2,) dead reckoned
    yaw_rad: float  # dead reckoned


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The heading at the newest fix, and the speed on the way there."""

    yaw_rad: float
    std_rad: float
    speed_mps: float
    speed_std_mps: float


def kept(fixes: tuple[Seen, ...], seen: Seen) -> tuple[Seen, ...]:
    """Remember a fix among the older ones, unless it is too near to the one before."""
    recent = tuple(f for f in fixes if seen.stamp_ns - f.stamp_ns <= MEMORY_NS)
    if recent and seen.stamp_ns - recent[-1].stamp_ns < APART_NS:
        return recent
    return (*recent, seen)


def heading_from(
    fixes: tuple[Seen, ...], now: Seen, least_speed_mps: float, *, way_is_known: bool
) -> Heading | None:
    """Return the heading from the shortest clear way to the newest fix; None if there is none.

    Args:
        fixes: earlier fixes, oldest first.
        now: the newest.
        least_speed_mps: slower ways say nothing.
        way_is_known: the dead-reckoned way was measured; else the vehicle is taken to go forward.
    """
    for then in reversed(fixes):
        passed_s = (now.stamp_ns - then.stamp_ns) / NS_PER_S
        if not 0 < passed_s <= MEMORY_NS / NS_PER_S:
            continue
        east, north = (now.east_north_m - then.east_north_m).tolist()
        length_m = math.hypot(east, north)
        std_m = math.sqrt(now.variance_m2 + then.variance_m2)
        if length_m < CLEAR * std_m or length_m < least_speed_mps * passed_s:
            continue
        course_rad = math.atan2(north, east)
        if way_is_known:
            found = _followed(then, now, course_rad, length_m)
        else:  # the course is the heading halfway
            found = course_rad + math.remainder(now.yaw_rad - then.yaw_rad, math.tau) / 2
        if found is None:
            continue
        loose = FOLLOWED_STD_RAD if way_is_known else STRAIGHT_STD_RAD
        return Heading(
            yaw_rad=found,
            std_rad=math.hypot(std_m / length_m, loose),
            speed_mps=length_m / passed_s,
            speed_std_mps=std_m / passed_s,
        )
    return None


def _followed(then: Seen, now: Seen, course_rad: float, length_m: float) -> float | None:
    """Turn the dead-reckoned way onto the fixes'; None if they do not resemble each other."""
    x, y = (now.way_m - then.way_m).tolist()
    if not 0.5 * length_m < math.hypot(x, y) < 2.0 * length_m:
        return None
    return now.yaw_rad + course_rad - math.atan2(y, x)
