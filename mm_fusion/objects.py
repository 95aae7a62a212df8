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

"""What the records gave: objects, the labels they are held against, and the result of a frame.

Frames and units are those of `records`. Axis letters: K objects, D regions of an image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from mm_fusion.records import Bool, EgoFrame, Float64, Int64, UInt8
from mm_fusion.shapes import check_shapes

CLASSES = ("car", "truck", "bus", "trailer", "motorcycle", "bicycle", "pedestrian", "unknown")
UNKNOWN = CLASSES.index("unknown")

SEEN_BY = {"lidar": 1, "radar": 2, "camera": 4}  # bits of `Objects.evidence`
UNTRACKED = -1
UNKNOWN_OCCLUSION = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objects:
    """Detected or tracked objects, a row each, in the vehicle's frame at the frame's stamp."""

    centers_ego: Float64  # (K, 3) m, geometric centre
    sizes_m: Float64  # (K, 3) length, width, height
    yaws_rad: Float64  # (K,) about z from x, anticlockwise
    velocities_ego: Float64  # (K, 2) m/s over ground, axes of ego; NaN where unknown
    scores: Float64  # (K,) in [0, 1]
    labels: Int64  # (K,) index into CLASSES
    ids: Int64  # (K,) UNTRACKED where not tracked
    evidence: UInt8  # (K,) bits of SEEN_BY: which kinds of sensor saw it
    covariances: Float64  # (K, 4, 4) of x, y, vx, vy; a large variance where not measured
    turn_rates_radps: Float64  # (K,) of the velocity's direction, anticlockwise; NaN where unknown

    def __post_init__(self) -> None:
        check_shapes(
            centers_ego=(self.centers_ego, ("K", 3)),
            sizes_m=(self.sizes_m, ("K", 3)),
            yaws_rad=(self.yaws_rad, ("K",)),
            velocities_ego=(self.velocities_ego, ("K", 2)),
            scores=(self.scores, ("K",)),
            labels=(self.labels, ("K",)),
            ids=(self.ids, ("K",)),
            evidence=(self.evidence, ("K",)),
            covariances=(self.covariances, ("K", 4, 4)),
            turn_rates_radps=(self.turn_rates_radps, ("K",)),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: slice | Int64 | Bool) -> Objects:
        """Select rows by slice, index array or mask."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def of_boxes(cls, boxes: Float64, **columns: NDArray) -> Objects:  # type: ignore[type-arg]
        """Make objects from boxes; what is not given is unknown.

        Args:
            boxes: (K, 7) x, y, z of the geometric centre, length, width, height, yaw.
            columns: any of the other fields by name.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
        count = len(boxes)
        given: dict[str, NDArray] = {  # type: ignore[type-arg]
            "velocities_ego": np.full((count, 2), np.nan),
            "scores": np.ones(count),
            "labels": np.full(count, UNKNOWN, np.int64),
            "ids": np.full(count, UNTRACKED, np.int64),
            "evidence": np.zeros(count, np.uint8),
            "covariances": np.tile(np.diag([0.25, 0.25, 100.0, 100.0]), (count, 1, 1)),
            "turn_rates_radps": np.full(count, np.nan),
        } | columns
        return cls(
            centers_ego=boxes[:, :3].copy(),
            sizes_m=boxes[:, 3:6].copy(),
            yaws_rad=boxes[:, 6].copy(),
            **given,
        )

    @classmethod
    def none(cls) -> Objects:
        """No objects at all."""
        return cls.of_boxes(np.zeros((0, 7)))

    @classmethod
    def joined(cls, *parts: Objects) -> Objects:
        """Stack the rows of several."""
        if not parts:
            return cls.none()
        columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        return cls(**columns)

    @property
    def boxes(self) -> Float64:
        """(K, 7) x, y, z, length, width, height, yaw."""
        return np.column_stack([self.centers_ego, self.sizes_m, self.yaws_rad])


def _no_regions() -> Float64:
    return np.zeros((0, 4))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The labels of one frame, and where labels exist at all.

    Only what lies within `azimuth_limit_rad` is scored. A detection that meets an `ignored` object
    or falls into an `ignored_px` region of the image is neither right nor wrong.
    """

    objects: Objects  # ids where known; velocities NaN where unknown
    occlusion: Int64  # (K,) 0 fully visible, 1 partly, 2 largely occluded; -1 unknown
    azimuth_limit_rad: float = math.pi  # labels exist only within +- this of the x axis of ego
    ignored: Objects = field(default_factory=Objects.none)  # labelled, but not to be scored
    ignored_px: Float64 = field(default_factory=_no_regions)  # (D, 4) left, top, right, bottom
    ignored_camera: str = ""  # whose image `ignored_px` speaks of

    def __post_init__(self) -> None:
        check_shapes(scores=(self.objects.scores, ("K",)), occlusion=(self.occlusion, ("K",)))
        check_shapes(ignored_px=(self.ignored_px, ("D", 4)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FusionResult:
    """What one frame gave: objects, pose, and what was missing."""

    stamp_ns: int
    reference: str
    frame: EgoFrame
    pose_covariance: Float64  # (6, 6) x, y, z, roll, pitch, yaw; m and rad
    detections: Objects
    tracks: Objects
    missing: Mapping[str, str]
    odom_from_ego: Float64  # (4, 4) drifts, but never jumps as `frame.map_from_ego` may
    notes: tuple[str, ...] = ()
    detector: str = ""  # by whom the objects were found

    def __post_init__(self) -> None:
        check_shapes(
            pose_covariance=(self.pose_covariance, (6, 6)),
            odom_from_ego=(self.odom_from_ego, (4, 4)),
        )
