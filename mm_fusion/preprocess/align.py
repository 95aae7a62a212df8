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

"""Brings the records of a frame into the vehicle's frame at the frame's stamp.

Between two stamps the vehicle is taken to keep its velocity and turn rate, so that a point that
was measured `dt` after the frame's stamp moves by the arc driven in `dt`.

Axis letters: N LiDAR points, M radar returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import SensorConfig
from mm_fusion.geometry.rigid import invert, moved, rotate, transform
from mm_fusion.preprocess.deskew import deskewed, spun_s
from mm_fusion.preprocess.radar import forward_speed, over_ground, velocity_at
from mm_fusion.records import (
    NS_PER_S,
    CameraImage,
    EgoFrame,
    EgoMotion,
    Float32,
    Float64,
    FramedRecord,
    LidarScan,
    RadarScan,
    SensorFrame,
)


@dataclass(slots=True)
class _Gathered:
    """What is collected while walking through the records."""

    points: list[Float32] = field(default_factory=list)
    intensity: list[Float32] = field(default_factory=list)
    radar: list[Float64] = field(default_factory=list)
    rays: list[Float64] = field(default_factory=list)
    radial_speed: list[Float64] = field(default_factory=list)
    rcs: list[Float32] = field(default_factory=list)
    radar_offset: list[Float32] = field(default_factory=list)
    images: dict[str, CameraImage] = field(default_factory=dict)
    image_stamp_from_frame: dict[str, Float64] = field(default_factory=dict)


def align(
    frame: SensorFrame,
    calibration: Calibration,
    sensors: Mapping[str, SensorConfig],
    *,
    map_from_ego: Float64,
    motion: EgoMotion,
) -> EgoFrame:
    """Return the frame with every point in the vehicle's frame at the frame's stamp.

    A stream without a place is left out and named in `missing`. Where nothing measured the
    vehicle's motion, a radar's returns do, if they can.

    Args:
        frame: the records, each in its sensor's frame at its own stamp.
        calibration: where the sensors are.
        sensors: stream -> its settings.
        map_from_ego: (4, 4) pose at the frame's stamp.
        motion: velocity of the vehicle at the frame's stamp.
    """
    placed, missing = _placed(frame, calibration)
    notes: list[str] = []
    if not motion.known:
        motion = _motion_from_radar(placed, calibration, sensors, motion, notes)
    gathered = _Gathered()
    for stream, record in placed.items():
        offset_s = (record.stamp_ns - frame.stamp_ns) / NS_PER_S
        if isinstance(record, LidarScan):
            _add_lidar(
                gathered, record, calibration.ego_from[stream], motion, (sensors[stream], offset_s)
            )
        elif isinstance(record, RadarScan):
            _add_radar(
                gathered, record, calibration.ego_from[stream], motion, (sensors[stream], offset_s)
            )
        else:
            gathered.images[stream] = record
            gathered.image_stamp_from_frame[stream] = _later_from_frame(motion, offset_s)
    return EgoFrame(
        stamp_ns=frame.stamp_ns,
        points_ego=_stack(gathered.points, 3),
        intensity=_stack(gathered.intensity),
        radar_ego=_stack(gathered.radar, 3),
        radar_ray_ego=_stack(gathered.rays, 3),
        radial_speed_mps=_stack(gathered.radial_speed),
        rcs_dbsm=_stack(gathered.rcs),
        images=gathered.images,
        image_stamp_from_frame=gathered.image_stamp_from_frame,
        motion=motion,
        map_from_ego=map_from_ego,
        present=frozenset(placed),
        present_kinds=frozenset(sensors[stream].kind for stream in placed),
        missing=missing,
        notes=tuple(notes),
        viewpoint_ego=_viewpoint(placed, calibration),
        radar_offset_s=_stack(gathered.radar_offset),
    )


def _viewpoint(placed: Mapping[str, FramedRecord], calibration: Calibration) -> Float64:
    """Return the middle (3,) m of the LiDARs, the vehicle's origin where there is none."""
    lidars = [
        calibration.ego_from[stream][:3, 3]
        for stream, record in placed.items()
        if isinstance(record, LidarScan)
    ]
    return np.mean(lidars, axis=0) if lidars else np.zeros(3)


