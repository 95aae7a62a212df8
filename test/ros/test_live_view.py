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

"""The live view hears a fusion node, and what it heard is in the recording."""

import math
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not there; `make setup` brings it")
pytest.importorskip("rerun", reason='Rerun is not there; pip install "mm_fusion[rerun]"')

import rclpy.node
from autoware_perception_msgs.msg import TrackedObjects
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, PointCloud2, PointField
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray

from mm_fusion.geometry.rigid import compose
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.ros.live_view import LiveView
from mm_fusion.ros.object_messages import (
    detections_message,
    header_of,
    pose_of,
    tracked_objects_message,
    transform_message,
)
from mm_fusion.ros.object_reading import (
    objects_of_detections,
    objects_of_tracked,
    pose_of_odometry,
)
from mm_fusion.view.rerun_scene import RerunScene
from mm_fusion.view.rerun_stream import open_file

pytestmark = pytest.mark.ros

STAMP_NS = 1_700_000_000_250_000_000
HEADER = header_of(STAMP_NS, "base_link")
BUS = CLASSES.index("bus")
TRACKS = Objects.of_boxes(
    np.array([[12.0, -3.0, 1.5, 10.0, 2.5, 3.0, 0.5], [30.0, 4.0, 0.9, 0.6, 0.6, 1.8, -2.0]]),
    ids=np.array([41, 42]),
    labels=np.array([BUS, CLASSES.index("pedestrian")]),
    scores=np.array([0.75, 0.5]),
    velocities_ego=np.array([[6.0, 8.0], [np.nan, np.nan]]),
)
MAP_FROM_EGO = compose(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([100.0, 50, 0]))


def cloud(points, fields="xyz", frame="roof", stamp_ns=STAMP_NS):
    points = np.asarray(points, np.float32)
    layout = [PointField(name=n, offset=4 * k, datatype=7, count=1) for k, n in enumerate(fields)]
    return PointCloud2(
        header=header_of(stamp_ns, frame),
        height=1,
        width=len(points),
        fields=layout,
        point_step=points.shape[1] * 4,
        row_step=points.nbytes,
        data=points.tobytes(),
    )


def odometry():
    message = Odometry(header=header_of(STAMP_NS, "map"), child_frame_id="base_link")
    message.pose.pose = pose_of(MAP_FROM_EGO)
    return message


class Speaker:
    """Says what a fusion node and a driver say."""

    def __init__(self, executor):
        self.node = rclpy.node.Node("fusion", context=executor.context)
        executor.add_node(self.node)
        self.publishers = {}

    def offer(self, kind, topic, **qos):
        profile = QoSProfile(depth=10, **qos)
        self.publishers[topic] = self.node.create_publisher(kind, topic, profile)

    def say(self, topic, message):
        self.publishers[topic].publish(message)


def read(path):
    """Values by entity and column, the first row of each."""
    from rerun.chunk import RrdReader

    values = {}
    for chunk in RrdReader(path).stream():
        for column, cells in chunk.to_record_batch().to_pydict().items():
            values.setdefault((chunk.entity_path, column), cells[0])
    return values


def spin_until(executor, done, seconds=20.0):
    ends_s = time.monotonic() + seconds
    while not done() and time.monotonic() < ends_s:
        executor.spin_once(timeout_sec=0.05)
    assert done()


