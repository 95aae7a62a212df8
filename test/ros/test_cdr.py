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

"""Our own bytes are the messages rclpy would have made."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not there; `make setup` brings it")

from autoware_perception_msgs.msg import TrackedObjects
from rclpy.serialization import deserialize_message, serialize_message
from vision_msgs.msg import Detection3DArray

from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.ros import cdr
from mm_fusion.ros.object_messages import (
    detections_message,
    header_of,
    tracked_objects_message,
)

SESSION = bytes(range(1, 9))


def some_objects(count, seed=0):
    """Every class, tracked and not, moving, still and of unknown velocity."""
    rng = np.random.default_rng(seed)
    velocities = rng.normal(0, 3, (count, 2))
    velocities[::3] = np.nan
    velocities[1::3] *= 0.01
    spread = rng.normal(size=(count, 4, 4))
    ids = rng.integers(0, 10 ** rng.integers(1, 10, count))
    return Objects.of_boxes(
        rng.normal(0, 20, (count, 7)),
        velocities_ego=velocities,
        scores=rng.random(count),
        labels=rng.permutation(count) % len(CLASSES),
        ids=np.where(rng.random(count) < 0.3, UNTRACKED, ids),
        covariances=spread @ spread.transpose(0, 2, 1),
    )


def sent(message):
    """What arrives of a message: its float32 fields are rounded."""
    return deserialize_message(serialize_message(message), type(message))


# names of every length modulo 8, so that every alignment of what follows occurs
@pytest.mark.parametrize("frame", ["", "m", "ma", "map", "map1", "map12", "map123", "map1234"])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_detections_are_read_as_those_rclpy_makes(frame, count):
    objects, header = some_objects(count), header_of(1_700_000_000_123_456_789, frame)
    read = deserialize_message(cdr.detections_bytes(objects, header), Detection3DArray)
    assert read == sent(detections_message(objects, header))


@pytest.mark.parametrize("frame", ["", "m", "ma", "map", "map1", "map12", "map123", "map1234"])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_tracked_objects_are_read_as_those_rclpy_makes(frame, count):
    objects, header = some_objects(count), header_of(1_700_000_000_123_456_789, frame)
    data = cdr.tracked_objects_bytes(objects, header, SESSION)
    read = deserialize_message(data, TrackedObjects)
    assert read == sent(tracked_objects_message(objects, header, SESSION))


def test_the_layout_of_this_distribution_is_trusted():
    assert cdr.trusted()


def test_another_layout_is_not_trusted(monkeypatch):
    """As if a distribution had moved a field: the score of a detection behind its pose."""
    right = cdr.detections_bytes

    def moved(objects, header):
        data = bytearray(right(objects, header))
        data[-60:-52] = np.float64(99.0).tobytes()
        return bytes(data)

    monkeypatch.setattr(cdr, "detections_bytes", moved)
    assert not cdr.trusted()


def test_bytes_that_are_no_message_at_all_are_not_trusted(monkeypatch):
    monkeypatch.setattr(cdr, "tracked_objects_bytes", lambda objects, header, session: b"\x00\x01")
    assert not cdr.trusted()
