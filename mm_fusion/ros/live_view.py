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

"""The live view: what a running fusion node says, and the clouds it heard, shown in Rerun.

A cloud is placed by /tf_static and /tf, under the vehicle's pose at its own stamp.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from mm_fusion.errors import FusionError
from mm_fusion.geometry.rigid import transform
from mm_fusion.geometry.tree import TransformTree
from mm_fusion.recordings.clouds import RANGE_RATE, lidar_scan
from mm_fusion.recordings.headers import bytes_of
from mm_fusion.recordings.messages import edge_of, frame_of, stamp_of
from mm_fusion.ros.environment import enter_ros_environment
from mm_fusion.ros.object_reading import (
    objects_of_detections,
    objects_of_tracked,
    pose_of_odometry,
)
from mm_fusion.ros.playback import Stop
from mm_fusion.ros.subscriptions import FollowedTopic
from mm_fusion.view import rerun_layout as paths
from mm_fusion.view.rerun_scene import POINT_M, RETURN_M, RerunScene
from mm_fusion.view.rerun_stream import open_file, open_web, open_window

CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"
PICTURE_TYPE = "sensor_msgs/msg/CompressedImage"
TRANSFORMS_TYPE = "tf2_msgs/msg/TFMessage"
POLL_S = 1.0
COMPLAIN_S = 5.0  # the same sentence is not said more often


class LiveView:
    """Listens to a fusion node and to clouds, and logs what it hears to a scene."""

    def __init__(
        self,
        node: Node,
        scene: RerunScene,
        *,
        source: str = "/fusion",
        clouds: Collection[str] | None = None,
    ) -> None:
        """Prepare; nothing is heard before `poll`, which a timer calls from here on.

        Args:
            node: whose subscriptions they are.
            scene: where it goes.
            source: name of the fusion node, its namespace included.
            clouds: topics of the clouds to show; None: every one there is.
        """
        self._node, self._scene = node, scene
        self._source = "/" + source.strip("/")
        self._clouds = None if clouds is None else {_absolute(topic) for topic in clouds}
        self._tree = TransformTree()
        self._base_frame = "base_link"  # until the fusion node says which
        self._followed: dict[str, FollowedTopic] = {}
        self._overlays: tuple[str, ...] = ()
        self.heard: Counter[str] = Counter()  # topic -> messages, those that could not be shown too
        self._follow(f"{self._source}/tracks", "vision_msgs/msg/Detection3DArray", self._on_tracks)
        tracked = "autoware_perception_msgs/msg/TrackedObjects"
        self._follow(f"{self._source}/objects", tracked, self._on_objects)
        self._follow(f"{self._source}/odometry", "nav_msgs/msg/Odometry", self._on_odometry)
        for topic in ("/tf_static", "/tf"):
            self._follow(topic, TRANSFORMS_TYPE, self._on_transforms)
        scene.arrange(paths.layout())
        node.create_timer(POLL_S, self.poll)
        self.poll()

    def poll(self) -> None:
        """Look for topics that have come or gone."""
        for topic, kinds in self._node.get_topic_names_and_types():
            if PICTURE_TYPE in kinds and topic.startswith(f"{self._source}/overlay/"):
                name = topic.removeprefix(f"{self._source}/overlay/").removesuffix("/compressed")
                self._follow(topic, PICTURE_TYPE, partial(self._on_picture, name))
            elif CLOUD_TYPE in kinds and (self._clouds is None or topic in self._clouds):
                self._follow(topic, CLOUD_TYPE, partial(self._on_cloud, topic))
        for followed in self._followed.values():
            followed.poll()

    def _follow(self, topic: str, msgtype: str, take: Callable[[Any], None]) -> None:
        if topic not in self._followed:
            hear = partial(self._heard, topic, take)
            self._followed[topic] = FollowedTopic(self._node, [topic], [msgtype], hear)

    def _heard(self, topic: str, take: Callable[[Any], None], _: str, message: Any) -> None:  # noqa: ANN401
        """Take a message; one that cannot be shown is complained of, and the view goes on."""
        self.heard[topic] += 1
        try:
            take(message)
        except FusionError as error:
            logger = self._node.get_logger()
            logger.warning(f"{topic}: {error}", throttle_duration_sec=COMPLAIN_S)

    def _on_tracks(self, message: Any) -> None:  # noqa: ANN401  # Detection3DArray
        self._base_frame = frame_of(message) or self._base_frame
        self._scene.set_stamp(stamp_of(message))
        tracks = objects_of_detections(message)
        self._scene.show_tracks(tracks)
        self._scene.plot(paths.COUNTS, {"tracks": len(tracks)})

    def _on_objects(self, message: Any) -> None:  # noqa: ANN401  # TrackedObjects
        self._scene.set_stamp(stamp_of(message))
        self._scene.show_velocities(objects_of_tracked(message))

    def _on_odometry(self, message: Any) -> None:  # noqa: ANN401  # Odometry
        self._scene.set_stamp(stamp_of(message))
        self._scene.show_pose(pose_of_odometry(message))

    def _on_transforms(self, message: Any) -> None:  # noqa: ANN401  # TFMessage
        for stamped in message.transforms:
            self._tree.add(*edge_of(stamped))

    def _on_cloud(self, topic: str, message: Any) -> None:  # noqa: ANN401  # PointCloud2
        scan = lidar_scan(message)
        ego_from_sensor = self._tree.lookup(self._base_frame, frame_of(message))
        is_radar = any(field.name.lower() in RANGE_RATE for field in message.fields)
        folder, radius_m = (paths.RADAR, RETURN_M) if is_radar else (paths.LIDAR, POINT_M)
        self._scene.set_stamp(scan.stamp_ns)
        points_ego = transform(ego_from_sensor, scan.points_lidar)
        self._scene.show_cloud(folder + topic, points_ego, radius_m)

    def _on_picture(self, name: str, message: Any) -> None:  # noqa: ANN401  # CompressedImage
        if name not in self._overlays:
            self._overlays = tuple(sorted((*self._overlays, name)))
            self._scene.arrange(paths.layout(overlays=self._overlays))
        self._scene.set_stamp(stamp_of(message))
        self._scene.show_image(f"{paths.OVERLAYS}/{name}", bytes_of(message.data).tobytes())


def view_live(
    *,
    source: str = "/fusion",
    clouds: Sequence[str] | None = None,
    web: bool = False,
    rrd: Path | None = None,
    announce: Callable[[str], object] = lambda _: None,
) -> None:
    """Show what a fusion node says until SIGINT.

    Args:
        source: name of the node, its namespace included.
        clouds: topics of the clouds to show; None: every one there is.
        web: serve it to browsers rather than open a window.
        rrd: write it to this file instead of showing it.
        announce: told in one sentence where to look.

    Raises:
        ConfigError: Rerun is not installed, or cannot show or write it there.
    """
    if rrd is not None:
        stream, where = open_file(rrd), f"{rrd}: being written"
    elif web:
        stream, address = open_web()
        where = f"open {address} in a browser"
    else:
        stream, where = open_window(), "Rerun's window is open"
    scene = RerunScene(stream)
    try:
        with Stop().on_signals() as stop, _node() as (node, executor):
            LiveView(node, scene, source=source, clouds=clouds)
            announce(f"{where}; Ctrl-C ends it")
            while not stop.asked:
                executor.spin_once(timeout_sec=0.1)
    except ExternalShutdownException:
        pass
    finally:
        scene.close()


@contextmanager
def _node() -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    enter_ros_environment()
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = Node("live_view", context=context, start_parameter_services=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        yield node, executor
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def _absolute(topic: str) -> str:
    return "/" + topic.strip("/")
