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

"""Scores the tracks of a run against labels with ids; shows the figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.hota import HotaScore, hota
from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.evaluation.mot_continuity import ClearScore, clear_mot
from mm_fusion.evaluation.mot_distance import FOUND, placed_case
from mm_fusion.evaluation.mot_following import TrackCounts, count, follow
from mm_fusion.evaluation.mot_nuscenes import NuscenesScore, nuscenes_score
from mm_fusion.evaluation.track_motion import MotionScore, motion_score
from mm_fusion.objects import CLASSES, UNTRACKED

NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksScore:
    """The figures of the tracks of one class."""

    name: str
    nuscenes: NuscenesScore
    every: TrackCounts  # of all tracks, whatever their score
    clear: ClearScore
    hota: HotaScore
    motion: MotionScore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScore:
    """The figures of a run."""

    frames: int
    seconds: float
    distance_m: float
    classes: tuple[TracksScore, ...]
    any_class: TracksScore

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what cannot be told is None."""
        return _plain(asdict(self))  # type: ignore[no-any-return]


def score_tracks(frames: Sequence[ScoredFrame], distance_m: float) -> RunScore:
    """Score tracks class by class, and all of them together whatever they are called.

    Args:
        frames: detections with ids beside truth with ids, in the order of time.
        distance_m: of the centres of a track and of the object it follows.

    Raises:
        RecordingError: the labels or the results carry no ids.
    """
    if any((frame.truth.ids[frame.counted] == UNTRACKED).any() for frame in frames):
        raise RecordingError("the labels of this source carry no ids: tracks cannot be scored")
    found = [frame.detections for frame in frames if len(frame.detections)]
    if found and all((detections.ids == UNTRACKED).all() for detections in found):
        raise RecordingError(
            "the results carry no tracking_id; make them with `mm_fusion run --tracks`"
        )
    present = sorted({int(label) for f in frames for label in f.truth.labels[f.counted]})
    stamps_ns = [frame.stamp_ns for frame in frames]
    return RunScore(
        frames=len(frames),
        seconds=(max(stamps_ns) - min(stamps_ns)) / 1e9 if stamps_ns else 0.0,
        distance_m=distance_m,
        classes=tuple(_score(frames, label, distance_m) for label in present),
        any_class=_score(frames, None, distance_m),
    )


def _score(frames: Sequence[ScoredFrame], label: int | None, distance_m: float) -> TracksScore:
    placed = placed_case(frames, label, distance_m)
    following = follow(placed)
    return TracksScore(
        name="any" if label is None else CLASSES[label],
        nuscenes=nuscenes_score(placed),
        every=count(placed, following),
        clear=clear_mot(placed.case, FOUND),
        hota=hota(placed.case, FOUND),
        motion=motion_score(frames, placed, following),
    )


Column = Callable[[TracksScore], str]

RECALL_COLUMNS: Mapping[str, Column] = {
    "AMOTA": lambda row: _text(row.nuscenes.amota),
    "AMOTP m": lambda row: _text(row.nuscenes.amotp_m, 2),
    "MOTAR": lambda row: _text(row.nuscenes.best.motar),
    "MOTA": lambda row: _text(row.nuscenes.best.mota),
    "recall": lambda row: _text(row.nuscenes.best.recall),
    "IDS": lambda row: str(row.nuscenes.best.switches),
    "FRAG": lambda row: str(row.nuscenes.best.fragments),
    "FP": lambda row: str(row.nuscenes.best.false_alarms),
    "FN": lambda row: str(row.nuscenes.best.misses),
}
LIFE_COLUMNS: Mapping[str, Column] = {
    "objects": lambda row: str(row.nuscenes.best.trajectories),
    "MT": lambda row: str(row.nuscenes.best.mostly_tracked),
    "ML": lambda row: str(row.nuscenes.best.mostly_lost),
    "TID s": lambda row: _text(row.nuscenes.best.tid_s, 2),
    "LGD s": lambda row: _text(row.nuscenes.best.lgd_s, 2),
    "score": lambda row: _text(row.nuscenes.threshold, 2),
}
EVERY_COLUMNS: Mapping[str, Column] = {
    "MOTA": lambda row: _text(row.clear.mota),
    "HOTA": lambda row: _text(row.hota.hota),
    "DetA": lambda row: _text(row.hota.detection),
    "AssA": lambda row: _text(row.hota.association),
    "recall": lambda row: _text(row.every.recall),
    "IDS": lambda row: str(row.every.switches),
    "FP": lambda row: str(row.every.false_alarms),
    "TID s": lambda row: _text(row.every.tid_s, 2),
}
MOTION_COLUMNS: Mapping[str, Column] = {
    "compared": lambda row: str(row.motion.compared),
    "all": lambda row: _text(row.motion.all_mps, 2),
    "faster than 1 m/s": lambda row: _text(row.motion.moving_mps, 2),
    "in a track's first second": lambda row: _text(row.motion.first_second_mps, 2),
}
TABLES: Mapping[str, Mapping[str, Column]] = {
    "over recall": RECALL_COLUMNS,
    "lives of objects": LIFE_COLUMNS,
    "all tracks, whatever their score": EVERY_COLUMNS,
    "velocity, root mean square error in m/s": MOTION_COLUMNS,
}


def print_tracks(figures: RunScore, title: str) -> None:
    """Print the tables on the terminal."""
    console = Console(highlight=False)
    rows = (*figures.classes, figures.any_class)
    for name, columns in TABLES.items():
        console.print(_table(rows, columns, f"{title}: {name}"))
    console.print(
        f"{figures.frames} frames, {figures.seconds:.1f} s; a track follows an object whose centre "
        f"is within {figures.distance_m:g} m. AMOTA and AMOTP are means over recall; what else is "
        "in the first two tables counts tracks from the score of the best MOTA on (nuScenes' "
        "definitions). TID: time until an object has a track; LGD: its longest time without one."
    )


def _table(rows: Sequence[TracksScore], columns: Mapping[str, Column], title: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    table.add_column("class", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.name, *(cell(row) for cell in columns.values()))
    return table


def _text(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else NONE


def _plain(value: Any) -> Any:  # noqa: ANN401  # any tree of JSON
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
