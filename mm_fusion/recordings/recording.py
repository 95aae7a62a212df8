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


"""What a recording gives: frames of records, calibration and, where labelled, the truth.

Every reader of a data set gives the same records, so that whoever runs, scores or converts a
recording does not know which data set it is. A reader of a data set is a `Recording`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import SensorConfig
from mm_fusion.records import Float64, FramedRecord, Int64, MotionRecord, Objects
from mm_fusion.shapes import check_shapes

UNKNOWN_OCCLUSION = -1


def _no_regions() -> Float64:
    return np.zeros((0, 4))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The labels of one frame, and where labels exist at all.

    A detection is scored only within `azimuth_limit_rad`, and is neither right nor wrong where it
    meets an `ignored` object or falls into an `ignored_px` region of the image.
    """

    objects: Objects  # ids where known; velocities NaN where unknown
    occlusion: (
        Int64  # (K,) 0 fully visible, 1 partly, 2 largely, 3 nothing said; -1 unknown
    )
    azimuth_limit_rad: float = (
        math.pi
    )  # labels exist only within +- this of the x axis of ego
    ignored: Objects = field(
        default_factory=Objects.none
    )  # seen, but of no scored class
    ignored_px: Float64 = field(
        default_factory=_no_regions
    )  # (D, 4) left, top, right, bottom
    camera: str = ""  # whose image `ignored_px` speaks of

    def __post_init__(self) -> None:
        check_shapes(
            scores=(self.objects.scores, ("K",)), occlusion=(self.occlusion, ("K",))
        )
        check_shapes(ignored_px=(self.ignored_px, ("D", 4)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedFrame:
    """All that one recorded moment holds."""

    token: str  # the data set's own name of the frame
    stamp_ns: int
    records: Mapping[
        str, FramedRecord
    ]  # stream -> record; a stream without one is not there
    motion: tuple[
        tuple[str, MotionRecord], ...
    ]  # stream, record since the last frame; in order
    calibration: Calibration
    truth: Truth | None  # None: the frame is not labelled
    result_from_ego: Float64  # (4, 4) into the recording's `result_frame`


class Recording(Protocol):
    """A data set on disk, read frame by frame."""

    @property
    def layout(self) -> str:
        """Name of the layout: kitti_raw, kitti_object, astyx, astyx_demo or nuscenes."""

    @property
    def result_frame(self) -> str:
        """Frame in which results of this data set are given."""

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams its frames may hold, the framed and the motion ones."""

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read frame by frame in the order of the stamps; only those named, where names are given.

        Raises:
            RecordingError: a name is not in the recording, or a file is broken.
        """

    def __len__(self) -> int:
        """Return the number of frames, without reading them."""
