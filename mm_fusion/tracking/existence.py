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

"""How sure it is that a track is an object: Bayes' rule on detections and on misses.

Sources: Musicki and Evans, "Joint Integrated Probabilistic Data Association", 2004, eq. (20) for a
miss; for a detection the likelihood ratio of object against clutter, where the detector's score is
taken as the probability that it is right. Axis letters: T tracks.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import Float64

UNTOLD = 0.75  # detection probability where nobody says what could be seen
CLUTTER = 0.1  # false alarms expected within a track's gate
SUREST = 0.999  # so that some misses in a row always end a track
MEMORY_S = 10.0  # an object nobody can see is still there after this with a probability of 1/e


def after_detection(existence: Float64, scores: Float64, probability: Float64) -> Float64:
    """Return the existence (T,) of tracks that were detected with these scores (T,).

    Args:
        existence: (T,) before.
        scores: (T,) of the detections, in [0, 1].
        probability: (T,) that such an object is detected.
    """
    odds = _odds(existence) * np.maximum(probability, UNTOLD) / CLUTTER * _odds(scores)
    # a detection, be it ever so weak, speaks no louder against an object than a miss does
    odds = np.maximum(odds, _odds(existence) * (1 - UNTOLD))
    return np.minimum(odds / (1 + odds), SUREST)


def after_miss(existence: Float64, probability: Float64) -> Float64:
    """Return the existence (T,) of tracks not detected where they would be with `probability`."""
    return np.asarray(existence * (1 - probability) / (1 - existence * probability))


def after_time(existence: Float64, seconds: float) -> Float64:
    """Return the existence (T,) after some time: objects leave."""
    return np.asarray(existence * np.exp(-seconds / MEMORY_S))


def _odds(probability: Float64) -> Float64:
    kept = np.clip(probability, 1e-3, SUREST)
    return np.asarray(kept / (1 - kept))
