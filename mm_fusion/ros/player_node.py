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


"""The player as a node: `play` for programs, `main` for `ros2 run` and launch files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from mm_fusion.errors import ConfigError, FusionError, RecordingWarning
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.ros.environment import enter_ros_environment
from mm_fusion.ros.playback import PlayOptions, PlayReport, Stop
from mm_fusion.ros.player import Player


def play(
    bag: Path,
    *,
    rate: float = 1.0,
    loop: bool = False,
    topics: Sequence[str] | None = None,
    wait_for: int = 0,
) -> PlayReport:
    """Publish a rosbag2 on its topics with /clock; SIGINT ends it cleanly.

    Args:
        bag: the bag's folder or file.
        rate: times the recorded pace.
        loop: begin again at the end; the stamps are the recorded ones, so /clock jumps back.
        topics: only these; None: all.
        wait_for: begin when there are so many subscriptions (half a minute at most).

    Raises:
        FusionError: the bag or an argument is wrong; the text says which and what to do.
    """
    options = PlayOptions(rate=rate, loop=loop, topics=tuple(topics or ()), wait_count=wait_for)
    with Stop().on_signals() as stop, _node([]) as node:
        return _play(node, bag, options, stop)


def main(args: list[str] | None = None) -> int:
    """Run the node: the bag and how to play it are its parameters.

    Returns:
        0 when the bag was played (or SIGINT came), 1 when it could not be.
    """
    with Stop().on_signals() as stop, _node(args) as node:
        try:
            bag, options, report_file = _parameters(node)
            report = _play(node, bag, options, stop)
        except FusionError as error:
            node.get_logger().fatal(str(error))
            return 1
        if report_file:
            Path(report_file).write_text(json.dumps(asdict(report), indent=1))
    return 0


def _play(node: Node, bag: Path, options: PlayOptions, stop: Stop) -> PlayReport:
    with _warnings_logged(node):
        report = Player(node, BagRecording(bag), options, stop).play()
    node.get_logger().info(str(report))
    if not (report.acknowledged or report.stopped):
        node.get_logger().warning("a reliable subscriber has not acknowledged all messages")
    return report


@contextmanager
def _node(args: list[str] | None) -> Iterator[Node]:
    enter_ros_environment()
    context = Context()
    rclpy.init(args=args, context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = Node("player", context=context, start_parameter_services=False)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def _parameters(node: Node) -> tuple[Path, PlayOptions, str]:
    any_type = ParameterDescriptor(dynamic_typing=True)  # -p rate:=2 is an integer

    def given(name: str, default: Any) -> Any:  # noqa: ANN401  # as ROS parameters are
        return node.declare_parameter(name, default, any_type).value

    bag = str(given("bag", ""))
    if not bag:
        raise ConfigError("parameter bag is empty; give the bag's folder: -p bag:=/path/to/bag")
    options = PlayOptions(
        rate=_number("rate", given("rate", 1.0)),
        loop=bool(given("loop", False)),
        topics=_names(given("topics", "")),
        wait_for=_names(given("wait_for", "")),
        wait_count=int(_number("wait_count", given("wait_count", 0))),
        wait_s=_number("wait_s", given("wait_s", 30.0)),
    )
    return Path(bag), options, str(given("report", ""))


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401  # a list, or words in one string
    return tuple(value.split() if isinstance(value, str) else value)


def _number(name: str, value: Any) -> float:  # noqa: ANN401  # whatever the user gave
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"parameter {name} is {value!r}; give a number")
    return float(value)


@contextmanager
def _warnings_logged(node: Node) -> Iterator[None]:
    """Say on the log what reading warns of: a truncated bag, say."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, RecordingWarning):
            node.get_logger().warning(str(message))
        else:
            shown(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", RecordingWarning)
        shown = warnings.showwarning
        warnings.showwarning = show
        yield


if __name__ == "__main__":
    raise SystemExit(main())
