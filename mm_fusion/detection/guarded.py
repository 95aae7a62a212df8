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

"""The learned detector with a safety net: what stands there though no class was learnt for it.

A network finds what it was shown. What else stands on the road, the geometric detector finds from
the points alone; it is added without a class, so that nobody mistakes it for something known.

Axis letters: K objects, L learned objects.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.detection.detector import Detector
from mm_fusion.geometry.boxes import iou_bev
from mm_fusion.objects import UNKNOWN, Objects
from mm_fusion.records import Bool, EgoFrame

SHARED = 0.05  # of two footprints: from here on they are of one object
MARGIN_M = 0.5  # around a learned box: fragments this close are of it too


class GuardedDetector:
    """Asks a learned detector and adds the obstacles that it passes over."""

    name = "guarded"

    def __init__(self, learned: Detector, net: Detector) -> None:
        """Take both.

        Args:
            learned: whose objects stay as they are.
            net: whose objects are added where the other has none; alone where that one is blind.
        """
        self._learned, self._net = learned, net

    @property
    def needs_any_of(self) -> frozenset[str]:
        """Kinds of sensor of which at least one must be present for anything to be seen."""
        return self._learned.needs_any_of | self._net.needs_any_of

    def calibrate(self, calibration: Calibration) -> None:
        """Pass it on to both."""
        self._learned.calibrate(calibration)
        self._net.calibrate(calibration)

    def detect(self, frame: EgoFrame) -> Objects:
        """Return the learned objects, then what else stands there, as `unknown`."""
        standing = Objects.none()
        if self._net.needs_any_of & frame.present_kinds:
            standing = self._net.detect(frame)
        if not self._learned.needs_any_of & frame.present_kinds:
            return standing
        known = self._learned.detect(frame)
        rest = standing[~explained(standing, known)]
        nameless = np.full(len(rest), UNKNOWN, rest.labels.dtype)
        return Objects.joined(known, replace(rest, labels=nameless))


def explained(standing: Objects, known: Objects) -> Bool:
    """Tell which objects (K,) are parts of learned ones (L), or the same."""
    if not len(standing) or not len(known):
        return np.zeros(len(standing), np.bool_)
    overlapping = iou_bev(standing.boxes, known.boxes) > SHARED  # (K, L)
    away = standing.centers_ego[:, None, :2] - known.centers_ego[None, :, :2]  # (K, L, 2)
    cos, sin = np.cos(known.yaws_rad), np.sin(known.yaws_rad)
    along = np.abs(away[..., 0] * cos + away[..., 1] * sin)
    across = np.abs(away[..., 1] * cos - away[..., 0] * sin)
    reach = known.sizes_m[:, :2] / 2 + MARGIN_M
    within = (along <= reach[:, 0]) & (across <= reach[:, 1])
    return np.asarray((overlapping | within).any(axis=1))
