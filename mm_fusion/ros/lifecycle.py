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

"""What rclpy's lifecycle leaves out: errors that are heard, and starting by oneself."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from mm_fusion.errors import FusionError

NodeT = TypeVar("NodeT", bound=LifecycleNode)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def logged(transition: Transition[NodeT]) -> Transition[NodeT]:
    """Log what a transition raises; rclpy turns it into ERROR without a word.

    A `FusionError` is the user's to mend, so the node stays where it was (FAILURE) and says why.
    """

    @functools.wraps(transition)
    def wrapper(node: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        name = getattr(transition, "__name__", "transition")
        try:
            return transition(node, state)
        except FusionError as error:
            node.get_logger().error(f"{name}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:  # anything else is a bug: show all of it
            node.get_logger().error(f"{name}:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return wrapper


def start(node: LifecycleNode) -> bool:
    """Configure and activate a node that nobody manages; what fails has been logged."""
    succeeded: Any = TransitionCallbackReturn.SUCCESS
    return node.trigger_configure() == succeeded and node.trigger_activate() == succeeded
