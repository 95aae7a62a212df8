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


"""The player: real processes over DDS, and the pieces it is made of."""

import contextlib
import json
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2 (make setup)")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.serialization import deserialize_message  # noqa: E402
from rosbags.interfaces import (  # noqa: E402
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from mm_fusion.errors import ConfigError, RecordingError  # noqa: E402
from mm_fusion.ros.environment import ros_environment  # noqa: E402
from mm_fusion.ros.message_types import message_class, offered_qos  # noqa: E402
from mm_fusion.ros.pace import Pace  # noqa: E402
from mm_fusion.ros.processes import NodeProcess, ros_arguments  # noqa: E402
from mm_fusion.ros.read_ahead import Due, ReadAhead  # noqa: E402
from mm_fusion.ros.session import private_domain, private_executor  # noqa: E402

pytestmark = pytest.mark.ros

STORE = get_typestore(Stores.ROS2_HUMBLE)
NOW = QosTime(0, 0)
FIRST_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def qos(reliability="RELIABLE", durability="VOLATILE", depth=10):
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability[reliability],
        QosDurability[durability],
        NOW,
        NOW,
        QosLiveliness.AUTOMATIC,
        NOW,
        False,
    )


def header(stamp_ns, frame_id):
    """A std_msgs/Header as a DDS writer would have serialized it."""
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    message = STORE.types["std_msgs/msg/Header"](
        stamp=STORE.types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec),
        frame_id=frame_id,
    )
    return bytes(STORE.serialize_cdr(message, "std_msgs/msg/Header"))


def image(size, value):
    message = STORE.types["sensor_msgs/msg/Image"]
    data = bytes([value]) * size
    empty = STORE.types["std_msgs/msg/Header"](
        stamp=STORE.types["builtin_interfaces/msg/Time"](sec=value, nanosec=0), frame_id="camera"
    )
    filled = message(
        header=empty,
        height=1,
        width=size,
        encoding="mono8",
        is_bigendian=0,
        step=size,
        data=np.frombuffer(data, np.uint8),
    )
    return bytes(STORE.serialize_cdr(filled, "sensor_msgs/msg/Image"))


def write_bag(path, topics, storage="MCAP"):
    """Write topic -> (type, QoS profiles, [(log time, payload)])."""
    with Writer(path, version=8, storage_plugin=StoragePlugin[storage]) as writer:
        connections = {
            topic: writer.add_connection(
                topic, kind, typestore=STORE, offered_qos_profiles=profiles
            )
            for topic, (kind, profiles, _) in topics.items()
        }
        merged = sorted(
            (stamp, topic, payload)
            for topic, (_, _, messages) in topics.items()
            for stamp, payload in messages
        )
        for stamp, topic, payload in merged:
            writer.write(connections[topic], stamp, payload)
    return path


def ticks(name, count, step_ms=20):
    """Messages of 24 bytes: DDS pads what is not a whole number of 4 bytes."""
    return [
        (FIRST_NS + k * step_ms * MS, header(FIRST_NS + k, f"{name:.4}{k:03}"))
        for k in range(count)
    ]


