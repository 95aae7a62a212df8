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

"""Clouds and radar messages become scans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_fusion.errors import MessageError
from mm_fusion.recordings.columns import as_float64, column, columns_of, xyz_of
from mm_fusion.recordings.headers import Message, stamp_of
from mm_fusion.records import Float32, Float64, LidarScan, RadarScan

INTENSITY = ("intensity", "intensities", "i", "reflectivity", "reflectance", "remission", "signal")
RING = ("ring", "channel", "line", "laser_id", "laserid", "beam")
TIME = (
    *("time", "t", "timestamp", "time_stamp", "offset_time", "time_offset", "point_time"),
    *("point_time_offset", "timestampoffset", "ts", "stamp"),
)
RANGE_RATE = (
    *("range_rate", "rangerate", "range_rate_mps", "radial_velocity", "radial_speed"),
    *("doppler", "doppler_velocity", "velocity", "v_r", "vr", "v", "v_doppler", "vel"),
)
RCS = ("rcs", "rcs_dbsm", "magnitude", "mag", "power", "snr", "amplitude", "intensity")
REVOLUTION_S = 0.5  # no LiDAR turns slower than this; a longer span is not a time of points
SPANS_S = (0.005, 1e-4)  # shortest span of a revolution, and of a part of one


def lidar_scan(cloud: Message) -> LidarScan:
    """Read a LiDAR's PointCloud2; intensity, ring and time are taken where the driver gives them.

    Raises:
        MessageError: the message is malformed; the text says which field and value.
    """
    stamp_ns = stamp_of(cloud)
    columns = columns_of(cloud)
    points, rows = xyz_of(columns)
    ring = column(columns, RING, rows)
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=points,
        intensity=_intensity(column(columns, INTENSITY, rows), len(points)),
        offset_s=_offsets(column(columns, TIME, rows), stamp_ns, len(points)),
        ring=None if ring is None else np.asarray(ring, np.float64).astype(np.uint16),
    )


def _intensity(values: NDArray | None, count: int) -> Float32:  # type: ignore[type-arg]
    """Bring intensities into [0, 1]: by the type's range, or by 255 where they exceed 1."""
    if values is None:
        return np.zeros(count, np.float32)
    if values.dtype.kind == "u":
        return np.asarray(values, np.float32) / np.float32(np.iinfo(values.dtype).max)
    scaled = np.nan_to_num(np.asarray(values, np.float32))
    top = float(scaled.max(initial=0.0))
    if top > 1.0:
        scaled = scaled / np.float32(255.0 if top <= 255.0 else top)
    return np.clip(scaled, 0.0, 1.0)


def _offsets(values: NDArray | None, stamp_ns: int, count: int) -> Float32:  # type: ignore[type-arg]
    """Return seconds after the stamp, by whichever unit makes the span one of a revolution.

    Drivers give integers in ns or us, floats in s or ns, relative to the stamp or absolute. What
    fits no unit is no time: zeros, as if the driver had given none.
    """
    none = np.zeros(count, np.float32)
    if values is None or not count:
        return none
    times = as_float64(values)
    if not np.isfinite(times).all():
        return none
    units = (1e-9, 1e-6) if values.dtype.kind in "ui" else (1.0, 1e-3, 1e-6, 1e-9)
    spread = float(np.ptp(times))
    for shortest in SPANS_S:
        for unit in units:
            if shortest < spread * unit <= REVOLUTION_S:
                offsets = _relative(times * unit, values, unit, stamp_ns)
                if float(np.abs(offsets).max()) <= 2 * REVOLUTION_S:
                    return offsets.astype(np.float32)
    return none


def _relative(seconds: Float64, values: NDArray, unit: float, stamp_ns: int) -> Float64:  # type: ignore[type-arg]
    """Take the stamp from absolute times; integers are subtracted before they lose digits."""
    if np.abs(seconds).max() < 1e6:  # eleven days after the epoch: these are relative
        return seconds
    if values.dtype.kind in "ui":
        stamp = round(stamp_ns * 1e-9 / unit)
        return np.asarray((values.astype(np.int64) - stamp) * unit)
    return np.asarray(seconds - stamp_ns * 1e-9)


def radar_scan(cloud: Message) -> RadarScan:
    """Read a radar's PointCloud2 by the names of its fields.

    Raises:
        MessageError: the message is malformed or has no range rate.
    """
    columns = columns_of(cloud)
    points, rows = xyz_of(columns)
    rate = column(columns, RANGE_RATE, rows)
    if rate is None:
        raise MessageError(
            f"radar PointCloud2 has no range rate; it has {', '.join(columns.dtype.names or ())}, "
            f"known names are {', '.join(RANGE_RATE[:4])}, ..."
        )
    strength = column(columns, RCS, rows)
    strengths = np.zeros(len(points)) if strength is None else np.asarray(strength, np.float64)
    return _measured(stamp_of(cloud), points, np.asarray(rate, np.float64), strengths)


def radar_returns(scan: Message) -> RadarScan:
    """Read radar_msgs/RadarScan: range, azimuth (anticlockwise), elevation, Doppler, amplitude.

    Its Doppler velocity is positive when moving away.
    """
    rows = np.array(
        [(r.range, r.azimuth, r.elevation, r.doppler_velocity, r.amplitude) for r in scan.returns],
        np.float64,
    ).reshape(-1, 5)
    distance, azimuth, elevation, rate, amplitude = rows.T
    points = distance[:, None] * np.stack(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ],
        axis=1,
    )
    return _finite(stamp_of(scan), points, rate, amplitude)


def radar_tracks(tracks: Message) -> RadarScan:
    """Read radar_msgs/RadarTracks: each track a return, its velocity projected on the ray."""
    rows = np.array(
        [
            (
                *(t.position.x, t.position.y, t.position.z),
                *(t.velocity.x, t.velocity.y, t.velocity.z),
            )
            for t in tracks.tracks
        ],
        np.float64,
    ).reshape(-1, 6)
    points, velocities = rows[:, :3], rows[:, 3:]
    distance = np.maximum(np.linalg.norm(points, axis=1), 1e-6)
    rate = (points * velocities).sum(axis=1) / distance
    return _finite(stamp_of(tracks), points, rate, np.zeros(len(rows)))


def _finite(stamp_ns: int, points: Float64, rate: Float64, strength: Float64) -> RadarScan:
    rows = np.isfinite(points).all(axis=1)
    return _measured(stamp_ns, points[rows], rate[rows], strength[rows])


def _measured(
    stamp_ns: int, points: Float64 | Float32, rate: Float64, strength: Float64
) -> RadarScan:
    """Keep the returns whose range rate was measured; an unknown strength is zero."""
    rows = np.isfinite(rate)
    return RadarScan(
        stamp_ns=stamp_ns,
        points_radar=np.asarray(points[rows], np.float32),
        range_rate_mps=rate[rows].astype(np.float32),
        rcs_dbsm=np.nan_to_num(strength[rows]).astype(np.float32),
    )
