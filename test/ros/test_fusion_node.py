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

"""The fusion node in a process of its own, a vehicle in ours, DDS between."""

import importlib.util
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")
pytest.importorskip("autoware_perception_msgs")

from autoware_perception_msgs.msg import TrackedObjects
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker

_spec = importlib.util.spec_from_file_location("vehicle", Path(__file__).with_name("vehicle.py"))
V = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(V)

pytestmark = pytest.mark.ros

LIDAR_ALONE = {"sensors": ["lidar"], "sensor.lidar.topic": "lidar/points"}
LIDAR_AND_CAMERA = {
    "sensors": ["lidar", "front"],
    "sensor.lidar.topic": "lidar/points",
    "sensor.front.kind": "camera",
    "sensor.front.topic": "front/image",
}


@pytest.fixture
def start(domain_id, tmp_path):
    nodes = V.Nodes(tmp_path, domain_id)
    yield nodes
    nodes.end()


@pytest.fixture
def vehicle(executor):
    return V.Vehicle(executor)


@pytest.fixture
def placed(vehicle):
    """A vehicle whose LiDAR and camera have a place."""
    vehicle.place(*V.PLACES)
    return vehicle


def ended(process, timeout_s=30):
    latest_s = time.monotonic() + timeout_s
    while process.running:
        assert time.monotonic() < latest_s, process.log.read_text()
        time.sleep(0.05)
    return process.wait()


def last_words(process):
    return process.log.read_text().strip().splitlines()[-1]


def test_every_scan_is_answered_with_its_stamp_and_the_car_is_where_it_stands(start, placed):
    process = start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    placed.until(lambda: placed.detections, each=lidar)
    first = next(iter(placed.detections))
    heard_from = lidar.sent.index(first)
    wanted = len(lidar.sent) + 5
    placed.until(lambda: len(lidar.sent) >= wanted, each=lidar)
    placed.until(lambda: placed.detections.keys() >= set(lidar.sent[heard_from:]))
    array = placed.detections[lidar.sent[-1]]
    assert array.header.frame_id == "base_link"
    centers = [(d.bbox.center.position.x, d.bbox.center.position.y) for d in array.detections]
    # the box spans 10 to 14 m ahead, 1.1 to 2.9 m to the left
    assert min(np.hypot(x - 12, y - 2) for x, y in centers) < 0.7
    assert set(placed.odometry) >= set(lidar.sent[-5:-1])
    placed.until(lambda: placed.objects and list(placed.objects.values())[-1].objects)
    assert placed.tf[-1].transforms[0].child_frame_id == "base_link"
    placed.until(lambda: placed.message_of("stage detect"), each=lidar)
    assert int(placed.value_of("pipeline", "frames_dropped")) == 0
    assert float(placed.value_of("pipeline", "latency_p95_ms")) > 0
    assert process.end() == 0


def test_a_cloud_without_a_point_on_anything_gives_an_empty_array(start, placed):
    start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    lidar.points = lidar.points[lidar.points[:, 2] == -V.LIDAR_HEIGHT_M]
    placed.until(lambda: placed.detections, each=lidar)
    assert all(len(array.detections) == 0 for array in placed.detections.values())


def test_sigterm_ends_the_node_cleanly(start, placed):
    process = start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    placed.until(lambda: placed.detections, each=lidar)
    process._process.send_signal(signal.SIGTERM)
    assert ended(process) == 0
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"sync.tolerance_s": 9.0}, "sync.tolerance_s is 9; it must lie in [0.001, 2]"),
        ({"sensors": ["lidar", "lidar"]}, "sensor 'lidar' is named twice"),
        ({"calibration_file": "/nowhere.yaml"}, "calibration file /nowhere.yaml: No such file"),
    ],
)
def test_a_node_that_cannot_be_configured_ends_with_one_sentence(start, parameters, sentence):
    process = start({**LIDAR_ALONE, **parameters})
    assert ended(process) == 1
    assert sentence in last_words(process)
    assert "Traceback" not in process.log.read_text()


def test_a_parameter_file_ros_cannot_parse_gets_one_sentence(start):
    process = start({**LIDAR_ALONE, "sensors": ["lidar", float("nan")]})
    assert ended(process) == 1
    assert "Sequence should be of same type" in last_words(process)
    assert "Traceback" not in process.log.read_text()


def test_a_parameter_file_for_another_node_is_told(start):
    process = start(LIDAR_ALONE, key="fusionnode")
    process.await_words("holds nothing for /fusion, only for /fusionnode", 20)
    assert process.running