def small_bag(path, storage="MCAP", count=20):
    topics = {
        "/fast": ("std_msgs/msg/Header", [qos()], ticks("fast", count)),
        "/slow": ("std_msgs/msg/Header", [qos()], ticks("slow", count // 4, step_ms=80)),
    }
    return write_bag(path, topics, storage), topics


@pytest.fixture(scope="module")
def domain_id():
    return private_domain()


@pytest.fixture
def ears(domain_id):
    """Subscribe in this process; the player plays in another."""
    with private_executor(domain_id) as executor:
        node = rclpy.create_node("ears", context=executor.context)
        executor.add_node(node)
        heard = {}

        def listen(topic, kind=Header, **profile):
            heard[topic] = []
            profile = QoSProfile(depth=1000, **profile)
            node.create_subscription(kind, topic, heard[topic].append, profile, raw=True)

        yield SimpleNamespace(node=node, executor=executor, heard=heard, listen=listen)


@pytest.fixture
def player(domain_id, tmp_path):
    with contextlib.ExitStack() as stack:

        def start(bag, **parameters):
            report = tmp_path / "report.json"
            arguments = ros_arguments(bag=str(bag), report=str(report), **parameters)
            environment, log = ros_environment(domain_id), tmp_path / "player.log"
            process = NodeProcess("player_node", arguments, environment, log)
            process.report = report
            stack.callback(process.end)
            return process

        yield start


def follow(ears, process, until=lambda: False, timeout_s=60):
    """Spin until the player has ended, or until what is waited for has come."""
    latest_s = time.monotonic() + timeout_s
    while process.running and not until():
        assert time.monotonic() < latest_s, process.log.read_text()
        ears.executor.spin_once(timeout_sec=0.05)
    for _ in range(20):
        ears.executor.spin_once(timeout_sec=0.01)


def clock_ns(payloads):
    clocks = (deserialize_message(p, Clock).clock for p in payloads)
    return [c.sec * 1_000_000_000 + c.nanosec for c in clocks]


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_what_arrives_is_what_was_recorded_byte_for_byte_and_in_order(
    ears, player, tmp_path, storage
):
    bag, topics = small_bag(tmp_path / "bag", storage)
    for topic in (*topics, "/clock"):
        ears.listen(topic, Clock if topic == "/clock" else Header)
    process = player(bag, wait_for="/fast /slow /clock")
    follow(ears, process)
    assert process.wait() == 0, process.log.read_text()
    for topic, (_, _, messages) in topics.items():
        assert ears.heard[topic] == [payload for _, payload in messages]
    clock = clock_ns(ears.heard["/clock"])
    assert clock == sorted(clock)
    assert len(set(clock)) == len(clock)
    assert clock[-1] == FIRST_NS + 19 * 20 * MS
    report = json.loads(process.report.read_text())
    assert report["messages"] == {"/fast": 20, "/slow": 5}
    assert report["acknowledged"]
    assert report["turns"] == 1


def test_a_higher_rate_loses_nothing_and_keeps_the_recorded_clock(ears, player, tmp_path):
    bag, topics = small_bag(tmp_path / "bag", count=60)
    ears.listen("/fast")
    ears.listen("/clock", Clock)
    process = player(bag, rate=20, wait_for="/fast /clock")
    follow(ears, process)
    assert ears.heard["/fast"] == [payload for _, payload in topics["/fast"][2]]
    assert {stamp for stamp, _ in topics["/fast"][2]} <= set(clock_ns(ears.heard["/clock"]))


def test_a_loop_begins_again_and_ctrl_c_ends_it_with_0(ears, player, tmp_path):
    bag, topics = small_bag(tmp_path / "bag", count=8)
    ears.listen("/fast")
    ears.listen("/clock", Clock)
    process = player(bag, loop=True, wait_for="/fast")
    follow(ears, process, until=lambda: len(ears.heard["/fast"]) >= 20)
    assert process.end() == 0, process.log.read_text()
    once = [payload for _, payload in topics["/fast"][2]]
    assert ears.heard["/fast"][:20] == (once * 3)[:20]
    clock = clock_ns(ears.heard["/clock"])
    back = [k for k in range(1, len(clock)) if clock[k] < clock[k - 1]]
    assert len(back) >= 2
    assert all(clock[k] == FIRST_NS for k in back)
    assert json.loads(process.report.read_text())["stopped"]


def test_only_the_named_topics_are_played(ears, player, tmp_path):
    bag, _ = small_bag(tmp_path / "bag")
    ears.listen("/fast")
    process = player(bag, topics="/fast", wait_for="/fast", rate=10)
    follow(ears, process)
    assert json.loads(process.report.read_text())["messages"] == {"/fast": 20}


def test_who_comes_late_still_gets_what_was_latched_by_several_nodes(ears, player, tmp_path):
    latched = [(FIRST_NS + k, header(k, f"latch {k}")) for k in range(3)]
    topics = {
        "/static": ("std_msgs/msg/Header", [qos(durability="TRANSIENT_LOCAL", depth=1)], latched),
        "/fast": ("std_msgs/msg/Header", [qos()], ticks("fast", 150)),
    }
    ears.listen("/fast")
    process = player(write_bag(tmp_path / "bag", topics), wait_for="/fast")
    follow(ears, process, until=lambda: len(ears.heard["/fast"]) >= 10)
    ears.listen("/static", durability=DurabilityPolicy.TRANSIENT_LOCAL)
    follow(ears, process)
    assert ears.heard["/static"] == [payload for _, payload in latched]


def test_topics_are_offered_with_the_quality_they_were_recorded_with(ears, player, tmp_path):
    topics = {
        "/rough": ("std_msgs/msg/Header", [qos("BEST_EFFORT")], ticks("rough", 30)),
        "/fast": ("std_msgs/msg/Header", [qos()], ticks("fast", 30)),
    }
    ears.listen("/rough", reliability=ReliabilityPolicy.BEST_EFFORT)
    process = player(write_bag(tmp_path / "bag", topics), wait_for="/rough")
    follow(ears, process, until=lambda: len(ears.heard["/rough"]) >= 5)
    offered = {
        topic: ears.node.get_publishers_info_by_topic(topic)[0].qos_profile for topic in topics
    }
    follow(ears, process)
    assert offered["/rough"].reliability == ReliabilityPolicy.BEST_EFFORT
    assert offered["/fast"].reliability == ReliabilityPolicy.RELIABLE


def test_a_type_that_is_not_installed_is_skipped_with_a_warning(ears, player, tmp_path):
    STORE.register(get_types_from_msg("float64 depth", "submarine_msgs/msg/Depth"))
    foreign = bytes([0, 1, 0, 0]) + bytes(8)
    topics = {
        "/fast": ("std_msgs/msg/Header", [qos()], ticks("fast", 10)),
        "/depth": ("submarine_msgs/msg/Depth", [qos()], [(FIRST_NS, foreign)]),
    }
    ears.listen("/fast")
    process = player(write_bag(tmp_path / "bag", topics), wait_for="/fast")
    follow(ears, process)
    assert process.wait() == 0
    assert len(ears.heard["/fast"]) == 10
    assert "submarine_msgs/msg/Depth is not installed" in process.log.read_text()
    assert "/depth" in json.loads(process.report.read_text())["skipped"]


def test_a_recorded_clock_gives_way_to_the_players_own(ears, player, tmp_path):
    wrong = bytes([0, 1, 0, 0]) + bytes(8)
    topics = {
        "/fast": ("std_msgs/msg/Header", [qos()], ticks("fast", 10)),
        "/clock": ("rosgraph_msgs/msg/Clock", [qos()], [(FIRST_NS + 5, wrong)]),
    }
    ears.listen("/fast")
    ears.listen("/clock", Clock)
    process = player(write_bag(tmp_path / "bag", topics), wait_for="/fast /clock")
    follow(ears, process)
    assert min(clock_ns(ears.heard["/clock"])) == FIRST_NS


def test_images_of_several_megabytes_all_arrive(ears, player, tmp_path):
    images = [(FIRST_NS + k * 10 * MS, image(4_320_000, k)) for k in range(20)]
    topics = {"/camera": ("sensor_msgs/msg/Image", [qos("BEST_EFFORT")], images)}
    ears.listen("/camera", Image, reliability=ReliabilityPolicy.BEST_EFFORT)
    process = player(write_bag(tmp_path / "bag", topics), wait_for="/camera")
    follow(ears, process)
    assert ears.heard["/camera"] == [payload for _, payload in images]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"bag": "{tmp}/nothing"}, "{tmp}/nothing"),
        ({"bag": ""}, "parameter bag is empty"),
        ({"bag": "{tmp}/bag", "rate": 0}, "rate is 0; give a number above 0"),
        ({"bag": "{tmp}/bag", "rate": "fast"}, "parameter rate is 'fast'; give a number"),
        ({"bag": "{tmp}/bag", "topics": "/left"}, "topic /left is not in the bag; it has /fast"),
    ],
)
def test_what_cannot_be_played_ends_with_1_and_one_sentence(
    domain_id, tmp_path, parameters, sentence
):
    small_bag(tmp_path / "bag")
    given = {n: v.format(tmp=tmp_path) if isinstance(v, str) else v for n, v in parameters.items()}
    arguments, log = ros_arguments(**given), tmp_path / "player.log"
    process = NodeProcess("player_node", arguments, ros_environment(domain_id), log)
    assert process.wait() == 1
    said = log.read_text()
    assert sentence.format(tmp=tmp_path) in said
    assert said.count("\n") == 1, said


