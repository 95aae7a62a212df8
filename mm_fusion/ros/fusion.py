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

"""What a configured node is made of: inputs, one worker with the pipeline, outputs, diagnostics."""

from __future__ import annotations

import traceback
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.timer import Timer

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig
from mm_fusion.errors import FusionError
from mm_fusion.objects import FusionResult
from mm_fusion.pipeline import build_pipeline
from mm_fusion.records import MotionRecord
from mm_fusion.ros.diagnostics import PipelineHealth, StageClock, steady_ns
from mm_fusion.ros.inputs import Inputs, Job, Listener
from mm_fusion.ros.publishers import Publishers
from mm_fusion.ros.schedule import Schedule
from mm_fusion.ros.statuses import SensorReport, pipeline_status, stage_statuses
from mm_fusion.ros.worker import Worker

POLL_S = 0.2  # between two looks at the graph
UNHEARD_S = 2.0  # between two looks for subscribers that cannot hear us
FLUSH_S = 0.04  # between two looks for frames past their deadline


class Fusion:
    """Everything between the subscriptions and the publishers of an active node.

    Three threads: the executor's (messages to frames), the worker's (the pipeline and its
    results) and the painter's (overlays, which must not delay results).
    """

    def __init__(self, node: LifecycleNode, config: FusionConfig, given: Calibration) -> None:
        self._node = node
        self._config = config
        self._calibration = Calibration()  # belongs to the worker's thread
        self._stages = StageClock()
        self._health = PipelineHealth()
        self._pipeline = build_pipeline(config, self._stages)
        self._worker: Worker[Job] = Worker(
            "fusion", self._process, on_error=self._on_error, on_drop=self._on_drop
        )
        self._painter: Worker[tuple[FusionResult, Calibration]] = Worker(
            "overlays", self._paint, on_error=self._on_paint_error
        )
        listener = Listener(
            frame=self._worker.submit, motion=self._on_motion, calibration=self._on_calibration
        )
        self._inputs = Inputs(node, config, given, listener)
        self._reports = {s.name: SensorReport(node.get_name(), s, config) for s in config.sensors}
        self._publishers = Publishers(node, config)
        self._schedule = Schedule(
            config, lambda: node.get_clock().now().nanoseconds, self._publishers.publish_objects
        )
        self._diagnostics = node.create_lifecycle_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timers: list[Timer] = []
        self._unheard: set[str] = set()  # topics with a subscriber that was not matched

    def start(self) -> None:
        """Begin to listen and to work."""
        self._health = PipelineHealth()
        self._worker.start()
        self._painter.start()
        self._inputs.open()
        self._every(POLL_S, self._inputs.poll)
        self._every(UNHEARD_S, self._warn_unheard)
        self._every(FLUSH_S, self._inputs.flush)
        if self._schedule.period_s is not None:
            self._every(self._schedule.period_s, self._schedule.look)
        self._every(self._config.output.diagnostics_period_s, self._diagnose)

    def stop(self) -> None:
        """Listen no more, and finish the frame at hand."""
        for timer in self._timers:
            self._node.destroy_timer(timer)
        self._timers.clear()
        self._inputs.close()
        for worker in (self._worker, self._painter):
            if not worker.stop():
                self._node.get_logger().error("a frame takes too long; it is left behind")

    def destroy(self) -> None:
        """Take the topics away."""
        self._publishers.destroy()
        self._node.destroy_lifecycle_publisher(self._diagnostics)

    def reset(self) -> None:
        """Forget records, pose and tracks."""
        self._inputs.reset()
        self._worker.withdraw()
        self._worker.call(self._reset)

    def apply(self, config: FusionConfig) -> None:
        """Use new values of live settings from the next frame on."""
        self._config = config
        self._publishers.output = config.output
        self._inputs.synchronizer.retune(config.sync)
        self._worker.call(partial(self._pipeline.retune, config))

    def _process(self, job: Job) -> None:
        result = self._pipeline.process(job.frame)
        with self._stages("publish"):
            self._schedule.take(result)
            self._publishers.publish(result)
        self._health.note_result(result, job.arrived_ns)
        if self._publishers.wants_overlays():
            self._painter.submit((result, self._calibration))

    def _paint(self, painted: tuple[FusionResult, Calibration]) -> None:
        with self._stages("overlay"):
            self._publishers.publish_overlays(*painted)

    def _reset(self) -> None:
        self._pipeline.reset()
        self._publishers.reset()
        self._schedule.reset()

    def _on_motion(self, stream: str, record: MotionRecord) -> None:
        self._worker.call(partial(self._pipeline.observe, stream, record))

    def _on_calibration(self, calibration: Calibration) -> None:
        self._worker.call(partial(self._calibrate, calibration))

    def _calibrate(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._pipeline.calibrate(calibration)

    def _on_drop(self, job: Job) -> None:
        self._health.dropped += 1
        self._node.get_logger().warning(
            f"frame {job.frame.stamp_ns} dropped: pipeline busy", throttle_duration_sec=5.0
        )

    def _on_error(self, error: Exception) -> None:
        self._health.note_error(error)
        self._node.get_logger().error(f"frame lost: {_text(error)}", throttle_duration_sec=1.0)

    def _on_paint_error(self, error: Exception) -> None:
        self._node.get_logger().warning(f"overlay: {_text(error)}", throttle_duration_sec=5.0)

    def _warn_unheard(self) -> None:
        """Tell of a subscriber that is there twice in a row and still not matched."""
        unheard = set(self._publishers.unheard())
        for topic in sorted(unheard & self._unheard):
            self._node.get_logger().warning(
                f"a subscriber of {topic} hears nothing: its QoS asks for more than ours "
                "(reliable, volatile) gives",
                throttle_duration_sec=30.0,
            )
        self._unheard = unheard

    def _diagnose(self) -> None:
        now_ns, name = steady_ns(), self._node.get_name()
        states = self._inputs.synchronizer.stream_states(self._inputs.stream_ns())
        sync, silence_s = self._inputs.synchronizer.stats, self._config.sync.silence_s
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        for sensor, report in self._reports.items():
            health, place = self._inputs.health[sensor], self._inputs.trouble(sensor)
            array.status.append(report.status(health, states.get(sensor), place, now_ns))
        array.status += stage_statuses(name, self._stages.spreads)
        self._health.predicted_ms = self._schedule.age_ms
        self._health.unpredicted = self._schedule.stopped
        array.status.append(pipeline_status(name, self._health, sync, silence_s, now_ns))
        self._diagnostics.publish(array)

    def _every(self, period_s: float, call: object) -> None:
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # /clock may stand still, or not exist
        self._timers.append(self._node.create_timer(period_s, call, clock=steady))


def _text(error: Exception) -> str:
    """Return a sentence for what the user can mend, all of it for a bug."""
    if isinstance(error, FusionError):
        return str(error)
    return "".join(traceback.format_exception(error))
