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

"""What every stamped message begins with: the header."""

from __future__ import annotations

from typing import Any

import numpy as np

from mm_fusion.errors import MessageError
from mm_fusion.records import NS_PER_S, UInt8

Message = Any  # rclpy's and rosbags' messages share their attributes, not a type


def stamp_of(message: Message) -> int:
    """Return the stamp of a message's header in ns.

    Raises:
        MessageError: it is zero or negative, which no sensor means.
    """
    stamp = message.header.stamp
    stamp_ns = int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
    if stamp_ns <= 0:
        raise MessageError("header.stamp is zero; the driver must stamp its messages")
    return stamp_ns


def frame_of(message: Message) -> str:
    """Return the frame_id of a message's header, without tf1's leading slash."""
    return str(message.header.frame_id).lstrip("/")


def bytes_of(data: Any) -> UInt8:  # noqa: ANN401  # array.array, bytes or ndarray
    """View the bytes of a message's data field, without copying."""
    return np.frombuffer(data, np.uint8)