def test_a_bag_cut_mid_byte_is_played_as_far_as_it_goes(ears, player, tmp_path):
    bag, topics = small_bag(tmp_path / "bag", count=400)
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2 + 3])
    ears.listen("/fast")
    process = player(bag, rate=20, wait_for="/fast")
    follow(ears, process)
    assert process.wait() == 0, process.log.read_text()
    whole = [payload for _, payload in topics["/fast"][2]]
    heard = ears.heard["/fast"]
    assert 0 < len(heard) < len(whole)
    assert heard == whole[: len(heard)]


def test_at_twice_the_rate_everything_is_due_in_half_the_time():
    now = [5_000_000_000]
    pace = Pace(2.0, lambda: now[0])
    pace.begin(FIRST_NS)
    assert pace.remaining_s(FIRST_NS + 100 * MS) == pytest.approx(0.05)
    now[0] += 20 * MS  # 40 ms of the recording are over
    assert pace.stream_ns() == FIRST_NS + 40 * MS
    assert pace.remaining_s(FIRST_NS + 100 * MS) == pytest.approx(0.03)


def test_lag_is_how_much_later_than_due_a_message_goes_out():
    now = [0]
    pace = Pace(1.0, lambda: now[0])
    pace.begin(FIRST_NS)
    for late_ms in (0, 3, 30):
        now[0] = (10 + late_ms) * MS
        pace.note(FIRST_NS + 10 * MS)
    assert pace.lag_s == pytest.approx(0.030)
    assert pace.lag_max_s == pytest.approx(0.030)
    assert pace.lag_quantile_s(0.5) == pytest.approx(0.003)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_goes_nowhere_is_refused(rate):
    with pytest.raises(ConfigError, match="give a number above 0"):
        Pace(rate, time.monotonic_ns)


