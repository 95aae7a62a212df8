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


"""Reading before the time: so that the disk never holds up what is due."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Due(NamedTuple):
    """One recorded message, and when it was logged."""

    turn: int  # 0 the first time through the bag, 1 the second, ...
    topic: str
    stamp_ns: int  # log time
    payload: bytes  # CDR, header included


class ReadAhead:
    """Iterates over messages that a thread of its own fetches; bounded in bytes.

    What the source raises is raised where its message would have come. Closing ends the thread.
    """

    def __init__(self, source: Iterable[Due], capacity_bytes: int = 96_000_000) -> None:
        self._source = source
        self._capacity = capacity_bytes
        self._waiting: deque[Due] = deque()
        self._bytes = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._fetch, name="read ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Due]:
        while (due := self._next()) is not None:
            yield due

    def close(self) -> None:
        """Stop fetching and forget what waits."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def fill(self, timeout_s: float) -> None:
        """Wait until the buffer is full, the source at its end or the time over."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._full(), timeout_s)

    def _full(self) -> bool:
        return self._bytes >= self._capacity

    def _next(self) -> Due | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended or self._closed)
            if self._waiting:
                due = self._waiting.popleft()
                self._bytes -= len(due.payload)
                self._changed.notify_all()
                return due
            if self._error is not None:
                raise self._error
            return None

    def _fetch(self) -> None:
        try:
            for due in self._source:
                if not self._put(due):
                    break
        except BaseException as error:  # it is the reader's, who raises it again
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, due: Due) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._full())
            if not self._closed:
                self._waiting.append(due)
                self._bytes += len(due.payload)
                self._changed.notify_all()
            return not self._closed
