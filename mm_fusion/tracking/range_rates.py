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

"""Radar returns as measurements of tracks: speeds along rays, at the radar's own stamp.

Axis letters: M radar returns, T tracks, P tracks that were hit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.objects import CLASSES
from mm_fusion.records import EgoFrame, Float64, Int64
from mm_fusion.tracking.carrying import UNMEASURED_VARIANCE
from mm_fusion.tracking.motion import update, update_speeds
from mm_fusion.tracking.tracks import Tracks

GATE_M = 0.5  # a return this close outside a box is the object's
RATE_STD_MPS = 0.3
JERK_MPS2 = 3.0  # how fast a speed may change between the radar's stamp and the frame's
SLIP_STD_MPS = 0.5  # of a vehicle across its heading
YAW_STD_RAD = 0.1  # of the heading of a box that was just detected
PLACE_STD_M = 1.5  # of returns about the centre of what they are on
ALONG = 0.5  # cosine between ray and heading from which the heading says something
GATE = 9.0  # squared deviations from which a speed is another object's
MOVING_MPS = 1.0  # returns faster than this tell that something is there
ROLLING = np.array([name in ("car", "truck", "bus", "trailer") for name in CLASSES])
NOBODY = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Returns:
    """Radar returns of one frame, in the map."""

    places: Float64  # (M, 2) m
    rays: Float64  # (M, 2) from the radar, unit vectors but for their rise
    speeds_mps: Float64  # (M,) over ground along the ray, positive away
    offset_s: Float64  # (M,) s from the frame's stamp to the return

    @classmethod
    def of(cls, frame: EgoFrame, map_from_ego: Float64) -> Returns | None:
        """Take a frame's returns; None where none are or the vehicle's own speed is not known."""
        if not len(frame.radar_ego) or not frame.motion.known:
            return None
        rotation = map_from_ego[:3, :3]
        places = frame.radar_ego.astype(np.float64) @ rotation.T + map_from_ego[:3, 3]
        rays = frame.radar_ray_ego.astype(np.float64) @ rotation.T
        offset = np.zeros(len(places)) if frame.radar_offset_s is None else frame.radar_offset_s
        return cls(
            places=places[:, :2],
            rays=rays[:, :2],
            speeds_mps=frame.radial_speed_mps.astype(np.float64),
            offset_s=offset.astype(np.float64),
        )


def correct(tracks: Tracks, returns: Returns, stamp_ns: int) -> Int64:
    """Correct the motion of tracks by the returns inside them; other columns stay.

    Each return is sought where the track was at the return's own stamp. The returns of one object
    do not err independently, so their median counts as one measurement. A vehicle that rolls
    moves along its heading, which makes a whole velocity of the speed along the ray; an old
    heading tells nothing new, so only those count that were detected at `stamp_ns`.

    Returns:
        rows (P,) of the tracks something that moves was seen in.
    """
    track, hit = _hits(tracks, returns)
    if not len(track):
        return NOBODY
    rows = np.unique(track)
    measured = np.array([_summary(returns, hit[track == row]) for row in rows])  # (P, 6)
    rays, speeds, offset_s, places = np.split(measured, [2, 3, 4], axis=1)
    speeds, late_s = speeds[:, 0], np.abs(offset_s[:, 0])
    variances = RATE_STD_MPS**2 + (JERK_MPS2 * late_s) ** 2
    spread = np.einsum("pi,pij,pj->p", rays, tracks.covariances[rows, 2:4, 2:4], rays)
    error = speeds - np.einsum("pi,pi->p", rays, tracks.states[rows, 2:4])
    fits = error**2 <= GATE * (spread + variances)
    rows, rays, speeds, variances = rows[fits], rays[fits], speeds[fits], variances[fits]
    _put(tracks, rows, places[fits] - tracks.states[rows, 2:4] * offset_s[fits], stamp_ns)
    _apply(tracks, rows, rays, speeds, variances)
    _roll(tracks, rows, rays, stamp_ns)
    return np.asarray(rows[np.abs(speeds) > MOVING_MPS])


def _hits(tracks: Tracks, returns: Returns) -> tuple[Int64, Int64]:
    """Return which return lies in which track's box, as rows of both."""
    boxes = tracks.objects
    away = returns.places[None] - tracks.states[:, None, :2]  # (T, M, 2)
    away = away - tracks.states[:, None, 2:4] * returns.offset_s[None, :, None]
    cos, sin = np.cos(boxes.yaws_rad)[:, None], np.sin(boxes.yaws_rad)[:, None]
    ahead = np.abs(away[..., 0] * cos + away[..., 1] * sin)
    aside = np.abs(away[..., 1] * cos - away[..., 0] * sin)
    half = boxes.sizes_m[:, None] / 2 + GATE_M
    track, hit = np.nonzero((ahead <= half[..., 0]) & (aside <= half[..., 1]))
    return track, hit


def _summary(returns: Returns, rows: Int64) -> Float64:
    """Return of some returns the mean ray (2), the median speed, the mean offset and place (2)."""
    ray = returns.rays[rows].mean(axis=0)
    ray = ray / max(float(np.linalg.norm(ray)), 1e-6)
    place, offset_s = returns.places[rows].mean(axis=0), returns.offset_s[rows].mean()
    return np.array([*ray, np.median(returns.speeds_mps[rows]), offset_s, *place])


def _put(tracks: Tracks, rows: Int64, places: Float64, stamp_ns: int) -> None:
    """Correct where tracks are of which nothing else was detected: returns lie on them."""
    alone = tracks.seen_ns[rows] != stamp_ns
    rows, measured = rows[alone], np.zeros((int(alone.sum()), 4))
    measured[:, :2] = places[alone]
    noise = np.diag([PLACE_STD_M**2] * 2 + [UNMEASURED_VARIANCE] * 2)
    tracks.states[rows], tracks.covariances[rows] = update(
        tracks.states[rows], tracks.covariances[rows], measured, np.tile(noise, (len(rows), 1, 1))
    )


def _roll(tracks: Tracks, rows: Int64, rays: Float64, stamp_ns: int) -> None:
    """Have vehicles not slip across their heading, where the ray runs along it."""
    yaw = tracks.objects.yaws_rad[rows]
    heading = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    along = np.abs(np.einsum("pi,pi->p", heading, rays)) >= ALONG
    rolls = along & ROLLING[tracks.labels[rows]] & (tracks.seen_ns[rows] == stamp_ns)
    across = np.stack([-heading[:, 1], heading[:, 0]], axis=1)[rolls]
    speed = np.linalg.norm(tracks.states[rows[rolls], 2:4], axis=1)
    variances = SLIP_STD_MPS**2 + (YAW_STD_RAD * speed) ** 2
    _apply(tracks, rows[rolls], across, np.zeros(len(across)), variances)


def _apply(tracks: Tracks, rows: Int64, rays: Float64, speeds: Float64, variances: Float64) -> None:
    tracks.states[rows], tracks.covariances[rows] = update_speeds(
        tracks.states[rows], tracks.covariances[rows], rays, speeds, variances
    )
