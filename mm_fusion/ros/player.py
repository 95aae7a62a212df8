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


"""Publishes what a recording holds: bytes, quality of service and pace as they were recorded."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock

from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.records import NS_PER_S
from mm_fusion.ros.message_types import message_class, offered_qos
from mm_fusion.ros.pace import Pace
from mm_fusion.ros.playback import PlayBar, PlayOptions, PlayReport, Stop
from mm_fusion.ros.read_ahead import Due, ReadAhead

CLOCK_PERIOD_S = 0.025  # while no message is due: 40 Hz, as rosbag2's player
MATCHING_S = 0.3  # after the last subscriber was seen, until it has seen us as well
LINGER_S = 0.5  # best-effort data still lies in our shared memory when the last is sent
ACKNOWLEDGE_S = 5.0


class RawTopic(Protocol):
    """What a recording says of one topic."""

    @property
    def msgtype(self) -> str:
        """Name of the message type."""

    @property
    def qos(self) -> Sequence[Any]:
        """Quality of service, one of each publisher."""


class RawRecording(Protocol):
    """What can be played."""

    start_ns: int
    end_ns: int

    @property
    def topics(self) -> Mapping[str, RawTopic]:
        """What is said of each topic."""

    def raw(self, topics: Collection[str]) -> Iterable[tuple[str, int, bytes]]:
        """Yield topic, log time and serialized message, in the order of the log times."""


class Player:
    """Owns the publishers of one recording."""

    def __init__(self, node: Node, bag: RawRecording, options: PlayOptions, stop: Stop) -> None:
        self._node = node
        self._bag = bag
        self._options = options
        self._stop = stop
        self._pace = Pace(options.rate, time.monotonic_ns)
        self._skipped: dict[str, str] = {}
        self._publishers = self._advertise()
        self._clock = node.create_publisher(Clock, "/clock", 10)
        self._clock_ns = -1
        self._sent: Counter[str] = Counter()
        self._bytes = 0
        self._turn = -1

    def play(self) -> PlayReport:
        """Publish everything; returns at the end of the bag or when asked to stop."""
        with closing(ReadAhead(self._turns())) as ahead:
            self._await_subscribers()
            ahead.fill(timeout_s=1.0)
            self._node.get_logger().info(f"playing {len(self._publishers)} topics")
            began_s, cpu_began_s = time.monotonic(), _cpu_s()
            length_s = (self._bag.end_ns - self._bag.start_ns) / NS_PER_S
            shown = sys.stderr.isatty()
            with closing(PlayBar(length_s, self._options.rate, shown)) as bar:
                for due in ahead:
                    if not self._sleep_until(due):
                        break
                    self._publish(due)
                    position_s = (due.stamp_ns - self._bag.start_ns) / NS_PER_S
                    bar.show(position_s, self._pace.lag_s, self._pace.lag_max_s, due.turn)
            duration_s, cpu_s = time.monotonic() - began_s, _cpu_s() - cpu_began_s
        return PlayReport(
            messages=dict(self._sent),
            megabytes=self._bytes / 1e6,
            duration_s=duration_s,
            turns=self._turn + 1,
            lag_p95_s=self._pace.lag_quantile_s(0.95),
            lag_max_s=self._pace.lag_max_s,
            cpu_s=cpu_s,
            stopped=self._stop.asked,
            acknowledged=self._finish(),
            skipped=self._skipped,
        )

    def _advertise(self) -> dict[str, Publisher]:
        wanted = set(self._options.topics) or set(self._bag.topics)
        if unknown := sorted(wanted - set(self._bag.topics)):
            raise ConfigError(
                f"topic {unknown[0]} is not in the bag; it has {', '.join(self._bag.topics)}"
            )
        publishers = {}
        for topic in sorted(wanted - {"/clock"}):  # ours replaces a recorded one
            recorded = self._bag.topics[topic]
            qos = offered_qos(topic, recorded.qos)
            try:
                kind = message_class(recorded.msgtype)
            except ConfigError as error:
                self._skipped[topic] = str(error)
                self._node.get_logger().warning(f"{topic} is skipped: {error}")
            else:
                publishers[topic] = self._node.create_publisher(kind, topic, qos)
        if not publishers:
            raise RecordingError("no topic of the bag can be played; see the warnings before")
        return publishers

    def _turns(self) -> Iterator[Due]:
        turn = 0
        while True:
            empty = True
            for topic, stamp_ns, payload in self._bag.raw(list(self._publishers)):
                empty = False
                yield Due(turn, topic, stamp_ns, payload)
            turn += 1
            if empty or not self._options.loop:
                return

    def _await_subscribers(self) -> None:
        latest_s = time.monotonic() + self._options.wait_s
        while (lacking := self._lacking()) and not self._stop.asked:
            if time.monotonic() > latest_s:
                self._node.get_logger().warning(
                    f"{lacking} after {self._options.wait_s:g} s; playing all the same"
                )
                return
            time.sleep(0.05)
        if self._options.wait_for or self._options.wait_count:
            time.sleep(MATCHING_S)

    def _lacking(self) -> str:
        """Say which subscriptions are waited for; empty when all are there."""
        counts = {t: p.get_subscription_count() for t, p in self._publishers.items()}
        clock = {"/clock": self._clock.get_subscription_count()}
        if deaf := [t for t in self._options.wait_for if (counts | clock).get(t, 1) == 0]:
            return f"nobody subscribes to {', '.join(deaf)}"
        if (there := sum(counts.values())) < (wanted := self._options.wait_count):
            return f"{there} of {wanted} subscriptions are there"
        return ""

    def _sleep_until(self, due: Due) -> bool:
        """Wait until the message is due, /clock ticking; False when asked to stop."""
        if due.turn != self._turn:
            self._turn = due.turn
            self._clock_ns = -1
            self._pace.begin(due.stamp_ns)
        while not self._stop.asked and (left_s := self._pace.remaining_s(due.stamp_ns)) > 0:
            time.sleep(min(left_s, CLOCK_PERIOD_S))
            self._tick(min(self._pace.stream_ns(), due.stamp_ns))
        return not self._stop.asked

    def _tick(self, stamp_ns: int) -> None:
        """Publish /clock, which never goes back within one turn."""
        if stamp_ns > self._clock_ns:
            self._clock_ns = stamp_ns
            sec, nanosec = divmod(stamp_ns, NS_PER_S)
            self._clock.publish(Clock(clock=Time(sec=sec, nanosec=nanosec)))

    def _publish(self, due: Due) -> None:
        self._tick(due.stamp_ns)
        self._pace.note(due.stamp_ns)
        self._publishers[due.topic].publish(due.payload)
        self._sent[due.topic] += 1
        self._bytes += len(due.payload)

    def _finish(self) -> bool:
        """Stay until what was sent has arrived; latched data lives no longer than we do."""
        time.sleep(LINGER_S)
        latest_s = time.monotonic() + (1.0 if self._stop.asked else ACKNOWLEDGE_S)
        return all(
            p.wait_for_all_acked(Duration(seconds=max(0.0, latest_s - time.monotonic())))
            for p in self._publishers.values()
        )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