def test_a_managed_node_waits_and_can_be_mended(start, placed):
    start({**LIDAR_ALONE, "sync.tolerance_s": 9.0}, autostart=False)
    assert placed.state() == "unconfigured"
    assert not placed.change_state("configure")
    assert placed.state() == "unconfigured"
    assert placed.set_parameter("sync.tolerance_s", 0.05).successful
    assert placed.change_state("configure")
    assert placed.change_state("activate")
    lidar = V.Lidar(placed)
    placed.until(lambda: placed.detections, each=lidar)
    assert placed.change_state("deactivate")
    assert placed.state() == "inactive"
    assert not placed.set_parameter("sync.buffer_s", 1.0).successful
    assert placed.change_state("cleanup")
    assert placed.set_parameter("sync.buffer_s", 1.0).successful
    assert placed.change_state("configure")
    assert placed.change_state("activate")
    placed.detections.clear()
    placed.until(lambda: placed.detections, each=lidar)


def test_live_settings_take_effect_and_bad_ones_are_refused(start, placed):
    start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    placed.until(lambda: any(a.detections for a in placed.detections.values()), each=lidar)
    refused = placed.set_parameter("geometric.min_points", 0)
    assert not refused.successful
    assert placed.set_parameter("geometric.min_points", 1000).successful
    placed.detections.clear()
    placed.until(lambda: any(not a.detections for a in placed.detections.values()), each=lidar)


def test_the_detector_is_changed_on_the_way(start, placed):
    start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    placed.until(lambda: placed.value_of("pipeline", "detector") == "geometric", each=lidar)
    assert "checkpoint is empty" in placed.set_parameter("detector", "learned").reason
    assert placed.set_parameter("learned.checkpoint", "astyx").successful
    placed.until(lambda: placed.value_of("pipeline", "detector") == "guarded", each=lidar)
    assert placed.set_parameter("detector", "geometric").successful
    placed.until(lambda: placed.value_of("pipeline", "detector") == "geometric", each=lidar)


def test_without_a_transform_it_says_so_and_goes_on_when_there_is_one(start, vehicle):
    start(LIDAR_ALONE)
    lidar = V.Lidar(vehicle)
    vehicle.until(lambda: "base_link" in vehicle.message_of("lidar"), each=lidar)
    assert "lidar" in vehicle.message_of("lidar")
    assert vehicle.statuses["fusion: lidar"].level == DiagnosticStatus.ERROR
    assert "no transform" in vehicle.value_of("pipeline", "missing: lidar")
    vehicle.place(V.standing("lidar", (0.0, 0.0, V.LIDAR_HEIGHT_M)))
    vehicle.until(lambda: any(a.detections for a in vehicle.detections.values()), each=lidar)
    vehicle.until(lambda: "Hz" in vehicle.message_of("lidar"), each=lidar)
    assert vehicle.statuses["fusion: lidar"].level == DiagnosticStatus.OK


def test_without_publishers_each_sensor_says_which_topic_is_silent(start, vehicle):
    start(LIDAR_AND_CAMERA)
    vehicle.until(lambda: "no frame yet" in vehicle.message_of("pipeline"))
    assert vehicle.message_of("lidar") == "no publisher on /lidar/points"
    assert vehicle.message_of("front") == "no publisher on /front/image"


def test_a_subscriber_that_asks_for_more_than_is_offered_is_told(start, vehicle):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    vehicle.create_subscription(TrackedObjects, "/fusion/objects", lambda _: None, latched)
    process = start(LIDAR_ALONE)
    process.await_words("a subscriber of /fusion/objects hears nothing: its QoS asks for more", 30)
    assert "/fusion/tracks hears nothing" not in process.log.read_text()  # that one is matched


def test_a_type_that_does_not_fit_the_kind_is_named(start, vehicle):
    start(LIDAR_ALONE)
    vehicle.create_publisher(Image, "lidar/points", 10)
    vehicle.until(lambda: "sensor_msgs/msg/Image" in vehicle.message_of("lidar"))
    assert "usable: sensor_msgs/msg/PointCloud2" in vehicle.message_of("lidar")


def test_stamps_that_go_back_are_followed_and_counted(start, placed):
    start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    placed.until(lambda: len(placed.detections) > 5, each=lidar)
    placed.detections.clear()
    lidar.stamp_ns = V.FIRST_NS - 60_000 * V.MS  # a bag that begins again
    placed.until(lambda: sum(stamp < V.FIRST_NS for stamp in placed.detections) > 3, each=lidar)
    placed.until(lambda: placed.value_of("pipeline", "clock_resets") == "1", each=lidar)


