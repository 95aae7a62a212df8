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

"""The parts that many messages are made of, as values of rosbags' types."""

from __future__ import annotations

from typing import Any

import numpy as np

from mm_fusion.geometry.rigid import quaternion_from_rotation
from mm_fusion.recordings.headers import Message
from mm_fusion.recordings.interfaces import typestore
from mm_fusion.records import NS_PER_S, Float64


def part(msgtype: str, **values: Any) -> Message:  # noqa: ANN401  # as each field wants
    """Make a message of a type from the values of all its fields."""
    return typestore().types[msgtype](**values)


def header(stamp_ns: int, frame: str) -> Message:
    """Make a std_msgs/Header."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    stamp = part("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return part("std_msgs/msg/Header", stamp=stamp, frame_id=frame)


def vector(xyz: Float64) -> Message:
    """Make a geometry_msgs/Vector3 of (3,)."""
    x, y, z = np.asarray(xyz, np.float64).tolist()
    return part("geometry_msgs/msg/Vector3", x=x, y=y, z=z)


def point(xyz: Float64) -> Message:
    """Make a geometry_msgs/Point of (3,)."""
    x, y, z = np.asarray(xyz, np.float64).tolist()
    return part("geometry_msgs/msg/Point", x=x, y=y, z=z)


def quaternion(rotation: Float64) -> Message:
    """Make a geometry_msgs/Quaternion of a (3, 3) rotation."""
    return quaternion_of(quaternion_from_rotation(rotation))


def quaternion_of(wxyz: Float64) -> Message:
    """Make a geometry_msgs/Quaternion of (4,) w, x, y, z."""
    w, x, y, z = np.asarray(wxyz, np.float64).tolist()
    return part("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


def transform(parent: str, child: str, parent_from_child: Float64, stamp_ns: int) -> Message:
    """Make a geometry_msgs/TransformStamped."""
    return part(
        "geometry_msgs/msg/TransformStamped",
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=part(
            "geometry_msgs/msg/Transform",
            translation=vector(parent_from_child[:3, 3]),
            rotation=quaternion(parent_from_child[:3, :3]),
        ),
    )
