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


"""A recording through the real node: player process, node process, DDS between, all collected."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from mm_fusion.config import FusionConfig
from mm_fusion.errors import FusionError
from mm_fusion.ros.bag_parameters import (
    bag_config,
    reference_stamps,
    sensor_topics,
    write_parameters,
)
from mm_fusion.ros.collector import Collector, Outputs
from mm_fusion.ros.environment import LOCAL, enter_ros_environment, ros_environment
from mm_fusion.ros.processes import NodeProcess, node_process, ros_arguments

ACTIVE_S = 60.0  # to import, configure and activate on a slow machine
QUIET_S = 3.0  # without a new result after the bag's end: nothing more will come


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What came out, and how well."""

    outputs: Outputs
    reference: str  # the stream that anchors the frames
    expected: frozenset[int]  # stamps of its records in the bag, ns
    played: dict[str, Any]  # the player's report, see `PlayReport`
    node_cores: float  # CPU the node used while the bag played, in cores
    health: Mapping[str, DiagnosticStatus]  # /diagnostics by name, at the last result
    node_exit: int
    player_exit: int
    logs: tuple[Path, ...]

    @property
    def answered(self) -> frozenset[int]:
        """Stamps of the reference stream for which detections were published."""
        return self.expected & self.outputs.detections.keys()

    @property
    def dropped(self) -> frozenset[int]:
        """Stamps of the reference stream without an answer."""
        return self.expected - self.outputs.detections.keys()


def run_session(
    bag: Path,
    out: Path,
    *,
    config: FusionConfig | None = None,
    rate: float = 1.0,
    overlays: bool = False,
    arrivals_only: bool = False,
    progress: Callable[[int], object] = lambda new: None,
) -> SessionResult:
    """Play a bag into the fusion node, each in its own process, and collect what comes out.

    Args:
        bag: the bag's folder or file.
        out: folder for the parameter file, the player's report and the logs.
        config: settings of the node; None: the defaults, with the sensors of the bag.
        rate: times the recorded pace.
        overlays: have the node draw its overlays.
        arrivals_only: of objects note only when they came.
        progress: told how many more frames were answered.

    Raises:
        FusionError: the bag, a setting or one of the processes failed; the text says which.
    """
    config = bag_config(bag) if config is None else config
    reference, expected = reference_stamps(bag, config)
    domain_id = private_domain()
    cameras = [s.name for s in config.sensors if s.kind == "camera"] if overlays else []
    parameters = write_parameters(config, out / "parameters.yaml")
    with ExitStack() as stack:
        executor = stack.enter_context(private_executor(domain_id))
        collector = Collector(executor.context, cameras, arrivals_only=arrivals_only)
        executor.add_node(collector)

        def start(module: str, *arguments: str) -> NodeProcess:
            environment, log = ros_environment(domain_id), out / f"{module}.log"
            return stack.enter_context(node_process(module, arguments, environment, log))

        node = start("fusion_node", *ros_arguments(parameters, use_sim_time=True, autostart=True))
        _await_active(executor, collector, node)
        report = out / "player.json"
        wait_for = " ".join(sensor_topics(config))
        play = ros_arguments(bag=str(bag), rate=rate, wait_for=wait_for, report=str(report))
        player = start("player_node", *play)
        cpu_s, health = _follow(executor, collector.outputs, node, player, expected, progress)
        _hear_out(executor, 2 * config.output.diagnostics_period_s + 0.1)
        played = json.loads(report.read_text())
        return SessionResult(
            outputs=collector.outputs,
            reference=reference,
            expected=expected,
            played=played,
            health=health,
            node_cores=cpu_s / max(played["duration_s"], 1e-9),
            player_exit=player.wait(),
            node_exit=node.end(),
            logs=(node.log, player.log),
        )


def private_domain() -> int:
    """Return a ROS domain for this process: two sessions at once do not hear each other."""
    return 20 + os.getpid() % 80  # domains above 101 use ports that Linux gives to others


@contextmanager
def private_executor(domain_id: int) -> Iterator[SingleThreadedExecutor]:
    """Take part in a domain of this computer, in this very process, without a global context."""
    enter_ros_environment()
    before = os.environ.get(LOCAL[0])
    os.environ.setdefault(*LOCAL)
    context = Context()
    rclpy.init(
        args=[],
        context=context,
        domain_id=domain_id,
        signal_handler_options=SignalHandlerOptions.NO,
    )
    if before is None:
        del os.environ[LOCAL[0]]
    executor = SingleThreadedExecutor(context=context)
    try:
        yield executor
    finally:
        for node in executor.get_nodes():
            node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown(context=context)


def _await_active(
    executor: SingleThreadedExecutor, collector: Collector, node: NodeProcess
) -> None:
    client = collector.create_client(GetState, "/fusion/get_state")
    latest_s = time.monotonic() + ACTIVE_S
    label = "not to be found"
    while time.monotonic() < latest_s:
        if not node.running:
            raise node.failure()
        if client.wait_for_service(timeout_sec=0.1):
            answer = client.call_async(GetState.Request())
            executor.spin_until_future_complete(answer, timeout_sec=1.0)
            if answer.done() and (state := answer.result()) is not None:
                label = state.current_state.label
                if state.current_state.id == State.PRIMARY_STATE_ACTIVE:
                    return
        time.sleep(0.05)
    raise FusionError(f"the node is {label} after {ACTIVE_S:g} s, not active; see {node.log}")


def _follow(
    executor: SingleThreadedExecutor,
    outputs: Outputs,
    node: NodeProcess,
    player: NodeProcess,
    expected: frozenset[int],
    progress: Callable[[int], object],
) -> tuple[float, dict[str, DiagnosticStatus]]:
    """Listen until the bag has ended and all is answered or nothing more comes.

    Returns:
        The CPU time the node used meanwhile in seconds, and what it said of itself at the last
        result (after it all sensors are silent).
    """
    cpu_began_s = node.cpu_s()
    news_s, seen, health = time.monotonic(), 0, dict(outputs.diagnostics)
    while True:
        executor.spin_once(timeout_sec=0.1)
        if not node.running:
            raise node.failure()
        if (count := len(outputs.detections)) > seen:
            health = dict(outputs.diagnostics)
        if count > seen or player.running:
            progress(count - seen)
            news_s, seen = time.monotonic(), count
        elif player.wait() != 0:
            raise player.failure()
        elif time.monotonic() - news_s > QUIET_S or expected <= outputs.detections.keys():
            return node.cpu_s() - cpu_began_s, health


def _hear_out(executor: SingleThreadedExecutor, seconds: float) -> None:
    """Let the last diagnostics come, which sum all up."""
    latest_s = time.monotonic() + seconds
    while (left_s := latest_s - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left_s)
