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


"""From what a bag or the graph says of a topic to what rclpy needs: message class and QoS."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from mm_fusion.errors import ConfigError

LATCHED_DEPTH = 1000  # several nodes may have latched one message each
MIN_DEPTH = 10  # where the recorder could not see the depth, or it was shallow


def message_class(msgtype: str) -> type[Any]:
    """Return the Python class of `package/msg/Name`.

    Raises:
        ConfigError: the package is not installed or has no such message.
    """
    package, _, name = msgtype.replace("/msg/", "/").partition("/")
    try:
        found: type[Any] = getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"message type {msgtype} is not installed; install the ROS package {package!r}"
        ) from error
    return found


def offered_qos(topic: str, recorded: Sequence[Any]) -> QoSProfile:
    """Return the QoS with which to offer what publishers of these QoS profiles sent.

    Subscribers that could listen then can listen now: best effort only if all were, latched if one
    was. Profiles are `rosbags.interfaces.Qos` or look like it; none are known of old bags.
    """
    best_effort = bool(recorded) and all(q.reliability.name == "BEST_EFFORT" for q in recorded)
    latched = any(q.durability.name == "TRANSIENT_LOCAL" for q in recorded)
    latched |= not recorded and topic.endswith("/tf_static")
    depth = max([MIN_DEPTH, *(q.depth for q in recorded)])
    return QoSProfile(
        depth=LATCHED_DEPTH if latched else min(depth, LATCHED_DEPTH),
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
