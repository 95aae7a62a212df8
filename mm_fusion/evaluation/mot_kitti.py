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

"""Track files beside KITTI's tracking labels, by KITTI's rules of what counts.

Labels of the class that resembles the one scored, truncated and largely occluded ones count
neither found nor missed. Results that meet no label are no false alarms where they call themselves
the resembling class, are no higher than 25 px, or lie by more than half in an unlabelled region.

Source: Weng, Wang, Held and Kitani, "3D Multi-Object Tracking: A Baseline and New Evaluation
Metrics", IROS 2020, and its public evaluation of KITTI, whose rules these are. It knows sitting
persons as Person_sitting, and passes over labels named Person, as KITTI's tracking has them.

Axis letters: G labels, R results of a frame; T tracks, L lines of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from mm_fusion.errors import RecordingError
from mm_fusion.geometry.boxes import iou_3d
from mm_fusion.recordings.kitti_tracks import REGION, TrackLines, read_track_lines
from mm_fusion.records import Bool, Float64, Int64

RESEMBLING = {"car": "van", "pedestrian": "person_sitting", "cyclist": ""}
MOST_OCCLUDED = 2
LOWEST_PX = 25.0
IN_REGION = 0.5  # share of a result's area
FAR = 1e3  # cost of a pair that overlaps too little: above all the others' of a frame together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackingFrame:
    """Labels and results of one frame, and how far they overlap."""

    labels: Int64  # (G,) index of the trajectory
    ignored: Bool  # (G,) counts neither found nor missed
    tracks: Int64  # (R,) index of the track
    excused: Bool  # (R,) no false alarm where it meets no label
    overlap: Float64  # (G, R) intersection over union of the volumes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackingCase:
    """All that is scored of one class."""

    sequences: tuple[str, ...]
    left_out: tuple[str, ...]  # sequences with labels or tracks, but not both
    frames: tuple[TrackingFrame, ...]  # those of a sequence in a row, in the order of time
    scores: Float64  # (T,) mean score of a track over its life

    def above(self, threshold: float) -> TrackingCase:
        """Return the case with those tracks only whose score is at least the threshold."""
        kept = (self.scores[frame.tracks] >= threshold for frame in self.frames)
        frames = (frame_with(f, results=k) for f, k in zip(self.frames, kept, strict=True))
        return replace(self, frames=tuple(frames))


def frame_with(
    frame: TrackingFrame, *, results: Bool, labels: Bool | slice = slice(None)
) -> TrackingFrame:
    """Return the frame with some of its results (R,) and labels (G,) only."""
    return TrackingFrame(
        labels=frame.labels[labels],
        ignored=frame.ignored[labels],
        tracks=frame.tracks[results],
        excused=frame.excused[results],
        overlap=frame.overlap[labels][:, results],
    )


def mota(labels: int, misses: int, false_alarms: int, switches: int) -> float:
    """Return one less all errors over all labels; NaN without a label."""
    return 1 - (misses + false_alarms + switches) / labels if labels else float("nan")


def pairs_of(overlap: Float64, iou: float, favour: Float64 | float = 0.0) -> tuple[Int64, Int64]:
    """Pair labels with results: as many as overlap enough, and of those the ones that do most.

    Args:
        overlap: (G, R) of the volumes.
        iou: least overlap of a pair.
        favour: (G, R) what else speaks for a pair, in overlaps.

    Returns:
        rows and columns (P,) of the overlaps (G, R).
    """
    enough = overlap >= iou
    if not enough.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns = linear_sum_assignment(np.where(enough, 1 - overlap - favour, FAR))
    met = enough[rows, columns]
    return rows[met], columns[met]


def read_cases(tracks: Path, truth: Path) -> dict[str, TrackingCase]:
    """Read `tracks/<class>/<sequence>.txt` and `truth/label_02/<sequence>.txt`, by class.

    Raises:
        RecordingError: no sequence is in both, or a file is malformed; the text names it.
    """
    labelled = {path.stem: path for path in sorted((truth / "label_02").glob("*.txt"))}
    found = {kind: _files(tracks, kind) for kind in RESEMBLING}
    cases = {
        kind: _case(kind, labelled, files)
        for kind, files in found.items()
        if labelled.keys() & files.keys()
    }
    if not cases:
        raise RecordingError(
            f"no sequence is both in {tracks} (<class>/<sequence>.txt; classes are "
            f"{', '.join(RESEMBLING)}) and in {truth / 'label_02'}"
        )
    return cases


def _files(tracks: Path, kind: str) -> dict[str, Path]:
    folders = [path for path in tracks.glob("*") if path.is_dir() and path.name.lower() == kind]
    if len(folders) > 1:
        names = " and ".join(sorted(path.name for path in folders))
        raise RecordingError(f"{tracks} holds {kind}s twice, in {names}; keep one of them")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.txt"))}


def _case(kind: str, labelled: dict[str, Path], found: dict[str, Path]) -> TrackingCase:
    frames: list[Iterator[TrackingFrame]] = []
    scores: list[float] = []
    trajectories = 0
    sequences = sorted(labelled.keys() & found.keys())
    for name in sequences:
        truth, results = _lines(labelled[name]), _lines(found[name], of=kind)
        labels, trajectory = _numbered(truth, trajectories)
        _, track = _numbered(results, len(scores))
        frames.append(_frames(kind, truth, results, trajectory, track))
        own = track - len(scores)
        scores += (np.bincount(own, results.score) / np.maximum(np.bincount(own), 1)).tolist()
        trajectories += labels
    return TrackingCase(
        sequences=tuple(sequences),
        left_out=tuple(sorted(labelled.keys() ^ found.keys())),
        frames=tuple(chain.from_iterable(frames)),
        scores=np.array(scores, np.float64),
    )


def _numbered(lines: TrackLines, first: int) -> tuple[int, Int64]:
    """Return how many ids there are, and an index of each line's (L,), counted from `first`."""
    known, index = np.unique(lines.track, return_inverse=True)
    return len(known), first + index.reshape(-1)


