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

"""Files of KITTI tracking: detections of one class a folder, tracks as label_02 spells them.

A line of detections, as AB3DMOT's inputs have them: frame, type (1 pedestrian, 2 car, 3 cyclist),
left, top, right, bottom px, score, height, width, length m, x, y, z of the bottom's centre m,
rotation_y and alpha rad, separated by commas. A line of tracks is one of KITTI's label_02 (frame,
track id, type, truncated, occluded, alpha, four px, height, width, length, x, y, z, rotation_y)
with the score behind it.

KITTI's frame is the rectified camera's: x right, y down, z forward; a box is named by the centre of
its bottom. Here boxes are in the same place with our axes, x forward, y left, z up, and named by
their geometric centre.

Axis letters: D detections, in the order of their frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.records import Float64, Int64
from mm_fusion.shapes import check_shapes

TYPES = {1: "pedestrian", 2: "car", 3: "cyclist"}
COLUMNS = 15
LAST_FRAME = 1_000_000  # more than a day at 10 Hz: beyond it, a frame's number is a slip
NO_DETECTIONS = ("label", "calib", "oxts")  # how folders begin that KITTI has beside detections
FORWARD_LEFT_UP = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])  # from camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackingDetections:
    """All detections of one class in one sequence."""

    frame: Int64  # (D,) from 0, rising
    boxes: Float64  # (D, 7) m, rad: x, y, z of the centre, length, width, height, yaw
    score: Float64  # (D,) as the detector gives it: any number
    box_px: Float64  # (D, 4) left, top, right, bottom
    alpha_rad: Float64  # (D,) observation angle

    def __post_init__(self) -> None:
        check_shapes(frame=(self.frame, ("D",)), boxes=(self.boxes, ("D", 7)))
        check_shapes(
            score=(self.score, ("D",)),
            box_px=(self.box_px, ("D", 4)),
            alpha=(self.alpha_rad, ("D",)),
        )

    @property
    def frames(self) -> int:
        """How many frames there are up to the last that holds a detection."""
        return int(self.frame.max(initial=-1)) + 1

    def rows(self, frame: int) -> slice:
        """Return the rows of one frame."""
        start, end = np.searchsorted(self.frame, [frame, frame + 1])
        return slice(int(start), int(end))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackedBox:
    """One line of a track file."""

    frame: int
    track: int
    box: Float64  # (7,) as `TrackingDetections.boxes`
    score: float
    box_px: Float64  # (4,)
    alpha_rad: float


def boxes_of(kitti: Float64) -> Float64:
    """Turn KITTI's h, w, l, x, y, z, rotation_y (D, 7) into boxes (D, 7) of our axes."""
    kitti = np.asarray(kitti, np.float64).reshape(-1, 7)
    middle = kitti[:, 3:6] - kitti[:, :1] / 2 * np.array([0.0, 1.0, 0.0])  # y points down
    yaw = wrap_angle(-kitti[:, 6] - np.pi / 2)
    return np.column_stack([middle @ FORWARD_LEFT_UP.T, kitti[:, [2, 1, 0]], yaw])


