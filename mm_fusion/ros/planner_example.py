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

"""The shortest planner there is: it reads `~/objects` and says when to brake.

Copy it and replace `time_to_collision`. It needs nothing of mm_fusion but its messages.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Sequence

import rclpy
from autoware_perception_msgs.msg import TrackedObject, TrackedObjects
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import Bool, Float32


class PlannerExample(Node):
    """Publishes the time to the next collision straight ahead, and whether to brake for it."""

    def __init__(self) -> None:
        super().__init__("planner_example")
        self._half_width_m = self.declare_parameter("width_m", 2.0).value / 2
        self._front_m = self.declare_parameter("front_m", 3.8).value  # of base_link's origin
        self._brake_s = self.declare_parameter("brake_s", 1.5).value
        self._existence = self.declare_parameter("existence", 0.5).value
        self._speed_mps = 0.0
        self._braking = False
        self._brake = self.create_publisher(Bool, "~/brake", 10)
        self._time = self.create_publisher(Float32, "~/time_to_collision", 10)
        self.create_subscription(Odometry, "/fusion/odometry", self._on_odometry, 10)
        self.create_subscription(TrackedObjects, "/fusion/objects", self._on_objects, 10)

    def _on_odometry(self, message: Odometry) -> None:
        self._speed_mps = message.twist.twist.linear.x

    def _on_objects(self, message: TrackedObjects) -> None:
        sure = (o for o in message.objects if o.existence_probability >= self._existence)
        seconds = min(map(self._seconds, sure), default=math.inf)
        brake = seconds < self._brake_s
        if brake and not self._braking:
            self.get_logger().warning(f"brake: collision in {seconds:.1f} s")
        self._braking = brake
        self._time.publish(Float32(data=seconds))
        self._brake.publish(Bool(data=brake))

    def _seconds(self, tracked: TrackedObject) -> float:
        return time_to_collision(
            tracked, self._speed_mps, front_m=self._front_m, half_width_m=self._half_width_m
        )


def time_to_collision(
    tracked: TrackedObject, speed_mps: float, *, front_m: float, half_width_m: float
) -> float:
    """Return after how many seconds an object meets our front, inf if it does not.

    Both keep their velocities: a constant-velocity look ahead, as simple as can be.

    Args:
        tracked: in base_link; its twist is over ground, in its own axes.
        speed_mps: ours.
        front_m: from base_link's origin to our bumper.
        half_width_m: ours.
    """
    pose = tracked.kinematics.pose_with_covariance.pose
    twist = tracked.kinematics.twist_with_covariance.twist.linear
    yaw = 2 * math.atan2(pose.orientation.z, pose.orientation.w)
    cos, sin, size = math.cos(yaw), math.sin(yaw), tracked.shape.dimensions
    half_ahead_m = (abs(cos) * size.x + abs(sin) * size.y) / 2
    half_aside_m = (abs(sin) * size.x + abs(cos) * size.y) / 2
    closing_mps = speed_mps - (cos * twist.x - sin * twist.y)
    gap_m = pose.position.x - half_ahead_m - front_m
    if closing_mps <= 0 or pose.position.x + half_ahead_m < front_m:
        return math.inf
    seconds = max(gap_m, 0.0) / closing_mps
    aside_m = pose.position.y + (sin * twist.x + cos * twist.y) * seconds
    return seconds if abs(aside_m) < half_width_m + half_aside_m else math.inf


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    rclpy.init(args=list(sys.argv if args is None else args))
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(PlannerExample())
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
