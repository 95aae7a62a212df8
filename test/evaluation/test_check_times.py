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

"""Clocks that differ, streams that do not meet or fall silent."""

from bags import CAMERA, LIDAR, MS, RADAR, TWIST, sound, stamped_at


def test_one_wrong_clock_is_told_from_a_replay(checked, tmp_path):
    topics = sound()
    for row in topics[CAMERA]:
        stamped_at(row, row[0] - 3000 * MS)
    (text,) = checked(topics).said("warning", CAMERA)
    assert "its stamps lie 3 s before the log times; synchronise" in text


def test_a_clock_that_is_ahead(checked):
    topics = sound()
    for row in topics[RADAR]:
        stamped_at(row, row[0] + 51 * MS)
    (text,) = checked(topics).said("warning")
    assert "its stamps lie 51 ms after the log times" in text


def test_a_difference_that_all_share_is_one_warning(checked):
    topics = sound()
    for name in (LIDAR, RADAR, CAMERA, TWIST):
        for row in topics[name]:
            stamped_at(row, row[0] - 2 * 86_400_000 * MS)
    found = checked(topics)
    (text,) = found.said()
    assert "the stamps of all sensors lie 2.0 days before the log times" in text


def test_a_stream_that_never_meets_the_reference(checked):
    topics = sound(period_ms=500)
    for row in topics[CAMERA]:
        row[0] += 200 * MS
        stamped_at(row, row[0])
    found = checked(topics)
    (text,) = found.said("warning", "front")
    assert "0% of its records meet one of lidar within 0.06 s" in text
    assert "farther than 200 ms" in text
    assert (
        "not drawn: no image of front lies within 0.06 s of LiDAR points"
        in found.said(about="front_lidar.png")[0]
    )


def test_a_sensor_that_falls_silent(checked):
    topics = sound(period_ms=500)  # 5 s
    del topics[RADAR][6:]  # the last at 2.5 s
    del topics[CAMERA][:4]  # the first at 2 s
    found = checked(topics)
    assert any("it ends 2.5 s before the bag does" in t for t in found.said("warning", RADAR))
    assert any("it begins 2 s after the bag" in t for t in found.said("warning", CAMERA))
    assert found.said(about=LIDAR) == []
