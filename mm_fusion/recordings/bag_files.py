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

"""The files of a bag: whole ones by their index, cut ones as far as they go."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from rosbags.rosbag2 import Reader

from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.recordings.cut_bag import BagContent, BagTopic, CutBag, Timed
from mm_fusion.records import NS_PER_S

_SUFFIXES = (".mcap", ".db3")
_MCAP_MAGIC = b"\x89MCAP0\r\n"
_SQLITE_MAGIC = b"SQLite format 3\0"


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
                    text = f"{self._path} is broken after {last_ns / NS_PER_S:.3f} s ({error})"
                    warnings.warn(f"{text}; the rest is lost", RecordingWarning, stacklevel=2)
                    return
                yield connection.topic, last_ns, bytes(payload)


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
            cut = f"{path} is broken ({str(error) or type(error).__name__})"
    salvaged = CutBag(path, files)
    content = salvaged.content()
    ends = "".join(f"; {file} ends early: {reason}" for file, reason in salvaged.ends.items())
    warnings.warn(
        f"{cut}; read without its index, {content.count} messages are left{ends}",
        RecordingWarning,
        stacklevel=3,
    )
    return salvaged, content


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
