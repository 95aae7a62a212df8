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

"""A vehicle in the test's process: it publishes small sensor data and keeps what the node says."""

import array
import time

import numpy as np
import yaml
from autoware_perception_msgs.msg import TrackedObjects
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped, TwistStamped
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from mm_fusion.ros.environment import ros_environment
from mm_fusion.ros.object_messages import header_of
from mm_fusion.ros.processes import NodeProcess

MS = 1_000_000
FIRST_NS = 1_700_000_000_000_000_000
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
WAIT_S = 20.0
ANSWER_S = 3.0  # without an answer by then, it was lost

LIDAR_HEIGHT_M = 1.7
OPTICAL = (-0.5, 0.5, -0.5, 0.5)  # x, y, z, w of base_link from an optical frame that looks ahead


def street_points():
    """Flat ground, and a car-sized box 12 m ahead, 2 m to the left; in the LiDAR's frame."""
    x, y = np.meshgrid(np.arange(-30, 40, 0.8), np.arange(-20, 20, 0.8))
    ground = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, -LIDAR_HEIGHT_M)])
    side, up = np.meshgrid(np.arange(-0.9, 0.91, 0.15), np.arange(0.2, 1.5, 0.15))
    rear = np.column_stack([np.full(side.size, 10.0), 2 + side.ravel(), up.ravel()])
    along, up = np.meshgrid(np.arange(10, 14.1, 0.15), np.arange(0.2, 1.5, 0.15))
    flank = np.column_stack([along.ravel(), np.full(along.size, 1.1), up.ravel()])
    return np.vstack([ground, rear - [0, 0, LIDAR_HEIGHT_M], flank - [0, 0, LIDAR_HEIGHT_M]])


def cloud(stamp_ns, points, fields="xyzi", frame_id="lidar"):
    """A PointCloud2 of float32 fields; `i` is an intensity, `v` a range rate, `s` an RCS."""
    names = {"i": "intensity", "v": "range_rate", "s": "rcs"}
    rows = np.zeros((len(points), len(fields)), np.float32)
    rows[:, :3] = points
    data = array.array("B")
    data.frombytes(rows.tobytes())
    return PointCloud2(
        header=header_of(stamp_ns, frame_id),
        height=1,
        width=len(points),
        fields=[
            PointField(name=names.get(f, f), offset=4 * k, datatype=PointField.FLOAT32, count=1)
            for k, f in enumerate(fields)
        ],
        point_step=4 * len(fields),
        row_step=4 * len(fields) * len(points),
        data=data,
        is_dense=True,
    )


def image(stamp_ns, width=64, height=48, encoding="rgb8"):
    data = array.array("B", bytes(width * height * 3))
    return Image(
        header=header_of(stamp_ns, "camera"),
        width=width,
        height=height,
        encoding=encoding,
        step=width * 3,
        data=data,
    )


def camera_info(stamp_ns):
    k = [50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0]
    return CameraInfo(header=header_of(stamp_ns, "camera"), width=64, height=48, k=k)


def twist(stamp_ns, speed_mps=0.0):
    message = TwistStamped(header=header_of(stamp_ns, "base_link"))
    message.twist.linear.x = speed_mps
    return message


def standing(child, xyz, xyzw=(0.0, 0.0, 0.0, 1.0)):
    """A transform of /tf_static from base_link."""
    stamped = TransformStamped(header=header_of(FIRST_NS, "base_link"), child_frame_id=child)
    moved = stamped.transform
    moved.translation.x, moved.translation.y, moved.translation.z = xyz
    moved.rotation.x, moved.rotation.y, moved.rotation.z, moved.rotation.w = xyzw
    return stamped


PLACES = (
    standing("lidar", (0.0, 0.0, LIDAR_HEIGHT_M)),
    standing("camera", (0.5, 0.0, 1.5), OPTICAL),
)
QUICK = {"output.diagnostics_period_s": 0.1}


class Nodes:
    """Starts fusion nodes with parameters, and ends them."""

    def __init__(self, folder, domain_id):
        self.folder = folder
        self.environment = ros_environment(domain_id)
        self.started = []

    def __call__(self, parameters, key="/**", autostart=True):
        name = f"node{len(self.started)}"
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({key: {"ros__parameters": {**QUICK, **parameters}}}))
        words = ["--ros-args", "--params-file", str(file), "-p", f"autostart:={autostart}".lower()]
        log = self.folder / f"{name}.log"
        process = NodeProcess("fusion_node", words, self.environment, log)
        self.started.append(process)
        return process

    def end(self):
        for process in self.started:
            process.end()


