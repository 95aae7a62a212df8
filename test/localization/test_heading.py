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

"""The heading out of motion, by hand."""

import math

import numpy as np
import pytest

from mm_fusion.localization.heading import MEMORY_NS, Seen, heading_from, kept
from mm_fusion.records import NS_PER_S


def seen(t, east_north, *, way=(0, 0), yaw=0.0, std_m=0.1):
    return Seen(
        stamp_ns=round(t * NS_PER_S),
        east_north_m=np.array(east_north, float),
        variance_m2=std_m**2,
        way_m=np.array(way, float),
        yaw_rad=yaw,
    )


def test_a_way_north_is_the_heading_north():
    found = heading_from((seen(0, (0, 0)),), seen(1, (0, 10)), 1.5, way_is_known=False)
    assert found.yaw_rad == pytest.approx(math.pi / 2)
    assert found.speed_mps == pytest.approx(10.0)
    # two fixes of 0.1 m: 0.1414 m, over 10 m and over 1 s; a straight way is one to 0.1 rad
    assert found.std_rad == pytest.approx(math.hypot(0.01414, 0.1), abs=1e-4)
    assert found.speed_std_mps == pytest.approx(0.1414, abs=1e-4)


def test_on_a_bend_the_course_is_the_heading_halfway():
    # dead reckoning turned by 0.4 rad on the way: at its end the heading is 0.2 beyond the course
    found = heading_from((seen(0, (0, 0)),), seen(1, (10, 0), yaw=0.4), 1.5, way_is_known=False)
    assert found.yaw_rad == pytest.approx(0.2)


def test_a_measured_way_is_turned_onto_the_one_of_the_fixes():
    # reckoned 10 m east with the nose east; the fixes went north: the nose is north
    then, now = seen(0, (0, 0)), seen(1, (0, 10), way=(10, 0))
    found = heading_from((then,), now, 1.5, way_is_known=True)
    assert found.yaw_rad == pytest.approx(math.pi / 2)


def test_reversing_is_seen_by_wheels_that_turn_backwards():
    # reckoned 10 m backwards; the fixes went north: the nose is south
    then, now = seen(0, (0, 0)), seen(1, (0, 10), way=(-10, 0))
    found = heading_from((then,), now, 1.5, way_is_known=True)
    assert abs(math.remainder(found.yaw_rad + math.pi / 2, math.tau)) < 1e-9


@pytest.mark.parametrize(
    ("then", "now", "known"),
    [
        (seen(0, (0, 0), std_m=3.0), seen(1, (10, 0), std_m=3.0), False),  # 10 m < 4 x 4.24 m
        (seen(0, (0, 0)), seen(8, (10, 0)), False),  # 1.25 m/s
        (seen(0, (0, 0)), seen(16, (100, 0)), False),  # forgotten
        (seen(1, (0, 0)), seen(1, (10, 0)), False),  # at once
        (seen(0, (0, 0)), seen(1, (10, 0), way=(1, 0)), True),  # the wheels hardly turned
    ],
    ids=["unclear", "slow", "old", "at once", "differs"],
)
def test_a_way_that_says_nothing_gives_no_heading(then, now, known):
    assert heading_from((then,), now, 1.5, way_is_known=known) is None


def test_the_shortest_clear_way_is_taken_it_bends_least():
    fixes = (seen(0, (0, -20)), seen(1, (0, 0)), seen(1.95, (9.9, 0)))
    found = heading_from(fixes, seen(2, (10, 0)), 1.5, way_is_known=False)
    assert found.yaw_rad == pytest.approx(0.0)  # from (0, 0): (9.9, 0) is too near, (0, -20) older


def test_fixes_are_kept_apart_and_for_a_while():
    fixes = ()
    for k in range(200):  # 20 s at 10 Hz
        fixes = kept(fixes, seen(0.1 * k, (k, 0)))
    stamps = np.array([f.stamp_ns for f in fixes])
    assert np.diff(stamps).min() >= 400_000_000
    assert stamps[-1] - stamps[0] <= MEMORY_NS
    assert len(fixes) <= 38  # 15 s / 0.4 s
