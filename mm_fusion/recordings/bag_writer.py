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

"""Writes a rosbag2, message by message, which appears under its name when it is whole."""

from __future__ import annotations

import heapq
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.recordings.headers import Message
from mm_fusion.recordings.interfaces import typestore

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_VERSION: Final = 8  # of the metadata: what ROS 2 Iron and everything after it reads
_NEVER = QosTime(9223372036, 854775807)  # rmw's infinite duration


class BagWriter:
    """A bag being written; use it as a context. Messages are sorted within `held_ns`."""

    def __init__(self, bag: Path, storage: str = "mcap", held_ns: int = 0) -> None:
        """Prepare a bag beside its final place.

        Args:
            bag: folder of the bag.
            storage: one of `STORAGES`.
            held_ns: how much later than its stamp's place in the log a message may be given.

        Raises:
            ConfigError: the storage is unknown.
            RecordingError: something is at `bag` already, or cannot be written there.
        """
        if storage not in STORAGES:
            raise ConfigError(f"storage {storage!r} is unknown; known: {', '.join(STORAGES)}")
        if bag.exists():
            raise RecordingError(f"{bag} exists already; remove it or choose another name")
        self._bag = bag
        self._held_ns = held_ns
        self._held: list[tuple[int, int, Connection, bytes]] = []
        self._count = 0
        self._newest_ns = 0
        self._connections: dict[str, Connection] = {}
        try:
            bag.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f".{bag.name}.", dir=bag.parent))
        except OSError as error:
            raise RecordingError(f"{bag} cannot be written: {error.strerror}") from error
        self._writer = Writer(
            self._folder / bag.name, version=_VERSION, storage_plugin=STORAGES[storage]
        )

    def __enter__(self) -> BagWriter:
        self._writer.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is not None:
                self._writer.abort()
            else:
                self._finish()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def write(
        self, topic: str, msgtype: str, message: Message, log_ns: int, latched: bool = False
    ) -> None:
        """Add a message; its topic is made with the first.

        Raises:
            RecordingError: the topic has messages of another type, or the disk is full.
        """
        connection = self._connection(topic, msgtype, latched)
        payload = bytes(typestore().serialize_cdr(message, msgtype))
        self._count += 1
        self._newest_ns = max(self._newest_ns, log_ns)
        heapq.heappush(self._held, (log_ns, self._count, connection, payload))
        self._flush(self._newest_ns - self._held_ns)

    def note(self, key: str, value: str) -> None:
        """Add an entry to the custom data of the bag's metadata."""
        self._writer.set_custom_data(key, value)

    def _connection(self, topic: str, msgtype: str, latched: bool) -> Connection:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic,
                msgtype,
                typestore=typestore(),
                offered_qos_profiles=_offered(latched),
            )
        known = self._connections[topic]
        if known.msgtype != msgtype:
            raise RecordingError(f"{topic} has messages of {known.msgtype} and of {msgtype}")
        return known

    def _flush(self, until_ns: int) -> None:
        while self._held and self._held[0][0] <= until_ns:
            log_ns, _, connection, payload = heapq.heappop(self._held)
            try:
                self._writer.write(connection, log_ns, payload)
            except OSError as error:
                raise RecordingError(f"{self._bag} cannot be written: {error.strerror}") from error

    def _finish(self) -> None:
        self._flush(self._newest_ns)
        self._writer.close()
        if not self._count:
            raise RecordingError(f"{self._bag} was not written: the recording holds no record")
        if self._bag.exists():
            raise RecordingError(f"{self._bag} has come to exist meanwhile; it is left as it is")
        (self._folder / self._bag.name).rename(self._bag)


def _offered(latched: bool) -> Sequence[Qos]:
    """Return what the publishers offer: reliable, and kept for late subscribers if latched."""
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    return [
        Qos(
            history=QosHistory.KEEP_LAST,
            depth=1 if latched else 10,
            reliability=QosReliability.RELIABLE,
            durability=durability,
            deadline=_NEVER,
            lifespan=_NEVER,
            liveliness=QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=_NEVER,
            avoid_ros_namespace_conventions=False,
        )
    ]
