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


"""Sessions: a recording through the real player and the real node, and what they are made of."""

import math
import os

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2 (make setup)")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from nav_msgs.msg import Odometry  # noqa: E402
from numpy.testing import assert_allclose  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402

from mm_fusion.config import FusionConfig, SensorConfig  # noqa: E402
from mm_fusion.config_tree import load_config  # noqa: E402
from mm_fusion.errors import FusionError  # noqa: E402
from mm_fusion.objects import CLASSES, UNKNOWN, UNTRACKED, Objects  # noqa: E402
from mm_fusion.recordings.convert import convert  # noqa: E402
from mm_fusion.recordings.open import open_recording  # noqa: E402
from mm_fusion.ros.bag_parameters import (  # noqa: E402
    bag_config,
    header_stamp_ns,
    reference_stamps,
    sensor_topics,
    write_parameters,
)
from mm_fusion.ros.bench import (  # noqa: E402
    bench_transport,
    latency_figures,
    print_bench,
    session_figures,
    steadiness,
)
from mm_fusion.ros.diagnostics import PipelineHealth, Spread, StageClock  # noqa: E402
from mm_fusion.ros.environment import ros_environment  # noqa: E402
from mm_fusion.ros.object_messages import detections_message, header_of  # noqa: E402
from mm_fusion.ros.object_reading import objects_of_detections, pose_of_odometry  # noqa: E402
from mm_fusion.ros.processes import NodeProcess, ros_arguments  # noqa: E402
from mm_fusion.ros.session import private_domain, private_executor, run_session  # noqa: E402
from mm_fusion.ros.statuses import pipeline_status, stage_statuses  # noqa: E402
from mm_fusion.sync.synchronizer import FrameSynchronizer  # noqa: E402

pytestmark = pytest.mark.ros

STAMP_NS = 1_700_000_000_123_456_789


def test_objects_survive_the_way_over_a_message():
    boxes = np.array([[10.0, -2.0, 0.9, 4.2, 1.8, 1.5, 2.5], [3.0, 4.0, 0.8, 0.6, 0.6, 1.7, -3.0]])
    labels = np.array([CLASSES.index("car"), UNKNOWN])
    sent = Objects.of_boxes(
        boxes, labels=labels, scores=np.array([0.75, 0.25]), ids=np.array([17, UNTRACKED])
    )
    got = objects_of_detections(detections_message(sent, header_of(STAMP_NS, "base_link")))
    assert_allclose(got.boxes, boxes, atol=1e-9)
    assert got.labels.tolist() == labels.tolist()
    assert got.scores.tolist() == [0.75, 0.25]
    assert got.ids.tolist() == [17, UNTRACKED]


def test_no_objects_are_no_objects():
    empty = detections_message(Objects.none(), header_of(STAMP_NS, "base_link"))
    assert len(objects_of_detections(empty)) == 0


def test_a_pose_turned_left_at_one_two_three():
    message = Odometry()
    message.pose.pose.position.x, message.pose.pose.position.y = 1.0, 2.0
    message.pose.pose.position.z = 3.0
    message.pose.pose.orientation.z = message.pose.pose.orientation.w = math.sqrt(0.5)
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    assert_allclose(pose_of_odometry(message), expected, atol=1e-12)


def test_the_stamp_is_read_from_the_bytes():
    message = PoseStamped(header=header_of(STAMP_NS, "a frame with a long name"))
    assert header_stamp_ns(serialize_message(message)) == STAMP_NS
    big_endian = bytes([0, 0, 0, 0]) + (1_700_000_000).to_bytes(4, "big") + (5).to_bytes(4, "big")
    assert header_stamp_ns(big_endian) == 1_700_000_000_000_000_005


def test_the_parameter_file_says_what_the_config_says(tmp_path):
    sensors = (
        SensorConfig(name="roof", kind="lidar", topic="/roof/points", tolerance_s=0.02),
        SensorConfig(name="left", kind="camera", topic="left/image"),
    )
    config = FusionConfig(sensors=sensors)
    file = write_parameters(config, tmp_path / "new folder" / "parameters.yaml")
    assert load_config(file) == config
    assert sensor_topics(config) == ("/roof/points", "/left/image")


def test_parameters_are_quoted_for_the_command_line(tmp_path):
    words = ros_arguments(tmp_path, rate=2.0, loop=True, bag="/a b/c", topics="")
    assert words == [
        *("--ros-args", "--params-file", str(tmp_path)),
        *("-p", "rate:=2.0", "-p", "loop:=true", "-p", 'bag:="/a b/c"', "-p", 'topics:=""'),
    ]


