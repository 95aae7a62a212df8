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

"""Bags as they are found: other people's topics, broken messages, files cut short."""

import shutil

import numpy as np
import pytest

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.recordings.bag_writer import BagWriter
from mm_fusion.recordings.convert import convert
from mm_fusion.recordings.encode import message_of
from mm_fusion.recordings.interfaces import typestore
from mm_fusion.recordings.message_parts import header, part

STORAGES = {"mcap": ".mcap", "sqlite3": ".db3"}
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(params=list(STORAGES))
def storage(request):
    return request.param


@pytest.fixture
def long_bag(make_drive, tmp_path, storage):
    """A bag of a few megabytes, so that it has several chunks or many pages."""
    from mm_fusion.records import CameraImage

    def image(stamp_ns):
        noise = np.random.default_rng(stamp_ns % 1000).integers(0, 255, 200_000, np.uint8)
        noise[:3] = (0xFF, 0xD8, 0xFF)
        return CameraImage(stamp_ns=stamp_ns, data=noise, encoding="jpeg")

    convert(make_drive(count=40, image=image), tmp_path / "bag", storage=storage)
    return tmp_path / "bag"


def write(path, messages, storage="mcap"):
    """Write records or messages under topics, 10 ms apart."""
    with BagWriter(path, storage) as writer:
        for k, (topic, kind, message) in enumerate(messages):
            writer.write(topic, kind, message, START_NS + k * 10_000_000)
    return path


@pytest.fixture
def parts(drive):
    frame = next(drive.frames())
    return {**frame.records, **dict(frame.motion)}


def test_sensors_of_foreign_topics(parts, tmp_path):
    names = {
        "/sensing/lidar/top/points_raw": ("sensing_lidar_top", "lidar"),
        "/velodyne_points": ("velodyne_points", "lidar"),
        "/ars548/detections": ("ars548_detections", "radar"),
        "/front-left/image_raw/compressed": ("front_left", "camera"),
        "/imu/data": ("imu", "imu"),
        "/fix": ("gps", "gps"),
        "/fusion/overlay/camera/compressed": None,
    }
    kind_of = {"lidar": "lidar", "velodyne": "lidar", "ars": "radar", "imu": "imu", "fix": "gps"}
    messages = []
    for topic in names:
        found = [kind for word, kind in kind_of.items() if word in topic] or ["camera"]
        messages.append((topic, *message_of(parts[found[0]], found[0])))
    messages.append(("/front-left/camera_info", "sensor_msgs/msg/CameraInfo", _info()))
    bag = BagRecording(write(tmp_path / "bag", messages))
    found = {f"/{s.topic}": (s.name, s.kind) for s in bag.sensors}
    assert found == {topic: said for topic, said in names.items() if said is not None}
    (camera,) = [s for s in bag.sensors if s.kind == "camera"]
    assert camera.info_topic == "front-left/camera_info"


def test_names_are_unique(parts, tmp_path):
    topics = ["/front/points", "/front/points_raw", "/front/data/cloud"]
    kind, cloud = message_of(parts["lidar"], "lidar")
    bag = BagRecording(write(tmp_path / "bag", [(t, kind, cloud) for t in topics]))
    assert [s.name for s in bag.sensors] == ["front", "front_2", "front_3"]


def _info():
    from mm_fusion.calibration import Camera
    from mm_fusion.recordings.encode import info_of

    matrix = np.array([[700.0, 0, 320], [0, 700, 240], [0, 0, 1]])
    camera = Camera(
        name="c", image_from_camera=matrix, ego_from_camera=np.eye(4), size_px=(640, 480)
    )
    return info_of(camera, START_NS, "camera")[1]


