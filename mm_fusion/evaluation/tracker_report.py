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

"""What the tracker's trials say: a table, figures for other programs, and a plot of the cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mm_fusion.evaluation.tracker_trials import consistency, costs, first_second, switches

SEEDS = (1, 2, 3)


def tracker_figures() -> dict[str, Any]:
    """Run every trial over three seeds and return what they say."""
    alone, heard = (
        np.array([first_second(radar=radar, seed=seed) for seed in SEEDS])  # (S, T) m/s
        for radar in (False, True)
    )
    errors = [np.sqrt((error**2).mean(axis=1)) for error in (alone, heard)]
    nees = np.array([consistency(seed=seed).mean() for seed in SEEDS])
    return {
        "velocity_rmse_mps": {"without_radar": _span(errors[0]), "with_radar": _span(errors[1])},
        "velocity_rmse_cut": _span(1 - errors[1] / errors[0]),
        "nees_of_4": _span(nees),
        "switches_hidden_2_s": [switches(hidden_s=2.0, seed=seed)[0] for seed in SEEDS],
        "switches_radar_only_3_s": [
            switches(hidden_s=3.0, radar_only=True, seed=seed)[0] for seed in SEEDS
        ],
        "frame_ms": {str(count): _span(took_ms) for count, took_ms in costs()},
    }


def print_tracker(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table(title="the tracker on drawn truth, three seeds", caption=_CAPTION)
    for column in ("figure", "least", "median", "most"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    speeds = figures["velocity_rmse_mps"]
    rows = {
        "velocity error in a track's first second, m/s, without radar": speeds["without_radar"],
        "the same with radar": speeds["with_radar"],
        "cut by radar": figures["velocity_rmse_cut"],
        "NEES of x, y, vx, vy; 4 is consistent": figures["nees_of_4"],
    }
    for name, span in rows.items():
        table.add_row(name, *(f"{value:.2f}" for value in span))
    for name in ("switches_hidden_2_s", "switches_radar_only_3_s"):
        table.add_row(
            f"id {name.replace('_', ' ')}, of 100",
            *(str(round(value)) for value in _span(np.array(figures[name]))),
        )
    for count, span in figures["frame_ms"].items():
        table.add_row(f"ms a frame of {count} tracks", *(f"{value:.1f}" for value in span))
    Console().print(table)


def plot_costs(figures: dict[str, Any], path: Path) -> None:
    """Draw the time of a frame over the number of tracks (PNG)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    counts = np.array([int(count) for count in figures["frame_ms"]])
    least, middle, most = np.array(list(figures["frame_ms"].values())).T
    axes.fill_between(counts, least, most, alpha=0.25, label="least to most of 20 frames")
    axes.plot(counts, middle, "o-", label="median")
    axes.plot(counts, middle[-1] * counts / counts[-1], "--", color="gray", label="in proportion")
    axes.set_xlabel("tracks, all detected")
    axes.set_ylabel("ms a frame")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, format="png")


_CAPTION = (
    "Cars and pedestrians, positions with 0.2 m of noise at 10 Hz, radar speeds with 0.2 m/s. Id "
    "switches after all were hidden for 2 s, or heard by the radar alone for 3 s."
)


def _span(values: Any) -> list[float]:  # noqa: ANN401
    return [float(np.min(values)), float(np.median(values)), float(np.max(values))]
