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

"""The example of a planner: its rule by hand, and the node over DDS."""

import math

import numpy as np
import pytest

pytest.importorskip("autoware_perception_msgs")

from autoware_perception_msgs.msg import TrackedObjects
from nav_msgs.msg import Odometry
from std_msgs.msg import Bool, Float32

from mm_fusion.objects import Objects
from mm_fusion.ros.environment import ros_environment
from mm_fusion.ros.object_messages import header_of, tracked_objects_message
from mm_fusion.ros.planner_example import time_to_collision
from mm_fusion.ros.processes import node_process

FRONT_M, HALF_WIDTH_M = 3.8, 1.0


def tracked(x=20.0, y=0.0, velocity=(0.0, 0.0), yaw=0.0):
    """A car 4 m long and 2 m wide; its velocity along the axes of base_link."""
    car = Objects.of_boxes(
        np.array([[x, y, 0.8, 4.0, 2.0, 1.6, yaw]]),
        velocities_ego=np.array([velocity]),
        ids=np.array([1]),
        scores=np.array([0.9]),
    )
    return tracked_objects_message(car, header_of(10**9, "base_link"), bytes(8))


def seconds(speed_mps, **given):
    return time_to_collision(
        tracked(**given).objects[0], speed_mps, front_m=FRONT_M, half_width_m=HALF_WIDTH_M
    )


def test_a_standing_car_ahead_by_hand():
    # 20 m less half its length less our front: 14.2 m at 10 m/s
    assert seconds(10.0) == pytest.approx(1.42)


@pytest.mark.parametrize("yaw", [0.0, math.pi, math.pi / 2, 0.4])
def test_what_counts_is_its_velocity_over_ground_however_it_is_turned(yaw):
    half_m = (abs(math.cos(yaw)) * 4 + abs(math.sin(yaw)) * 2) / 2
    expected = (20 - half_m - FRONT_M) / (10 + 5)  # oncoming at 5 m/s
    assert seconds(10.0, velocity=(-5.0, 0.0), yaw=yaw) == pytest.approx(expected)


@pytest.mark.parametrize(
    "given",
    [
        {"velocity": (10.0, 0.0)},  # as fast as we are
        {"velocity": (12.0, 0.0)},
        {"y": 2.1},  # beside our lane: half widths of 1 m each
        {"x": -20.0},  # behind us
        {"velocity": (0.0, 4.0)},  # crosses before we come: 5.7 m aside by then
    ],
)
def test_no_collision(given):
    assert seconds(10.0, **given) == math.inf


def test_one_that_crosses_into_our_lane_is_met():
    assert seconds(10.0, y=-5.0, velocity=(0.0, 3.5)) == pytest.approx(1.42)


def test_the_node_warns_once_and_brakes(domain_id, executor, tmp_path):
    node = executor_node(executor)
    brakes, times = [], []
    node.create_subscription(Bool, "/planner_example/brake", brakes.append, 10)
    node.create_subscription(Float32, "/planner_example/time_to_collision", times.append, 10)
    odometry = node.create_publisher(Odometry, "/fusion/odometry", 10)
    objects = node.create_publisher(TrackedObjects, "/fusion/objects", 10)
    ours = Odometry()
    ours.twist.twist.linear.x = 10.0
    environment = ros_environment(domain_id)
    log = tmp_path / "planner.log"
    with node_process("planner_example", (), environment, log) as process:
        for _ in range(300):
            odometry.publish(ours)
            objects.publish(tracked())
            executor.spin_once(timeout_sec=0.05)
            if any(message.data for message in brakes):
                break
        for _ in range(10):
            objects.publish(tracked())
            executor.spin_once(timeout_sec=0.05)
        assert brakes[-1].data
        assert times[-1].data == pytest.approx(1.42, abs=1e-4)
        brakes.clear()
        for _ in range(100):
            objects.publish(tracked(x=60.0))
            executor.spin_once(timeout_sec=0.05)
            if brakes and not brakes[-1].data:
                break
        assert not brakes[-1].data
        process.end()
    assert log.read_text().count("brake: collision in 1.4 s") == 1


def executor_node(executor):
    from rclpy.node import Node

    node = Node("road", context=executor.context)
    executor.add_node(node)
    return node
