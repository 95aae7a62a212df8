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

"""Messages of objects as serialized bytes: a tenth of the time rclpy takes to make and write them.

The bytes are the OMG's common data representation, little endian (DDSI-RTPS 2.5, chapter 10), the
order of the fields is that of the interface definitions. `trusted` tells whether this ROS
distribution's messages are laid out so; where they are not, rclpy has to make them.

Axis letters: K objects.
"""

from __future__ import annotations

import struct

import numpy as np
from autoware_perception_msgs.msg import Shape, TrackedObjects
from rclpy.serialization import deserialize_message
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.records import Float64
from mm_fusion.ros.object_messages import (
    AUTOWARE_LABELS,
    detections_message,
    header_of,
    motion_of,
    pose_covariances,
    tracked_objects_message,
    twists,
)

LITTLE_ENDIAN = b"\x00\x01\x00\x00"
UNKNOWN_ACCELERATION = np.zeros(6 + 36).tobytes()


class _Writer:
    """Appends values at their alignment, which counts from behind the encapsulation header."""

    def __init__(self, header: Header) -> None:
        self._body = bytearray()
        self.header(header)

    def done(self) -> bytes:
        return LITTLE_ENDIAN + bytes(self._body)

    def align(self, size: int) -> None:
        self._body += b"\x00" * (-len(self._body) % size)

    def raw(self, data: bytes, alignment: int = 1) -> None:
        self.align(alignment)
        self._body += data

    def count(self, value: int) -> None:
        self.raw(struct.pack("<I", value), 4)

    def text(self, text: str) -> None:
        coded = text.encode()
        self.count(len(coded) + 1)
        self._body += coded + b"\x00"

    def header(self, header: Header) -> None:
        self.raw(struct.pack("<iI", header.stamp.sec, header.stamp.nanosec), 4)
        self.text(header.frame_id)


def detections_bytes(objects: Objects, header: Header) -> bytes:
    """Return what `detections_message` serializes to."""
    writer = _Writer(header)
    writer.count(len(objects))
    poses = _poses(objects)
    numbers = np.hstack(
        [objects.scores[:, None], poses, pose_covariances(objects), poses, objects.sizes_m]
    )
    columns = (objects.labels.tolist(), objects.ids.tolist(), numbers.astype("<f8"))
    for label, ident, row in zip(*columns, strict=True):
        writer.header(header)
        writer.count(1)  # one hypothesis
        writer.text(CLASSES[label])
        writer.raw(row.tobytes(), 8)  # its score and pose, then the box
        writer.text(str(ident) if ident != UNTRACKED else "")
    return writer.done()


def tracked_objects_bytes(objects: Objects, header: Header, session: bytes) -> bytes:
    """Return what `tracked_objects_message` serializes to."""
    writer = _Writer(header)
    writer.count(len(objects))
    velocities, twist_covariances = twists(objects)
    still, availability = motion_of(objects)
    numbers = np.hstack([_poses(objects), pose_covariances(objects), velocities])
    rest = np.hstack([np.zeros((len(objects), 4)), twist_covariances])  # no other velocity is known
    numbers = np.hstack([numbers, rest]).astype("<f8")
    columns = (objects.ids.tolist(), objects.scores.tolist(), objects.labels.tolist())
    kinds = (still.tolist(), availability.tolist(), objects.sizes_m.astype("<f8"), numbers)
    for ident, score, label, stands, available, size, row in zip(*columns, *kinds, strict=True):
        writer.raw(session + ident.to_bytes(8, "big", signed=True))
        writer.raw(struct.pack("<fI", score, 1), 4)  # existence, one classification
        writer.raw(struct.pack("<Bxxxf", AUTOWARE_LABELS[CLASSES[label]], score))
        writer.raw(row.tobytes(), 8)
        writer.raw(UNKNOWN_ACCELERATION)
        writer.raw(struct.pack("<BBB", available, stands, Shape.BOUNDING_BOX))
        writer.count(0)  # points of a footprint
        writer.raw(size.tobytes(), 8)
    return writer.done()


def trusted() -> bool:
    """Tell whether rclpy reads our bytes as the messages it would have made itself."""
    boxes = np.arange(14.0).reshape(2, 7)
    sample = Objects.of_boxes(
        boxes,
        velocities_ego=np.array([[3.0, 4.0], [np.nan, np.nan]]),
        scores=np.array([0.5, 0.25]),
        labels=np.array([0, 6]),
        ids=np.array([7, UNTRACKED]),
    )
    header, session = header_of(1_234_567_890_123_456_789, "frame"), b"12345678"
    pairs = (
        (detections_message(sample, header), detections_bytes(sample, header)),
        (
            tracked_objects_message(sample, header, session),
            tracked_objects_bytes(sample, header, session),
        ),
    )
    kinds = (Detection3DArray, TrackedObjects)
    try:
        read = [
            deserialize_message(data, kind) for (_, data), kind in zip(pairs, kinds, strict=True)
        ]
    except Exception:  # whatever a deserializer makes of bytes that are not its message
        return False
    return all(found == message for found, (message, _) in zip(read, pairs, strict=True))


def _poses(objects: Objects) -> Float64:
    """Return (K, 7) x, y, z and the quaternion x, y, z, w of each box."""
    half = objects.yaws_rad / 2
    none = np.zeros_like(half)
    return np.column_stack([objects.centers_ego, none, none, np.sin(half), np.cos(half)])
