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

"""The files of a bag: whole ones by their index, cut ones as far as they go.

A recorder that was killed leaves an MCAP file without its end, or an SQLite file that has lost
pages, and often no metadata.yaml. What is there is read, in the order in which it was written.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import Qos
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.metadata import parse_qos

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.records import NS_PER_S

Timed = tuple[str, int, bytes]  # topic, log time in ns, serialized message

_SUFFIXES = (".mcap", ".db3")
_MCAP_MAGIC = b"\x89MCAP0\r\n"
_SQLITE_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class BagTopic:
    """One topic of a bag."""

    msgtype: str
    count: int
    qos: tuple[Qos, ...] = ()  # one of each publisher; none are known of old bags


@dataclass(frozen=True, slots=True, kw_only=True)
class BagContent:
    """What a bag holds, found once."""

    topics: dict[str, BagTopic]
    start_ns: int
    end_ns: int  # of the last message
    count: int


class BagFiles(Protocol):
    """A bag's files, however they are read."""

    def content(self) -> BagContent:
        """Return the topics, counts and times."""

    def messages(self, topics: Collection[str]) -> Iterator[Timed]:
        """Yield the messages of some topics."""


class WholeBag:
    """A bag that has its metadata and its index."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def content(self) -> BagContent:
        """Return the topics, counts and times; whatever is wrong with the files shows here."""
        with Reader(self._path) as reader:
            topics: dict[str, BagTopic] = {}
            for connection in reader.connections:
                known = topics.get(connection.topic)
                qos = tuple(getattr(connection.ext, "offered_qos_profiles", ()))
                topics[connection.topic] = BagTopic(
                    msgtype=connection.msgtype,
                    count=connection.msgcount + (known.count if known else 0),
                    qos=qos + (known.qos if known else ()),
                )
            return BagContent(
                topics=topics,
                start_ns=reader.start_time,
                end_ns=reader.end_time - 1,
                count=reader.message_count,
            )

    def messages(self, topics: Collection[str]) -> Iterator[Timed]:
        """Yield in the order of the log times; where the file is broken, warn and stop."""
        wanted, last_ns = frozenset(topics), 0
        with Reader(self._path) as reader:
            connections = [c for c in reader.connections if c.topic in wanted]
            if not connections:
                return
            messages = reader.messages(connections)
            while True:
                try:
                    connection, last_ns, payload = next(messages)
                except StopIteration:
                    return
                except Exception as error:  # of rosbags, apsw, zstd, struct: the file is broken
                    _warn(self._path, f"is broken after {last_ns / NS_PER_S:.3f} s ({error})")
                    return
                yield connection.topic, last_ns, bytes(payload)


class CutBag:
    """A bag whose files are cut or whose metadata is lost."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self._path = path
        self._files = files
        self._qos: dict[str, tuple[str, tuple[Qos, ...]]] = {}

    def content(self) -> BagContent:
        """Read all that is left, once, to know what there is.

        Raises:
            RecordingError: not one message can be read.
        """
        counts: dict[str, int] = {}
        start_ns, end_ns = 2**63 - 1, 0
        for topic, stamp_ns, _ in self._read(warn=True):
            counts[topic] = counts.get(topic, 0) + 1
            start_ns, end_ns = min(start_ns, stamp_ns), max(end_ns, stamp_ns)
        if not counts:
            raise RecordingError(
                f"{self._path} is cut or broken: not one message can be read from it"
            )
        topics = {
            name: BagTopic(msgtype=self._qos[name][0], count=count, qos=self._qos[name][1])
            for name, count in sorted(counts.items())
        }
        return BagContent(
            topics=topics, start_ns=start_ns, end_ns=end_ns, count=sum(counts.values())
        )

    def messages(self, topics: Collection[str]) -> Iterator[Timed]:
        """Yield in the order of writing."""
        wanted = frozenset(topics)
        return (timed for timed in self._read(warn=False) if timed[0] in wanted)

    def _read(self, warn: bool) -> Iterator[Timed]:
        for file in self._files:
            reason = yield from (
                self._read_mcap(file) if file.suffix == ".mcap" else self._read_sqlite(file)
            )
            if warn and reason:
                _warn(file, f"is broken from some point on ({reason})")

    def _read_mcap(self, file: Path) -> Generator[Timed, None, str]:
        """Yield record by record, which needs no index; return why it ended."""
        channels: dict[int, str] = {}
        schemas: dict[int, str] = {}
        with file.open("rb") as stream:
            try:
                for record in StreamReader(stream).records:
                    if isinstance(record, Schema):
                        schemas[record.id] = record.name
                    elif isinstance(record, Channel):
                        qos = _qos(record.metadata.get("offered_qos_profiles", ""))
                        channels[record.id] = record.topic
                        self._qos[record.topic] = (schemas.get(record.schema_id, ""), qos)
                    elif isinstance(record, Message) and record.channel_id in channels:
                        yield channels[record.channel_id], record.log_time, record.data
            except Exception as error:  # mcap's, zstd's and lz4's own, of a chunk that was cut
                return str(error) or type(error).__name__
        return ""

    def _read_sqlite(self, file: Path) -> Generator[Timed, None, str]:
        """Yield row by row past the index, whose pages may be lost; return why it ended."""
        try:
            with closing(sqlite3.connect(f"{file.resolve().as_uri()}?immutable=1", uri=True)) as db:
                topics: dict[int, str] = {}
                for row in db.execute("SELECT id, name, type, offered_qos_profiles FROM topics"):
                    topics[row[0]] = row[1]
                    self._qos[row[1]] = (row[2], _qos(row[3]))
                rows = "SELECT topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY rowid"
                for topic_id, stamp_ns, data in db.execute(rows):
                    if topic_id in topics:
                        yield topics[topic_id], stamp_ns, data
        except sqlite3.Error as error:
            return str(error)
        return ""


