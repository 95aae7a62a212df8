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

"""A pose that never jumps: the vehicle's own motion added up, whatever the map learns.

REP-105 calls its frame `odom`: continuous, but free to drift. What is followed from frame to frame
is followed there, for in the map a fix that moves the vehicle moves all that stands still.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.geometry.rigid import compose, invert, rotation_from_rpy
from mm_fusion.localization.estimate import PoseEstimate
from mm_fusion.records import NS_PER_S, Float64

LONGEST_S = 1.0  # over a longer pause the map is the better guide


class DeadReckoning:
    """Adds up planar motion between the stamps it is asked for; one caller, mostly in order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew at the origin."""
        self._last: PoseEstimate | None = None
        self._odom_from_ego = np.eye(4)

    def advance(self, pose: PoseEstimate) -> Float64:
        """Return odom_from_ego (4, 4) at a pose's stamp, which may lie before the last one's.

        Where the motion is not known, or the pause was long, the way is taken from the map.
        """
        if self._last is not None:
            self._odom_from_ego = self._odom_from_ego @ self._way(self._last, pose)
        self._last = pose
        return self._odom_from_ego

    @staticmethod
    def _way(before: PoseEstimate, now: PoseEstimate) -> Float64:
        """Return before_from_now (4, 4): the mean of both motions kept up for the time between."""
        elapsed_s = (now.stamp_ns - before.stamp_ns) / NS_PER_S
        known = before.motion.known and now.motion.known
        if not known or abs(elapsed_s) > LONGEST_S:
            return invert(before.map_from_ego) @ now.map_from_ego
        linear = (before.motion.linear_ego + now.motion.linear_ego) / 2
        turned = (before.motion.angular_ego[2] + now.motion.angular_ego[2]) / 2 * elapsed_s
        half = rotation_from_rpy(0, 0, turned / 2)  # the chord of an arc lies half way round
        way = half @ np.array([linear[0], linear[1], 0.0]) * elapsed_s
        return compose(rotation_from_rpy(0, 0, turned), way)
