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

"""Stamps that are none, strays, late streams and clocks that jump."""

from dataclasses import replace

import pytest
from drives import Drive, made, ns, off_m, play, speed

HZ = {"gps": 5, "imu": 20, "twist": 10}


def later(records, seconds):
    return [(s, replace(r, stamp_ns=r.stamp_ns + ns(seconds))) for s, r in records]


@pytest.mark.parametrize("stamp_ns", [0, -5])
def test_a_stamp_of_zero_is_no_stamp(stamp_ns):
    localizer = made()
    localizer.observe("twist", replace(speed(1, 5.0), stamp_ns=stamp_ns))
    assert localizer.stats.bad_stamps == 1
    assert not localizer.pose_at(ns(1)).motion.known


@pytest.mark.parametrize("seconds", [-3600.0, -3.0, 3.0, 3600.0])
@pytest.mark.parametrize("name", HZ)
def test_one_stray_stamp_moves_nothing(name, seconds):
    localizer = made()
    records = later(Drive().records(5, **HZ), 4000)
    at = next(k for k, (s, r) in enumerate(records) if s == name and r.stamp_ns > ns(4003))
    stray = later([records[at]], seconds)
    play(localizer, [*records[:at], *stray, *records[at + 1 :]])
    twin = play(made(), [*records[:at], *records[at + 1 :]])
    assert localizer.stats.resets == 0
    assert localizer.stats.bad_stamps + localizer.stats.too_old == 1
    a, b = (one.pose_at(ns(4005)).map_from_ego for one in (localizer, twin))
    assert a == pytest.approx(b)


@pytest.mark.parametrize("seconds", [-3000.0, 3000.0])
@pytest.mark.parametrize("name", HZ)
def test_a_sensor_whose_clock_is_off_harms_only_itself(name, seconds):
    drive, localizer = Drive(), made()
    first = play(localizer, later(drive.records(2, **HZ), 4000))
    assert first.stats.fixes_used == 5
    for stream, record in later(drive.records(10, begin=2.0, **HZ), 4000):
        off = seconds if stream == name else 0.0
        localizer.observe(stream, replace(record, stamp_ns=record.stamp_ns + ns(off)))
    assert localizer.stats.resets == 0
    told = localizer.pose_at(ns(4010))
    assert told.stamp_ns == ns(4010)
    if name != "gps":
        assert localizer.stats.fixes_used == 45


def test_a_bag_that_loops_is_followed_anew_in_the_same_map():
    drive, localizer = Drive(), made()
    records = drive.records(8, **HZ)
    play(localizer, records)
    datum = localizer.datum
    for _ in range(2):
        play(localizer, records)
        assert off_m(localizer, drive, 8) < 0.05
    assert localizer.stats.resets == 2
    assert localizer.datum == datum
    assert localizer.stats.too_old == 0  # what showed the jump was used, too


def test_a_gap_of_minutes_is_driven_on_after():
    drive, localizer = Drive(), made()
    play(localizer, drive.records(8, **HZ))
    play(localizer, drive.records(308, begin=300.0, **HZ))
    assert localizer.stats.resets == 0
    assert localizer.stats.bad_stamps == 0
    assert off_m(localizer, drive, 308) < 0.3


@pytest.mark.parametrize("name", HZ)
def test_a_sensor_alone_in_a_new_time_is_believed_when_the_others_are_gone(name):
    drive, localizer = Drive(), made()
    play(localizer, later(drive.records(4, **HZ), 4000))
    play(localizer, drive.records(6, **{name: HZ[name]}))
    assert localizer.stats.resets == 1
    assert localizer.pose_at(ns(6)).stamp_ns == ns(6)


def test_a_lone_fix_every_three_seconds_is_slow_not_stray():
    drive, localizer = Drive(), made()
    play(localizer, [("gps", drive.gps(1 + 3 * k)) for k in range(20)])
    assert localizer.stats.fixes_used + localizer.stats.fixes_rejected >= 18
    assert localizer.stats.bad_stamps == 0
