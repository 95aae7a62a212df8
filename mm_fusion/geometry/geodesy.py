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

"""WGS-84: geodetic, Earth-centred (ECEF) and local east-north-up (ENU) coordinates.

Source: NIMA TR8350.2, "Department of Defense World Geodetic System 1984", 3rd edition.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.records import Float64

SEMI_MAJOR_M = 6378137.0
FLATTENING = 1 / 298.257223563
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)


def ecef_from_geodetic(
    latitude_rad: float | Float64, longitude_rad: float | Float64, altitude_m: float | Float64
) -> Float64:
    """Turn geodetic coordinates (each scalar or (N,)) into ECEF (..., 3) m."""
    sin_lat, cos_lat = np.sin(latitude_rad), np.cos(latitude_rad)
    normal_m = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * sin_lat**2)
    return np.stack(
        [
            (normal_m + altitude_m) * cos_lat * np.cos(longitude_rad),
            (normal_m + altitude_m) * cos_lat * np.sin(longitude_rad),
            (normal_m * (1 - ECCENTRICITY_2) + altitude_m) * sin_lat,
        ],
        axis=-1,
    )


def geodetic_from_ecef(ecef: Float64) -> tuple[float, float, float]:
    """Turn one ECEF point (3,) m into latitude, longitude (rad) and altitude (m).

    Fixed-point iteration on the latitude; below 1e-11 rad after six rounds anywhere on Earth.
    """
    x, y, z = ecef
    across = float(np.hypot(x, y))
    latitude = float(np.arctan2(z, across * (1 - ECCENTRICITY_2)))
    normal_m = SEMI_MAJOR_M
    for _ in range(6):
        normal_m = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_2 * np.sin(latitude) ** 2)
        latitude = float(np.arctan2(z + ECCENTRICITY_2 * normal_m * np.sin(latitude), across))
    altitude = across * np.cos(latitude) + z * np.sin(latitude)
    altitude -= SEMI_MAJOR_M * np.sqrt(1 - ECCENTRICITY_2 * np.sin(latitude) ** 2)
    return latitude, float(np.arctan2(y, x)), float(altitude)


class LocalTangentPlane:
    """East, north, up about a datum: the `map` frame."""

    def __init__(self, latitude_rad: float, longitude_rad: float, altitude_m: float) -> None:
        self.datum = (latitude_rad, longitude_rad, altitude_m)
        self._origin_ecef = ecef_from_geodetic(latitude_rad, longitude_rad, altitude_m)
        (sa, ca), (so, co) = ((np.sin(a), np.cos(a)) for a in (latitude_rad, longitude_rad))
        self._enu_from_ecef = np.array(
            [[-so, co, 0], [-sa * co, -sa * so, ca], [ca * co, ca * so, sa]]
        )

    def enu(self, latitude_rad: float, longitude_rad: float, altitude_m: float) -> Float64:
        """Return (3,) m east, north, up of the datum."""
        ecef = ecef_from_geodetic(latitude_rad, longitude_rad, altitude_m)
        return np.asarray(self._enu_from_ecef @ (ecef - self._origin_ecef))

    def geodetic(self, enu: Float64) -> tuple[float, float, float]:
        """Return latitude, longitude (rad) and altitude (m) of a local point (3,) m."""
        return geodetic_from_ecef(self._origin_ecef + self._enu_from_ecef.T @ enu)