def _lines(path: Path, of: str | None = None) -> TrackLines:
    """Read a file, its lines by frame and place: their order and their ids mean nothing.

    With `of`, the lines of this class and the one that resembles it only, each id once a frame.
    """
    lines = read_track_lines(path)
    table = np.column_stack([lines.frame, lines.box_px, lines.boxes, lines.score])
    if not np.isfinite(table).all() or (lines.frame < 0).any():
        raise RecordingError(f"{path} holds a number that is not finite, or a frame below 0")
    order = np.lexsort(table.T[::-1])
    if of is not None:
        kinds = np.array([kind.lower() in (of, RESEMBLING[of]) for kind in lines.kind], np.bool_)
        order = order[kinds[order]]
        _check_ids(path, lines, order)
    return TrackLines(
        frame=lines.frame[order],
        track=lines.track[order],
        kind=tuple(lines.kind[row] for row in order),
        truncated=lines.truncated[order],
        occluded=lines.occluded[order],
        box_px=lines.box_px[order],
        boxes=lines.boxes[order],
        score=lines.score[order],
    )


def _check_ids(path: Path, lines: TrackLines, rows: Int64) -> None:
    keys, count = np.unique([lines.frame[rows], lines.track[rows]], axis=1, return_counts=True)
    if (count > 1).any():
        frame, track = keys[:, count.argmax()].tolist()
        raise RecordingError(f"{path}: track {track} is there more than once in frame {frame}")


def _frames(
    kind: str, truth: TrackLines, found: TrackLines, trajectory: Int64, track: Int64
) -> Iterator[TrackingFrame]:
    kinds = np.array([name.lower() for name in truth.kind], np.str_)
    own, other = kinds == kind, kinds == (RESEMBLING[kind] or kind)
    wanted = (own | other) & (truth.track >= 0)
    ignored = ~own | (truth.truncated > 0) | (truth.occluded > MOST_OCCLUDED)
    regions = kinds == REGION.lower()
    resembling = np.array([name.lower() != kind for name in found.kind], np.bool_)
    for frame in range(int(max(truth.frame.max(initial=-1), found.frame.max(initial=-1))) + 1):
        here, rows = truth.rows(frame), found.rows(frame)
        labels = here[wanted[here]]
        boxes_px, regions_px = found.box_px[rows], truth.box_px[here[regions[here]]]
        yield TrackingFrame(
            labels=trajectory[labels],
            ignored=ignored[labels],
            tracks=track[rows],
            excused=resembling[rows] | _unlabelled(boxes_px, regions_px),
            overlap=_overlap(truth.boxes[labels], found.boxes[rows]),
        )


def _unlabelled(boxes_px: Float64, regions_px: Float64) -> Bool:
    """Tell which boxes (R, 4) are too low to be labelled, or lie in one of the regions (A, 4)."""
    shared = np.minimum(boxes_px[:, None, 2:], regions_px[None, :, 2:])  # (R, A, 2)
    shared = shared - np.maximum(boxes_px[:, None, :2], regions_px[None, :, :2])
    width, height = (boxes_px[:, 2:] - boxes_px[:, :2]).T
    inside = np.clip(shared, 0, None).prod(axis=2) > IN_REGION * (width * height)[:, None]
    return np.asarray((np.abs(height) <= LOWEST_PX) | inside.any(axis=1))


def _overlap(truth: Float64, found: Float64) -> Float64:
    """Return the overlaps (G, R) of boxes (G, 7) and (R, 7); those out of reach are not asked."""
    overlap = np.zeros((len(truth), len(found)))
    reach_m = [np.linalg.norm(boxes[:, 3:6], axis=1) / 2 for boxes in (truth, found)]
    apart_m = np.linalg.norm(truth[:, None, :3] - found[None, :, :3], axis=2)
    near = apart_m < reach_m[0][:, None] + reach_m[1][None, :]
    rows, columns = near.any(axis=1), near.any(axis=0)
    if rows.any():
        overlap[np.ix_(rows, columns)] = iou_3d(truth[rows], found[columns])
    return overlap
