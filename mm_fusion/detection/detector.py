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

"""What every detector is: a frame in, objects out."""

from __future__ import annotations

from typing import Protocol

from mm_fusion.calibration import Calibration
from mm_fusion.objects import Objects
from mm_fusion.records import EgoFrame


class Detector(Protocol):
    """Finds objects in one frame."""

    @property
    def name(self) -> str:
        """Name for settings and diagnostics."""

    @property
    def needs_any_of(self) -> frozenset[str]:
        """Kinds of sensor of which at least one must be present for anything to be seen."""

    def calibrate(self, calibration: Calibration) -> None:
        """Use this calibration from the next frame on."""

    def detect(self, frame: EgoFrame) -> Objects:
        """Return the objects of a frame, in the vehicle's frame at the frame's stamp."""