def test_broken_messages_are_counted(parts, tmp_path):
    kind, whole = message_of(parts["lidar"], "lidar")
    fix_kind, fix = message_of(parts["gps"], "gps")
    short = part(kind, **{**_values(whole), "data": whole.data[:-1]})
    unstamped = part(kind, **{**_values(whole), "header": header(0, "lidar")})
    messages = [("/lidar/points", kind, m) for m in (whole, short, short, unstamped)]
    bag = BagRecording(write(tmp_path / "bag", [*messages, ("/fix", fix_kind, fix)]))
    assert [stream for stream, _ in bag.records()] == ["lidar", "gps"]
    assert {topic for topic, _ in bag.errors} == {"/lidar/points"}
    assert sorted(bag.errors.values()) == [1, 2]
    (text,) = [text for (_, text), count in bag.errors.items() if count == 2]
    assert text == "PointCloud2 of 50 x 1 points needs 1100 bytes, has 1099: truncated"


def _values(message):
    names = [name for name in message.__dataclass_fields__ if not name.startswith("__")]
    return {name: getattr(message, name) for name in names}


def test_bytes_that_are_no_message(parts, tmp_path):
    kind, cloud = message_of(parts["lidar"], "lidar")
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/lidar/points", kind, cloud, START_NS)
        connection = writer._connections["/lidar/points"]  # no public way writes nonsense
        writer._writer.write(connection, START_NS + 1, b"\0\1\0\0\xff\xff\xff\xff")
    bag = BagRecording(tmp_path / "bag")
    assert len(list(bag.records())) == 1
    ((_, text),) = bag.errors
    assert text.startswith("the bytes are no sensor_msgs/msg/PointCloud2: ")


def test_types_nobody_knows_are_passed_over(parts, tmp_path, storage):
    bag = tmp_path / "bag"
    with BagWriter(bag, storage) as writer:
        writer.write("/lidar/points", *message_of(parts["lidar"], "lidar"), START_NS)
        strange = writer._writer.add_connection(
            "/secret", "acme_msgs/msg/Secret", msgdef="int32 value", rihs01="RIHS01_" + "0" * 64
        )
        writer._writer.write(strange, START_NS, b"\0\1\0\0\1\0\0\0")
    recording = BagRecording(bag)
    assert recording.topics["/secret"].msgtype == "acme_msgs/msg/Secret"
    assert [stream for stream, _ in recording.records()] == ["lidar"]
    assert {topic for topic, _, _ in recording.raw()} == {"/lidar/points", "/secret"}


def test_a_camera_without_info_and_a_sensor_without_place(parts, tmp_path):
    messages = [
        ("/camera/image/compressed", *message_of(parts["camera"], "camera")),
        ("/lidar/points", *message_of(parts["lidar"], "lidar")),
    ]
    bag = BagRecording(write(tmp_path / "bag", messages))
    assert len(list(bag.records())) == 2
    assert "camera" not in bag.calibration.cameras
    assert "lidar" not in bag.calibration.ego_from


def test_radar_settings_travel(make_drive, tmp_path):
    from dataclasses import replace

    drive = make_drive()
    folded = {"range_rate_period_mps": 10.4, "range_rate_sign": -1.0}
    drive.sensors = tuple(replace(s, **folded) if s.name == "radar" else s for s in drive.sensors)
    convert(drive, tmp_path / "bag")
    for path in (tmp_path / "bag", tmp_path / "bag" / "bag.mcap"):
        (radar,) = [s for s in BagRecording(path).sensors if s.kind == "radar"]
        assert (radar.range_rate_period_mps, radar.range_rate_sign) == (10.4, -1.0)
    shutil.copy(tmp_path / "bag" / "bag.mcap", tmp_path / "alone.mcap")
    (radar,) = [s for s in BagRecording(tmp_path / "alone.mcap").sensors if s.kind == "radar"]
    assert radar.range_rate_period_mps == 10.4


def test_one_file_is_a_bag(drive, tmp_path, storage):
    convert(drive, tmp_path / "bag", storage=storage)
    (file,) = (tmp_path / "bag").glob(f"*{STORAGES[storage]}")
    folder, alone = BagRecording(tmp_path / "bag"), BagRecording(file)
    assert (alone.start_ns, alone.end_ns) == (folder.start_ns, folder.end_ns)
    assert list(alone.raw()) == list(folder.raw())
    assert alone.topics.keys() == folder.topics.keys()


