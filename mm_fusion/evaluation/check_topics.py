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

"""What is noted of a topic while a bag is read, and the figures made of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_fusion.recordings.headers import Message, frame_of
from mm_fusion.records import NS_PER_S, Int64

GAP_FACTOR = 2.5  # an interval longer than so many usual ones is a gap
_MEGABYTE = 1e6


class TopicLog:
    """One topic's messages, in the order of the log."""

    def __init__(self, msgtype: str) -> None:
        self.msgtype = msgtype
        self.log_ns = array("q")  # of every message
        self.stamp_ns = array("q")  # of those that have a stamp other than zero
        self.delay_ns = array("q")  # from the stamp to the log time, of the same
        self.bytes = 0
        self.unstamped = 0  # messages whose stamp is zero
        self.frames: Counter[str] = Counter()  # frame_id -> messages
        self.errors: Counter[str] = Counter()  # why messages cannot be read -> messages
        self.lost_transforms: Counter[str] = Counter()  # why those of read messages cannot be used

    def note(self, log_ns: int, size: int) -> None:
        """Take a message's log time and its size in bytes."""
        self.log_ns.append(log_ns)
        self.bytes += size

    def note_header(self, message: Message, log_ns: int) -> bool:
        """Take a message's header, and return False where it has one that is not stamped."""
        if not hasattr(message, "header"):
            return True
        stamp = message.header.stamp
        stamp_ns = int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
        self.frames[frame_of(message)] += 1
        if stamp_ns <= 0:
            self.unstamped += 1
            return False
        self.stamp_ns.append(stamp_ns)
        self.delay_ns.append(log_ns - stamp_ns)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFigures:
    """A topic in figures; NaN where there is nothing to measure."""

    topic: str
    msgtype: str
    count: int
    rate_hz: float  # of the median interval between stamps, log times where there are none
    interval_s: float  # that interval
    longest_s: float  # the longest interval
    longest_at_ns: int  # time at which it begins
    gaps: int  # intervals longer than GAP_FACTOR times the usual one
    back: int  # stamps earlier than the one before in the log
    repeated: int  # stamps equal to the one before
    unstamped: int  # stamps of zero
    delay_s: float  # median from the stamp to the log time
    mean_mb: float  # size of a message
    unread: int  # messages that cannot be read
    frames: tuple[str, ...]  # every frame_id, the most frequent first


def figures_of(topic: str, log: TopicLog) -> TopicFigures:
    """Work out the figures of one topic."""
    times = np.unique(_numbers(log.stamp_ns or log.log_ns))
    intervals_s = np.diff(times) / NS_PER_S
    usual_s = float(np.median(intervals_s)) if len(intervals_s) else np.nan
    longest = int(intervals_s.argmax()) if len(intervals_s) else 0
    steps = np.diff(_numbers(log.stamp_ns))
    return TopicFigures(
        topic=topic,
        msgtype=log.msgtype,
        count=len(log.log_ns),
        rate_hz=1 / usual_s,
        interval_s=usual_s,
        longest_s=float(intervals_s[longest]) if len(intervals_s) else np.nan,
        longest_at_ns=int(times[longest]) if len(times) else 0,
        gaps=int((intervals_s > GAP_FACTOR * usual_s).sum()),
        back=int((steps < 0).sum()),
        repeated=int((steps == 0).sum()),
        unstamped=log.unstamped,
        delay_s=float(np.median(_numbers(log.delay_ns))) / NS_PER_S if log.delay_ns else np.nan,
        mean_mb=log.bytes / len(log.log_ns) / _MEGABYTE if log.log_ns else np.nan,
        unread=sum(log.errors.values()),
        frames=tuple(frame for frame, _ in log.frames.most_common()),
    )


def _numbers(times_ns: Sequence[int]) -> Int64:
    return np.array(times_ns, np.int64)
