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

"""The frames with the most mistakes, said in words and shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mm_fusion.config import FusionConfig
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.matching import ScoredFrame, match
from mm_fusion.evaluation.pictures import draw_frame
from mm_fusion.evaluation.results import Results, objects_of
from mm_fusion.evaluation.runner import run
from mm_fusion.geometry.rigid import invert
from mm_fusion.objects import CLASSES, Objects

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

CONFIDENT = 0.5  # score of a detection whose being wrong is a mistake
WIDTH_PX = 1100
QUALITY = 82
MOST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """What was missed and what was false in one frame, nearest first."""

    token: str
    missed: tuple[str, ...]
    false: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.missed) + len(self.false)

    def lines(self) -> list[str]:
        """Say them, a line each."""
        said = [f"missed: {text}" for text in self.missed]
        said += [f"false: {text}" for text in self.false]
        left = len(said) - MOST_LINES
        return said if left <= 0 else [*said[:MOST_LINES], f"and {left} more"]


def mistakes_of(frame: ScoredFrame, distance_m: float) -> Mistakes:
    """Find what was missed and what was confidently wrong, class aside."""
    matches = match([frame], distance_m, None)
    found = set(matches.truth[matches.hit].tolist())
    missed = [k for k in np.flatnonzero(frame.counted).tolist() if k not in found]
    wrong = ~matches.hit & (matches.scores >= CONFIDENT)
    return Mistakes(
        token=frame.token,
        missed=_said(frame.truth, missed, scored=False),
        false=_said(frame.detections, matches.detection[wrong].tolist(), scored=True),
    )


def _said(objects: Objects, rows: list[int], *, scored: bool) -> tuple[str, ...]:
    away = np.linalg.norm(objects.centers_ego[:, :2], axis=1)
    texts = []
    for row in sorted(rows, key=lambda k: float(away[k])):
        bearing = np.degrees(np.arctan2(objects.centers_ego[row, 1], objects.centers_ego[row, 0]))
        side = "ahead" if abs(bearing) < 15 else "left" if bearing > 0 else "right"
        score = f", score {objects.scores[row]:.2f}" if scored else ""
        texts.append(
            f"{CLASSES[objects.labels[row]]} at {away[row]:.0f} m, "
            f"{abs(bearing):.0f} degrees {side}{score}"
        )
    return tuple(texts)


def worst(mistakes: Sequence[Mistakes], count: int) -> list[Mistakes]:
    """Return the frames with the most mistakes; of equals the first by name."""
    return sorted(mistakes, key=lambda m: (-m.count, m.token))[:count]


def pictures_of(
    source: Recording | BagRecording,
    results: Results,
    config: FusionConfig,
    tokens: Sequence[str],
    progress: Callable[[int], object],
) -> dict[str, bytes]:
    """Draw some frames in one pass over the recording; return them as JPEG, by name."""
    wanted = set(tokens)
    truths = {f.token: f.truth.objects for f in labelled_frames(source, tokens) if f.truth}
    pictures = {}
    for frame in run(source, config, tokens=None if source.layout == "rosbag2" else list(tokens)):
        progress(1)
        if frame.token not in wanted:
            continue
        ego_from_result = invert(frame.result_from_ego)
        drawn = draw_frame(
            frame.result,
            frame.calibration,
            objects=objects_of(results.frames.get(frame.token, ()), ego_from_result),
            truth=truths.get(frame.token),
        )
        height = round(drawn.shape[0] * WIDTH_PX / drawn.shape[1])
        small = cv2.resize(drawn, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        pictures[frame.token] = coded.tobytes()
        if len(pictures) == len(wanted):
            break
    return pictures
