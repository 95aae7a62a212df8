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

"""The player's words and its ear for signals, without ROS."""

import os
import signal
import threading

import pytest

from mm_fusion.ros.playback import PlayBar, PlayReport, Stop


def report(**given):
    values = {
        "messages": {"/a": 3, "/b": 5},
        "megabytes": 12.0,
        "duration_s": 4.0,
        "turns": 1,
        "lag_p95_s": 0.0021,
        "lag_max_s": 0.0304,
        "cpu_s": 1.0,
    }
    return PlayReport(**{**values, **given})


def test_a_report_reads_as_a_sentence():
    # 12 MB in 4 s
    assert str(report()) == (
        "played 8 messages on 2 topics in 4.0 s (3.0 MB/s), lag p95 2.1 ms, max 30.4 ms"
    )


def test_a_report_of_no_time_at_all_divides_by_nothing():
    assert "(0.0 MB/s)" in str(report(duration_s=0.0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_is_the_owners_again_afterwards(number):
    before = signal.getsignal(number)
    with Stop().on_signals() as stop:
        assert not stop.asked
        os.kill(os.getpid(), number)
        assert stop.asked
    assert signal.getsignal(number) is before


def test_handlers_come_back_when_the_block_raises():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError, match="in between"), Stop().on_signals():
        raise RuntimeError("in between")
    assert signal.getsignal(signal.SIGTERM) is before


def test_beside_the_main_thread_nothing_is_listened_to():
    asked = []

    def elsewhere():
        with Stop().on_signals() as stop:
            asked.append(stop.asked)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert asked == [False]


def test_a_bar_that_is_not_shown_writes_nothing(capsys):
    bar = PlayBar(10.0, 1.0, shown=False)
    bar.show(5.0, 0.0, 0.0, 0)
    bar.close()
    assert capsys.readouterr().err == ""


def test_a_bar_shows_position_lag_and_turn(capsys):
    bar = PlayBar(10.0, 2.0, shown=True)
    bar.show(5.0, 0.004, 0.025, 1)
    bar.close()
    shown = capsys.readouterr().err
    assert "5.0/10.0 s" in shown
    assert "rate 2, lag 4 ms (max 25), turn 2" in shown