def open_files(path: Path) -> tuple[BagFiles, BagContent]:
    """Open a bag's folder or one file of it, by its index or, where that is lost, without.

    Raises:
        RecordingError: there is no bag, or nothing can be read from it.
    """
    files = storage_files(path)
    cut = next((reason for reason in map(_cut, files) if reason), "")
    if path.is_dir() and not (path / "metadata.yaml").exists():
        cut = cut or f"{path} has no metadata.yaml: its recorder was stopped before it was written"
    if not cut:
        try:
            whole = WholeBag(path)
            return whole, whole.content()
        except Exception as error:  # rosbags raises many kinds for broken files and metadata
            cut = str(error) or type(error).__name__
    warnings.warn(f"{cut}; reading {path} without its index", RecordingWarning, stacklevel=3)
    salvaged = CutBag(path, files)
    return salvaged, salvaged.content()


def storage_files(path: Path) -> list[Path]:
    """Return the storage files of a bag, in order.

    Raises:
        RecordingError: there are none.
    """
    if not path.exists():
        raise RecordingError(f"bag {path}: there is no such file or folder")
    inside = [path] if path.is_file() else path.iterdir()
    found = [file for file in inside if file.suffix in _SUFFIXES]
    packed = path.is_dir() and any(path.glob("*.zstd"))  # whole files are packed; rosbags unpacks
    if not found and not packed:
        raise RecordingError(f"{path} is no bag: looked for {' and '.join(_SUFFIXES)} files")
    return sorted(found, key=lambda file: (len(file.name), file.name))  # _10 comes after _9


def _cut(file: Path) -> str:
    """Tell what shows that a file is not whole; empty where nothing does."""
    size = file.stat().st_size
    if size == 0:
        return f"{file} is empty"
    with file.open("rb") as stream:
        start = stream.read(32)
        stream.seek(max(0, size - len(_MCAP_MAGIC)))
        end = stream.read()
    if file.suffix == ".mcap":
        return "" if start.startswith(_MCAP_MAGIC) and end == _MCAP_MAGIC else f"{file} is cut"
    if not start.startswith(_SQLITE_MAGIC):
        return f"{file} is no SQLite file"
    page = int.from_bytes(start[16:18], "big")
    pages = int.from_bytes(start[28:32], "big")  # https://sqlite.org/fileformat2.html, 1.3
    return f"{file} is cut" if size < pages * (65536 if page == 1 else page) else ""


def _qos(text: Any) -> tuple[Qos, ...]:  # noqa: ANN401  # text or nothing, as recorders differ
    try:
        return tuple(parse_qos(text))
    except Exception:  # it is no reason not to read a cut bag
        return ()


def _warn(path: Path, what: str) -> None:
    warnings.warn(f"{path} {what}; the rest is lost", RecordingWarning, stacklevel=3)
