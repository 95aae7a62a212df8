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

"""What each sensor is worth: the same detector with some of them, and with one that is faulty."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.config import FusionConfig
from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.evaluation.faults import Faulty, faults_of
from mm_fusion.evaluation.kitti_ap import KittiAp
from mm_fusion.evaluation.kitti_report import kitti_scores
from mm_fusion.evaluation.runner import collect, run
from mm_fusion.objects import CLASSES
from mm_fusion.recordings.recording import Recording
from mm_fusion.records import FRAMED_KINDS

OVERLAP = 0.5  # of cars; what the tables tell
JOIN = " + "  # between the names of sensors


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """What is left of the cars' average precision."""

    name: str
    bev: dict[str, KittiAp]  # by level of occlusion
    volume: dict[str, KittiAp]  # the same in space
    bev_bins: dict[str, KittiAp]  # moderate, by distance in m
    volume_bins: dict[str, KittiAp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Both tables."""

    subsets: tuple[AblationRow, ...]  # of sensors, all of them last
    faults: tuple[AblationRow, ...]

    @property
    def whole(self) -> AblationRow:
        """With every sensor as it is."""
        return self.subsets[-1]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some frames, and the detector that runs on them: of cross-validation there are several."""

    config: FusionConfig
    tokens: Collection[str] | None = None  # names of the frames; None: all


def ablate(
    recording: Recording,
    parts: Sequence[Part],
    *,
    label: str = "car",
    resamples: int = 0,
    with_faults: bool = True,
    progress: Callable[[int], object] = lambda _: None,
) -> Ablation:
    """Score every subset of a recording's kinds of sensor, and every fault.

    Args:
        recording: a data set with labels.
        parts: its frames and who detects in them; all are scored together.
        label: the class that is scored.
        resamples: draws for the intervals; 0: none.
        with_faults: try the faults too.
        progress: called with 1 per frame of every run.

    Raises:
        ConfigError: there is no such class.
        RecordingError: no frame is labelled, or none with this class.
    """
    if label not in CLASSES:
        raise ConfigError(f"{label!r} is no class; choose from {', '.join(CLASSES)}")
    kinds = [k for k in FRAMED_KINDS if any(s.kind == k for s in recording.sensors)]

    def scored(name: str, source: Recording, without: Sequence[str]) -> AblationRow:
        found: dict[str, Any] = {}
        for part in parts:
            frames = run(source, part.config, without=without, tokens=part.tokens)
            results = collect(frames, source, part.config, without=without, progress=progress)
            found |= results.frames
        rows = kitti_scores(
            replace(results, frames=found), recording, range_m=np.inf, resamples=resamples
        )
        of = {r.metric: r for r in rows if (r.name, r.least_overlap) == (label, OVERLAP)}
        if not of:
            raise RecordingError(f"no {label} is labelled in {recording.layout}; choose --class")
        bev, volume = of["bev"], of["3d"]
        return AblationRow(
            name=name,
            bev=bev.levels,
            volume=volume.levels,
            bev_bins=bev.bins,
            volume_bins=volume.bins,
        )

    subsets = [kept for n in range(1, len(kinds) + 1) for kept in combinations(kinds, n)]
    return Ablation(
        subsets=tuple(
            scored(JOIN.join(kept), recording, [k for k in kinds if k not in kept])
            for kept in subsets
        ),
        faults=tuple(
            scored(name, Faulty(recording, change), ())
            for name, change in (faults_of(kinds) if with_faults else {}).items()
        ),
    )


def beaten(ablation: Ablation) -> list[str]:
    """Name every level and distance at which one sensor alone scores higher than all together."""
    told = []
    singles = [row for row in ablation.subsets[:-1] if JOIN not in row.name]
    for kind, tables in (("3D", ("volume", "volume_bins")), ("BEV", ("bev", "bev_bins"))):
        for table in tables:
            for name, whole in getattr(ablation.whole, table).items():
                for row in singles:
                    alone = getattr(row, table)[name]
                    if alone.r40 > whole.r40:
                        told.append(
                            f"{kind} {name}: {row.name} {alone.r40:.1f}, all {whole.r40:.1f}"
                        )
    return told


def runs_of(kinds: Collection[str], *, with_faults: bool = True) -> int:
    """Return how many runs `ablate` makes of a recording with these kinds of sensor."""
    framed = [k for k in FRAMED_KINDS if k in kinds]
    return (1 << len(framed)) - 1 + (len(faults_of(framed)) if with_faults else 0)


def print_ablation(ablation: Ablation, title: str) -> None:
    """Print both tables on the terminal."""
    console = Console(highlight=False)
    console.print(_table(ablation.subsets, ablation.whole, f"{title}: sensors there"))
    console.print(_bins_table(ablation.subsets, f"{title}: by distance, moderate"))
    worse = beaten(ablation)
    said = "; ".join(worse) if worse else "at no level of hiding and at no distance"
    console.print(f"One sensor alone is better than all together: {said}.")
    if ablation.faults:
        console.print(_table(ablation.faults, ablation.whole, f"{title}: one sensor faulty"))
    console.print(
        f"KITTI's average precision in percent, 40 positions of recall, overlap {OVERLAP:g}; kept: "
        "share of what all sensors reach, moderate, in space and from above."
    )


def _table(rows: Sequence[AblationRow], whole: AblationRow, title: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    table.add_column("sensors", no_wrap=True)
    for name in ("3D easy", "moderate", "hard", "BEV mod.", "kept 3D", "BEV"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            *(_text(row.volume.get(level)) for level in ("easy", "moderate", "hard")),
            _text(row.bev.get("moderate")),
            _kept(row.volume, whole.volume),
            _kept(row.bev, whole.bev),
        )
    return table


def _bins_table(rows: Sequence[AblationRow], title: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    table.add_column("sensors", no_wrap=True)
    bins = list(rows[-1].volume_bins)
    for kind in ("3D", "BEV"):
        for name in bins:
            table.add_column(f"{kind} {name} m", justify="right", no_wrap=True)
    for row in rows:
        found = (of.get(name) for of in (row.volume_bins, row.bev_bins) for name in bins)
        table.add_row(row.name, *(_text(ap) for ap in found))
    return table


def _text(ap: KittiAp | None) -> str:
    if ap is None or not np.isfinite(ap.r40):
        return "-"
    return f"{ap.r40:.1f}" + (f" [{ap.low:.0f}, {ap.high:.0f}]" if np.isfinite(ap.low) else "")


def _kept(some: Mapping[str, KittiAp], whole: Mapping[str, KittiAp]) -> str:
    if "moderate" not in some or not whole["moderate"].r40:
        return "-"
    return f"{100 * some['moderate'].r40 / whole['moderate'].r40:.0f} %"


def plot_ablation(ablation: Ablation, path: Path) -> None:
    """Draw both tables as bars into a PNG."""
    from matplotlib.figure import Figure

    rows = [*ablation.subsets, *ablation.faults]
    figure = Figure(figsize=(7, 0.8 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(rows))[::-1]
    for values, offset, name in (("volume", 0.18, "3D"), ("bev", -0.18, "BEV")):
        heights = [getattr(row, values)["moderate"].r40 for row in rows]
        axes.barh(place + offset, heights, 0.34, label=name)
    axes.axhline(len(ablation.faults) - 0.5, color="0.6", linewidth=0.8)
    axes.set_yticks(place, [row.name for row in rows])
    axes.set(xlabel=f"average precision, moderate, overlap {OVERLAP:g}, %", xlim=(0, 100))
    axes.grid(alpha=0.3, axis="x")
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)
