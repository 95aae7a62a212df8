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

"""The detectors that late fusion asks, and what each of them can see.

Axis letters: K objects, A azimuths.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from mm_fusion.config import FusionConfig
from mm_fusion.detection.detector import Detector
from mm_fusion.detection.geometric import GeometricDetector
from mm_fusion.objects import Objects
from mm_fusion.records import Bool, EgoFrame, Float32, Float64, Int64

AZIMUTHS = 36  # ten degrees each
EVERY_KIND = frozenset({"lidar", "radar", "camera"})
NETWORK = "learned"  # begins the names of its heads
KINDS = {  # of sensor that each head is shown
    "lidar": frozenset({"lidar", "camera"}),
    "radar": frozenset({"radar"}),
    "geometric": EVERY_KIND,
    "learned": EVERY_KIND,
    "learned_camera": frozenset({"camera"}),
    "learned_lidar": frozenset({"lidar"}),
    "learned_radar": frozenset({"radar"}),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """One detector among several, and the kinds of sensor that it is shown."""

    name: str
    detector: Detector
    kinds: frozenset[str] = EVERY_KIND

    @property
    def needs_any_of(self) -> frozenset[str]:
        """Kinds of which one must be present for this head to see anything."""
        return self.detector.needs_any_of & self.kinds

    def able(self, frame: EgoFrame) -> bool:
        """Tell whether a sensor that it can use is there."""
        return bool(self.needs_any_of & frame.present_kinds)

    def detect(self, frame: EgoFrame) -> Objects:
        """Return what it finds in its own part of the frame; without its sensors, nothing."""
        return self.detector.detect(only(frame, self.kinds)) if self.able(frame) else Objects.none()

    def looks_at(self, frame: EgoFrame, centers_ego: Float64) -> Bool:
        """Tell which places (K, 3) lie in an azimuth from which one of its sensors has points.

        Where a camera looks an `EgoFrame` does not say, so no camera is held to look anywhere: it
        is never counted against an object that it did not report.
        """
        clouds = {"lidar": frame.points_ego, "radar": frame.radar_ego}
        looked = np.zeros(len(centers_ego), np.bool_)
        for kind in self.needs_any_of & frame.present_kinds & clouds.keys():
            looked |= _azimuths_of(clouds[kind])[_azimuth(centers_ego)]
        return looked


def heads_of(config: FusionConfig) -> tuple[Head, ...]:
    """Return the detectors that the settings ask for.

    Raises:
        CheckpointError: the network's weights are missing or do not fit.
        ConfigError: no weights are named for a network.
    """
    geometric = GeometricDetector(config.geometric)
    return tuple(
        Head(
            name=name,
            detector=_network(config) if name.startswith(NETWORK) else geometric,
            kinds=KINDS[name],
        )
        for name in config.late.heads
    )


def _network(config: FusionConfig) -> Detector:
    from mm_fusion.detection.learned import learned_detector  # torch is heavy

    return learned_detector(config.learned)


def only(frame: EgoFrame, kinds: Collection[str]) -> EgoFrame:
    """Return the frame as if sensors of no other kind had taken part.

    `present` keeps the names of LiDARs and radars, whose kinds a frame does not tell.
    """
    if "lidar" not in kinds:
        frame = replace(frame, points_ego=frame.points_ego[:0], intensity=frame.intensity[:0])
    if "radar" not in kinds:
        offset_s = frame.radar_offset_s
        frame = replace(
            frame,
            radar_ego=frame.radar_ego[:0],
            radar_ray_ego=frame.radar_ray_ego[:0],
            radial_speed_mps=frame.radial_speed_mps[:0],
            rcs_dbsm=frame.rcs_dbsm[:0],
            radar_offset_s=None if offset_s is None else offset_s[:0],
        )
    if "camera" not in kinds:
        present = frame.present - frame.images.keys()
        frame = replace(frame, images={}, image_stamp_from_frame={}, present=present)
    return replace(frame, present_kinds=frame.present_kinds & frozenset(kinds))


def _azimuth(places: Float64 | Float32) -> Int64:
    turn = np.arctan2(places[:, 1], places[:, 0]) * (AZIMUTHS / (2 * np.pi))
    return np.asarray(np.floor(turn).astype(np.int64) % AZIMUTHS)


def _azimuths_of(points: Float32) -> Bool:
    """Tell in which azimuths (A,) points lie, or beside them."""
    heard = np.bincount(_azimuth(points), minlength=AZIMUTHS) > 0
    return np.asarray(heard | np.roll(heard, 1) | np.roll(heard, -1))
