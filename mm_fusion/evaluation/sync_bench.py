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

"""How well records are brought together: ours, a greedy matcher, and the best that is possible.

Axis letters: N pairs of a frame's reference record and another stream's record.
"""

from __future__ import annotations

import time
import tracemalloc
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.config import SyncConfig
from mm_fusion.evaluation.greedy_sync import MOST_SETS, GreedySynchronizer
from mm_fusion.evaluation.sync_drawing import (
    Arrival,
    Drawn,
    Scenario,
    draw,
    scenarios,
    sensors_of,
    vehicle,
)
from mm_fusion.records import NS_PER_S, FramedRecord
from mm_fusion.sync.synchronizer import FrameSynchronizer

SECONDS = 20.0
SEED = 1
REPEATS = 3  # of what is timed
QUEUE, SLOP_S = 10, 0.1  # of the greedy one
SIZES = {7: (4, 2), 14: (8, 5), 28: (16, 11)}  # streams: cameras, radars

Frame = Mapping[str, FramedRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What a synchroniser made of one scenario."""

    frames: int
    mean_ms: float  # distance of each record from its frame's reference record
    worst_ms: float
    missed: int  # records that are not in a frame though they lie within the tolerance
    record_us: float  # spent on a record, in the middle of the repeats
    peak_kib: float  # held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """One scenario."""

    name: str
    possible: int  # frames: records of the best stream that speaks
    records: int
    best_mean_ms: float  # of the nearest record of each stream, by trying all
    best_worst_ms: float
    ours: Pairing
    greedy: Pairing


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncBench:
    """All scenarios, and what a record costs with more streams."""

    outcomes: tuple[SyncOutcome, ...]
    record_us: dict[int, float]  # by the number of streams

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def sync_bench(progress: Callable[[int], object] = lambda _: None) -> SyncBench:
    """Try every scenario; `progress` is called with 1 after each of `sync_steps`."""
    config, rig = SyncConfig(), vehicle()
    outcomes = []
    for scenario in scenarios(rig):
        outcomes.append(tried(rig, scenario, config))
        progress(1)
    costs = {}
    for streams, (cameras, radars) in SIZES.items():
        larger = vehicle(cameras, radars)
        arrivals = draw(larger, Scenario(name="nominal"), seconds=SECONDS, seed=SEED)
        costs[streams] = _timed(lambda a, rig=larger: _ours(a, rig, config), arrivals)  # type: ignore[misc]
        progress(1)
    return SyncBench(outcomes=tuple(outcomes), record_us=costs)


def sync_steps() -> int:
    """Return how many steps `sync_bench` has."""
    return len(scenarios(vehicle())) + len(SIZES)


def tried(rig: Sequence[Drawn], scenario: Scenario, config: SyncConfig) -> SyncOutcome:
    """Run both synchronisers over one scenario, and work out what was possible.

    Stamps that lie `split_s` apart are to be matched by both: ours is given the other's slop.
    """
    if scenario.split_s:
        config = replace(config, tolerance_s=SLOP_S)
    arrivals = draw(rig, scenario, seconds=SECONDS, seed=SEED)
    reference = _reference(rig, scenario, config)
    best = Best(arrivals, reference, config.tolerance_s)
    return SyncOutcome(
        name=scenario.name,
        possible=best.possible,
        records=len(arrivals),
        best_mean_ms=float(best.away_ms.mean()),
        best_worst_ms=float(best.away_ms.max()),
        ours=_pairing(lambda a: _ours(a, rig, config), arrivals, best),
        greedy=_pairing(lambda a: _greedy(a, rig), arrivals, best),
    )


def _reference(rig: Sequence[Drawn], scenario: Scenario, config: SyncConfig) -> str:
    return next(
        sensor.name
        for kind in config.reference_priority
        for sensor in rig
        if sensor.kind == kind and sensor.name not in scenario.silent
    )


class Best:
    """The nearest record of every stream to each record of the reference, found by trying all."""

    def __init__(self, arrivals: Sequence[Arrival], reference: str, tolerance_s: float) -> None:
        """Take what arrives; records of another loop are of another time."""
        stamps: dict[tuple[str, int], list[int]] = {}
        for arrival in arrivals:
            stamps.setdefault((arrival.stream, arrival.loop), []).append(arrival.record.stamp_ns)
        self.reference = reference
        self.possible = sum(a.stream == reference for a in arrivals)
        self._stamps = {key: sorted(held) for key, held in stamps.items()}
        self._tolerance_ms = tolerance_s * 1e3
        every = [
            self.nearest_ms(name, loop, stamp)
            for (name, loop) in self._stamps
            if name != reference
            for stamp in self._stamps[reference, loop]
        ]
        self.away_ms = np.array([away for away in every if away <= self._tolerance_ms])  # (N,)

    def nearest_ms(self, stream: str, loop: int, stamp_ns: int) -> float:
        """Return how far the stream's nearest record lies."""
        held = self._stamps.get((stream, loop), [])
        at = bisect_left(held, stamp_ns)
        return min((abs(t - stamp_ns) / 1e6 for t in held[max(0, at - 1) : at + 1]), default=np.inf)


def _pairing(
    run: Callable[[Sequence[Arrival]], list[Frame]], arrivals: Sequence[Arrival], best: Best
) -> Pairing:
    tracemalloc.start()
    frames = run(arrivals)
    peak_kib = tracemalloc.get_traced_memory()[1] / 1024
    tracemalloc.stop()
    away = np.array(
        [
            abs(record.stamp_ns - frame[best.reference].stamp_ns) / 1e6
            for frame in frames
            if best.reference in frame
            for name, record in frame.items()
            if name != best.reference
        ]
    )
    return Pairing(
        frames=len(frames),
        mean_ms=float(away.mean()) if len(away) else float("nan"),
        worst_ms=float(away.max()) if len(away) else float("nan"),
        missed=max(0, len(best.away_ms) - len(away)),
        record_us=_timed(run, arrivals),
        peak_kib=peak_kib,
    )


def _timed(run: Callable[[Sequence[Arrival]], object], arrivals: Sequence[Arrival]) -> float:
    """Return the microseconds a record takes."""
    taken_s = []
    for _ in range(REPEATS):
        began_s = time.perf_counter()
        run(arrivals)
        taken_s.append(time.perf_counter() - began_s)
    return sorted(taken_s)[REPEATS // 2] / len(arrivals) * 1e6


def _ours(arrivals: Sequence[Arrival], rig: Sequence[Drawn], config: SyncConfig) -> list[Frame]:
    synchronizer = FrameSynchronizer(config, sensors_of(rig))
    frames = [f for a in arrivals for f in synchronizer.add(a.stream, a.record)]
    frames += synchronizer.flush((synchronizer.newest_ns or 0) + NS_PER_S)
    return [frame.records for frame in frames]


def _greedy(arrivals: Sequence[Arrival], rig: Sequence[Drawn]) -> list[Frame]:
    greedy = GreedySynchronizer([s.name for s in rig], queue=QUEUE, slop_s=SLOP_S)
    return [frame for a in arrivals for frame in greedy.add(a.stream, a.record)]


def print_sync(bench: SyncBench) -> None:
    """Print the table on the terminal."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("frames of possible", no_wrap=True)
    for name in ("ours", "greedy", "ours ms", "best ms", "greedy ms", "us", "us"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in _told(bench.outcomes):
        table.add_row(
            row.name,
            f"{row.ours.frames}/{row.possible}",
            str(row.greedy.frames),
            f"{row.ours.mean_ms:.1f} {row.ours.worst_ms:.0f}",
            f"{row.best_mean_ms:.1f} {row.best_worst_ms:.0f}",
            f"{row.greedy.mean_ms:.1f} {row.greedy.worst_ms:.0f}" if row.greedy.frames else "-",
            *(f"{p.record_us:.0f}" for p in (row.ours, row.greedy)),
        )
    most = max(outcome.ours.peak_kib for outcome in bench.outcomes)
    console = Console(highlight=False)
    console.print(table)
    growth = ", ".join(f"{us:.1f} us with {n} streams" for n, us in bench.record_us.items())
    console.print(
        f"LiDAR 10 Hz, 6 cameras 12 Hz, 5 radars 13 Hz for {SECONDS:g} s. ms: mean and worst "
        "distance from the reference record; best: of the nearest records, by trying all. us: what "
        f"a record takes, ours and greedy; the greedy one gives up after {MOST_SETS} sets. "
        f"Ours: {growth}; at most {most:.0f} KiB."
    )


def _told(outcomes: Sequence[SyncOutcome]) -> Iterator[SyncOutcome]:
    """Yield the rows to show: of many like sensors that fall silent the first, and any unlike."""
    like = ""
    for row in outcomes:
        whole = row.ours.frames == row.possible and not row.ours.missed
        kind = row.name.rstrip("0123456789 silent") if row.name.endswith(" silent") else row.name
        if kind != like or not whole:
            yield row
        like = kind
