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


import threading
import time

import pytest

from mm_fusion.ros.worker import MAX_TASKS, Worker

WAIT_S = 10.0


@pytest.fixture
def busy():
    """A worker whose first job waits for `go`; done, dropped and errors are kept."""
    worker = BusyWorker()
    yield worker
    worker.go.set()
    assert worker.stop()


class BusyWorker(Worker):
    def __init__(self):
        self.began, self.go = threading.Event(), threading.Event()
        self.done, self.dropped, self.errors = [], [], []
        super().__init__("test", self._do, on_error=self.errors.append, on_drop=self.dropped.append)
        self.start()

    def _do(self, job):
        self.began.set()
        assert self.go.wait(WAIT_S)
        self.done.append(job)
        if job == "bad":
            raise ValueError(job)

    def settle(self):
        """Wait until everything given so far is done."""
        settled = threading.Event()
        self.call(settled.set)
        assert settled.wait(WAIT_S)


def test_a_newer_job_replaces_one_that_has_not_begun(busy):
    busy.submit(1)
    assert busy.began.wait(WAIT_S)
    for job in (2, 3, 4):
        busy.submit(job)
    busy.go.set()
    busy.settle()
    busy.settle()  # the job goes after the tasks that wait with it
    assert busy.done == [1, 4]
    assert busy.dropped == [2, 3]


def test_tasks_are_never_replaced_and_go_before_the_job_that_follows_them(busy):
    busy.submit("first")
    assert busy.began.wait(WAIT_S)
    for task in range(100):
        busy.call(lambda task=task: busy.done.append(task))
    busy.submit("dropped")
    busy.submit("last")
    busy.go.set()
    busy.settle()
    busy.settle()
    assert busy.done == ["first", *range(100), "last"]


def test_what_raises_is_told_and_the_thread_lives_on(busy):
    busy.go.set()
    busy.submit("bad")
    busy.settle()
    busy.call(lambda: 1 / 0)
    busy.settle()
    busy.submit("good")
    busy.settle()
    busy.settle()
    assert [type(e) for e in busy.errors] == [ValueError, ZeroDivisionError]
    assert busy.done == ["bad", "good"]


def test_too_many_tasks_lose_the_oldest_and_are_counted(busy):
    busy.submit("first")
    assert busy.began.wait(WAIT_S)
    for task in range(MAX_TASKS + 3):
        busy.call(lambda task=task: busy.done.append(task))
    assert busy.tasks_lost == 3
    busy.go.set()
    while len(busy.done) <= MAX_TASKS:  # `settle` would be one task more
        time.sleep(0.01)
    assert busy.done[:3] == ["first", 3, 4]


def test_a_withdrawn_job_is_not_done(busy):
    busy.submit("first")
    assert busy.began.wait(WAIT_S)
    busy.submit("second")
    busy.withdraw()
    busy.go.set()
    busy.settle()
    busy.settle()
    assert busy.done == ["first"]
    assert busy.dropped == []


def test_it_can_be_started_again():
    done = []
    worker = Worker("test", done.append, on_error=done.append)
    for turn in range(2):
        worker.start()
        asked = threading.Event()
        worker.submit(turn)
        worker.call(asked.set)
        assert asked.wait(WAIT_S)
        assert worker.stop()
    assert set(done) <= {0, 1}
    assert worker.stop()
