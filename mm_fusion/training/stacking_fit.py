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

"""Fits late fusion's stacking to labelled frames of a recording."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.config import FusionConfig
from mm_fusion.detection.late import LateFusionDetector, Opinions
from mm_fusion.detection.late_heads import heads_of
from mm_fusion.detection.stacking import Stacking, fit_stacking
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.matching import match
from mm_fusion.evaluation.runner import run
from mm_fusion.evaluation.scope import scoped
from mm_fusion.recordings.recording import RecordedFrame
from mm_fusion.records import Bool, Int64

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class StackingFit:
    """Fitted weights, and what they were fitted to."""

    stacking: Stacking
    frames: int
    objects: int  # that any detector reported
    real: int  # of them


def fit_to(
    source: Recording | BagRecording,
    config: FusionConfig,
    *,
    distance_m: float,
    range_m: float,
    tokens: Collection[str] | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> StackingFit:
    """Fit stacking to what the detectors say of each frame, and what is really there.

    Args:
        source: with labels.
        config: settings of the detectors.
        distance_m: an object this close to a label's centre is real.
        range_m: farthest object that counts.
        tokens: names of the frames wanted; None: all.
        progress: called with 1 per frame.

    Raises:
        RecordingError: none of the frames is labelled.
    """
    detector = LateFusionDetector(heads_of(config), replace(config.late, method="weighted"))
    said: dict[str, Opinions] = {}
    for frame in run(source, config, tokens=tokens):
        said[frame.token] = detector.opinions(frame.result.frame)
        progress(1)
    rows, real = [], []
    for labelled in labelled_frames(source, list(said)):
        found, hit = _judged(labelled, said[labelled.token], distance_m, range_m)
        rows.append(said[labelled.token].rows[found])
        real.append(hit)
    if not rows:
        raise RecordingError(f"none of the {len(said)} frames of {source.layout} is labelled")
    labels = np.concatenate(real)
    stacking = fit_stacking(np.concatenate(rows), labels, features=detector.features)
    return StackingFit(
        stacking=stacking, frames=len(rows), objects=len(labels), real=int(labels.sum())
    )


def _judged(
    labelled: RecordedFrame, opinions: Opinions, distance_m: float, range_m: float
) -> tuple[Int64, Bool]:
    """Return the rows of the objects that count, and which of them are real; class aside."""
    numbered = replace(opinions.objects, ids=np.arange(len(opinions.objects)))
    frame = scoped(labelled, numbered, range_m=range_m, min_lidar_points=0)
    matches = match([frame], distance_m, None)
    return frame.detections.ids[matches.detection], matches.hit
