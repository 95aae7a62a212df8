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

"""A vehicle on which everything is wrong but one LiDAR: each fault is said, the LiDAR answered."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("autoware_perception_msgs")

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image, PointCloud2

_spec = importlib.util.spec_from_file_location("vehicle", Path(__file__).with_name("vehicle.py"))
V = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(V)

pytestmark = pytest.mark.ros


def not_a_number(stamp_ns):
    return V.cloud(stamp_ns, np.full((50, 3), np.nan))


def without_intensity(stamp_ns):
    return V.cloud(stamp_ns, V.street_points(), fields="xyz")


def without_z(stamp_ns):
    message = V.cloud(stamp_ns, V.street_points())
    message.fields = message.fields[:2]
    return message


def cut_short(stamp_ns):
    message = V.cloud(stamp_ns, V.street_points())
    message.data = message.data[:100]
    return message


def without_stamp(stamp_ns):
    return V.cloud(0, V.street_points())


def an_hour_late(stamp_ns):
    return V.cloud(stamp_ns - 3_600_000 * V.MS, V.street_points())


def without_pixels(stamp_ns):
    return V.image(stamp_ns, width=0, height=0)


def in_no_encoding(stamp_ns):
    return V.image(stamp_ns, encoding="rgb9")


OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
FAULTS = {  # sensor: kind, its messages, what is said of it, how bad that is
    "hollow": ("lidar", not_a_number, "none of the 50 points", WARN),
    "dark": ("lidar", without_intensity, "no intensity in its messages", OK),
    "flat": ("lidar", without_z, "PointCloud2 lacks z; it has x, y", ERROR),
    "cut": ("lidar", cut_short, "truncated", ERROR),
    "unstamped": ("lidar", without_stamp, "header.stamp is zero", ERROR),
    "yesterday": ("lidar", an_hour_late, "stamps are far from those of the other", ERROR),
    "slow": ("radar", V.cloud, "radar PointCloud2 has no range rate", ERROR),
    "empty": ("camera", without_pixels, "image of 0 x 0 pixels has no content", ERROR),
    "strange": ("camera", in_no_encoding, "image encoding 'rgb9' is unknown", ERROR),
    "blind": ("camera", V.image, "/blind/camera_info or /blind/data/camera_info", ERROR),
}


@pytest.fixture(scope="module")
def faulty(module_executor, domain_id, tmp_path_factory):
    """What is said of a vehicle on which everything is wrong but one LiDAR."""
    vehicle, parameters = V.Vehicle(module_executor), {"sensor.lidar.topic": "lidar/points"}
    vehicle.place(*V.PLACES)
    nodes = V.Nodes(tmp_path_factory.mktemp("faulty"), domain_id)
    parameters["sensors"] = ["lidar", *FAULTS]
    publishers = {}
    for name, (kind, *_) in FAULTS.items():
        parameters |= {f"sensor.{name}.kind": kind, f"sensor.{name}.topic": f"{name}/data"}
        parameters |= {f"sensor.{name}.frame": "camera" if kind == "camera" else "lidar"}
        msgtype = Image if kind == "camera" else PointCloud2
        publishers[name] = vehicle.create_publisher(msgtype, f"{name}/data", 10)
    process = nodes(parameters)
    lidar = V.Lidar(vehicle)

    def is_said(sensor):
        return FAULTS[sensor][2] in vehicle.message_of(sensor)

    def drive():
        lidar()
        for name, publisher in publishers.items():
            make = FAULTS[name][1]
            points = (V.street_points(),) if make is V.cloud else ()
            publisher.publish(make(lidar.stamp_ns, *points))

    try:
        vehicle.until(lambda: all(map(is_said, FAULTS)), each=drive)
        vehicle.detections.clear()
        vehicle.until(lambda: len(vehicle.detections) > 3, each=drive)
        yield vehicle, process
    finally:
        nodes.end()


@pytest.mark.parametrize("sensor", FAULTS)
def test_a_faulty_sensor_gets_its_sentence(faulty, sensor):
    vehicle, _ = faulty
    _, _, said, level = FAULTS[sensor]
    assert said in vehicle.message_of(sensor)
    assert vehicle.statuses[f"fusion: {sensor}"].level == level


def test_among_faulty_sensors_the_sound_one_is_answered(faulty):
    vehicle, process = faulty
    assert any(array.detections for array in vehicle.detections.values())
    assert vehicle.statuses["fusion: lidar"].level == OK
    assert process.running
    assert "Traceback" not in process.log.read_text()
