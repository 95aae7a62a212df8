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

"""A bag that is cut or has lost its metadata, read as far as it goes.

A recorder that was killed leaves an MCAP file without its end, or an SQLite file that has lost
pages, and often no metadata.yaml. What is there is read, in the order in which it was written.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import parse_qos

from mm_fusion.errors import RecordingError

Timed = tuple[str, int, bytes]  # topic, log time in ns, serialized message


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


class CutBag:
    """A bag whose files are cut or whose metadata is lost."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self._path = path
        self._files = files
        self._qos: dict[str, tuple[str, tuple[Qos, ...]]] = {}
        self.ends: dict[str, str] = {}  # file -> why it ended before its end

    def content(self) -> BagContent:
        """Read all that is left, once, to know what there is.

        Raises:
            RecordingError: not one message can be read.
        """
        counts: dict[str, int] = {}
        start_ns, end_ns = 2**63 - 1, 0
        for topic, stamp_ns, _ in self._read():
            counts[topic] = counts.get(topic, 0) + 1
            start_ns, end_ns = min(start_ns, stamp_ns), max(end_ns, stamp_ns)
        if not counts:
            ends = "".join(f"; {file}: {reason}" for file, reason in self.ends.items())
            raise RecordingError(f"not one message can be read from {self._path}{ends}")
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
        return (timed for timed in self._read() if timed[0] in wanted)

    def _read(self) -> Iterator[Timed]:
        for file in self._files:
            read = self._read_mcap if file.suffix == ".mcap" else self._read_sqlite
            reason = yield from read(file)
            if reason:
                self.ends[file.name] = reason

    def _read_mcap(self, file: Path) -> Generator[Timed, None, str]:
        """Yield record by record, which needs no index; return why it ended."""
        channels: dict[int, str] = {}
        schemas: dict[int, str] = {}
        with file.open("rb") as stream:
            try:
                for record in _mcap_records(stream):
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
                db.execute("PRAGMA writable_schema = ON")  # else SQLite refuses a file cut short
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


def _mcap_records(stream: BinaryIO) -> Iterator[McapRecord]:
    """Yield the records of an MCAP file, at the end those of a chunk that was cut.

    Raises:
        Exception: of many kinds, where the file ends before its end.
    """
    whole = 0
    try:
        for record in StreamReader(stream, emit_chunks=True).records:
            whole = stream.tell()
            yield from breakup_chunk(record) if isinstance(record, Chunk) else (record,)
    except Exception:
        stream.seek(whole)
        with suppress(Exception):  # why the file ends is known already
            yield from StreamReader(BytesIO(_inside_chunk(stream.read())), skip_magic=True).records
        raise


def _inside_chunk(start: bytes) -> bytes:
    """Return what the start of a chunk record holds (https://mcap.dev/spec, Chunk, op=0x06).

    Half a compressed chunk is lost; rosbag2 compresses none unless it is told to.
    """
    if start[:1] != bytes([Opcode.CHUNK]):
        return b""
    (length,) = struct.unpack_from("<I", start, 37)  # after op, length, two times, size and CRC
    return b"" if length else start[49:]  # of the name of the compression


def _qos(text: Any) -> tuple[Qos, ...]:  # noqa: ANN401  # text or nothing, as recorders differ
    try:
        return tuple(parse_qos(text))
    except Exception:  # it is no reason not to read a cut bag
        return ()
