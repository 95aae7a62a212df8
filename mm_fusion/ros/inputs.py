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

"""What the node hears: messages in, frames and motion out. All in the executor's thread."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.errors import FusionError
from mm_fusion.recordings.live_calibration import LiveCalibration
from mm_fusion.recordings.messages import DECODERS, frame_of
from mm_fusion.records import (
    NS_PER_S,
    CameraImage,
    LidarScan,
    MotionRecord,
    RadarScan,
    SensorFrame,
    SensorRecord,
)
from mm_fusion.ros.diagnostics import Arrivals, SensorHealth, steady_ns
from mm_fusion.ros.message_types import message_class
from mm_fusion.ros.remarks import fault_of, remark_of
from mm_fusion.ros.stalling import StallingClock
from mm_fusion.ros.subscriptions import INFO_TYPE, FollowedTopic, info_topics
from mm_fusion.sync.synchronizer import FrameSynchronizer

TF_DEPTH = 100
WARN_EVERY_NS = 5 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One frame to be processed, and when the last of its records came."""

    frame: SensorFrame
    arrived_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who is told of what was heard."""

    frame: Callable[[Job], Any]
    motion: Callable[[str, MotionRecord], Any]
    calibration: Callable[[Calibration], Any]


class Inputs:
    """Subscriptions, decoding, synchronisation; hears nothing before `open`."""

    def __init__(
        self, node: Node, config: FusionConfig, given: Calibration, listener: Listener
    ) -> None:
        self._node = node
        self._config = config
        self._listener = listener
        self._calibration = LiveCalibration(config, given)
        self._arrivals = Arrivals()
        self._topics: dict[str, FollowedTopic] = {}
        self._info_topics: dict[str, FollowedTopic] = {}
        self._tf: list[Any] = []
        self._newest: tuple[int | None, int] = (None, 0)  # stream time, and when it became so
        self._warned_ns: dict[str, int] = {}
        self._simulated = StallingClock()
        self.synchronizer = FrameSynchronizer(config.sync, config.sensors)
        self.health = {
            s.name: SensorHealth(topic=node.resolve_topic_name(s.topic)) for s in config.sensors
        }

    def open(self) -> None:
        """Begin to listen, with the counters going on."""
        kind = message_class("tf2_msgs/msg/TFMessage")
        latched = QoSProfile(depth=TF_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        for topic, qos in (("/tf_static", latched), ("/tf", QoSProfile(depth=TF_DEPTH))):
            heard = self._node.create_subscription(kind, topic, self._on_transforms, qos)
            self._tf.append(heard)
        for sensor in self._config.sensors:
            self._topics[sensor.name] = FollowedTopic(
                self._node,
                [sensor.topic],
                DECODERS[sensor.kind],
                partial(self._on_message, sensor),
                partial(self._on_lost, sensor.name),
            )
            if sensor.kind == "camera":
                self._info_topics[sensor.name] = FollowedTopic(
                    self._node,
                    info_topics(sensor.topic, sensor.info_topic),
                    [INFO_TYPE],
                    partial(self._on_info, sensor.name),
                )
        self.poll()

    def close(self) -> None:
        """Stop listening and forget what waits for its frame."""
        for topic in (*self._topics.values(), *self._info_topics.values()):
            topic.close()
        for subscription in self._tf:
            self._node.destroy_subscription(subscription)
        self._topics, self._info_topics, self._tf = {}, {}, []
        self.reset()

    def reset(self) -> None:
        """Forget every record; calibration and counters stay."""
        self.synchronizer.reset()
        self._newest = (None, 0)

    def poll(self) -> None:
        """Look for publishers that have come, gone or changed."""
        for name, topic in self._topics.items():
            topic.poll()
            health = self.health[name]
            health.topic, health.msgtype, health.trouble = topic.topic, topic.msgtype, topic.trouble
        for topic in self._info_topics.values():
            topic.poll()

    def flush(self) -> None:
        """Release frames that have waited long enough, by the clock the stamps follow."""
        self._send(self.synchronizer.flush(self.stream_ns()))
        self._refresh()

    def stream_ns(self) -> int:
        """Return the time as the stamps tell it, gone on since the newest of them; 0 before."""
        newest_ns, since_ns = self._newest
        return 0 if newest_ns is None else newest_ns + max(self._clock_ns() - since_ns, 0)

    def trouble(self, sensor: str) -> str:
        """Return why it is not known where a sensor is; empty if it is."""
        why = self._calibration.troubles.get(sensor, "")
        info = self._info_topics.get(sensor)
        if info is not None and info.trouble and why:
            return f"no CameraInfo: {info.trouble}"
        return why

    def _on_message(self, sensor: SensorConfig, msgtype: str, message: Any) -> None:  # noqa: ANN401
        arrived_ns = steady_ns()
        health = self.health[sensor.name]
        health.note_message(arrived_ns)
        try:
            record = DECODERS[sensor.kind][msgtype](message)
            self._calibration.note_frame(sensor.name, frame_of(message))
            self._take(sensor, record, arrived_ns)
        except FusionError as error:
            self._refuse(sensor.name, str(error))
        except Exception:  # a bug of ours must not end the node
            self._node.get_logger().error(f"{sensor.name}:\n{traceback.format_exc()}")
            self._refuse(sensor.name, traceback.format_exc().splitlines()[-1])
        else:
            health.decoded += 1
            health.last_error = ""
            health.fault, health.remark = fault_of(message, record), remark_of(message, record)

    def _take(self, sensor: SensorConfig, record: SensorRecord, arrived_ns: int) -> None:
        corrected_ns = record.stamp_ns - round(sensor.offset_s * NS_PER_S)
        if isinstance(record, (LidarScan, RadarScan, CameraImage)):
            self._arrivals.note(sensor.name, corrected_ns, arrived_ns)
            frames = self.synchronizer.add(sensor.name, record)  # takes the offset out by itself
            if self.synchronizer.newest_ns != self._newest[0]:
                self._newest = (self.synchronizer.newest_ns, self._clock_ns())
            self._send(frames)
        else:
            self._listener.motion(sensor.name, replace(record, stamp_ns=corrected_ns))

    def _send(self, frames: Sequence[SensorFrame]) -> None:
        if frames:
            self._refresh()
        for frame in frames:
            self._listener.frame(Job(frame=frame, arrived_ns=self._arrivals.last_of(frame)))

    def _refresh(self) -> None:
        calibration = self._calibration.refresh()
        if calibration is not None:
            self._listener.calibration(calibration)

    def _refuse(self, sensor: str, why: str) -> None:
        health = self.health[sensor]
        health.lost["unusable"] += 1
        health.last_error = why
        now_ns = steady_ns()
        if now_ns - self._warned_ns.get(sensor, -WARN_EVERY_NS) >= WARN_EVERY_NS:
            self._warned_ns[sensor] = now_ns
            self._node.get_logger().warning(f"{sensor} on {health.topic}: {why}")

    def _on_lost(self, sensor: str, reason: str, count: int) -> None:
        self.health[sensor].lost[reason] += count

    def _on_transforms(self, message: Any) -> None:  # noqa: ANN401  # TFMessage
        try:
            self._calibration.note_transforms(message)
        except FusionError as error:
            self._node.get_logger().warning(str(error), throttle_duration_sec=5.0)

    def _on_info(self, camera: str, _: str, info: Any) -> None:  # noqa: ANN401
        self._calibration.note_info(camera, info)

    def _clock_ns(self) -> int:
        """Return the time that runs as stamps do: /clock where it is used, else a steady one."""
        clock = self._node.get_clock()
        if not clock.ros_time_is_active:
            return steady_ns()
        return self._simulated.at(clock.now().nanoseconds, steady_ns())
