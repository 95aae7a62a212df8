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

"""A report of a run as one page of HTML that needs nothing else: tables, plots, pictures.

The same results and the same recording give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mm_fusion.config import FusionConfig
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.html_page import Section, beside, captioned, data_uri, page, table, tiles
from mm_fusion.evaluation.html_plots import calibration, distances, errors, per_frame, recall_curves
from mm_fusion.evaluation.html_worst import Mistakes, mistakes_of, pictures_of, worst
from mm_fusion.evaluation.matching import ScoredFrame, match
from mm_fusion.evaluation.report import COLUMNS, paired
from mm_fusion.evaluation.results import Results
from mm_fusion.evaluation.scores import Score, score
from mm_fusion.evaluation.tracks_report import TABLES, RunScore, score_tracks
from mm_fusion.objects import CLASSES, UNTRACKED

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

TRACKED_M = 2.0  # between a track and its object, as nuScenes' tracking task asks


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """What a report scores, and how many frames it shows."""

    distance_m: float = 1.0
    range_m: float = 30.0
    min_lidar_points: int = 0
    worst: int = 10


def write_report(
    results: Results,
    source: Recording | BagRecording,
    path: Path,
    config: ReportConfig,
    *,
    title: str,
    tokens: Collection[str] | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> str:
    """Write the report and say in a sentence what it tells.

    Args:
        results: of a run.
        source: the recording they were made from.
        path: the HTML file.
        config: what is scored and shown.
        title: name of the results.
        tokens: names of the frames wanted; None: all.
        progress: called with 1 per frame that is read for the pictures.

    Raises:
        RecordingError: the results hold no frame of the source.
    """
    if not results.frames:
        raise RecordingError("the results hold no frame; run the pipeline on the recording again")
    try:
        frames = paired(
            results,
            source,
            range_m=config.range_m,
            min_lidar_points=config.min_lidar_points,
            tokens=tokens,
        )
    except RecordingError:
        frames = []
    mistakes = [mistakes_of(frame, config.distance_m) for frame in frames]
    shown = worst(mistakes, config.worst) if frames else _spread(results, config.worst)
    pictures = pictures_of(source, results, FusionConfig(), [m.token for m in shown], progress)
    sections = [_summary(results, frames, config)]
    if frames:
        sections += _scored(frames, mistakes, config)
    sections.append(_worst(shown, pictures, scored=bool(frames)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(f"mm_fusion: {title}", _about(results), sections))
    return f"{len(results.frames)} frames, {len(pictures)} pictures" + (
        "" if frames else "; the source holds no labels to score against"
    )


def _spread(results: Results, count: int) -> list[Mistakes]:
    """Choose frames spread evenly, where nothing can be scored."""
    names = list(results.frames)
    step = max(1, len(names) // max(count, 1))
    return [Mistakes(token=name, missed=(), false=()) for name in names[::step][:count]]


def _about(results: Results) -> str:
    meta = results.meta
    used = [k for k in ("camera", "lidar", "radar") if meta.get(f"use_{k}")]
    words = [
        f"{meta.get('layout', 'unknown layout')}",
        f"detector {meta.get('detector', 'unknown')}",
        f"sensors {', '.join(used) or 'unknown'}",
    ]
    if meta.get("without"):
        words.append(f"without {', '.join(map(str, meta['without']))}")
    return "; ".join(words)


def _summary(results: Results, frames: Sequence[ScoredFrame], config: ReportConfig) -> Section:
    objects = sum(len(boxes) for boxes in results.frames.values())
    values = {"frames": str(len(results.frames)), "objects written": str(objects)}
    if not frames:
        note = "<p>The source holds no labels of these frames: nothing could be scored.</p>"
        return Section(title="In short", body=tiles(values) + note)
    figures = _score(frames, config)
    values |= {
        "labelled frames": str(len(frames)),
        "precision": _share(figures.any_class.precision),
        "recall": _share(figures.any_class.recall),
        "F1": _share(figures.any_class.f1),
        "mAP": _share(figures.mean_ap),
        "NDS": _share(figures.nds),
    }
    note = (
        f"<p>Objects within {config.range_m:g} m that at least {config.min_lidar_points} LiDAR "
        f"points hit; found: centres within {config.distance_m:g} m. Precision, recall and F1: "
        "whatever an object is called.</p>"
    )
    return Section(title="In short", body=tiles(values) + note)


def _score(frames: Sequence[ScoredFrame], config: ReportConfig) -> Score:
    return score(
        frames,
        distance_m=config.distance_m,
        range_m=config.range_m,
        min_lidar_points=config.min_lidar_points,
    )


def _scored(
    frames: Sequence[ScoredFrame], mistakes: Sequence[Mistakes], config: ReportConfig
) -> list[Section]:
    figures = _score(frames, config)
    rows = (*figures.classes, figures.any_class)
    curves = {
        c.name: match(frames, config.distance_m, CLASSES.index(c.name)) for c in figures.classes
    }
    everything = match(frames, config.distance_m, None)
    sections = [
        Section(title="By class", body=table(COLUMNS, rows)),
        Section(
            title="Precision and recall",
            body=beside(
                captioned(
                    recall_curves(curves),
                    "Each line is a class, from its best score on: the farther to the upper "
                    "right, the better.",
                ),
                captioned(
                    distances(frames, config.distance_m, config.range_m),
                    "Recall and precision of all classes by distance from the vehicle.",
                ),
            ),
        ),
        Section(
            title="Errors of what was found",
            body=beside(
                captioned(
                    errors(frames, everything),
                    "How far off the centres, headings and speeds of found objects are.",
                ),
                captioned(
                    calibration(everything),
                    "Share of detections that are right by their score: on the diagonal, a score "
                    "is a probability.",
                ),
            ),
        ),
        Section(
            title="Over time",
            body=captioned(
                per_frame(mistakes, frames),
                "Objects missed and detections that are wrong, frame by frame.",
            ),
        ),
    ]
    if any((f.detections.ids != UNTRACKED).any() for f in frames):
        sections.append(_tracks(frames))
    return sections


def _tracks(frames: Sequence[ScoredFrame]) -> Section:
    try:
        figures: RunScore = score_tracks(frames, TRACKED_M)
    except RecordingError as error:
        return Section(title="Tracks", body=f"<p>Not scored: {escape(str(error))}.</p>")
    rows = (*figures.classes, figures.any_class)
    body = "".join(
        f"<h3>{escape(name)}</h3>" + table({"class": lambda r: r.name, **columns}, rows)
        for name, columns in TABLES.items()
    )
    return Section(title="Tracks", body=body)


def _worst(shown: Sequence[Mistakes], pictures: Mapping[str, bytes], *, scored: bool) -> Section:
    parts = []
    for mistakes in shown:
        told = "".join(f"<li>{escape(line)}</li>" for line in mistakes.lines())
        name, image = escape(mistakes.token), ""
        if mistakes.token in pictures:
            address = data_uri(pictures[mistakes.token], "jpeg")
            image = f'<img alt="frame {name}" src="{address}">'
        parts.append(f"<h3>Frame {name}</h3>{image}<ul>{told}</ul>")
    rule = (
        "<p>Those with the most mistakes: objects missed, and false detections of a score of at "
        "least 0.5. White: labels.</p>"
    )
    title = f"The {len(shown)} worst frames" if scored else "Some frames"
    return Section(title=title, body=(rule if scored else "") + "".join(parts))


def _share(value: float) -> str:
    return f"{value:.3f}" if value == value else "-"  # noqa: PLR0124  # NaN
