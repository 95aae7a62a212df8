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

"""What a user should know of a message that was accepted: nothing is taken over in silence."""

from __future__ import annotations

from typing import Any

from mm_fusion.recordings.clouds import INTENSITY
from mm_fusion.records import LidarScan, RadarScan, SensorRecord


def fault_of(message: Any, record: SensorRecord) -> str:  # noqa: ANN401  # any accepted message
    """Say why an accepted message is of no use; empty if it is of some."""
    if isinstance(record, LidarScan):
        left = len(record.points_lidar)
    elif isinstance(record, RadarScan) and hasattr(message, "point_step"):
        left = len(record.points_radar)
    else:
        return ""
    count = message.width * message.height
    if count and not left:
        return f"none of the {count} points of the newest message is finite"
    return ""


def remark_of(message: Any, record: SensorRecord) -> str:  # noqa: ANN401  # any accepted message
    """Say what an accepted message lacks; empty if it has all."""
    if not isinstance(record, LidarScan):
        return ""
    named = {field.name.lower() for field in message.fields}
    return "" if named & {*INTENSITY} else "no intensity in its messages, taken as zero"
