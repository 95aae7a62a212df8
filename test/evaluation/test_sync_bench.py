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

"""Synchronisation measured: ours gives every frame that is possible, paired as well as can be."""

import numpy as np
import pytest

from mm_fusion.config import SyncConfig
from mm_fusion.evaluation import sync_bench
from mm_fusion.evaluation.greedy_sync import MOST_SETS, GreedySynchronizer
from mm_fusion.evaluation.sync_bench import print_sync, tried
from mm_fusion.evaluation.sync_drawing import FIRST_NS, Scenario, draw, scenarios, vehicle
from mm_fusion.records import CameraImage

RIG = vehicle()
SCENARIOS = {s.name: s for s in scenarios(RIG)}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(sync_bench, "SECONDS", 6.0)
    monkeypatch.setattr(sync_bench, "REPEATS", 1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_possible_frame_comes_with_the_nearest_of_every_stream(name):
    outcome = tried(RIG, SCENARIOS[name], SyncConfig())
    late = name.startswith("lidar 0.6")
    # a LiDAR that comes 0.6 s late is silent at first: another stream leads until it speaks
    more = outcome.ours.frames - outcome.possible
    assert more >= 0 if late else (more, outcome.ours.missed) == (0, 0)
    assert outcome.ours.mean_ms <= 1.01 * outcome.best_mean_ms
    assert outcome.ours.frames >= outcome.greedy.frames


def test_the_greedy_one_needs_every_stream_and_never_reset(capsys):
    silent, looped = (
        tried(RIG, SCENARIOS[name], SyncConfig())
        for name in ("camera0 silent", "played three times")
    )
    assert silent.greedy.frames == 0
    assert looped.greedy.frames < 0.7 * looped.possible
    print_sync(sync_bench.SyncBench(outcomes=(silent, looped), record_us={12: 4.0}))
    printed = capsys.readouterr().out
    assert "played three times" in printed
    assert "…" not in printed


def image(stamp_ms):
    return CameraImage(
        stamp_ns=FIRST_NS + round(stamp_ms * 1e6), data=np.zeros(0, np.uint8), encoding="jpeg"
    )


def test_the_greedy_one_takes_the_first_set_that_fits_the_newest_message():
    greedy = GreedySynchronizer("ab", queue=10, slop_s=0.1)
    for stamp_ms in (0, 40, 80):
        assert greedy.add("a", image(stamp_ms)) == []
    (found,) = greedy.add("b", image(50))
    assert found["a"].stamp_ns == FIRST_NS + 40_000_000  # nearest to the newest
    (found,) = greedy.add("b", image(90))
    assert found["a"].stamp_ns == FIRST_NS + 80_000_000
    assert greedy.add("b", image(110)) == []  # only 0 ms is left, and 110 ms are too far


def test_the_greedy_one_is_stuck_where_sets_are_too_many():
    greedy = GreedySynchronizer("abcdef", queue=10, slop_s=0.1)
    for k, name in enumerate("bcdef"):
        side = 1 if k % 2 else -1
        for step in range(10):
            greedy.add(name, image(side * (90 - step)))
    assert MOST_SETS < 10**5
    assert greedy.add("a", image(0)) == []  # 100 000 sets, none within 100 ms
    assert greedy.stuck == 1


def test_what_is_drawn_is_what_the_scenario_says():
    drawn = draw(RIG, Scenario(name="x", clock_off_s={"camera0": 0.11}), seconds=10.0, seed=3)
    off_ms = {
        name: {round((a.record.stamp_ns - a.true_ns) / 1e6) for a in drawn if a.stream == name}
        for name in ("camera0", "camera1", "lidar")
    }
    assert off_ms == {"camera0": {110}, "camera1": {0}, "lidar": {0}}
    counts = {name: sum(a.stream == name for a in drawn) for name in ("lidar", "camera0", "radar0")}
    assert counts == {"lidar": 100, "camera0": 120, "radar0": 130}
    lost = draw(RIG, Scenario(name="x", loss=0.1), seconds=10.0, seed=3)
    assert 0.87 < len(lost) / len(drawn) < 0.93
    drifted = draw(RIG, Scenario(name="x", drift={"lidar": 200e-6}), seconds=10.0, seed=3)
    last = max((a for a in drifted if a.stream == "lidar"), key=lambda a: a.true_ns)
    assert last.record.stamp_ns - last.true_ns == pytest.approx(2e6, rel=0.02)  # 10 s x 200 ppm
