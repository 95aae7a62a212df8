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


"""Counts what arrives on topics, without decoding it: the far end of a transport measurement."""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from functools import partial
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from mm_fusion.ros.environment import enter_ros_environment
from mm_fusion.ros.message_types import message_class
from mm_fusion.ros.playback import Stop


class CounterNode(Node):
    """Subscribes to `topics`, each `name=type`, and counts."""

    def __init__(self, context: Context) -> None:
        super().__init__("counter", context=context)
        self.messages: Counter[str] = Counter()
        self.bytes = 0
        for entry in str(self.declare_parameter("topics", "").value).split():
            topic, _, msgtype = entry.partition("=")
            self.create_subscription(
                message_class(msgtype),
                topic,
                partial(self._count, topic),
                QoSProfile(depth=10),
                raw=True,
            )

    def _count(self, topic: str, payload: bytes) -> None:
        self.messages[topic] += 1
        self.bytes += len(payload)


def main(args: list[str] | None = None) -> int:
    """Count until SIGINT, then write the counts to the file named by the parameter `report`."""
    enter_ros_environment()
    context = Context()
    with Stop().on_signals() as stop:
        rclpy.init(args=args, context=context, signal_handler_options=SignalHandlerOptions.NO)
        node = CounterNode(context)
        report = str(node.declare_parameter("report", "").value)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        began_s = time.monotonic()
        try:
            while not stop.asked:
                executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            pass
        usage = resource.getrusage(resource.RUSAGE_SELF)
        counted = {
            "messages": dict(node.messages),
            "bytes": node.bytes,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "running_s": time.monotonic() - began_s,
        }
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    if report:
        Path(report).write_text(json.dumps(counted))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
