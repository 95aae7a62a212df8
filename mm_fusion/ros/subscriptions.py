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

"""Subscriptions that follow the graph: type and quality of service are the publisher's.

A topic has no subscription until somebody publishes on it, and gets a new one when who publishes
changes type or quality of service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription

from mm_fusion.errors import ConfigError
from mm_fusion.ros.message_types import message_class

DEPTH = 10
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
TRANSPORTS = ("compressed", "ffmpeg", "theora", "zstd")  # last words of image_transport's topics

OnMessage = Callable[[str, Any], None]  # message type, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the publishers of a topic offer."""

    msgtype: str
    reliable: bool
    latched: bool


class FollowedTopic:
    """Listens to the first of some topics on which a usable type is published."""

    def __init__(
        self,
        node: Node,
        topics: Sequence[str],
        msgtypes: Collection[str],
        on_message: OnMessage,
        on_lost: Callable[[str, int], None] = lambda reason, count: None,
    ) -> None:
        """Prepare; nothing is heard before `poll`.

        Args:
            node: whose subscriptions they are.
            topics: candidates, the likeliest first.
            msgtypes: the types that can be used.
            on_message: called with type and message.
            on_lost: called with a reason and a count when messages cannot reach us.
        """
        self._node = node
        self._topics = [node.resolve_topic_name(topic) for topic in topics]
        self._msgtypes = msgtypes
        self._on_message = on_message
        self._on_lost = on_lost
        self._subscription: Subscription | None = None
        self._heard: tuple[str, Offer] | None = None
        self.trouble = ""  # why nothing can be heard, in a sentence

    @property
    def topic(self) -> str:
        """The topic listened to, or the likeliest one."""
        return self._heard[0] if self._heard else self._topics[0]

    @property
    def msgtype(self) -> str:
        """The type listened to; empty if none."""
        return self._heard[1].msgtype if self._heard else ""

    def poll(self) -> None:
        """Look at the graph and subscribe, subscribe anew, or say what is wrong."""
        found = self._find()
        if found is None or found == self._heard:
            return  # a publisher that went away may come back as it was
        self.close()
        try:
            self._subscribe(*found)
        except ConfigError as error:
            self.trouble = str(error)
        except RuntimeError as error:  # another node of this process uses the topic differently
            self.trouble = f"{found[0]} cannot be subscribed to: {error}"

    def close(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription = self._heard = None

    def _find(self) -> tuple[str, Offer] | None:
        self.trouble = f"no publisher on {' or '.join(self._topics)}"
        for topic in self._topics:
            ends = self._node.get_publishers_info_by_topic(topic)
            usable = sorted(
                (end for end in ends if end.topic_type in self._msgtypes),
                key=lambda end: end.topic_type,
            )
            if usable:
                self.trouble = ""
                return topic, offer_of(usable)
            if ends:
                self.trouble = (
                    f"{topic} carries {ends[0].topic_type}, which cannot be used here; "
                    f"usable: {', '.join(sorted(self._msgtypes))}"
                )
        return None

    def _subscribe(self, topic: str, offer: Offer) -> None:
        reliability, durability = ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE
        if offer.reliable:
            reliability = ReliabilityPolicy.RELIABLE
        if offer.latched:
            durability = DurabilityPolicy.TRANSIENT_LOCAL
        self._subscription = self._node.create_subscription(
            message_class(offer.msgtype),
            topic,
            lambda message: self._on_message(offer.msgtype, message),
            QoSProfile(depth=DEPTH, reliability=reliability, durability=durability),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._on_incompatible,
                message_lost=lambda event: self._on_lost(
                    "lost in transport", event.total_count_change
                ),
                use_default_callbacks=False,  # each costs the executor time at every turn
            ),
        )
        self._heard = (topic, offer)

    def _on_incompatible(self, event: Any) -> None:  # noqa: ANN401  # rclpy keeps its type to itself
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self._on_lost(f"publisher with incompatible {policy.lower()}", event.total_count_change)


def offer_of(ends: Sequence[Any]) -> Offer:
    """Return what all publishers offer together: the weaker of each policy.

    Args:
        ends: at least one TopicEndpointInfo; the type is the first one's.
    """
    msgtype = ends[0].topic_type
    profiles = [end.qos_profile for end in ends if end.topic_type == msgtype]
    return Offer(
        msgtype=msgtype,
        reliable=all(p.reliability == ReliabilityPolicy.RELIABLE for p in profiles),
        latched=all(p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles),
    )


def info_topics(image_topic: str, info_topic: str = "") -> tuple[str, ...]:
    """Return where a camera's CameraInfo may be, the likeliest first.

    image_transport puts it beside the base topic, which a transport's name may follow.

    Args:
        image_topic: `front/image/compressed`, say.
        info_topic: what the user has said; empty: nothing.
    """
    if info_topic:
        return (info_topic,)
    base, _, last = image_topic.rpartition("/")
    if last not in TRANSPORTS:
        base = image_topic
    namespace, slash, _ = base.rpartition("/")
    return (f"{namespace}{slash}camera_info", f"{base}/camera_info")
