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

"""The fusion node: a lifecycle node that starts by itself unless somebody manages it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from mm_fusion.calibration import Calibration, load_calibration
from mm_fusion.config import FusionConfig
from mm_fusion.ros.environment import enter_ros_environment
from mm_fusion.ros.fusion import Fusion
from mm_fusion.ros.lifecycle import logged, start
from mm_fusion.ros.parameter_files import unmatched_files
from mm_fusion.ros.parameters import Parameters
from mm_fusion.ros.playback import Stop

SPIN_S = 0.1  # how long a signal may wait to be noticed


class FusionNode(LifecycleNode):
    """Listens and publishes while active; configuring reads settings and builds what can fail."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # as rclpy's Node takes them
        super().__init__("fusion", automatically_declare_parameters_from_overrides=True, **options)
        self._fusion: Fusion | None = None
        self._active = False
        self._settings = Parameters(self)
        self.create_service(Trigger, "~/reset", self._on_reset)

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the settings and build everything that can fail."""
        config = self._settings.config()
        self._fusion = Fusion(self, config, self._calibration(config))
        self._settings.hold(self._fusion.apply)
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start listening."""
        activated = super().on_activate(state)
        assert self._fusion is not None
        self._fusion.start()
        self._active = True
        return activated

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening, and publishing after that."""
        self._stop()
        return super().on_deactivate(state)

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of what `on_configure` built; every setting may change again."""
        self._free()
        return super().on_cleanup(state)

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything, whatever the state."""
        self._free()
        return super().on_shutdown(state)

    @logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to the beginning; what went wrong has been logged."""
        self._free()
        return super().on_error(state)

    def _calibration(self, config: FusionConfig) -> Calibration:
        if not config.calibration_file:
            return Calibration()
        given = load_calibration(Path(config.calibration_file).expanduser())
        named = {*given.cameras, *given.ego_from}
        if strangers := sorted(named - {s.name for s in config.sensors}):
            self.get_logger().warning(
                f"{config.calibration_file} describes {', '.join(strangers)}, "
                "which no sensor is named; known: " + ", ".join(s.name for s in config.sensors)
            )
        return given

    def _stop(self) -> None:
        if self._fusion is not None and self._active:
            self._active = False
            self._fusion.stop()

    def _free(self) -> None:
        self._stop()
        if self._fusion is not None:
            self._fusion.destroy()
            self._fusion = None
        self._settings.release()

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._fusion is not None and self._active:
            self._fusion.reset()
            response.success = True
            response.message = "records, pose and tracks are forgotten"
        else:
            response.message = "the node is not active; nothing to forget"
        return response


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    The parameter `autostart` (default true) has it configure and activate itself; false leaves
    that to whoever manages it.

    Returns:
        0 when asked to end, 1 when it could not be started (the log says why).
    """
    arguments = list(sys.argv if args is None else args)
    no_handlers = SignalHandlerOptions.NO  # a signal becomes a flag, so that we end in order
    with Stop().on_signals() as stop:
        enter_ros_environment()
        context = Context()
        try:
            rclpy.init(args=arguments, context=context, signal_handler_options=no_handlers)
            node = FusionNode(context=context)
        except (RuntimeError, ValueError, TypeError) as error:  # rclpy's, for what it cannot parse
            get_logger("fusion").fatal(_first_line(error))
            rclpy.try_shutdown(context=context)
            return 1
        try:
            return _run(node, context, arguments, stop)
        finally:
            if context.ok():
                node.trigger_shutdown()
            node.destroy_node()
            rclpy.try_shutdown(context=context)


def _run(node: FusionNode, context: Context, arguments: list[str], stop: Stop) -> int:
    for sentence in unmatched_files(arguments, node.get_fully_qualified_name()):
        node.get_logger().warning(sentence)
    whether = ParameterDescriptor(description="configure and activate without being asked")
    if not node.has_parameter("autostart"):
        node.declare_parameter("autostart", True, whether)
    if node.get_parameter("autostart").value and not start(node):
        return 1
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    while not stop.asked:
        try:
            executor.spin_once(timeout_sec=SPIN_S)
        except ExternalShutdownException:
            return 0
        except Exception:  # a bug in one callback must not end the node
            node.get_logger().error(traceback.format_exc(), throttle_duration_sec=1.0)
    return 0


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


if __name__ == "__main__":
    raise SystemExit(main())
