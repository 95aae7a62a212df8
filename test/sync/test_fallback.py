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

"""Any sensor may fall silent: the reference falls back, and is handed back."""

from itertools import pairwise

import numpy as np
import pytest

from mm_fusion.records import NS_PER_S

RIG = {"lidar": 10, "radar": 13, "camera0": 12, "camera1": 12}  # Hz


def rows_of(stream, without=(), begin=1.0, end=11.0):
    """The rig's streams; those in `without` stop at 4 s and return at 7 s."""
    rows = []
    for i, (name, hz) in enumerate(RIG.items()):
        found = stream(name, hz=hz, phase=0.011 * i, begin=begin, end=end)
        rows += [row for row in found if name not in without or not 4.0 < row[2] < 7.0]
    return rows


def gaps_s(frames):
    return [(b.stamp_ns - a.stamp_ns) / NS_PER_S for a, b in pairwise(frames)]


@pytest.mark.parametrize("silent", RIG)
def test_each_sensor_may_fall_silent_and_frames_go_on(rig, stream, silent):
    r = rig(**{name: {} for name in RIG})
    frames = r.play(rows_of(stream, without={silent}))
    assert max(gaps_s(frames)) < 0.2
    during = [f for f in frames if 4.6 * NS_PER_S < f.stamp_ns < 6.9 * NS_PER_S]
    assert len(during) > 20
    assert all(set(f.missing) == {silent} for f in during)
    assert all(f.missing[silent].startswith("silent for ") for f in during)
    after = [f for f in frames if f.stamp_ns > 7.2 * NS_PER_S]
    assert all(f.missing == {} and f.reference == "lidar" for f in after)
    assert r.books_balance()


def test_only_the_streams_that_live_are_waited_for(rig, stream):
    """A camera dies at 4 s: for one silence_s its frames wait for the deadline, then no more."""
    r = rig(**{name: {} for name in RIG})
    waits = {}
    for arrival, name, stamp in sorted(rows_of(stream, without={"camera1"})):
        for frame in r.add(name, stamp):
            waits[frame.stamp_ns / NS_PER_S] = arrival - frame.stamp_ns / NS_PER_S
    assert max(w for t, w in waits.items() if 4.0 < t < 4.5) > 0.1
    assert max(w for t, w in waits.items() if 4.7 < t < 6.9) < 0.1


def test_the_radar_takes_over_within_one_silence_and_tells_of_the_gap(rig, stream):
    r = rig(lidar={}, radar={}, camera0={}, camera1={})
    came = []
    for arrival, name, stamp in sorted(rows_of(stream, without={"lidar"})):
        came += [(arrival, f) for f in r.add(name, stamp)]
    first = next(arrival for arrival, f in came if f.reference == "radar")
    assert 4.4 < first < 4.6  # the last scan is of 4.0 s, silence_s is 0.5 s
    gap = [f for _, f in came if f.reference == "radar" and f.stamp_ns < first * NS_PER_S]
    assert len(gap) == 6  # 13 Hz over the gap, less what lies within 60 ms of the last scan
    assert all({"camera0", "camera1"} <= set(f.records) for f in gap)


def test_when_the_lidar_returns_it_takes_back_and_no_moment_is_told_twice(rig, stream):
    r = rig(lidar={}, radar={}, camera0={}, camera1={})
    frames = r.play(rows_of(stream, without={"lidar"}))
    references = [(name, stamp_ns / NS_PER_S) for stamp_ns, name in r.sync.stats.references]
    assert [name for name, _ in references][-2:] == ["radar", "lidar"]
    assert references[-1][1] == pytest.approx(7.0, abs=0.11)
    changed = [
        (b.stamp_ns - a.stamp_ns) / NS_PER_S
        for a, b in pairwise(frames)
        if a.reference != b.reference
    ]
    assert all(gap > 0.06 for gap in changed)
    anchors = [f.records[f.reference] for f in frames]
    assert len({id(a) for a in anchors}) == len(frames)


