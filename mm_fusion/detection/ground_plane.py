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

"""The ground a frame stands on, as training and detection both take it."""

from __future__ import annotations

import numpy as np

from mm_fusion.config import GeometricConfig
from mm_fusion.preprocess.ground import find_ground
from mm_fusion.records import EgoFrame, Float64

_GROUND = GeometricConfig()


def ground_plane(frame: EgoFrame) -> Float64:
    """Return a, b, c (3,) of the ground z = a x + b y + c, or NaN without a LiDAR to see it."""
    if "lidar" not in frame.present_kinds or not len(frame.points_ego):
        return np.full(3, np.nan)
    return find_ground(frame.points_ego, _GROUND).plane
