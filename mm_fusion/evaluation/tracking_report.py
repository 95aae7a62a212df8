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

"""Scores track files against KITTI's tracking labels; shows the figures beside published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.errors import ConfigError
from mm_fusion.evaluation.hota import HotaScore, hota
from mm_fusion.evaluation.mot_continuity import ClearScore, clear_mot
from mm_fusion.evaluation.mot_kitti import TrackingCase, read_cases
from mm_fusion.evaluation.mot_recall import RecallScore, recall_score

NONE = "-"
# sAMOTA, MOTA, MOTP in percent, IDS, FRAG, FP, FN of AB3DMOT from PointRCNN's detections, all
# eleven sequences of the validation set; its repository's docs/KITTI.md
PUBLISHED: Mapping[tuple[str, float], tuple[float, float, float, int, int, int, int]] = {
    ("car", 0.25): (93.34, 86.47, 79.40, 0, 15, 368, 766),
    ("pedestrian", 0.25): (82.73, 73.86, 67.58, 4, 62, 589, 1965),
    ("cyclist", 0.25): (93.78, 84.79, 77.23, 1, 3, 114, 90),
    ("car", 0.5): (92.57, 84.81, 79.82, 0, 49, 456, 817),
    ("pedestrian", 0.5): (77.68, 68.19, 68.55, 2, 132, 888, 2223),
    ("cyclist", 0.5): (92.05, 83.38, 77.52, 1, 5, 124, 99),
    ("car", 0.7): (74.96, 62.48, 82.64, 0, 173, 1065, 2079),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksScore:
    """What a set of tracks scores as it is."""

    clear: ClearScore
    hota: HotaScore


@dataclass(frozen=True, slots=True, kw_only=True)
class KindScore:
    """The figures of one class."""

    sequences: tuple[str, ...]
    left_out: tuple[str, ...]
    over_recall: RecallScore
    confident: TracksScore  # tracks above the threshold of the best MOTA
    every: TracksScore


def score_tracking(tracks: Path, truth: Path, iou: float) -> dict[str, KindScore]:
    """Score `tracks/<class>/<sequence>.txt` against `truth/label_02/<sequence>.txt`, by class.

    Args:
        tracks: folder of the results.
        truth: folder of KITTI tracking.
        iou: least overlap of the volumes of a result and its label.

    Raises:
        RecordingError: no sequence is in both, or a file is malformed.
    """
    if not 0 < iou <= 1:
        raise ConfigError(f"evaluate: an overlap of {iou:g} cannot be asked for; give 0 to 1")
    return {kind: _score(case, iou) for kind, case in read_cases(tracks, truth).items()}


def _score(case: TrackingCase, iou: float) -> KindScore:
    over_recall = recall_score(case, iou)
    return KindScore(
        sequences=case.sequences,
        left_out=case.left_out,
        over_recall=over_recall,
        confident=_score_tracks(case.above(over_recall.threshold), iou),
        every=_score_tracks(case, iou),
    )


def _score_tracks(case: TrackingCase, iou: float) -> TracksScore:
    return TracksScore(clear=clear_mot(case, iou), hota=hota(case, iou))


def print_tracking(scores: Mapping[str, KindScore], iou: float) -> None:
    """Print the tables on the terminal."""
    console = Console(highlight=False)
    console.print(_recall_table(scores, iou))
    console.print(_life_table(scores))
    console.print(_tracks_table(scores))
    console.print(
        f"3D overlap of at least {iou:g}. MOTA, MOTP and what stands behind them in the first "
        "two tables: at the confidence of the best MOTA, counted as KITTI and AB3DMOT count. "
        "AB3DMOT's row: as published, of all eleven validation sequences."
    )
    for kind, score in scores.items():
        console.print(f"{kind}: sequences {' '.join(score.sequences)}")
        if score.left_out:
            console.print(f"  not scored, labels or tracks are missing: {' '.join(score.left_out)}")


def _recall_table(scores: Mapping[str, KindScore], iou: float) -> Table:
    table = _table("class", "sAMOTA", "AMOTA", "AMOTP", "MOTA", "MOTP", "IDS", "FRAG", "FP", "FN")
    for kind, score in scores.items():
        mean, best = score.over_recall, score.over_recall.best
        percent = (mean.samota, mean.amota, mean.amotp, best.mota, best.motp)
        whole = (best.switches, best.fragments, best.false_alarms, best.misses)
        table.add_row(kind, *map(_percent, percent), *map(str, whole))
        if (kind, iou) in PUBLISHED:
            samota, mota, motp, *counts = PUBLISHED[kind, iou]
            shown = [f"{samota:.2f}", NONE, NONE, f"{mota:.2f}", f"{motp:.2f}"]
            table.add_row("  AB3DMOT", *shown, *map(str, counts), style="dim")
    return table


def _life_table(scores: Mapping[str, KindScore]) -> Table:
    table = _table("class", "labels", "recall", "precision", "F1", "MT", "ML", "confidence")
    for kind, score in scores.items():
        best, above = score.over_recall.best, score.over_recall.threshold
        percent = (best.recall, best.precision, best.f1, best.mostly_tracked, best.mostly_lost)
        confidence = f"{above:.2f}" if np.isfinite(above) else "any"
        table.add_row(kind, str(best.labels), *map(_percent, percent), confidence)
    return table


def _tracks_table(scores: Mapping[str, KindScore]) -> Table:
    table = _table("CLEAR MOT and HOTA", "MOTA", "MOTP", "IDS", "HOTA", "DetA", "AssA")
    for kind, score in scores.items():
        for name, tracks in (("confident", score.confident), ("all", score.every)):
            clear, whole = tracks.clear, tracks.hota
            table.add_row(
                f"{kind}, {name} tracks",
                *map(_percent, (clear.mota, clear.motp)),
                str(clear.switches),
                *map(_percent, (whole.hota, whole.detection, whole.association)),
            )
    return table


def _table(name: str, *columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _percent(value: float) -> str:
    return f"{100 * value:.2f}" if np.isfinite(value) else NONE


Figures = dict[str, "int | float | list[str] | Figures | None"]


def tracking_dict(scores: Mapping[str, KindScore]) -> dict[str, Figures]:
    """Return the figures in plain numbers, shares of 1; what cannot be told is None."""
    return {kind: _kind_dict(score) for kind, score in scores.items()}


def _kind_dict(score: KindScore) -> Figures:
    mean, best = score.over_recall, score.over_recall.best
    return {
        "sequences": list(score.sequences),
        "not_scored": list(score.left_out),
        "labels": best.labels,
        "sAMOTA": _number(mean.samota),
        "AMOTA": _number(mean.amota),
        "AMOTP": _number(mean.amotp),
        "confidence": _number(mean.threshold),
        "MOTA": _number(best.mota),
        "MOTP": _number(best.motp),
        "switches": best.switches,
        "fragments": best.fragments,
        "false_alarms": best.false_alarms,
        "misses": best.misses,
        "recall": best.recall,
        "precision": best.precision,
        "F1": best.f1,
        "mostly_tracked": best.mostly_tracked,
        "mostly_lost": best.mostly_lost,
        "confident_tracks": _tracks_dict(score.confident),
        "all_tracks": _tracks_dict(score.every),
    }


def _tracks_dict(score: TracksScore) -> Figures:
    clear, whole = score.clear, score.hota
    return {
        "MOTA": _number(clear.mota),
        "MOTP": _number(clear.motp),
        "switches": clear.switches,
        "false_alarms": clear.false_alarms,
        "misses": clear.misses,
        "HOTA": _number(whole.hota),
        "DetA": _number(whole.detection),
        "AssA": _number(whole.association),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
