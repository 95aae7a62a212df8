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

"""How probably a sensor that is there would have detected an object, had it stood at a place.

A track that nothing could see is not missed. LiDAR: something nearer in the same direction hides a
place, and where no beam went nothing is seen. Radar and camera: their field of view, by the returns
and by the calibration. Axis letters: K places, N LiDAR points, M radar returns, S samples of a box.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.geometry.pinhole import project
from mm_fusion.geometry.rigid import invert, transform
from mm_fusion.records import Bool, EgoFrame, Float32, Float64, Int64

# kind -> probability that an object in view and near is detected, and the range at which none is
DETECTION = {"lidar": (0.75, 80.0), "radar": (0.4, 100.0), "camera": (0.6, 80.0)}
FULL = 0.5  # share of that range up to which the probability is whole
SAMPLES = np.array([(s, h) for s in (-0.4, 0.0, 0.4) for h in (0.25, 0.0, -0.2)])  # in box sizes
NEARER_M = 0.7  # what hides a box is nearer than its near end by this
MAX_POINTS = 30_000  # as many points tell what is hidden
AZIMUTHS, ELEVATIONS = 360, 80  # bins: a degree, half a degree
LOWEST_RAD, STEP_RAD = np.radians(-28.0), np.radians(0.5)
RADAR_BINS = 36  # ten degrees each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visibility:
    """What the sensors of one frame could see."""

    viewpoint: Float64  # (3,) m of the LiDARs
    front_m: (
        Float32 | None
    )  # (A, E) range of the nearest LiDAR point of each direction, inf if none
    radar: Bool | None  # (R,) azimuths in which a radar looks
    cameras: tuple[Camera, ...]

    @classmethod
    def of(cls, frame: EgoFrame, kinds: Collection[str], cameras: Iterable[Camera]) -> Visibility:
        """Tell what a detector that uses these kinds of sensor could see in a frame.

        Args:
            frame: in the vehicle's frame.
            kinds: of sensors that the detector uses.
            cameras: those that took part in the frame.
        """
        used = frame.present_kinds & set(kinds)
        return cls(
            viewpoint=frame.viewpoint_ego,
            front_m=_fronts(frame) if "lidar" in used and len(frame.points_ego) else None,
            radar=_radar_view(frame.radar_ego) if "radar" in used else None,
            cameras=tuple(cameras) if "camera" in used else (),
        )

    def probability(self, boxes: Float64) -> Float64:
        """Return the probability (K,) that boxes (K, 7) of the vehicle's frame are detected."""
        missed = np.ones(len(boxes))
        if not len(boxes):
            return missed
        distance_m = np.hypot(boxes[:, 0], boxes[:, 1])
        if self.front_m is not None:
            missed *= 1 - _reached("lidar", distance_m) * self._unhidden(boxes, self.front_m)
        if self.radar is not None:
            turn = np.floor(np.arctan2(boxes[:, 1], boxes[:, 0]) / (2 * np.pi) * RADAR_BINS)
            missed *= 1 - _reached("radar", distance_m) * self.radar[turn.astype(int) % RADAR_BINS]
        for camera in self.cameras:
            _, in_view = project(transform(invert(camera.ego_from_camera), boxes[:, :3]), camera)
            missed *= 1 - _reached("camera", distance_m) * in_view
        return 1 - missed

    def _unhidden(self, boxes: Float64, front_m: Float32) -> Float64:
        """Return the share (K,) of each box that no nearer LiDAR point hides."""
        offset = boxes[:, :3] - self.viewpoint
        distance = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1e-3)
        across = np.stack([-offset[:, 1], offset[:, 0]], axis=1) / distance[:, None]
        half = boxes[:, 3:5].max(axis=1) / 2
        width = boxes[:, 3:5].min(axis=1)  # of the side that is sure to be seen
        places = np.repeat(offset[:, None], len(SAMPLES), axis=1)  # (K, S, 3)
        places[..., :2] += across[:, None] * (SAMPLES[:, 0] * width[:, None])[..., None]
        places[..., 2] += SAMPLES[:, 1] * boxes[:, 5, None]
        azimuth, elevation, _ = _directions(places)
        front = front_m[azimuth, np.clip(elevation, 0, ELEVATIONS - 1)]
        looked = np.asarray(np.isfinite(front_m).any(axis=1))[azimuth]
        hidden = front < (distance - half - NEARER_M)[:, None]
        met = np.isfinite(front)
        votes = np.where(met.any(axis=1), met.sum(axis=1), 1)
        shown = np.where(met.any(axis=1), (met & ~hidden).sum(axis=1), 1)
        return np.asarray(shown / votes * looked.mean(axis=1))


def _reached(kind: str, distance_m: Float64) -> Float64:
    probability, reach_m = DETECTION[kind]
    left = (1 - distance_m / reach_m) / (1 - FULL)
    return np.asarray(probability * np.clip(left, 0, 1))


def _directions(places: Float64 | Float32) -> tuple[Int64, Int64, Float64]:
    """Return the bins of azimuth and elevation and the horizontal range of places (..., 3)."""
    distance = np.hypot(places[..., 0], places[..., 1])
    turn = np.arctan2(places[..., 1], places[..., 0]) * (AZIMUTHS / (2 * np.pi))
    rise = (np.arctan2(places[..., 2], distance) - LOWEST_RAD) / STEP_RAD
    return np.floor(turn).astype(np.int64) % AZIMUTHS, np.floor(rise).astype(np.int64), distance


def _fronts(frame: EgoFrame) -> Float32:
    every = len(frame.points_ego) // MAX_POINTS + 1
    places = frame.points_ego[::every] - frame.viewpoint_ego.astype(np.float32)
    azimuth, elevation, distance = _directions(places)
    inside = (elevation >= 0) & (elevation < ELEVATIONS)
    front = np.full(AZIMUTHS * ELEVATIONS, np.inf, np.float32)
    np.minimum.at(front, (azimuth * ELEVATIONS + elevation)[inside], distance[inside])
    return front.reshape(AZIMUTHS, ELEVATIONS)


def _radar_view(radar_ego: Float32) -> Bool:
    """Tell in which azimuths (R,) returns came from, or from beside them."""
    turn = np.floor(np.arctan2(radar_ego[:, 1], radar_ego[:, 0]) / (2 * np.pi) * RADAR_BINS)
    heard = np.bincount(turn.astype(np.int64) % RADAR_BINS, minlength=RADAR_BINS) > 0
    return np.asarray(heard | np.roll(heard, 1) | np.roll(heard, -1))