@pytest.fixture(scope="module")
def heard(module_executor, tmp_path_factory):
    """What was written of one message on every topic, and what was complained of."""
    path = tmp_path_factory.mktemp("live") / "live.rrd"
    speaker = Speaker(module_executor)
    speaker.offer(TFMessage, "/tf_static", durability=DurabilityPolicy.TRANSIENT_LOCAL)
    kinds = {
        "/fusion/tracks": Detection3DArray,
        "/fusion/objects": TrackedObjects,
        "/fusion/odometry": Odometry,
        "/fusion/overlay/front/compressed": CompressedImage,
        "/lidar/points": PointCloud2,
        "/radar/points": PointCloud2,
        "/lost/points": PointCloud2,
    }
    for topic, kind in kinds.items():
        speaker.offer(kind, topic)
    on_roof = compose(np.eye(3), np.array([1.0, 0.0, 2.0]))
    placed = transform_message(on_roof, HEADER, "roof")
    speaker.say("/tf_static", TFMessage(transforms=[placed]))

    listener = rclpy.node.Node("live_view", context=module_executor.context)
    module_executor.add_node(listener)
    scene = RerunScene(open_file(path))
    view = LiveView(listener, scene)

    def all_matched():
        view.poll()
        return all(publisher.get_subscription_count() for publisher in speaker.publishers.values())

    spin_until(module_executor, all_matched)
    spin_until(module_executor, lambda: view.heard["/tf_static"])
    speaker.say("/fusion/odometry", odometry())
    speaker.say("/fusion/tracks", detections_message(TRACKS, HEADER))
    speaker.say("/fusion/objects", tracked_objects_message(TRACKS, HEADER, b"sessions"))
    picture = CompressedImage(header=HEADER, format="jpeg", data=b"\xff\xd8picture")
    speaker.say("/fusion/overlay/front/compressed", picture)
    speaker.say("/lost/points", cloud([[1, 1, 1]], frame="nowhere"))
    speaker.say("/lidar/points", cloud([[5, 0, -2], [6, 1, 0]]))
    speaker.say("/radar/points", cloud([[9, 2, 0, -3]], fields=["x", "y", "z", "range_rate"]))
    spin_until(module_executor, lambda: set(kinds) <= set(view.heard))
    scene.close()
    return read(path)


def test_tracks_are_boxes_with_class_and_id(heard):
    assert heard["/map/ego/tracks", "Boxes3D:centers"] == [
        pytest.approx([12, -3, 1.5]),
        pytest.approx([30, 4, 0.9]),
    ]
    assert heard["/map/ego/tracks", "Boxes3D:half_sizes"][0] == pytest.approx([5, 1.25, 1.5])
    assert heard["/map/ego/tracks", "Boxes3D:labels"] == ["bus #41", "pedestrian #42"]


def test_they_stand_at_the_messages_stamp(heard):
    stamp = np.datetime64(heard["/map/ego/tracks", "stamp"], "ns").astype(np.int64)
    assert stamp == STAMP_NS


def test_velocities_come_of_what_planners_read(heard):
    (arrow,) = heard["/map/ego/velocities", "Arrows3D:vectors"]  # the other's is unknown
    assert arrow == pytest.approx([6, 8, 0])


def test_the_vehicle_stands_where_odometry_says(heard):
    assert heard["/map/ego", "Transform3D:translation"] == [pytest.approx([100, 50, 0])]


def test_a_cloud_is_placed_by_the_static_transform(heard):
    points = heard["/map/ego/lidar/lidar/points", "Points3D:positions"]
    assert points == [pytest.approx([6, 0, 0]), pytest.approx([7, 1, 2])]  # 1 m ahead, 2 m up


def test_a_cloud_with_range_rates_is_a_radars(heard):
    points = heard["/map/ego/radar/radar/points", "Points3D:positions"]
    assert points == [pytest.approx([10, 2, 2])]


def test_a_cloud_nobody_has_placed_is_left_out_and_the_view_goes_on(heard):
    assert not any("lost" in entity for entity, _ in heard)


def test_an_overlay_is_shown_as_it_came(heard):
    (picture,) = heard["/overlays/front", "EncodedImage:blob"]
    assert bytes(picture) == b"\xff\xd8picture"


def test_objects_survive_the_way_through_a_message():
    back = objects_of_detections(detections_message(TRACKS, HEADER))
    assert back.boxes == pytest.approx(TRACKS.boxes)
    assert back.ids.tolist() == [41, 42]
    assert back.labels.tolist() == TRACKS.labels.tolist()
    assert back.scores.tolist() == [0.75, 0.5]
    tracked = objects_of_tracked(tracked_objects_message(TRACKS, HEADER, b"sessions"))
    assert tracked.boxes == pytest.approx(TRACKS.boxes)
    assert tracked.velocities_ego[0] == pytest.approx([6, 8])
    assert pose_of_odometry(odometry()) == pytest.approx(MAP_FROM_EGO)


def test_a_strange_class_is_unknown_and_an_id_that_is_no_number_none():
    message = detections_message(TRACKS[:1], HEADER)
    message.detections[0].id = "b7-f2"
    message.detections[0].results[0].hypothesis.class_id = "tram"
    back = objects_of_detections(message)
    assert (back.ids[0], CLASSES[back.labels[0]]) == (-1, "unknown")
    message.detections[0].results = []
    assert objects_of_detections(message).scores[0] == 0
    assert math.isnan(back.velocities_ego[0, 0])
