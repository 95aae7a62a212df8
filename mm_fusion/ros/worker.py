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

"""One thread that owns what it works on: tasks in order, and a slot for the newest job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

JobT = TypeVar("JobT")
Task = Callable[[], Any]

MAX_TASKS = 20_000  # a minute and more of every motion sensor of a vehicle
JOIN_S = 10.0


class Worker(Generic[JobT]):
    """Runs tasks in the order given; of the jobs only the newest that has not begun.

    What is to be done before a job is done before it: the tasks waiting when it begins. Whatever a
    task or a job raises is handed to `on_error` and the thread lives on.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[JobT], Any],
        *,
        on_error: Callable[[Exception], Any],
        on_drop: Callable[[JobT], Any] = lambda job: None,
    ) -> None:
        """Prepare the thread.

        Args:
            name: of the thread.
            work: what is done with a job, in the thread.
            on_error: told of an exception, in the thread.
            on_drop: told of a job that a newer one replaced, in the thread of `submit`.
        """
        self._name = name
        self._work = work
        self._on_error = on_error
        self._on_drop = on_drop
        self._tasks: deque[Task] = deque()
        self._job: JobT | None = None
        self._wanted = threading.Condition()
        self._running = False
        self._thread: threading.Thread | None = None
        self.tasks_lost = 0

    def start(self) -> None:
        """Start the thread, with nothing to do."""
        self._running = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Finish what has begun, forget the rest and end the thread; False if it hangs."""
        with self._wanted:
            self._running = False
            self._tasks.clear()
            self._job = None
            self._wanted.notify()
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        thread.join(JOIN_S)
        return not thread.is_alive()

    def call(self, task: Task) -> None:
        """Have a task done, in its turn; if far too many wait, the oldest is lost and counted."""
        with self._wanted:
            if len(self._tasks) == MAX_TASKS:
                self._tasks.popleft()
                self.tasks_lost += 1
            self._tasks.append(task)
            self._wanted.notify()

    def submit(self, job: JobT) -> None:
        """Have a job done; it replaces one that has not begun."""
        with self._wanted:
            replaced, self._job = self._job, job
            self._wanted.notify()
        if replaced is not None:
            self._on_drop(replaced)

    def withdraw(self) -> None:
        """Forget the job that has not begun."""
        with self._wanted:
            self._job = None

    def _run(self) -> None:
        while True:
            with self._wanted:
                while self._running and not self._tasks and self._job is None:
                    self._wanted.wait()
                if not self._running:
                    return
                tasks, self._tasks = self._tasks, deque()
                job, self._job = self._job, None
            for task in tasks:
                self._guarded(task)
            if job is not None:
                self._guarded(partial(self._work, job))

    def _guarded(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as error:  # one bad frame must not end the node
            self._on_error(error)