def test_a_node_that_cannot_start_is_quoted_in_the_error(tmp_path):
    process = NodeProcess("no_such_node", [], ros_environment(private_domain()), tmp_path / "log")
    with pytest.raises(FusionError, match="no_such_node ended with exit code 1: .*No module named"):
        process.await_words("ready", timeout_s=30)


def test_a_private_session_leaves_the_environment_as_it_was(monkeypatch):
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE", raising=False)
    with private_executor(private_domain()):
        assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in os.environ
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in os.environ


def test_latencies_are_those_of_the_nodes_own_diagnostics():
    health, clock = PipelineHealth(), StageClock()
    health.latency.note(20.0)
    clock.spreads["detect"] = Spread()
    clock.spreads["detect"].note(8.0)
    stats = FrameSynchronizer(FusionConfig().sync, FusionConfig().sensors).stats
    statuses = [
        pipeline_status("/fusion", health, stats, 0.5, health.answered_ns),
        *stage_statuses("/fusion", clock.spreads),
    ]
    figures = latency_figures({status.name: status for status in statuses})
    assert figures == pytest.approx(
        {
            "latency_p50_ms": 20,
            "latency_p95_ms": 20,
            "latency_max_ms": 20,
            "detect_p95_ms": 8,
        },
        rel=0.01,
    )


@pytest.fixture(scope="module")
def drive(kitti_raw, tmp_path_factory):
    """Eight frames of a real drive as a bag."""
    bag = tmp_path_factory.mktemp("drive") / "bag"
    convert(open_recording(kitti_raw), bag)
    return bag


def test_every_scan_of_a_real_drive_is_answered_at_its_own_stamp(drive, tmp_path):
    told = []
    result = run_session(drive, tmp_path, rate=0.5, overlays=True, progress=told.append)
    assert result.reference == "lidar"
    assert len(result.expected) == 8
    assert result.dropped == frozenset()
    assert sum(told) == 8
    outputs = result.outputs
    for published in (outputs.tracks, outputs.objects, outputs.map_from_ego):
        assert set(published) == result.expected
    assert sum(len(objects) for objects in outputs.detections.values()) >= 8
    (image, *_) = outputs.overlays["camera"].values()
    assert cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR).ndim == 3
    assert (result.node_exit, result.player_exit) == (0, 0)


def test_the_bench_says_what_a_session_cost(drive, tmp_path):
    figures = session_figures(run_session(drive, tmp_path, rate=0.5))
    assert figures["frames"] == figures["answered"] == 8
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p95_ms"] <= figures["latency_max_ms"]
    assert figures["node_cores"] > 0


def test_a_setting_out_of_range_ends_the_session_with_the_nodes_own_words(drive, tmp_path):
    config = bag_config(drive)
    object.__setattr__(config.sync, "tolerance_s", 9.0)  # as no checked config could
    with pytest.raises(FusionError, match=r"fusion_node ended.*tolerance_s is 9"):
        run_session(drive, tmp_path, config=config)


def test_the_sensors_of_a_bag_are_found_in_it(drive):
    config = bag_config(drive)
    kinds = {sensor.kind for sensor in config.sensors}
    assert {"lidar", "camera", "gps", "imu"} <= kinds
    reference, stamps = reference_stamps(drive, config)
    assert reference == "lidar"
    assert len(stamps) == 8


def test_steadiness_by_hand():
    # stamps every 50 ms, one of which comes 30 ms late; the clocks' difference does not matter
    arrivals_s = {k * 50_000_000: 7.0 + 0.05 * k for k in range(10)}
    arrivals_s[200_000_000] += 0.03
    figures = steadiness(arrivals_s, rate=1.0)
    assert figures["objects_published"] == 10
    assert (figures["objects_step_min_ms"], figures["objects_step_max_ms"]) == (50, 50)
    assert figures["objects_jitter_p50_ms"] == pytest.approx(0, abs=1e-6)
    assert figures["objects_jitter_max_ms"] == pytest.approx(30)
    fast = {k * 50_000_000: 7.0 + 0.025 * k for k in range(10)}  # at twice the pace
    assert steadiness(fast, rate=2.0)["objects_jitter_max_ms"] == pytest.approx(0, abs=1e-6)
    assert steadiness({}, rate=1.0) == {"objects_published": 0.0}


def test_the_bench_of_the_transport_loses_nothing(capsys):
    figures = bench_transport(seconds=1.5, megabytes_per_s=100.0)
    assert figures["sent"] >= 30  # 7 topics, 3.4 Hz, 1.5 s
    assert figures["arrived"] == figures["sent"]
    print_bench(figures)
    assert "delivered" in capsys.readouterr().out