class Vehicle(Node):
    """Publishes on the topics of the default parameters and hears every output."""

    def __init__(self, executor):
        super().__init__("vehicle", context=executor.context)
        self._executor = executor
        executor.add_node(self)
        self.detections, self.objects, self.statuses = {}, {}, {}
        self.odometry, self.markers, self.overlays, self.tf = {}, [], {}, []
        self._hear(Detection3DArray, "/fusion/detections", self._keeper(self.detections))
        self._hear(TrackedObjects, "/fusion/objects", self._keeper(self.objects))
        self._hear(Odometry, "/fusion/odometry", self._keeper(self.odometry))
        self._hear(MarkerArray, "/fusion/markers", self.markers.append)
        self._hear(TFMessage, "/tf", self.tf.append)
        self._hear(DiagnosticArray, "/diagnostics", self._on_diagnostics)
        self._latched = []

    def _hear(self, kind, topic, callback):
        self.create_subscription(kind, topic, callback, 50)

    def _keeper(self, kept):
        def keep(message):
            stamp = message.header.stamp
            kept[stamp.sec * 1_000_000_000 + stamp.nanosec] = message

        return keep

    def _on_diagnostics(self, message):
        self.statuses.update({status.name: status for status in message.status})

    def watch_overlay(self, camera):
        topic = f"/fusion/overlay/{camera}/compressed"
        self._hear(CompressedImage, topic, self._keeper(self.overlays))

    def place(self, *transforms):
        """Latch transforms, as robot_state_publisher does."""
        publisher = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        publisher.publish(TFMessage(transforms=list(transforms)))
        self._latched.append(publisher)

    def until(self, condition, each=None, timeout_s=WAIT_S):
        """Spin until a condition holds; `each` is called ten times a second."""
        latest_s, next_s = time.monotonic() + timeout_s, 0.0
        while not condition():
            assert time.monotonic() < latest_s, self.told()
            if each is not None and time.monotonic() >= next_s:
                next_s = time.monotonic() + 0.1
                each()
            self._executor.spin_once(timeout_sec=0.02)

    def told(self):
        return "\n".join(f"{s.name}: {s.message}" for s in self.statuses.values())

    def message_of(self, name):
        status = self.statuses.get(f"fusion: {name}")
        return status.message if status else ""

    def value_of(self, name, key):
        status = self.statuses.get(f"fusion: {name}")
        values = {v.key: v.value for v in status.values} if status else {}
        return values.get(key)

    def call(self, kind, service, request, again_s=ANSWER_S):
        """Call a service, and again where no answer comes.

        Fast DDS drops the answer to a client that the server has not discovered yet.
        """
        client = self.create_client(kind, service)
        self.until(client.service_is_ready)
        answers = []

        def ask():
            if not answers or time.monotonic() >= self._asked_s + again_s:
                self._asked_s = time.monotonic()
                answers.append(client.call_async(request))

        self.until(lambda: any(answer.done() for answer in answers), each=ask)
        self.destroy_client(client)
        return next(answer.result() for answer in answers if answer.done())

    def state(self):
        return self.call(GetState, "/fusion/get_state", GetState.Request()).current_state.label

    def change_state(self, label):
        """Ask for a transition once: it may not come twice.

        The client of the state is newer than ours, and endpoints are discovered in their order:
        once the server answers that one, it knows ours.
        """
        client = self.create_client(ChangeState, "/fusion/change_state")
        self.until(client.service_is_ready)
        self.state()
        request = ChangeState.Request()
        request.transition.label = label
        answer = client.call_async(request)
        self.until(answer.done)
        self.destroy_client(client)
        return answer.result().success

    def set_parameter(self, name, value):
        message = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[message])
        (result,) = self.call(SetParameters, "/fusion/set_parameters", request).results
        return result

    def reset(self):
        return self.call(Trigger, "/fusion/reset", Trigger.Request())


class Lidar:
    """Publishes scans 100 ms apart in stream time, whenever it is called."""

    def __init__(self, vehicle, stamp_ns=FIRST_NS, topic="lidar/points", qos=10):
        self.publisher = vehicle.create_publisher(PointCloud2, topic, qos)
        self.stamp_ns = stamp_ns
        self.points = street_points()
        self.sent = []

    def __call__(self):
        self.stamp_ns += 100 * MS
        self.sent.append(self.stamp_ns)
        self.publisher.publish(cloud(self.stamp_ns, self.points))
