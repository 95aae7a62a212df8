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

"""Stamps that lie: loops, resets, drivers that restart, strays."""

from itertools import pairwise

import numpy as np
import pytest

from mm_fusion.records import NS_PER_S

RIG = {"lidar": 10, "radar": 13, "camera": 12}  # Hz
KINDS = {name: {} for name in RIG}


def rows_of(stream, begin=1.0, end=21.0, only=tuple(RIG)):
    rows = []
    for i, name in enumerate(only):
        rows += stream(name, hz=RIG[name], phase=0.011 * i, begin=begin, end=end)
    return sorted(rows)


def rises(frames):
    return all(b.stamp_ns > a.stamp_ns for a, b in pairwise(frames))


def dropped(r, name):
    return dict(r.sync.stats.streams[name].dropped)


def test_a_bag_of_20_s_looped_three_times_gives_the_same_frames_each_time(rig, stream):
    r = rig(**KINDS)
    rows = rows_of(stream)
    loops = [r.play(rows) for _ in range(3)]
    assert len(loops[0]) >= 199
    assert all(abs(len(loop) - len(loops[0])) <= 1 for loop in loops)
    assert r.sync.stats.resets == 2
    for loop in loops[1:]:
        assert sum(f.missing == {} for f in loop) >= 198
    assert r.books_balance()


def test_a_loop_whose_last_records_come_after_its_first_ones_loses_nothing_more(rig, stream):
    """Latency: the camera's messages come 80 ms late, so loops overlap in order of arrival."""
    r = rig(**KINDS)
    once = [(a + 0.08 * (n == "camera"), n, t) for a, n, t in rows_of(stream)]
    rows = [(a + 20.0 * k, n, t) for k in range(3) for a, n, t in once]
    frames = r.play(rows)
    assert r.sync.stats.resets == 2
    assert len(frames) == pytest.approx(600, abs=4)


@pytest.mark.parametrize("name", RIG)
def test_a_rig_of_one_sensor_loops_too(rig, stream, name):
    r = rig(**{name: {}})
    loops = [r.play(rows_of(stream, end=6.0, only=[name])) for _ in range(3)]
    assert [len(loop) for loop in loops] == [len(loops[0])] * 3
    assert r.sync.stats.resets == 2


def test_a_bag_shorter_than_clock_jump_s_loops_too(rig, stream):
    r = rig(**KINDS)
    loops = [r.play(rows_of(stream, begin=1.0, end=1.8)) for _ in range(6)]
    assert len(loops[0]) >= 7
    assert r.sync.stats.resets == 5
    assert min(len(loop) for loop in loops[1:]) >= 3  # what shows that it loops is lost


def test_one_stray_stamp_of_the_past_resets_nothing(rig, stream):
    r = rig(**KINDS)
    rows = rows_of(stream, end=5.0)
    for i, (_, name, stamp) in enumerate(rows):
        r.add(name, 0.5 if i == 70 else stamp)
    assert r.sync.stats.resets == 0
    assert rises(r.frames)
    assert sum(dropped(r, name).get("clock differs", 0) for name in RIG) == 1
    assert r.books_balance()


@pytest.mark.parametrize("ahead", [0.8, 30.0, 3600.0])
@pytest.mark.parametrize("name", RIG)
def test_one_stray_stamp_of_the_future_kills_nobody(rig, stream, name, ahead):
    r = rig(**KINDS)
    rows = rows_of(stream, end=6.0)
    at = next(i for i, row in enumerate(rows) if row[1] == name and row[2] > 3)
    for i, (_, source, stamp) in enumerate(rows):
        r.add(source, stamp + ahead if i == at else stamp)
    assert r.sync.stats.resets == 0
    assert len(r.frames) >= 48
    assert max(f.stamp_ns for f in r.frames) < 6 * NS_PER_S
    assert dropped(r, name).get("clock differs") == 1


def test_a_driver_whose_clock_is_an_hour_ahead_harms_only_itself(rig, stream):
    r = rig(**KINDS)
    for _, name, stamp in rows_of(stream):
        r.add(name, stamp + 3600 * (name == "camera"))
    frames = r.frames
    assert len(frames) >= 199
    assert all(set(f.missing) == {"camera"} for f in frames[10:])
    assert frames[-1].missing["camera"].startswith("its stamps are 3600.")
    assert "ahead of the other streams" in r.sync.stream_states(21 * NS_PER_S)["camera"].why
    assert r.sync.stats.resets == 0
    assert r.books_balance()


