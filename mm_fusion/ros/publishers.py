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

"""What the node publishes, and the topics it publishes on."""

from __future__ import annotations

import array
import uuid
from collections.abc import Callable
from typing import Any

import cv2
from autoware_perception_msgs.msg import PredictedObjects, TrackedObjects
from nav_msgs.msg import Odometry
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig
from mm_fusion.errors import FusionError
from mm_fusion.objects import FusionResult, Objects
from mm_fusion.preprocess.image import decode
from mm_fusion.records import UInt8
from mm_fusion.ros.cdr import detections_bytes, tracked_objects_bytes, trusted
from mm_fusion.ros.markers import CLEAR, ObjectMarkers
from mm_fusion.ros.message_types import message_class
from mm_fusion.ros.object_messages import (
    detections_message,
    header_of,
    odometry_message,
    tracked_objects_message,
    transform_message,
)
from mm_fusion.ros.predicted_messages import predicted_objects_message
from mm_fusion.view.overlay import draw_camera

DEPTH = 10
TF_DEPTH = 100
JPEG_QUALITY = 80
NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)  # see `Publishers.unheard`


class Publishers:
    """The publishers of one configured node. A message nobody listens to is not made.

    `publish`, `publish_objects` and `publish_overlays` may be called from different threads, each
    from one at a time.
    """

    def __init__(self, node: LifecycleNode, config: FusionConfig) -> None:
        self._node = node
        self._config = config
        self.output = config.output  # replaced as a whole when settings change
        self._all: list[LifecyclePublisher] = []
        self._of_detections, self._of_tracks = _makers()
        self._detections = self._create(Detection3DArray, "~/detections")
        self._tracks = self._create(Detection3DArray, "~/tracks")
        self._objects = self._create(TrackedObjects, "~/objects")
        self._predicted = self._create(PredictedObjects, "~/predicted_objects")
        self._markers = self._create(MarkerArray, "~/markers")
        self._odometry = self._create(Odometry, "~/odometry")
        self._tf_type = message_class("tf2_msgs/msg/TFMessage") if config.output.tf else None
        self._tf = self._create(self._tf_type, "/tf", TF_DEPTH) if config.output.tf else None
        self._overlays = {
            s.name: self._create(CompressedImage, f"~/overlay/{s.name}/compressed")
            for s in config.sensors
            if s.kind == "camera"
        }
        self.reset()

    def reset(self) -> None:
        """Begin anew: no object that was shown is known any more."""
        self._session = uuid.uuid4().bytes[:8]
        self._object_markers = ObjectMarkers()
        self._cleared = False

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in self._all:
            self._node.destroy_lifecycle_publisher(publisher)
        self._all.clear()

    def unheard(self) -> list[str]:
        """Name the topics somebody subscribed to who cannot hear us: their QoS asks for more.

        What rclpy's event handlers would say, without their cost at every turn of the executor.
        """
        return [
            publisher.topic_name
            for publisher in self._all
            if publisher.get_subscription_count()
            < self._node.count_subscribers(publisher.topic_name)
        ]

    def publish(self, result: FusionResult) -> None:
        """Publish everything of one frame but its objects and pictures."""
        header = header_of(result.stamp_ns, self._config.base_frame)
        _send(self._detections, lambda: self._of_detections(result.detections, header))
        self._publish_pose(result)
        if self.output.markers:
            self._publish_markers(result)

    def publish_objects(self, tracks: Objects, stamp_ns: int) -> None:
        """Publish what planners read, of one stamp: tracks in the vehicle's frame then."""
        header, session = header_of(stamp_ns, self._config.base_frame), self._session
        _send(self._tracks, lambda: self._of_detections(tracks, header))
        _send(self._objects, lambda: self._of_tracks(tracks, header, session))
        horizon_s, step_s = self.output.prediction_s, self.output.prediction_step_s
        if horizon_s > 0:
            ways = (tracks, header, session, horizon_s, step_s)
            _send(self._predicted, lambda: predicted_objects_message(*ways))

    def wants_overlays(self) -> bool:
        """Tell whether somebody looks at an overlay."""
        return self.output.overlay and any(map(_heard, self._overlays.values()))

    def publish_overlays(self, result: FusionResult, calibration: Calibration) -> None:
        """Draw and publish the pictures somebody looks at.

        Raises:
            MessageError: an image cannot be decoded; the others are published all the same.
        """
        broken: FusionError | None = None
        frame, width_px = result.frame, self.output.overlay_width_px
        objects = result.tracks if len(result.tracks) else result.detections
        for name, publisher in self._overlays.items():
            camera = calibration.cameras.get(name)
            if camera is None or name not in frame.images or not _heard(publisher):
                continue
            try:
                rgb = decode(frame.images[name])
                picture = draw_camera(rgb, camera, frame, objects, width_px=width_px)
            except FusionError as error:
                broken = error
                continue
            header = header_of(result.stamp_ns, self._config.sensor(name).frame or name)
            publisher.publish(jpeg_message(picture, header))
        if broken is not None:
            raise broken

    def _publish_pose(self, result: FusionResult) -> None:
        header = header_of(result.stamp_ns, self._config.map_frame)
        pose, child = result.frame.map_from_ego, self._config.base_frame
        covariance, motion = result.pose_covariance, result.frame.motion
        _send(self._odometry, lambda: odometry_message(pose, covariance, motion, header, child))
        if self._tf is not None and self._tf_type is not None:
            kind = self._tf_type
            _send(self._tf, lambda: kind(transforms=[transform_message(pose, header, child)]))

    def _publish_markers(self, result: FusionResult) -> None:
        if not _heard(self._markers):
            self._cleared = False  # whoever comes next begins with a clean picture
            return
        if not self._cleared:
            self._markers.publish(CLEAR)
            self._cleared = True
        frames = self._config.base_frame, self._config.map_frame
        self._markers.publish(self._object_markers.message(result, *frames))

    def _create(self, kind: Any, topic: str, depth: int = DEPTH) -> LifecyclePublisher:  # noqa: ANN401
        publisher = self._node.create_lifecycle_publisher(
            kind, topic, depth, event_callbacks=NO_EVENTS
        )
        self._all.append(publisher)
        return publisher


def jpeg_message(rgb: UInt8, header: Header) -> CompressedImage:
    """Compress an (H, W, 3) RGB picture."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
    data = array.array("B")
    data.frombytes(coded.tobytes())  # an ndarray would be copied element by element
    return CompressedImage(header=header, format="jpeg", data=data)


def _makers() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what makes detections and tracked objects: bytes where they can be trusted."""
    if trusted():
        return detections_bytes, tracked_objects_bytes
    return detections_message, tracked_objects_message


def _heard(publisher: LifecyclePublisher) -> bool:
    return publisher.get_subscription_count() > 0


def _send(publisher: LifecyclePublisher, make: Callable[[], Any]) -> None:
    if _heard(publisher):
        publisher.publish(make())