def _placed(
    frame: SensorFrame, calibration: Calibration
) -> tuple[dict[str, FramedRecord], dict[str, str]]:
    """Split the records into those whose place is known and those to be missed."""
    placed, missing = {}, dict(frame.missing)
    for stream, record in frame.records.items():
        if isinstance(record, CameraImage):
            known, lacking = stream in calibration.cameras, "no calibration yet"
        else:
            known, lacking = stream in calibration.ego_from, "no transform into the vehicle's frame"
        if known:
            placed[stream] = record
        else:
            missing[stream] = lacking
    return placed, missing


def _motion_from_radar(
    placed: Mapping[str, FramedRecord],
    calibration: Calibration,
    sensors: Mapping[str, SensorConfig],
    motion: EgoMotion,
    notes: list[str],
) -> EgoMotion:
    for stream, record in placed.items():
        if not isinstance(record, RadarScan):
            continue
        rays, rates = _rays(record, calibration.ego_from[stream], sensors[stream])
        speed = forward_speed(rates, rays, sensors[stream].range_rate_period_mps)
        if speed is not None:
            notes.append(f"no odometry: {stream} says {speed:.1f} m/s forward")
            linear = np.array([speed, 0.0, 0.0])
            return EgoMotion(linear_ego=linear, angular_ego=np.zeros(3))
    notes.append("nothing measures the vehicle's own motion: taken to stand still")
    return motion


def _later_from_frame(motion: EgoMotion, offset_s: float) -> Float64:
    """Return the transform into the vehicle's frame `offset_s` later, from its frame now."""
    return invert(moved(motion.linear_ego, motion.angular_ego, offset_s))


def _add_lidar(
    gathered: _Gathered,
    scan: LidarScan,
    ego_from_lidar: Float64,
    motion: EgoMotion,
    setting: tuple[SensorConfig, float],
) -> None:
    sensor, offset_s = setting
    measured_s = scan.offset_s
    if sensor.spin_period_s and not measured_s.any():
        spin = sensor.spin_period_s, sensor.spin_azimuth_rad, sensor.spin_stamp
        measured_s = spun_s(scan.points_lidar, *spin)
    points_then = _carried(ego_from_lidar, scan.points_lidar)
    gathered.points.append(deskewed(points_then, measured_s + np.float32(offset_s), motion))
    gathered.intensity.append(scan.intensity)


def _carried(target_from_source: Float64, points: Float32) -> Float32:
    """Map points (N, 3) column by column: for so many it is faster, and keeps to one core."""
    x, y, z = points.T
    rows = target_from_source[:3].astype(np.float32)
    return np.stack([x * a + y * b + z * c + d for a, b, c, d in rows], axis=1)


def _rays(
    scan: RadarScan, ego_from_radar: Float64, sensor: SensorConfig
) -> tuple[Float64, Float64]:
    """Return unit rays (M, 3) in the vehicle's axes and range rates (M,), positive away."""
    distance = np.maximum(np.linalg.norm(scan.points_radar, axis=1, keepdims=True), 1e-6)
    rays = rotate(ego_from_radar, scan.points_radar / distance)
    return rays, sensor.range_rate_sign * scan.range_rate_mps.astype(np.float64)


def _add_radar(
    gathered: _Gathered,
    scan: RadarScan,
    ego_from_radar: Float64,
    motion: EgoMotion,
    setting: tuple[SensorConfig, float],
) -> None:
    sensor, offset_s = setting
    rays, rates = _rays(scan, ego_from_radar, sensor)
    velocity = velocity_at(motion, ego_from_radar[:3, 3])
    period_mps = sensor.range_rate_period_mps
    now_from_then = moved(motion.linear_ego, motion.angular_ego, offset_s)
    gathered.radial_speed.append(over_ground(rates, rays, velocity, period_mps))
    gathered.radar.append(transform(now_from_then, transform(ego_from_radar, scan.points_radar)))
    gathered.rays.append(rotate(now_from_then, rays))
    gathered.rcs.append(scan.rcs_dbsm)
    gathered.radar_offset.append(np.full(len(rays), offset_s, np.float32))


def _stack(parts: list[Float32] | list[Float64], columns: int = 0) -> Float32:
    empty = np.zeros((0, columns) if columns else 0, np.float32)
    return np.concatenate([empty, *parts]).astype(np.float32, copy=False)