def test_a_driver_that_restarts_alone_with_an_older_clock_is_left_out_until_it_fits(rig, stream):
    r = rig(**KINDS)
    for _, name, stamp in rows_of(stream):
        wrong = name == "lidar" and 5.0 < stamp < 12.0
        r.add(name, stamp - 4.0 if wrong else stamp)
    assert r.sync.stats.resets == 0
    assert rises(r.frames)
    during = [f for f in r.frames if 6 * NS_PER_S < f.stamp_ns < 11.9 * NS_PER_S]
    assert {f.reference for f in during} == {"radar"}
    assert "behind the other streams" in during[-1].missing["lidar"]
    assert {f.reference for f in r.frames if f.stamp_ns > 12.3 * NS_PER_S} == {"lidar"}
    assert dropped(r, "lidar")["clock differs"] >= 40


def test_a_wrong_first_stamp_is_outvoted(rig, stream):
    r = rig(**KINDS)
    r.add("camera", 90000.0)
    frames = r.play(rows_of(stream, end=6.0)) + r.flush(7.0)
    assert len([f for f in frames if f.stamp_ns < 10 * NS_PER_S]) >= 43
    assert r.sync.stats.resets == 1


def test_a_pause_of_all_is_a_gap_not_a_reset_and_loses_nothing(rig, stream):
    r = rig(**KINDS)
    frames = r.play(rows_of(stream, end=4.0) + rows_of(stream, begin=60.0, end=64.0))
    frames += r.flush(65.0)
    assert r.sync.stats.resets == 0
    assert sum("lidar" in f.records for f in frames) == 70
    assert all(f.missing == {} for f in frames[1:-1])


def test_after_a_pause_one_sensor_alone_is_believed_by_the_callers_clock(rig, stream):
    r = rig(**KINDS)
    r.play(rows_of(stream, end=4.0))
    assert r.add("radar", 30.0) == []
    r.flush(30.05)
    assert r.sync.newest_ns == 30 * NS_PER_S


def test_after_a_pause_one_sensor_alone_is_believed_after_one_silence(rig, stream):
    r = rig(**KINDS)
    r.play(rows_of(stream, end=4.0))
    frames = r.play(stream("radar", hz=13, begin=30.0, end=33.0)) + r.flush(34.0)
    late = [f for f in frames if f.stamp_ns >= 30 * NS_PER_S]
    assert len(late) == 39
    assert {f.reference for f in late[10:]} == {"radar"}


def test_a_clock_reset_the_caller_knows_of_is_followed_at_the_first_record(rig, stream):
    r = rig(**KINDS)
    r.play(rows_of(stream, begin=100.0, end=104.0))
    r.add("lidar", 1.0)
    r.flush(1.02)
    assert (r.sync.newest_ns, r.sync.stats.resets) == (NS_PER_S, 1)


def test_a_slow_stream_beyond_the_buffer_is_left_out_and_resets_nothing(rig, stream):
    """Both cameras come 3 s late, more than buffer_s: two of three, yet they have not jumped."""
    r = rig(lidar={}, camera0={}, camera1={})
    rows = stream("lidar", hz=10)
    for name in ("camera0", "camera1"):
        rows += stream(name, hz=12, delay=3.0)
    frames = r.play(row for row in rows if row[0] < 21.0)
    assert r.sync.stats.resets == 0
    assert sum(f.reference == "lidar" for f in frames) >= 195
    assert rises(frames)


def test_what_waits_when_the_bag_loops_goes_out_first(rig):
    r = rig(lidar={}, camera={})
    for name, stamp in (("camera", 99.95), ("lidar", 100.0), ("camera", 1.0), ("lidar", 1.0)):
        r.add(name, stamp)
    assert [f.stamp_ns for f in r.frames] == [100 * NS_PER_S, NS_PER_S]
    assert r.frames[0].records["camera"].stamp_ns == round(99.95 * NS_PER_S)


def test_many_streams_are_reset_by_their_majority(rig, stream):
    names = [f"camera{i}" for i in range(14)]
    r = rig(**{name: {} for name in names})
    rows = [
        row for i, name in enumerate(names) for row in stream(name, hz=12, phase=0.005 * i, end=6.0)
    ]
    loops = [r.play(rows) for _ in range(3)]
    assert r.sync.stats.resets == 2
    assert max(len(loop) for loop in loops) - min(len(loop) for loop in loops) <= 1


def test_drift_between_clocks_costs_no_frame(rig, stream):
    r = rig(**KINDS)
    rows = [(t, n, t * (1 + 2e-4 * (n == "camera"))) for _, n, t in rows_of(stream)]
    frames = r.play(rows)
    assert len(frames) >= 199
    assert all(f.missing == {} for f in frames[1:])


def test_random_nonsense_of_one_stream_never_stops_the_others(rig, stream):
    rng = np.random.default_rng(1)
    r = rig(**KINDS)
    for _, name, stamp in rows_of(stream):
        r.add(name, abs(rng.normal(0, 1e4)) if name == "radar" else stamp)
    assert len([f for f in r.frames if {"lidar", "camera"} <= set(f.records)]) >= 195
    assert r.sync.stats.resets == 0
    assert r.books_balance()
