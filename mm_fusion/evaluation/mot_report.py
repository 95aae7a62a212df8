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

"""Tracks of files scored against KITTI's labels, as KITTI and AB3DMOT score them.

Not counted either way are labels of the class that resembles the one scored, truncated ones and
those largely occluded; results that meet no label are excused where they are lower than 25 px or
lie in a region nobody labelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.clear_mot import MotFrame, MotScore, mot_score
from mm_fusion.geometry.boxes import iou_3d
from mm_fusion.recordings.kitti_tracks import REGION, TrackLines, read_track_lines
from mm_fusion.records import Bool, Float64, Int64

NAMES = {"car": "Car", "pedestrian": "Pedestrian", "cyclist": "Cyclist"}
RESEMBLING = {"Car": "Van", "Pedestrian": "Person_sitting", "Cyclist": ""}
MOST_OCCLUDED = 2
LOWEST_PX = 25.0
IN_REGION = 0.5  # share of a result's area
NEAR_M = 12.0  # boxes of road users farther apart than this do not overlap


def score_tracks(tracks: Path, truth: Path, iou: float) -> dict[str, MotScore]:
    """Score `tracks/<class>/<sequence>.txt` against `truth/label_02/<sequence>.txt`.

    Raises:
        RecordingError: no sequence is in both, or a file is malformed.
    """
    scores = {}
    for kind, name in NAMES.items():
        files = sorted((tracks / kind).glob("*.txt"))
        pairs = [(f, truth / "label_02" / f.name) for f in files]
        frames = [
            frame
            for results, labels in pairs
            if labels.is_file()
            for frame in _frames(results.stem, name, *map(read_track_lines, (labels, results)))
        ]
        if frames:
            scores[kind] = mot_score(frames, iou)
    if not scores:
        raise RecordingError(
            f"no sequence is both in {tracks} (<class>/<sequence>.txt) and in {truth}/label_02"
        )
    return scores


def _frames(sequence: str, name: str, truth: TrackLines, found: TrackLines) -> Iterator[MotFrame]:
    wanted = np.array([kind in (name, RESEMBLING[name]) for kind in truth.kind], np.bool_)
    regions = np.array([kind == REGION for kind in truth.kind], np.bool_)
    other = np.array([kind != name for kind in truth.kind], np.bool_)
    ignored = other | (truth.truncated > 0) | (truth.occluded > MOST_OCCLUDED)
    last = max(truth.frame.max(initial=-1), found.frame.max(initial=-1))
    for frame in range(int(last) + 1):
        here, rows = truth.rows(frame), found.rows(frame)
        labels = here[wanted[here]]
        yield MotFrame(
            sequence=sequence,
            truth_ids=truth.track[labels].tolist(),
            ignored=ignored[labels],
            track_ids=found.track[rows].tolist(),
            scores=found.score[rows],
            excused=_excused(found, rows, truth.box_px[here[regions[here]]]),
            overlap=_overlap(truth.boxes[labels], found.boxes[rows]),
        )


def _overlap(truth: Float64, found: Float64) -> Float64:
    """Return the overlaps (G, R), exactly where boxes are near each other."""
    overlap = np.zeros((len(truth), len(found)))
    apart = np.linalg.norm(truth[:, None, :2] - found[None, :, :2], axis=2)
    near = np.flatnonzero((apart < NEAR_M).any(axis=0))
    if len(near) and len(truth):
        overlap[:, near] = iou_3d(truth, found[near])
    return overlap


def _excused(found: TrackLines, rows: Int64, regions_px: Float64) -> Bool:
    left, top, right, bottom = found.box_px[rows].T
    excused = bottom - top <= LOWEST_PX
    area = np.maximum((right - left) * (bottom - top), 1e-9)
    for x0, y0, x1, y1 in regions_px:
        width = np.clip(np.minimum(right, x1) - np.maximum(left, x0), 0, None)
        height = np.clip(np.minimum(bottom, y1) - np.maximum(top, y0), 0, None)
        excused |= width * height / area >= IN_REGION
    return np.asarray(excused)


def print_mot(scores: Mapping[str, MotScore], iou: float) -> None:
    """Print the table on the terminal."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("class")
    for name in ("labels", "sAMOTA", "AMOTA", "MOTA", "switches", "false", "missed"):
        table.add_column(name, justify="right")
    for kind, score in scores.items():
        best = score.best
        percent = (score.samota, score.amota, best.mota)
        whole = (best.switches, best.false_alarms, best.misses)
        table.add_row(
            kind, str(score.labels), *(f"{100 * p:.2f}" for p in percent), *map(str, whole)
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"3D overlap of at least {iou:g}; MOTA and what stands behind it at its best threshold"
    )


def as_dict(scores: Mapping[str, MotScore]) -> dict[str, dict[str, float]]:
    """Return the figures in plain numbers."""
    return {
        kind: {
            "labels": score.labels,
            "sAMOTA": score.samota,
            "AMOTA": score.amota,
            "MOTA": score.best.mota,
            "switches": score.best.switches,
            "false_alarms": score.best.false_alarms,
            "misses": score.best.misses,
        }
        for kind, score in scores.items()
    }
