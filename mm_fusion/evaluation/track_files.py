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

"""Tracks the detections of files: the node's tracker, without the node.

No pose of the vehicle is given, so objects move as the camera sees them move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mm_fusion.config import TrackerConfig
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.recordings.kitti_tracking import TrackedBox, TrackingDetections
from mm_fusion.tracking.tracker import Tracker

PERIOD_NS = 100_000_000  # KITTI's cameras run at 10 Hz
POSITION_STD_M = 0.3  # of a detector that learnt boxes
NAMES = {"car": "car", "pedestrian": "pedestrian", "cyclist": "bicycle"}  # KITTI's name -> ours

# Chosen on the sequences 0001, 0006, 0008, 0010, 0012 and 0013. `coast_s` is 0 since what is not
# seen counts as a false alarm there.
SETTINGS = {
    "car": TrackerConfig(
        acceleration_std_mps2=3.0, gate=20.0, confirm_hits=1, lifetime_s=0.45, coast_s=0.0
    ),
    "pedestrian": TrackerConfig(
        acceleration_std_mps2=1.0,
        gate=4.0,
        confirm_hits=1,
        lifetime_s=0.45,
        coast_s=0.0,
        birth_speed_std_mps=15.0,
    ),
    "cyclist": TrackerConfig(
        acceleration_std_mps2=5.0, gate=9.0, confirm_hits=2, lifetime_s=0.45, coast_s=0.0
    ),
}


def track_sequence(
    kind: str, detections: TrackingDetections, progress: Callable[[], object] = lambda: None
) -> list[TrackedBox]:
    """Track one class through one sequence.

    Args:
        kind: car, pedestrian or cyclist.
        detections: of the whole sequence; frames without any pass as well.
        progress: called once a frame.

    Returns:
        the boxes of tracks, frame by frame, each with the score of its newest detection.
    """
    tracker = Tracker(SETTINGS[kind])
    boxes: list[TrackedBox] = []
    for frame in range(detections.frames):
        rows = detections.rows(frame)
        objects = _objects(kind, detections, rows)
        tracks = tracker.update(objects, np.eye(4), (frame + 1) * PERIOD_NS)
        boxes += _tracked(tracks, detections, rows, frame)
        progress()
    return boxes


def _objects(kind: str, detections: TrackingDetections, rows: slice) -> Objects:
    raw = detections.score[rows]
    variances = [POSITION_STD_M**2, POSITION_STD_M**2, 1e6, 1e6]  # velocity is not measured
    return Objects.of_boxes(
        detections.boxes[rows],
        scores=1 / (1 + np.exp(-np.clip(raw, -30, 30))),
        labels=np.full(len(raw), CLASSES.index(NAMES[kind]), np.int64),
        covariances=np.tile(np.diag(variances), (len(raw), 1, 1)),
    )


def _tracked(
    tracks: Objects, detections: TrackingDetections, rows: slice, frame: int
) -> Iterator[TrackedBox]:
    """Give each track what its detection says in pixels; only tracks just seen are published."""
    for box, ident in zip(tracks.boxes, tracks.ids.tolist(), strict=True):
        away = np.linalg.norm(detections.boxes[rows, :2] - box[:2], axis=1)
        row = rows.start + int(away.argmin())
        yield TrackedBox(
            frame=frame,
            track=ident,
            box=box,
            score=float(detections.score[row]),
            box_px=detections.box_px[row],
            alpha_rad=float(detections.alpha_rad[row]),
        )