def test_objects_come_at_their_own_rate_by_prediction(start, placed):
    """Frames at 10 Hz, objects at 20 Hz: on whole multiples of 50 ms, none twice, none left out."""
    start({**LIDAR_ALONE, "output.rate_hz": 20.0})
    lidar = V.Lidar(placed)
    placed.until(lambda: len(placed.objects) > 40, each=lidar)
    stamps = np.array(sorted(placed.objects))
    assert (stamps % (50 * V.MS) == 0).all()
    steady = np.diff(stamps)[2:]  # the first frames find the pace
    assert np.median(steady) == 50 * V.MS
    assert (steady == 50 * V.MS).mean() > 0.9  # the machine that runs the test may falter
    first, last = min(placed.detections), max(placed.detections)
    frames = sum(first <= stamp <= last for stamp in placed.detections)
    assert len(stamps) > 1.6 * frames
    placed.until(lambda: placed.value_of("pipeline", "prediction_age_ms") is not None, each=lidar)
    assert abs(float(placed.value_of("pipeline", "prediction_age_ms"))) < 500


class Camera:
    """Publishes images, and CameraInfo where `info` says so, beside a LiDAR."""

    def __init__(self, vehicle, make=V.image, info=True, lidar=True):
        self.images = vehicle.create_publisher(Image, "front/image", 10)
        self.infos = vehicle.create_publisher(CameraInfo, "front/camera_info", 10) if info else None
        self.lidar = V.Lidar(vehicle)
        self.with_lidar = lidar
        self.make = make

    def __call__(self):
        if self.with_lidar:
            self.lidar()
        else:
            self.lidar.stamp_ns += 100 * V.MS
        self.images.publish(self.make(self.lidar.stamp_ns))
        if self.infos is not None:
            self.infos.publish(V.camera_info(self.lidar.stamp_ns))


def test_the_overlay_shows_the_image_with_the_stamp_of_the_frame(start, placed):
    start(LIDAR_AND_CAMERA)
    camera = Camera(placed)
    placed.watch_overlay("front")
    placed.until(lambda: placed.overlays, each=camera)
    stamp_ns, message = next(iter(placed.overlays.items()))
    assert stamp_ns in camera.lidar.sent
    assert bytes(message.data[:3]) == b"\xff\xd8\xff"
    assert message.format == "jpeg"


def test_cameras_alone_give_empty_arrays_at_their_rate_and_the_reason(start, placed):
    start(LIDAR_AND_CAMERA)
    camera = Camera(placed, lidar=False)
    placed.until(lambda: len(placed.detections) > 5, each=camera)
    assert all(not array.detections for array in placed.detections.values())
    placed.until(lambda: "needs a lidar or radar" in placed.message_of("pipeline"), each=camera)
    assert placed.value_of("pipeline", "reference") == "front"


def test_reset_forgets_tracks_and_says_so(start, placed):
    start(LIDAR_ALONE)
    lidar = V.Lidar(placed)
    placed.until(lambda: placed.objects and list(placed.objects.values())[-1].objects, each=lidar)
    placed.until(lambda: any(m.ns == "labels" for array in placed.markers for m in array.markers))
    assert placed.markers[0].markers[0].action == Marker.DELETEALL
    before = {bytes(o.object_id.uuid) for a in placed.objects.values() for o in a.objects}
    answer = placed.reset()
    assert answer.success, answer.message
    placed.objects.clear()
    placed.until(lambda: placed.objects and list(placed.objects.values())[-1].objects, each=lidar)
    after = {bytes(o.object_id.uuid) for o in list(placed.objects.values())[-1].objects}
    assert not before & after


def test_the_calibration_file_wins_over_tf(start, placed, tmp_path):
    file = tmp_path / "calibration.yaml"
    pose = {"translation_m": [100.0, 0.0, V.LIDAR_HEIGHT_M], "rotation_wxyz": [1.0, 0, 0, 0]}
    file.write_text(yaml.safe_dump({"sensors": {"lidar": pose}}))
    start({**LIDAR_ALONE, "calibration_file": str(file), "geometric.range_m": 200.0})
    lidar = V.Lidar(placed)
    placed.until(lambda: any(a.detections for a in placed.detections.values()), each=lidar)
    found = next(a for a in placed.detections.values() if a.detections)
    assert min(abs(d.bbox.center.position.x - 112) for d in found.detections) < 1