@pytest.mark.parametrize("alive", RIG)
def test_all_but_one_may_be_silent_from_the_start(rig, stream, alive):
    r = rig(**{name: {} for name in RIG})
    rows = stream(alive, hz=RIG[alive], begin=1.0, end=6.0)
    frames = r.play(rows) + r.flush(7.0)
    assert [f.stamp_ns for f in frames] == [round(t * NS_PER_S) for _, _, t in rows]
    assert all(set(f.missing) == RIG.keys() - {alive} for f in frames)
    assert all("no record yet" in f.missing.values() for f in frames)


def test_a_single_record_is_a_frame_once_flushed(rig):
    r = rig(lidar={}, camera={})
    assert r.add("camera", 1.0) == []  # the LiDAR is given silence_s to begin
    (frame,) = r.flush(3.0)
    assert (frame.reference, frame.missing) == ("camera", {"lidar": "no record yet"})


def test_two_of_four_silent_at_once(rig, stream):
    r = rig(**{name: {} for name in RIG})
    frames = r.play(rows_of(stream, without={"lidar", "camera0"}))
    assert max(gaps_s(frames)) < 0.2
    during = [f for f in frames if 4.6 * NS_PER_S < f.stamp_ns < 6.9 * NS_PER_S]
    assert {f.reference for f in during} == {"radar"}
    assert all(set(f.missing) == {"lidar", "camera0"} for f in during)


def test_all_silent_no_frames_and_then_on(rig, stream):
    r = rig(**{name: {} for name in RIG})
    frames = r.play(rows_of(stream, end=4.0) + rows_of(stream, begin=20.0, end=24.0))
    assert r.sync.stats.resets == 0
    assert all(f.missing == {} for f in frames[1:-1])
    assert len(frames) >= 68


@pytest.mark.parametrize("loss", [0.02, 0.05, 0.10])
def test_random_loss_costs_no_frame_but_the_lost_scans(rig, stream, loss):
    rng = np.random.default_rng(7)
    r = rig(**{name: {} for name in RIG})
    rows = [row for row in rows_of(stream) if rng.random() > loss]
    frames = r.play(rows) + r.flush(12.0)
    assert len(frames) == sum(name == "lidar" for _, name, _ in rows)


def test_a_lidar_that_comes_late_still_anchors_every_frame_with_the_nearest(rig, stream):
    r = rig(**{name: {} for name in RIG})
    rows = [(a + 0.6 * (n == "lidar"), n, t) for a, n, t in rows_of(stream, end=11.0)]
    frames = [f for f in r.play(rows) if f.stamp_ns > 2.3 * NS_PER_S]
    assert {f.reference for f in frames} == {"lidar"}
    assert all(f.missing == {} for f in frames)
    assert max(gaps_s(frames)) < 0.11


def test_a_clock_that_runs_ahead_by_less_than_a_silence_hastens_no_deadline(rig, stream):
    r = rig(**{name: {} for name in RIG}, camera2={})
    rows = rows_of(stream) + [
        (t, "camera2", t + 0.3) for _, _, t in stream("camera2", hz=12, end=11)
    ]
    frames = r.play(rows)
    assert all(set(f.missing) <= {"camera2"} for f in frames)
    assert len(frames) >= 97


def test_a_lidar_slower_than_a_silence_is_matched_and_stamps_still_rise(rig, stream):
    r = rig(lidar={}, camera={})
    frames = r.play(stream("lidar", hz=1, phase=0.02) + stream("camera", hz=20))
    assert min(gaps_s(frames)) > 0
    assert max(gaps_s(frames)) < 0.6
    assert len({id(f.records["lidar"]) for f in frames if "lidar" in f.records}) >= 19


def test_astyx_like_frames_seconds_apart_are_complete(rig):
    """Records of one moment arrive together, then nothing for 1.8 s."""
    r = rig(lidar={}, radar={}, camera={})
    for i in range(10):
        for name in ("camera", "lidar", "radar"):
            r.add(name, 1.0 + 1.8 * i)
    r.flush(17.2 + 0.2)
    assert len(r.frames) == 10
    assert all(f.missing == {} for f in r.frames)


def test_a_kind_without_priority_never_anchors(rig, stream):
    r = rig({"reference_priority": ("radar",)}, radar={}, camera={})
    assert r.play(stream("camera", hz=10, end=3.0)) == []
