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


import time

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from mm_fusion.ros.subscriptions import FollowedTopic, info_topics  # noqa: E402

pytestmark = pytest.mark.ros

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TYPES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("front/image/compressed", ("front/camera_info", "front/image/camera_info")),
        ("front/image_raw", ("front/camera_info", "front/image_raw/camera_info")),
        ("/cam/image_raw/compressed", ("/cam/camera_info", "/cam/image_raw/camera_info")),
        ("/image", ("/camera_info", "/image/camera_info")),
        ("image", ("camera_info", "image/camera_info")),
    ],
)
def test_camera_info_is_beside_the_image(image, expected):
    assert info_topics(image) == expected


def test_a_named_info_topic_is_the_only_one():
    assert info_topics("front/image", "calib/front") == ("calib/front",)


class Pair:
    """A node that follows a topic, and one that publishes from a participant of its own."""

    def __init__(self, executor, other, *topics):
        self.executor = executor
        self.node = Node("follower", context=executor.context)
        self.other = other
        executor.add_node(self.node)
        self.heard = []
        self.lost = []
        self.followed = FollowedTopic(
            self.node,
            topics,
            TYPES,
            lambda msgtype, message: self.heard.append((msgtype, message)),
            lambda reason, count: self.lost.append((reason, count)),
        )

    def until(self, condition, each=lambda: None, poll=True):
        latest_s = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < latest_s
            each()
            if poll:
                self.followed.poll()
            self.executor.spin_once(timeout_sec=0.02)


@pytest.fixture
def other(make_context):
    node = Node("driver", context=make_context())
    yield node
    node.destroy_node()


@pytest.fixture
def pair(executor, other):
    return Pair(executor, other, "image")


def test_with_nobody_there_it_says_so(pair):
    pair.followed.poll()
    assert pair.followed.trouble == "no publisher on /image"
    assert pair.followed.msgtype == ""
    assert pair.followed.topic == "/image"


@pytest.mark.parametrize("qos", [QoSProfile(depth=5), BEST_EFFORT, LATCHED])
def test_it_hears_whatever_quality_is_offered(pair, qos):
    publisher = pair.other.create_publisher(Image, "image", qos)
    pair.until(lambda: pair.heard, each=lambda: publisher.publish(Image(width=3)))
    msgtype, message = pair.heard[0]
    assert (msgtype, message.width) == ("sensor_msgs/msg/Image", 3)
    assert pair.followed.trouble == ""


def test_it_hears_what_was_latched_before_it_came(pair):
    pair.other.create_publisher(Image, "image", LATCHED).publish(Image(width=9))
    pair.until(lambda: pair.heard)
    assert pair.heard[0][1].width == 9


def test_a_type_that_cannot_be_used_is_named(pair):
    pair.other.create_publisher(CameraInfo, "image", 5)
    pair.until(lambda: "carries" in pair.followed.trouble)
    assert pair.followed.trouble == (
        "/image carries sensor_msgs/msg/CameraInfo, which cannot be used here; "
        "usable: sensor_msgs/msg/CompressedImage, sensor_msgs/msg/Image"
    )
    assert pair.followed.msgtype == ""


def test_it_follows_a_driver_that_comes_back_with_another_type_and_quality(pair):
    publisher = pair.other.create_publisher(Image, "image", 5)
    pair.until(lambda: pair.heard, each=lambda: publisher.publish(Image()))
    pair.other.destroy_publisher(publisher)
    pair.until(lambda: pair.followed.trouble)
    pair.heard.clear()
    publisher = pair.other.create_publisher(CompressedImage, "image", BEST_EFFORT)
    pair.until(lambda: pair.heard, each=lambda: publisher.publish(CompressedImage(format="jpeg")))
    assert pair.heard[-1][0] == "sensor_msgs/msg/CompressedImage"


def test_a_weaker_publisher_that_joins_is_heard_as_well(pair):
    strong = pair.other.create_publisher(Image, "image", 5)
    pair.until(lambda: pair.heard, each=lambda: strong.publish(Image(width=1)))
    weak = pair.other.create_publisher(Image, "image", BEST_EFFORT)
    pair.until(lambda: pair.lost, poll=False)
    assert pair.lost == [("publisher with incompatible reliability", 1)]
    pair.until(lambda: pair.heard[-1][1].width == 2, each=lambda: weak.publish(Image(width=2)))


def test_the_likelier_of_two_topics_wins(executor, other):
    pair = Pair(executor, other, "a", "b")
    second = pair.other.create_publisher(Image, "b", 5)
    pair.until(lambda: pair.heard, each=lambda: second.publish(Image(width=2)))
    assert pair.followed.topic == "/b"
    first = pair.other.create_publisher(Image, "a", 5)
    pair.until(lambda: pair.heard[-1][1].width == 1, each=lambda: first.publish(Image(width=1)))
    assert pair.followed.topic == "/a"


def test_nothing_is_heard_after_close(pair):
    publisher = pair.other.create_publisher(Image, "image", 5)
    pair.until(lambda: pair.heard, each=lambda: publisher.publish(Image()))
    pair.followed.close()
    pair.heard.clear()
    for _ in range(5):
        publisher.publish(Image())
        pair.executor.spin_once(timeout_sec=0.05)
    assert pair.heard == []
