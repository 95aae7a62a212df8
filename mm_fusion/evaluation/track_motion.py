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

"""How soon tracks are there, and how well they know how fast an object moves.

Axis letters: N counted labels of all frames; H those that a track met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.evaluation.mot_distance import PlacedCase
from mm_fusion.evaluation.mot_following import Following
from mm_fusion.records import Float64

FIRST_S = 1.0  # of a track's life
MOVING_MPS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionScore:
    """Root mean square errors of velocity, m/s; NaN where nothing could be compared."""

    all_mps: float
    first_second_mps: float  # within a second of the track's first appearance
    moving_mps: float  # of objects faster than 1 m/s
    compared: int


def motion_score(
    frames: Sequence[ScoredFrame], placed: PlacedCase, following: Following
) -> MotionScore:
    """Compare the velocities of tracks with those of the labels that they met."""
    errors_mps, speeds_mps = _errors(frames, placed, following)
    known = np.isfinite(errors_mps)
    young = _ages_s(placed, following)[following.met] <= FIRST_S
    return MotionScore(
        all_mps=_rms(errors_mps[known]),
        first_second_mps=_rms(errors_mps[known & young]),
        moving_mps=_rms(errors_mps[known & (speeds_mps > MOVING_MPS)]),
        compared=int(known.sum()),
    )


def _errors(
    frames: Sequence[ScoredFrame], placed: PlacedCase, following: Following
) -> tuple[Float64, Float64]:
    """Return the errors of velocity and the true speeds (H,), m/s."""
    errors, speeds = [], []
    met = following.met
    triples = zip(following.frame[met], following.row[met], following.column[met], strict=True)
    for index, row, column in triples:
        frame = frames[index]
        true = frame.truth.velocities_ego[placed.truth_rows[index][row]]
        told = frame.detections.velocities_ego[placed.result_rows[index][column]]
        errors.append(float(np.hypot(*(told - true))))
        speeds.append(float(np.hypot(*true)))
    return np.array(errors), np.array(speeds)


def _ages_s(placed: PlacedCase, following: Following) -> Float64:
    """Return how old the track of each label (N,) is there; NaN where it was missed."""
    born_s = np.full(len(placed.case.scores) + 1, np.nan)  # the last one: no track
    for stamp_s, frame in zip(placed.stamps_s, placed.case.frames, strict=True):
        new = frame.tracks[np.isnan(born_s[frame.tracks])]
        born_s[new] = stamp_s
    return np.asarray(placed.stamps_s[following.frame] - born_s[following.track])


def _rms(errors: Float64) -> float:
    return float(np.sqrt((errors**2).mean())) if len(errors) else float("nan")