def test_reading_ahead_stops_at_its_capacity_and_goes_on_when_there_is_room():
    read = []

    def source():
        for k in range(10):
            read.append(k)
            yield Due(0, "/x", k, bytes(100))

    ahead = ReadAhead(source(), capacity_bytes=300)
    ahead.fill(timeout_s=5)
    time.sleep(0.05)
    assert read == [0, 1, 2, 3]  # the fourth is in hand, and waits for room
    assert [due.stamp_ns for due in ahead] == list(range(10))
    ahead.close()


def test_what_reading_raises_comes_after_all_that_was_read_before():
    def source():
        yield Due(0, "/x", 1, b"a")
        raise RecordingError("the disk is gone")

    ahead = ReadAhead(source())
    got = []
    with pytest.raises(RecordingError, match="the disk is gone"):
        got.extend(iter(ahead))
    ahead.close()


def test_closing_ends_the_reading_thread_even_when_the_buffer_is_full():
    def source():
        while True:
            yield Due(0, "/x", 0, bytes(1000))

    ahead = ReadAhead(source(), capacity_bytes=10)
    ahead.fill(timeout_s=5)
    ahead.close()
    assert list(ahead) == []


@pytest.mark.parametrize(
    ("recorded", "reliability", "durability"),
    [
        ([], "RELIABLE", "VOLATILE"),
        ([qos("BEST_EFFORT")], "BEST_EFFORT", "VOLATILE"),
        ([qos("BEST_EFFORT"), qos("RELIABLE")], "RELIABLE", "VOLATILE"),
        ([qos(), qos(durability="TRANSIENT_LOCAL")], "RELIABLE", "TRANSIENT_LOCAL"),
    ],
)
def test_every_subscriber_that_could_listen_then_can_listen_now(recorded, reliability, durability):
    offered = offered_qos("/x", recorded)
    assert offered.reliability == ReliabilityPolicy[reliability]
    assert offered.durability == DurabilityPolicy[durability]


def test_tf_static_of_a_bag_without_qos_is_latched():
    assert offered_qos("/tf_static", []).durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_a_message_type_is_found_by_its_name():
    assert message_class("sensor_msgs/msg/Image") is Image
    with pytest.raises(ConfigError, match="install the ROS package 'submarine_msgs'"):
        message_class("submarine_msgs/msg/Depth")


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/mine.xml")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    environment = ros_environment(7)
    assert environment["FASTDDS_DEFAULT_PROFILES_FILE"] == "/mine.xml"
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert environment["ROS_DOMAIN_ID"] == "7"


def test_a_child_finds_the_transport_profile_and_a_private_session_stays_here(monkeypatch):
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.delenv(name, raising=False)
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in ros_environment()
    environment = ros_environment(7)
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    profile = Path(environment["FASTDDS_DEFAULT_PROFILES_FILE"])
    assert "<segment_size>134217728</segment_size>" in profile.read_text()


def test_sigterm_ends_the_player_with_0(player, tmp_path):
    bag, _ = small_bag(tmp_path / "bag", count=400)
    process = player(bag)
    process.await_words("playing", timeout_s=30)
    process._process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
