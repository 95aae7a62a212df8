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


"""Hears what the fusion node says: its outputs, by stamp, as the core's values again."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from autoware_perception_msgs.msg import TrackedObjects
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from vision_msgs.msg import Detection3DArray

from mm_fusion.objects import Objects
from mm_fusion.records import NS_PER_S, Float64
from mm_fusion.ros.object_reading import objects_of_detections, pose_of_odometry

DEPTH = 100


@dataclass(kw_only=True)
class Outputs:
    """What a fusion node published, by stamp in ns."""

    detections: dict[int, Objects] = field(default_factory=dict)
    tracks: dict[int, Objects] = field(default_factory=dict)
    objects: dict[int, TrackedObjects] = field(default_factory=dict)
    objects_s: dict[int, float] = field(default_factory=dict)  # when each came, steady
    map_from_ego: dict[int, Float64] = field(default_factory=dict)  # (4, 4)
    overlays: dict[str, dict[int, bytes]] = field(default_factory=dict)  # camera -> JPEG
    diagnostics: dict[str, DiagnosticStatus] = field(default_factory=dict)  # latest of each name


class Collector(Node):
    """Keeps every output of one fusion node."""

    def __init__(
        self, context: Context, cameras: Collection[str] = (), *, arrivals_only: bool = False
    ) -> None:
        """Subscribe.

        Args:
            context: initialised, of the node's domain.
            cameras: whose overlays are wanted; the node draws those only that somebody wants.
            arrivals_only: of objects note only when they came, for reading them takes longer.
        """
        super().__init__("collector", context=context, start_parameter_services=False)
        kept = self.outputs = Outputs(overlays={camera: {} for camera in cameras})
        self._listen(Detection3DArray, "detections", kept.detections, objects_of_detections)
        if arrivals_only:
            self.create_subscription(
                TrackedObjects, "/fusion/objects", self._on_arrival, DEPTH, raw=True
            )
        else:
            self._listen(Detection3DArray, "tracks", kept.tracks, objects_of_detections)
            self._listen(TrackedObjects, "objects", kept.objects, lambda message: message)
        self._listen(Odometry, "odometry", kept.map_from_ego, pose_of_odometry)
        for camera, images in kept.overlays.items():
            topic = f"overlay/{camera}/compressed"
            self._listen(CompressedImage, topic, images, lambda message: bytes(message.data))
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, DEPTH)

    def _listen(
        self, kind: type[Any], topic: str, kept: dict[int, Any], value: Callable[[Any], Any]
    ) -> None:
        keep = partial(_keep, kept, value)
        self.create_subscription(kind, f"/fusion/{topic}", keep, QoSProfile(depth=DEPTH))

    def _on_arrival(self, data: bytes) -> None:
        """Read the stamp alone: it follows the four bytes that tell the encoding."""
        sec, nanosec = struct.unpack_from("<iI", data, 4)
        self.outputs.objects_s[sec * NS_PER_S + nanosec] = time.monotonic()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.outputs.diagnostics.update({status.name: status for status in message.status})


def _keep(kept: dict[int, Any], value: Callable[[Any], Any], message: Any) -> None:  # noqa: ANN401
    stamp = message.header.stamp
    kept[stamp.sec * NS_PER_S + stamp.nanosec] = value(message)
