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

"""The motion of tracks: constant velocity in the map, with white acceleration.

State x, y, vx, vy in `map`. Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications
to Tracking and Navigation", 2001, section 6.2.2 (discretized continuous white noise acceleration).
Axis letters: T tracks.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import Float64


def predict(
    states: Float64, covariances: Float64, duration_s: float, acceleration_std_mps2: float
) -> tuple[Float64, Float64]:
    """Carry states (T, 4) and covariances (T, 4, 4) `duration_s` forward."""
    transition = np.eye(4)
    transition[0, 2] = transition[1, 3] = duration_s
    spread = acceleration_std_mps2**2 * np.array(
        [[duration_s**3 / 3, duration_s**2 / 2], [duration_s**2 / 2, duration_s]]
    )
    noise = np.zeros((4, 4))
    noise[np.ix_([0, 2], [0, 2])] = noise[np.ix_([1, 3], [1, 3])] = spread
    return states @ transition.T, transition @ covariances @ transition.T + noise


def update(
    states: Float64, covariances: Float64, measured: Float64, noises: Float64
) -> tuple[Float64, Float64]:
    """Correct states with measured x, y, vx, vy (T, 4) of covariances `noises` (T, 4, 4).

    What was not measured has a large variance and so no weight. Joseph's form keeps the
    covariance positive.
    """
    gain = covariances @ np.linalg.inv(covariances + noises)  # (T, 4, 4)
    corrected = states + np.einsum("tij,tj->ti", gain, measured - states)
    rest = np.eye(4) - gain
    kept = rest @ covariances @ rest.transpose(0, 2, 1) + gain @ noises @ gain.transpose(0, 2, 1)
    return corrected, (kept + kept.transpose(0, 2, 1)) / 2
