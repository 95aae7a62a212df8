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

"""KITTI's average precision of a run: the table, and plain figures for JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.kitti_ap import (
    LEVELS,
    OVERLAPS,
    KittiAp,
    OverlapFrame,
    average_precision,
    least_overlaps,
    overlap_frame,
)
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.evaluation.results import Results, objects_of
from mm_fusion.evaluation.scope import pair_all
from mm_fusion.geometry.rigid import invert
from mm_fusion.objects import CLASSES
from mm_fusion.records import Int64

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

BINS_M = ((0.0, 20.0), (20.0, 40.0), (40.0, 80.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class KittiRow:
    """One class by one overlap: the figures by difficulty, and moderate ones by distance."""

    name: str
    metric: str
    least_overlap: float
    levels: dict[str, KittiAp]
    bins: dict[str, KittiAp]


def kitti_scores(
    results: Results,
    source: Recording | BagRecording,
    *,
    range_m: float,
    resamples: int = 0,
    tokens: Collection[str] | None = None,
) -> list[KittiRow]:
    """Score results against the labels of the recording they were made from.

    Raises:
        RecordingError: no frame of the results is labelled in the source.
    """
    wanted = [t for t in results.frames if tokens is None or t in set(tokens)]
    labelled = list(labelled_frames(source, wanted))
    if not labelled:
        raise RecordingError(
            f"none of the {len(wanted)} frames of the results is labelled in {source.layout}"
        )
    detections = {
        f.token: objects_of(results.frames[f.token], invert(f.result_from_ego)) for f in labelled
    }
    frames = pair_all(labelled, detections, range_m=range_m, min_lidar_points=0)
    occlusion = [f.truth.occlusion for f in labelled if f.truth is not None]
    return kitti_rows(frames, occlusion, resamples)


def kitti_rows(
    frames: Sequence[ScoredFrame], occlusion: Sequence[Int64], resamples: int = 0
) -> list[KittiRow]:
    """Score frames, class by class.

    Args:
        frames: detections beside truth, in the order of time.
        occlusion: (K,) levels of each frame's labels.
        resamples: how often frames are drawn anew for the interval; 0: none.
    """
    present = sorted({int(k) for frame in frames for k in frame.truth.labels})
    return [
        row
        for label in present
        for metric in OVERLAPS
        for row in _rows(
            [overlap_frame(f, o, label, metric) for f, o in zip(frames, occlusion, strict=True)],
            label,
            metric,
            resamples,
        )
    ]


def _rows(
    frames: Sequence[OverlapFrame], label: int, metric: str, resamples: int
) -> Iterator[KittiRow]:
    for least in least_overlaps(label):
        moderate = [frame.hidden_at_most(LEVELS["moderate"]) for frame in frames]
        yield KittiRow(
            name=CLASSES[label],
            metric=metric,
            least_overlap=least,
            levels={
                name: average_precision(
                    [frame.hidden_at_most(hardest) for frame in frames], least, resamples
                )
                for name, hardest in LEVELS.items()
            },
            bins={
                f"{low:g}-{high:g}": average_precision(
                    [frame.within(low, high) for frame in moderate], least, resamples
                )
                for low, high in BINS_M
            },
        )


def print_kitti(rows: Sequence[KittiRow], title: str) -> None:
    """Print the table on the terminal."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    table.add_column("class", no_wrap=True)
    for name in ("AP", "IoU", *LEVELS, "R11", "labels"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        moderate = row.levels["moderate"]
        table.add_row(
            row.name,
            row.metric,
            f"{row.least_overlap:g}",
            *(_text(ap, interval=name == "moderate") for name, ap in row.levels.items()),
            _text(replace(moderate, r40=moderate.r11), interval=False),
            str(moderate.labels),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(_bins_table(rows))
    console.print(
        "KITTI's average precision in percent at 40 positions of recall; easy: not hidden, "
        "moderate: partly hidden ones too, hard: largely hidden ones too. R11 (at 11 positions) "
        "and labels: moderate. Brackets: 95 % interval, frames resampled in runs of ten."
    )


def _bins_table(rows: Sequence[KittiRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("by distance", "AP", "IoU"):
        table.add_column(name, no_wrap=True)
    for low, high in BINS_M:
        table.add_column(f"{low:g}-{high:g} m", justify="right", no_wrap=True)
    for row in rows:
        known = (_text(ap) for ap in row.bins.values())
        table.add_row(row.name, row.metric, f"{row.least_overlap:g}", *known)
    return table


def _text(ap: KittiAp, *, interval: bool = True) -> str:
    if not np.isfinite(ap.r40):
        return "-"
    known = interval and np.isfinite(ap.low)
    return f"{ap.r40:.2f}" + (f" [{ap.low:.0f}, {ap.high:.0f}]" if known else "")


def kitti_dict(rows: Sequence[KittiRow]) -> list[dict[str, Any]]:
    """Return the figures in plain values; what cannot be told is None."""
    return [_plain(asdict(row)) for row in rows]


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _plain(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and not np.isfinite(value)
        else value
        for key, value in tree.items()
    }
