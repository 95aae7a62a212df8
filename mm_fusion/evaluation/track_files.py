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

No pose of the vehicle is given: the camera is the map, and objects move as it sees them move.

Axis letters: K tracks, D detections of one frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from mm_fusion.config import TrackerConfig
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.recordings.kitti_tracking import TrackedBox, TrackingDetections
from mm_fusion.records import Float64
from mm_fusion.tracking.tracker import Tracker

PERIOD_NS = 100_000_000  # KITTI's cameras run at 10 Hz
POSITION_STD_M = 0.3  # of a detector that learnt boxes
MATCH_M = 2.0  # a detection farther than this from a track's centre says nothing about it
LARGEST_LOGIT = 30.0  # beyond it the logistic is 0 or 1 to the last digit
NAMES = {"car": "car", "pedestrian": "pedestrian", "cyclist": "bicycle"}  # KITTI's name -> ours
UNSEEN_PX = (-1.0, -1.0, -1.0, -1.0)  # how KITTI spells an unknown box in the image

# Chosen on the sequences 0001, 0006, 0008, 0010, 0012 and 0013.
# Whether a track is there is left to the scores that are written, for the metric sweeps over them.
# What a detector takes for a false alarm (a score below one half) begins no track.
_KITTI = TrackerConfig(
    lifetime_s=0.8,
    coast_s=0.11,
    confirm_hits=1,
    turn_std_radps=0.0,
    confirm_existence=0.0,
    end_existence=0.0,
    birth_score=0.5,
    reach_m=20.0,  # all things move as the vehicle drives, whose pose is not given
)
SETTINGS = {
    "car": replace(_KITTI, acceleration_std_mps2=3.0),
    "pedestrian": replace(_KITTI, acceleration_std_mps2=1.0, gate=4.0, birth_speed_std_mps=15.0),
    "cyclist": replace(
        _KITTI, acceleration_std_mps2=5.0, gate=9.0, confirm_hits=2, lifetime_s=0.45, coast_s=0.0
    ),
}


def tracker_for(label: str) -> Tracker:
    """Make a tracker of its own for a sequence of one class: car, pedestrian or cyclist."""
    return Tracker(SETTINGS[label])


def track_sequence(
    label: str, detections: TrackingDetections, progress: Callable[[], object] = lambda: None
) -> list[TrackedBox]:
    """Track one class through one sequence.

    Args:
        label: car, pedestrian or cyclist.
        detections: of the whole sequence; frames without any pass as well.
        progress: called once a frame.

    Returns:
        the boxes of tracks, frame by frame.
    """
    tracker, sightings = tracker_for(label), Sightings()
    boxes: list[TrackedBox] = []
    for frame in range(detections.frames):
        objects = _objects(label, detections, detections.rows(frame))
        tracks = tracker.update(objects, np.eye(4), (frame + 1) * PERIOD_NS)
        boxes += sightings.attached(tracks, detections, frame)
        progress()
    return boxes


def _objects(label: str, detections: TrackingDetections, rows: slice) -> Objects:
    raw = np.clip(detections.score[rows], -LARGEST_LOGIT, LARGEST_LOGIT)
    variances = [POSITION_STD_M**2, POSITION_STD_M**2, 1e6, 1e6]  # velocity is not measured
    return Objects.of_boxes(
        detections.boxes[rows],
        scores=1 / (1 + np.exp(-raw)),
        labels=np.full(len(raw), CLASSES.index(NAMES[label]), np.int64),
        covariances=np.tile(np.diag(variances), (len(raw), 1, 1)),
    )


class Sightings:
    """Gives tracks what only detections know: pixels, observation angle, the detector's own score.

    A track's detection is the nearest one of the frame, within 2 m of its centre; without one, what
    the newest said stays.
    """

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}  # row of the detection, by id

    def attached(
        self, tracks: Objects, detections: TrackingDetections, frame: int
    ) -> Iterator[TrackedBox]:
        """Yield the tracks of a frame, a box each."""
        rows = detections.rows(frame)
        away = detections.boxes[None, rows, :3] - tracks.centers_ego[:, None]  # (K, D, 3)
        distance_m = np.linalg.norm(away, axis=2)
        scores = _raw_of(tracks.scores).tolist()
        for number, ident in enumerate(tracks.ids.tolist()):
            if distance_m[number].min(initial=np.inf) <= MATCH_M:
                self._newest[ident] = rows.start + int(distance_m[number].argmin())
            box, row = tracks.boxes[number], self._newest.get(ident)
            yield TrackedBox(
                frame=frame,
                track=ident,
                box=box,
                score=scores[number] if row is None else float(detections.score[row]),
                box_px=np.array(UNSEEN_PX) if row is None else detections.box_px[row],
                alpha_rad=_alpha_rad(box) if row is None else float(detections.alpha_rad[row]),
            )


def _raw_of(scores: Float64) -> Float64:
    """Return the detector's scale of scores (K,) in [0, 1]: the inverse of the logistic."""
    with np.errstate(divide="ignore"):  # of 0 and 1, clipped below
        raw = np.log(scores) - np.log1p(-scores)
    return np.asarray(np.clip(raw, -LARGEST_LOGIT, LARGEST_LOGIT))


def _alpha_rad(box: Float64) -> float:
    """Return the observation angle of a box (7,): KITTI's rotation_y less the bearing."""
    bearing_rad = np.arctan2(box[1], box[0])  # to the left
    return float(wrap_angle(bearing_rad - box[6] - np.pi / 2))
