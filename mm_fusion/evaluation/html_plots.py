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

"""The plots of a report, each as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mm_fusion.evaluation.html_worst import Mistakes
from mm_fusion.evaluation.matching import Matches, ScoredFrame, match
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.records import Float64

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BIN_M = 10.0
SCORE_BINS = np.linspace(0, 1, 11)
FEWEST = 5  # detections of a bin that tells a share


def recall_curves(curves: Mapping[str, Matches]) -> str:
    """Draw precision over recall, a line a class."""
    figure, axes = _figure()
    for name, matches in curves.items():
        hits = matches.hit.cumsum()
        precision = hits / np.arange(1, len(hits) + 1)
        axes.plot(hits / max(matches.objects, 1), precision, label=name)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return _svg(figure)


def distances(frames: Sequence[ScoredFrame], distance_m: float, range_m: float) -> str:
    """Draw recall and precision by distance."""
    matches = match(frames, distance_m, None)
    edges = np.arange(0, range_m + BIN_M, BIN_M)
    labels = np.concatenate([np.zeros(0), *(_away(f.truth.centers_ego[f.counted]) for f in frames)])
    found = _of(frames, matches, "detection")
    met = _of(frames, matches, "truth")[matches.hit]
    recall = _share(np.histogram(met, edges)[0], np.histogram(labels, edges)[0])
    precision = _share(np.histogram(found[matches.hit], edges)[0], np.histogram(found, edges)[0])
    figure, axes = _figure()
    middle = (edges[:-1] + edges[1:]) / 2
    axes.bar(middle - 1.9, recall, 3.6, label="recall")
    axes.bar(middle + 1.9, precision, 3.6, label="precision")
    axes.set(xlabel="distance, m", ylim=(0, 1.02), xticks=edges)
    axes.legend(frameon=False)
    return _svg(figure)


def _of(frames: Sequence[ScoredFrame], matches: Matches, side: str) -> Float64:
    """Return the distance of each match's detection or truth (D,); NaN without."""
    away = [_away((f.detections if side == "detection" else f.truth).centers_ego) for f in frames]
    rows = matches.detection if side == "detection" else matches.truth
    pairs = zip(matches.frame.tolist(), rows.tolist(), strict=True)
    return np.array([away[f][row] if row >= 0 else np.nan for f, row in pairs], np.float64)


def _away(centers: Float64) -> Float64:
    return np.asarray(np.linalg.norm(centers[:, :2], axis=1))


def _share(part: Any, whole: Any) -> Float64:  # noqa: ANN401  # counts
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def errors(frames: Sequence[ScoredFrame], matches: Matches) -> str:
    """Draw histograms of the errors of what was found."""
    centre, yaw, speed = [], [], []
    hits = matches.hit
    triples = zip(matches.frame[hits], matches.detection[hits], matches.truth[hits], strict=True)
    for f, d, t in triples:
        found, true = frames[f].detections, frames[f].truth
        centre.append(np.linalg.norm(found.centers_ego[d, :2] - true.centers_ego[t, :2]))
        yaw.append(np.degrees(abs(wrap_angle(found.yaws_rad[d] - true.yaws_rad[t]))))
        speed.append(np.linalg.norm(found.velocities_ego[d] - true.velocities_ego[t]))
    figure, axes = _figure(columns=3)
    drawn = (centre, "centre, m", 1.0), (yaw, "heading, degrees", 180.0), (speed, "speed, m/s", 10)
    for place, (values, name, limit) in zip(axes, drawn, strict=True):
        known = np.array(values, np.float64)
        known = np.clip(known[np.isfinite(known)], 0, limit)
        place.hist(known, bins=20, range=(0, limit))
        place.set(xlabel=f"off in {name}" if len(known) else f"{name}: not known")
    return _svg(figure)


def calibration(matches: Matches) -> str:
    """Draw the share of detections that are right over their score."""
    place = np.clip(np.digitize(matches.scores, SCORE_BINS) - 1, 0, len(SCORE_BINS) - 2)
    counts = np.bincount(place, minlength=len(SCORE_BINS) - 1)
    right = np.bincount(place, matches.hit, minlength=len(SCORE_BINS) - 1)
    known = counts >= FEWEST
    figure, axes = _figure()
    middle = (SCORE_BINS[:-1] + SCORE_BINS[1:]) / 2
    axes.plot([0, 1], [0, 1], "--", color="0.6", linewidth=1)
    axes.plot(middle[known], right[known] / counts[known], "o-")
    axes.set(xlabel="score", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    return _svg(figure)


def per_frame(mistakes: Sequence[Mistakes], frames: Sequence[ScoredFrame]) -> str:
    """Draw what was missed and what was false in each frame."""
    figure, axes = _figure()
    axes.plot([len(m.missed) for m in mistakes], label="missed", linewidth=1)
    axes.plot([len(m.false) for m in mistakes], label="false, confident", linewidth=1)
    axes.plot([int(f.counted.sum()) for f in frames], label="labelled", color="0.6", linewidth=1)
    axes.set(xlabel="frame", ylabel="objects")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _svg(figure)


def _figure(columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots(1, columns)
    for one in np.ravel(axes):
        one.grid(alpha=0.3)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    """Return the drawing; the same one has the same text."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.hashsalt": "mm_fusion", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]