def test_raw_gives_the_chosen_topics_in_order(drive, tmp_path, storage):
    convert(drive, tmp_path / "bag", storage=storage)
    bag = BagRecording(tmp_path / "bag")
    raw = list(bag.raw(["/imu", "/lidar/points"]))
    assert [topic for topic, _, _ in raw] == ["/imu", "/lidar/points"] * 3
    assert [stamp for _, stamp, _ in raw] == sorted(stamp for _, stamp, _ in raw)
    imu = typestore().deserialize_cdr(raw[0][2], "sensor_msgs/msg/Imu")
    assert imu.linear_acceleration.z == 9.81


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_a_cut_bag_is_read_to_the_cut(long_bag, storage, share):
    (file,) = long_bag.glob(f"*{STORAGES[storage]}")
    whole = list(BagRecording(long_bag).raw())
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.warns(RecordingWarning, match=f"{file.name}.* cut"):
        cut = BagRecording(long_bag)
    left = list(cut.raw())
    size = sum(len(payload) for _, _, payload in whole)
    chunk = 1.5e6  # what rosbags writes at a time, and what is lost of it
    assert sum(len(payload) for _, _, payload in left) > share * size - chunk
    assert set(left) <= set(whole)
    assert len(list(cut.records())) > 0
    assert not cut.errors


def test_of_the_only_chunk_of_a_short_bag_what_comes_before_the_cut_is_read(tmp_path):
    kind = "std_msgs/msg/String"
    bag = write(tmp_path / "bag", [("/a", kind, part(kind, data="x" * 1000))] * 300)
    (file,) = bag.glob("*.mcap")
    whole = list(BagRecording(bag).raw())
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 4 + 1])
    with pytest.warns(RecordingWarning, match="is cut; read without its index"):
        left = list(BagRecording(bag).raw())
    # three quarters of 300, less what comes before and after the messages: an index of 5 kB
    assert 223 <= len(left) <= 231
    assert left == whole[: len(left)]


def test_a_bag_without_metadata(long_bag):
    (long_bag / "metadata.yaml").unlink()
    with pytest.warns(RecordingWarning, match="has no metadata.yaml: its recorder was stopped"):
        bag = BagRecording(long_bag)
    assert len(bag) == 40


@pytest.mark.parametrize("text", ["", "{", "rosbag2_bagfile_information: 3", "a: [1, 2"])
def test_metadata_that_is_none(long_bag, text):
    (long_bag / "metadata.yaml").write_text(text)
    with pytest.warns(RecordingWarning, match="read without its index, .* are left"):
        bag = BagRecording(long_bag)
    assert len(bag) == 40


def test_what_is_no_bag(tmp_path, storage):
    with pytest.raises(RecordingError, match="there is no such file or folder"):
        BagRecording(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match=r"is no bag: looked for \.mcap and \.db3 files"):
        BagRecording(tmp_path)
    for content in (b"", b"hello", bytes(5000)):
        file = tmp_path / f"bag{STORAGES[storage]}"
        file.write_bytes(content)
        with pytest.raises(RecordingError, match="not one message can be read from .*bag.*;"):
            BagRecording(file)


def test_an_empty_bag(tmp_path, storage):
    from rosbags.rosbag2 import Writer

    from mm_fusion.recordings.bag_writer import STORAGES as PLUGINS

    with Writer(tmp_path / "bag", version=8, storage_plugin=PLUGINS[storage]) as writer:
        writer.add_connection("/imu", "sensor_msgs/msg/Imu", typestore=typestore())
    with pytest.raises(RecordingError, match="bag holds no message"):
        BagRecording(tmp_path / "bag")


def test_a_bag_without_sensors(parts, tmp_path):
    bag = BagRecording(write(tmp_path / "bag", [("/imu", *message_of(parts["imu"], "imu"))]))
    with pytest.raises(RecordingError, match="no topic of a camera, LiDAR or radar"):
        next(bag.records())
