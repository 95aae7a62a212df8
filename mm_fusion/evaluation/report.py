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

"""Scores a results file against labels, and shows the figures: table and plot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.matching import Matches, ScoredFrame, match
from mm_fusion.evaluation.results import Results, objects_of
from mm_fusion.evaluation.scope import pair_all
from mm_fusion.evaluation.scores import ClassScore, Score, reliability, score
from mm_fusion.geometry.rigid import invert
from mm_fusion.objects import CLASSES

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import RecordedFrame, Recording

NONE = "-"

Curves = Mapping[str, Matches]  # class -> all its detections, best first


def evaluate(
    results: Results,
    source: Recording | BagRecording,
    *,
    distance_m: float,
    range_m: float,
    min_lidar_points: int,
    tokens: Collection[str] | None = None,
) -> tuple[Score, Curves]:
    """Score results against the labels of the recording they were made from.

    Raises:
        RecordingError: no frame of the results is labelled in the source.
    """
    frames = paired(
        results, source, range_m=range_m, min_lidar_points=min_lidar_points, tokens=tokens
    )
    figures = score(
        frames, distance_m=distance_m, range_m=range_m, min_lidar_points=min_lidar_points
    )
    curves = {c.name: match(frames, distance_m, CLASSES.index(c.name)) for c in figures.classes}
    return figures, curves


def paired(
    results: Results,
    source: Recording | BagRecording,
    *,
    range_m: float,
    min_lidar_points: int,
    tokens: Collection[str] | None = None,
) -> list[ScoredFrame]:
    """Put the results of each labelled frame beside its labels, in the order of time.

    Raises:
        RecordingError: no frame of the results is labelled in the source.
    """
    wanted = [t for t in results.frames if tokens is None or t in set(tokens)]
    labelled: list[RecordedFrame] = list(labelled_frames(source, wanted))
    detections = {
        frame.token: objects_of(results.frames[frame.token], invert(frame.result_from_ego))
        for frame in labelled
    }
    frames = pair_all(labelled, detections, range_m=range_m, min_lidar_points=min_lidar_points)
    if not frames:
        raise RecordingError(
            f"none of the {len(wanted)} frames of the results is labelled in {source.layout}: "
            "it holds no labels, or is not the source they were made from"
        )
    return frames


COLUMNS: Mapping[str, Callable[[ClassScore], str]] = {
    "class": lambda row: row.name,
    "objects": lambda row: str(row.objects),
    "found": lambda row: str(row.detections),
    "prec.": lambda row: _text(row.precision),
    "recall": lambda row: _text(row.recall),
    "F1": lambda row: _text(row.f1),
    "any": lambda row: _text(row.recall_any),
    "AP": lambda row: _text(row.mean_ap),
    "off m": lambda row: _text(row.translation_m, 2),
    "off deg": lambda row: _text(float(np.degrees(row.yaw_rad)), 0),
    "off m/s": lambda row: _text(row.velocity_mps, 2),
}


def print_score(figures: Score, title: str) -> None:
    """Print the table of a score on the terminal; a column without a figure is left out."""
    rows = (*figures.classes, figures.any_class)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    for name, cell in COLUMNS.items():
        if any(cell(row) != NONE for row in rows):
            table.add_column(name, justify="left" if name == "class" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(COLUMNS[str(column.header)](row) for column in table.columns))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{figures.frames} frames; objects within {figures.range_m:g} m that at least "
        f"{figures.min_lidar_points} LiDAR points hit; found: centres within "
        f"{figures.distance_m:g} m; any: recall if any object found counts, whatever it is "
        f"called. mAP {_text(figures.mean_ap)}, NDS {_text(figures.nds)} (nuScenes definitions; "
        "attributes count as wrong)"
    )
    away = [f"{row.name} {_text(row.calibration, 2)}" for row in figures.classes if row.detections]
    if away:
        console.print(f"Mean distance of scores from the share of hits: {', '.join(away)}.")


def _text(value: float, digits: int = 3) -> str:
    return NONE if not np.isfinite(value) else f"{value:.{digits}f}"


def plot_score(curves: Curves, path: Path) -> None:
    """Draw precision over recall, and hits over scores, a line a class, into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes, scores = figure.subplots(1, 2)
    for name, matches in curves.items():
        hits = matches.hit.cumsum()
        axes.plot(hits / max(matches.objects, 1), hits / np.arange(1, len(hits) + 1), label=name)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend()
    for name, matches in curves.items():
        said, true, _ = reliability(matches).T
        scores.plot(said, true, marker="o", label=name)
    scores.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    scores.set(xlabel="score", ylabel="share of hits", xlim=(0, 1), ylim=(0, 1.02))
    scores.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120)
