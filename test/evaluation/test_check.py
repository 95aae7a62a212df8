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

"""Whole bags: nothing to say of a sound one, and what lacks in others."""

import numpy as np
import pytest
from bags import CAMERA, LIDAR, MS, RADAR, START_NS, TWIST, Checked, placed, scan, sound, write

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.check import check
from mm_fusion.recordings.bag import STATIC_TRANSFORMS
from mm_fusion.recordings.bag_writer import BagWriter
from mm_fusion.recordings.encode import message_of
from mm_fusion.recordings.interfaces import typestore


def test_of_a_sound_bag_there_is_nothing_to_say(checked):
    found = checked(sound())
    assert found.report.findings == ()
    assert [path.name for path in found.report.files] == ["front_lidar.png", "front_radar.png"]
    assert found.report.seconds == 1.0
    assert found.report.placed == {CAMERA: True, LIDAR: True, RADAR: True}
    assert found.report.informed == {CAMERA: True}


def test_kinds_that_lack(checked):
    topics = sound()
    for topic in (LIDAR, RADAR, TWIST):
        del topics[topic]
    found = checked(topics)
    assert found.said("warning") == [
        "neither LiDAR nor radar: nothing measures how far objects are"
    ]
    assert found.said("remark", "the bag") == [
        "no GPS, IMU, odometry or twist: nothing tells how the vehicle moves"
    ]
    assert found.said("remark", "overlays") == ["none: they take a camera and a LiDAR or radar"]


def test_a_bag_without_sensors_of_the_world(checked):
    found = checked({TWIST: sound()[TWIST]})
    (text,) = found.said("error")
    assert "no topic of a camera, LiDAR or radar has a message" in text
    assert found.figures[TWIST].rate_hz == pytest.approx(10.0)


def test_types_that_are_not_known(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        write(writer, sound())
        strange = writer._writer.add_connection(
            "/secret", "acme_msgs/msg/Secret", msgdef="int32 value", rihs01="RIHS01_" + "0" * 64
        )
        for k in range(3):
            writer._writer.write(strange, START_NS + k * 500 * MS, b"\0\1\0\0\1\0\0\0")
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    (text,) = found.said()
    assert text.endswith("not looked into: /secret (acme_msgs/msg/Secret)")
    assert found.figures["/secret"].rate_hz == 2.0


def test_a_sensor_that_said_nothing(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        write(writer, sound())
        for topic, kind in (("/rear/points", "PointCloud2"), ("/speed", "Temperature")):
            writer._writer.add_connection(topic, f"sensor_msgs/msg/{kind}", typestore=typestore())
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    assert found.said() == found.said("warning", "/rear/points")
    assert found.said() == ["no message was recorded; is its sensor on?"]
    assert found.figures["/speed"].count == 0


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_cut_bag_says_so(tmp_path, storage):
    with BagWriter(tmp_path / "bag", storage) as writer:
        writer.write(STATIC_TRANSFORMS, *placed(lidar=np.eye(4)), START_NS)
        for k in range(40):
            cloud = scan(START_NS + k * 100 * MS, np.random.default_rng(k).normal(0, 9, (5000, 3)))
            writer.write(LIDAR, *message_of(cloud, "lidar"), cloud.stamp_ns)
    file = next(p for p in (tmp_path / "bag").iterdir() if p.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    assert 0 < found.figures[LIDAR].count < 25
    texts = found.said("warning", "the bag")
    assert len(texts) == 1
    assert f"{file.name} is cut; read without its index" in texts[0]


def test_no_bag_is_an_error_of_its_own(tmp_path):
    with pytest.raises(RecordingError, match="there is no such file or folder"):
        check(tmp_path / "none", tmp_path / "out")
