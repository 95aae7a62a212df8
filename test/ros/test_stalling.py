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


"""A clock that stops does not hold the last frame."""

from mm_fusion.ros.stalling import StallingClock

MS = 1_000_000


def test_a_clock_that_ticks_is_believed_however_slowly_it_runs():
    clock = StallingClock()
    # a tick of 1 ms every 500 ms: a bag played 500 times slower than recorded
    times = [clock.at(1000 * MS + tick * MS, tick * 500 * MS) for tick in range(10)]
    assert times == [1000 * MS + tick * MS for tick in range(10)]


def test_a_clock_that_stands_still_goes_on_after_a_second():
    clock = StallingClock()
    assert clock.at(5000 * MS, 100 * MS) == 5000 * MS
    assert clock.at(5000 * MS, 1100 * MS) == 5000 * MS
    assert clock.at(5000 * MS, 1400 * MS) == 5300 * MS


def test_a_clock_that_ticks_again_is_believed_again_also_backwards():
    clock = StallingClock()
    clock.at(5000 * MS, 0)
    assert clock.at(5000 * MS, 3000 * MS) == 7000 * MS
    assert clock.at(5001 * MS, 3100 * MS) == 5001 * MS
    assert clock.at(10 * MS, 3200 * MS) == 10 * MS
