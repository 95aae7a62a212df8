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

"""Messages and transforms that cannot be read, and what is kept beside them."""

import numpy as np
import pytest
from bags import (
    CAMERA,
    INFO,
    LIDAR,
    OPTICAL,
    RADAR,
    START_NS,
    Checked,
    changed,
    placed,
    sound,
    write,
)

from mm_fusion.evaluation.check import check
from mm_fusion.geometry.rigid import compose
from mm_fusion.recordings.bag import STATIC_TRANSFORMS
from mm_fusion.recordings.bag_writer import BagWriter


@pytest.mark.parametrize(("broken", "severity"), [(3, "warning"), (11, "error")])
def test_messages_that_cannot_be_read(checked, broken, severity):
    topics = sound()
    for row in topics[LIDAR][:broken]:
        row[2] = changed(row[2], data=row[2].data[:-1])
    found = checked(topics)
    assert found.figures[LIDAR].unread == broken
    text = found.said(severity, LIDAR)[0]
    assert f"{broken} of 11 messages cannot be used" in text
    assert "PointCloud2 of 4 x 1 points needs 80 bytes, has 79: truncated" in text


def test_bytes_that_are_no_message(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        write(writer, sound())
        connection = writer._connections[INFO]  # no public way writes nonsense
        writer._writer.write(connection, START_NS + 1, b"\0\1\0\0\xff\xff\xff\xff")
    found = Checked(check(tmp_path / "bag", tmp_path / "out"))
    (text,) = found.said("warning", INFO)
    assert "1 of 12 messages cannot be used" in text
    assert "the bytes are no sensor_msgs/msg/CameraInfo" in text


def test_a_broken_transform_costs_no_other_of_its_message(checked):
    topics = sound()
    nowhere = compose(np.eye(3), np.array([np.nan, 0, 0]))
    places = placed(lidar=nowhere, radar=np.eye(4), front=OPTICAL)
    topics[STATIC_TRANSFORMS] = [[START_NS, *places]]
    found = checked(topics)
    assert found.report.placed == {CAMERA: True, LIDAR: False, RADAR: True}
    assert found.figures[STATIC_TRANSFORMS].unread == 0
    assert found.said(about=STATIC_TRANSFORMS) == [
        "1 transform cannot be used, see to it: transform from 'base_link' to 'lidar' is "
        "[nan, 0.0, 0.0]; it must be finite (1 times)"
    ]


def test_transforms_of_one_message_are_counted_each(checked):
    topics = sound()
    message = placed(lidar=np.eye(4), radar=np.eye(4), front=OPTICAL)[1]
    for stamped in message.transforms[:2]:
        stamped.transform.rotation.w = 0.0
    topics[STATIC_TRANSFORMS][0][2] = message
    (text,) = checked(topics).said("warning", STATIC_TRANSFORMS)
    assert text.startswith("2 transforms cannot be used, see to it: transform from 'base_link' to")