def kitti_of(boxes: Float64) -> Float64:
    """Turn boxes (D, 7) of our axes into KITTI's h, w, l, x, y, z, rotation_y (D, 7)."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    bottom = boxes[:, :3] @ FORWARD_LEFT_UP + boxes[:, 5:6] / 2 * np.array([0.0, 1.0, 0.0])
    turn = wrap_angle(-boxes[:, 6] - np.pi / 2)
    return np.column_stack([boxes[:, [5, 4, 3]], bottom, turn])


def find_detections(source: Path) -> dict[tuple[str, str], TrackingDetections]:
    """Read every detection file, by class and name of the sequence.

    Every sequence of a folder is there for every class of the folder, if only without a detection:
    the class it is named after and those in its files, or all classes where neither tells any.

    Args:
        source: a file, a folder of files, or a folder of such folders; KITTI's others are left out.

    Raises:
        RecordingError: there is none, or a line is malformed; the text names file and line.
    """
    files = [source] if source.is_file() else sorted(_files(source), key=lambda p: (p.parent, p))
    if not files:
        raise RecordingError(
            f"{source} holds no detections: looked for *.txt in it and in its folders"
        )
    found: dict[tuple[str, str], TrackingDetections] = {}
    for folder, members in groupby(files, lambda path: path.parent):
        for key, detections in _of_folder(folder, members):
            if key in found and len(found[key].frame) and len(detections.frame):
                kind, sequence = key
                raise RecordingError(
                    f"{folder / sequence}.txt: {kind}s of sequence {sequence} are there twice; "
                    "keep them in one file"
                )
            if key not in found or len(detections.frame):
                found[key] = detections
    return dict(sorted(found.items()))


def _of_folder(
    folder: Path, files: Iterable[Path]
) -> Iterator[tuple[tuple[str, str], TrackingDetections]]:
    tables = {path.stem: _read(path) for path in files}
    types = np.unique(np.concatenate([rows[:, 1] for rows in tables.values()]))
    kinds = _named(folder) | {TYPES[int(number)] for number in types}
    for sequence, rows in tables.items():
        for number, kind in TYPES.items():
            if kind in kinds or not kinds:
                yield (kind, sequence), _detections(rows[rows[:, 1] == number])


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise RecordingError(f"{folder}: there is no such file or folder")
    yield from folder.glob("*.txt")
    yield from (p for p in folder.glob("*/*.txt") if not p.parent.name.startswith(NO_DETECTIONS))


def _named(folder: Path) -> set[str]:
    """Return the classes in a folder's name, as given or, for `.`, as it is."""
    name = f"{folder.name} {folder.resolve().name}".lower()
    return {kind for kind in TYPES.values() if kind in name}


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield where a line stands and what it says, for every line that says something."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{path}, line {number}", line


def _read(path: Path) -> Float64:
    """Return the numbers of a file of detections (D, 15), every one of them finite."""
    rows = []
    for where, line in lines_of(path):
        words = line.split(",") if "," in line else line.split()
        if len(words) != COLUMNS:
            raise RecordingError(f"{where} has {len(words)} columns; {COLUMNS} are needed")
        values = _numbers(words, where)
        if values[1] not in TYPES:
            known = ", ".join(f"{number} {kind}" for number, kind in TYPES.items())
            raise RecordingError(f"{where}: type {words[1]} is unknown; known are {known}")
        if min(values[7:10]) <= 0:
            raise RecordingError(
                f"{where}: height, width and length {' '.join(words[7:10])} must be above 0"
            )
        rows.append(values)
    return np.array(rows, np.float64).reshape(-1, COLUMNS)


def _numbers(words: list[str], where: str) -> list[float]:
    """Return finite numbers, the first of them a frame's."""
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise RecordingError(f"{where}: {error}") from error
    if not np.isfinite(values).all():
        raise RecordingError(f"{where} holds a number that is not finite")
    if not (0 <= values[0] <= LAST_FRAME and values[0].is_integer()):
        raise RecordingError(f"{where}: frame {words[0]} is no whole number from 0 to {LAST_FRAME}")
    return values


def _detections(rows: Float64) -> TrackingDetections:
    # within a frame by score, then place: the order of lines means nothing
    rows = rows[np.lexsort((*rows.T, rows[:, 12], rows[:, 10], -rows[:, 6], rows[:, 0]))]
    return TrackingDetections(
        frame=rows[:, 0].astype(np.int64),
        boxes=boxes_of(rows[:, 7:14]),
        score=rows[:, 6],
        box_px=rows[:, 2:6],
        alpha_rad=rows[:, 14],
    )


def save_tracks(folder: Path, tracks: Mapping[tuple[str, str], Iterable[TrackedBox]]) -> None:
    """Write `folder/<class>/<sequence>.txt`; a sequence without a track gets an empty file."""
    for (kind, sequence), boxes in tracks.items():
        path = folder / kind / f"{sequence}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{_line(kind, box)}\n" for box in boxes))


def _line(kind: str, tracked: TrackedBox) -> str:
    numbers = [tracked.alpha_rad, *tracked.box_px, *kitti_of(tracked.box)[0], tracked.score]
    return " ".join(
        [
            *(str(tracked.frame), str(tracked.track), kind.capitalize(), "0", "0"),
            *(f"{number:.4f}" for number in numbers),
        ]
    )
