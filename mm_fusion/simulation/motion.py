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

"""Smooth motion in closed form, so that pose, velocity and acceleration agree to the last digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.records import Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One coordinate over time: start + rate t + amplitude sin(omega t + phase)."""

    start: float
    rate: float = 0.0
    amplitude: float = 0.0
    omega_radps: float = 0.0
    phase_rad: float = 0.0

    def at(self, time_s: Float64) -> Float64:
        """Return the coordinate."""
        return np.asarray(
            self.start + self.rate * time_s + self.amplitude * np.sin(self._angle(time_s))
        )

    def rate_at(self, time_s: Float64) -> Float64:
        """Return its first derivative."""
        swing = self.amplitude * self.omega_radps
        return np.asarray(self.rate + swing * np.cos(self._angle(time_s)))

    def acceleration_at(self, time_s: Float64) -> Float64:
        """Return its second derivative."""
        swing = self.amplitude * self.omega_radps**2
        return np.asarray(-swing * np.sin(self._angle(time_s)))

    def _angle(self, time_s: Float64) -> Float64:
        return np.asarray(self.omega_radps * np.asarray(time_s, np.float64) + self.phase_rad)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Motion of a body over flat ground; it looks where it goes unless `heading_rad` is given.

    All methods take times (T,) s and give rows; the frame is the street's: x along it, y left.
    """

    x: Wave
    y: Wave
    z_m: float = 0.0
    heading_rad: float | None = None

    @classmethod
    def standing(cls, x_m: float, y_m: float, heading_rad: float, z_m: float = 0.0) -> Path:
        """Return the path of what does not move."""
        return cls(x=Wave(start=x_m), y=Wave(start=y_m), z_m=z_m, heading_rad=heading_rad)

    def positions(self, time_s: Float64) -> Float64:
        """Return where the body's origin is, (T, 3) m."""
        time_s = np.atleast_1d(np.asarray(time_s, np.float64))
        return np.stack([self.x.at(time_s), self.y.at(time_s), np.full_like(time_s, self.z_m)], 1)

    def velocities(self, time_s: Float64) -> Float64:
        """Return (T, 3) m/s."""
        time_s = np.atleast_1d(np.asarray(time_s, np.float64))
        return np.stack([self.x.rate_at(time_s), self.y.rate_at(time_s), np.zeros_like(time_s)], 1)

    def accelerations(self, time_s: Float64) -> Float64:
        """Return (T, 3) m/s^2."""
        time_s = np.atleast_1d(np.asarray(time_s, np.float64))
        x, y = self.x.acceleration_at(time_s), self.y.acceleration_at(time_s)
        return np.stack([x, y, np.zeros_like(time_s)], axis=1)

    def yaws(self, time_s: Float64) -> Float64:
        """Return the headings (T,) rad."""
        velocity = self.velocities(time_s)
        if self.heading_rad is not None:
            return np.full(len(velocity), self.heading_rad)
        return np.asarray(np.arctan2(velocity[:, 1], velocity[:, 0]))

    def yaw_rates(self, time_s: Float64) -> Float64:
        """Return the turn rates (T,) rad/s: d/dt atan2(vy, vx)."""
        velocity, acceleration = self.velocities(time_s), self.accelerations(time_s)
        if self.heading_rad is not None:
            return np.zeros(len(velocity))
        cross = velocity[:, 0] * acceleration[:, 1] - velocity[:, 1] * acceleration[:, 0]
        return np.asarray(cross / np.maximum((velocity**2).sum(axis=1), 1e-9))

    def poses(self, time_s: Float64) -> Float64:
        """Return `street_from_body` (T, 4, 4)."""
        yaw = self.yaws(time_s)
        street_from_body = np.tile(np.eye(4), (len(yaw), 1, 1))
        street_from_body[:, 0, 0] = street_from_body[:, 1, 1] = np.cos(yaw)
        street_from_body[:, 1, 0] = np.sin(yaw)
        street_from_body[:, 0, 1] = -np.sin(yaw)
        street_from_body[:, :3, 3] = self.positions(time_s)
        return street_from_body

    def pose(self, time_s: float) -> Float64:
        """Return `street_from_body` (4, 4) at one time."""
        return np.asarray(self.poses(np.array([time_s]))[0])

    def point_velocities(self, points: Float64, time_s: float) -> Float64:
        """Return the velocities (N, 3) m/s of points (N, 3) of the street fixed to the body."""
        now = np.array([time_s])
        arms = points - self.positions(now)
        turn = float(self.yaw_rates(now)[0])
        swung = turn * np.column_stack([-arms[:, 1], arms[:, 0], np.zeros(len(arms))])
        return np.asarray(self.velocities(now) + swung)
