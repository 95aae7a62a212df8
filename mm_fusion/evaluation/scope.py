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

"""What counts: cuts detections and truth to the range, the view and the points that are fair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.geometry.boxes import inside
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.geometry.rigid import transform
from mm_fusion.objects import Objects
from mm_fusion.records import Bool, Float64, FramedRecord, Int64, LidarScan

if TYPE_CHECKING:
    from mm_fusion.objects import Truth
    from mm_fusion.recordings.recording import RecordedFrame

BOX_MARGIN_M = 0.1  # labels are tight; a point on the surface belongs to the object


def lidar_points_of(
    truth: Objects, records: Mapping[str, FramedRecord], calibration: Calibration
) -> Int64:
    """Count the LiDAR points in each box (K,)."""
    clouds = [
        transform(calibration.ego_from[stream], record.points_lidar)
        for stream, record in records.items()
        if isinstance(record, LidarScan) and stream in calibration.ego_from
    ]
    points = np.concatenate(clouds) if clouds else np.zeros((0, 3))
    return np.array([inside(points, box, BOX_MARGIN_M).sum() for box in truth.boxes], np.int64)


def scoped(
    frame: RecordedFrame,
    detections: Objects,
    *,
    range_m: float,
    min_lidar_points: int,
) -> ScoredFrame:
    """Pair one frame's detections with its truth, both cut to where labels exist.

    Truth with fewer than `min_lidar_points` counts neither as found nor as missed.
    """
    assert frame.truth is not None
    truth = frame.truth
    points = lidar_points_of(truth.objects, frame.records, frame.calibration)
    near = _in_scope(truth.objects.centers_ego, range_m, truth.azimuth_limit_rad)
    seen = detections[_in_scope(detections.centers_ego, range_m, truth.azimuth_limit_rad)]
    return ScoredFrame(
        token=frame.token,
        stamp_ns=frame.stamp_ns,
        detections=seen,
        truth=truth.objects,
        counted=near & (points >= min_lidar_points),
        ignored=truth.ignored,
        excused=_in_regions(seen, truth, frame.calibration),
    )


def _in_regions(detections: Objects, truth: Truth, calibration: Calibration) -> Bool:
    """Tell which detections (D,) are centred in a part of the image that was not labelled."""
    excused = np.zeros(len(detections), np.bool_)
    if not len(truth.ignored_px) or not len(detections):
        return excused
    camera = calibration.cameras[truth.ignored_camera]
    pixels, in_view, _ = project_ego(detections.centers_ego, camera)
    for left, top, right, bottom in truth.ignored_px:
        inside_x = (pixels[:, 0] >= left) & (pixels[:, 0] <= right)
        inside_y = (pixels[:, 1] >= top) & (pixels[:, 1] <= bottom)
        excused |= in_view & inside_x & inside_y
    return excused


def _in_scope(centers_ego: Float64, range_m: float, azimuth_limit_rad: float) -> Bool:
    azimuth = np.arctan2(centers_ego[:, 1], centers_ego[:, 0])
    near = np.linalg.norm(centers_ego[:, :2], axis=1) <= range_m
    return np.asarray(near & (np.abs(azimuth) <= azimuth_limit_rad))


def pair_all(
    truths: Iterable[RecordedFrame],
    detections: Mapping[str, Objects],
    *,
    range_m: float,
    min_lidar_points: int,
) -> list[ScoredFrame]:
    """Pair every labelled frame that has results."""
    return [
        scoped(frame, detections[frame.token], range_m=range_m, min_lidar_points=min_lidar_points)
        for frame in truths
        if frame.truth is not None and frame.token in detections
    ]
