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

"""Figures of a topic, by hand: rates, gaps, stamps out of order."""

import numpy as np
import pytest
from bags import CAMERA, LIDAR, MS, START_NS, sound, stamped_at

from mm_fusion.recordings.bag import STATIC_TRANSFORMS


def test_figures_by_hand(checked):
    topics = sound()
    for row in topics[CAMERA]:
        row[0] += 30 * MS  # logged 30 ms after the stamp
    figures = checked(topics).figures
    lidar, camera = figures[LIDAR], figures[CAMERA]
    assert (lidar.msgtype, lidar.count) == ("sensor_msgs/msg/PointCloud2", 11)
    assert lidar.rate_hz == pytest.approx(10.0)
    assert (lidar.longest_s, lidar.gaps, lidar.back, lidar.repeated) == (0.1, 0, 0, 0)
    assert (lidar.delay_s, camera.delay_s) == (0.0, pytest.approx(0.03))
    assert lidar.frames == ("lidar",)
    # header of 4, stamp 8, frame_id 4 + 6, padding 2, height, width, step 12, encoding 4 + 6,
    # is_bigendian 1, padding, data 4 + 64 * 48: between 3072 and 3172 bytes
    assert camera.mean_mb == pytest.approx(0.00312, abs=5e-5)
    assert np.isnan(figures[STATIC_TRANSFORMS].rate_hz)


def test_a_gap_is_found_where_it_is(checked):
    topics = sound()
    del topics[LIDAR][3:6]  # nothing between 0.2 and 0.6 s
    found = checked(topics)
    lidar = found.figures[LIDAR]
    assert (lidar.gaps, lidar.longest_s, lidar.longest_at_ns) == (1, 0.4, START_NS + 200 * MS)
    assert lidar.rate_hz == pytest.approx(10.0)
    (text,) = found.said("warning", LIDAR)
    assert "1 interval is longer than 2.5 times the usual 100 ms, the longest 400 ms" in text
    assert "200 ms after the start" in text
    assert found.said("error") == []


@pytest.mark.parametrize(("moved_ms", "gaps"), [(49, 0), (51, 1)])
def test_a_gap_begins_at_two_and_a_half_intervals(checked, moved_ms, gaps):
    topics = sound()
    del topics[LIDAR][5]
    for row in topics[LIDAR][5:]:  # 200 ms between 0.4 and 0.6 s, and what is added
        row[0] += moved_ms * MS
        stamped_at(row, row[0])
    assert checked(topics).figures[LIDAR].gaps == gaps


def test_stamps_out_of_order_are_counted(checked):
    topics = sound()
    stamped_at(topics[LIDAR][5], START_NS + 350 * MS)  # 400, 350, 600
    stamped_at(topics[LIDAR][8], START_NS + 700 * MS)  # 700, 700
    found = checked(topics)
    assert (found.figures[LIDAR].back, found.figures[LIDAR].repeated) == (1, 1)
    assert (
        "of 11 stamps 1 goes back and 1 repeats the one before" in found.said("warning", LIDAR)[0]
    )


def test_stamps_of_zero_are_errors(checked):
    topics = sound()
    for row in topics[LIDAR][2:4]:
        stamped_at(row, 0)
    found = checked(topics)
    assert found.figures[LIDAR].unstamped == 2
    assert found.figures[LIDAR].unread == 0
    (text,) = found.said("error")
    assert "header.stamp is zero in 2 of 11 messages" in text
