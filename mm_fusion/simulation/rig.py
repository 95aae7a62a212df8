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

"""The sensors of the simulated car: where they sit, how they look, how well they measure.

The ego frame is below the middle of the rear axle, on the ground (REP-105 `base_link`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.config import SensorConfig
from mm_fusion.geometry.rigid import compose
from mm_fusion.records import Float64

# camera: x right, y down, z forward; seen from ego these are -y, -z and x (REP-103)
EGO_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def _mount(x_m: float, y_m: float, z_m: float) -> Float64:
    return compose(np.eye(3), np.array([x_m, y_m, z_m]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LidarModel:
    """A spinning LiDAR: each column of beams fires at its own instant of the revolution."""

    name: str = "lidar"
    ego_from_lidar: Float64 = field(default_factory=lambda: _mount(1.35, 0.0, 1.8))
    beams: int = 64
    columns: int = 1024
    lowest_rad: float = np.radians(-24.8)
    highest_rad: float = np.radians(2.0)
    period_s: float = 0.1
    range_m: float = 100.0  # a diffuse surface of reflectivity 0.1 is still seen here, head on
    range_std_m: float = 0.02
    stray_share: float = 0.001  # of the beams that return from rain, dust and the like


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraModel:
    """A pinhole camera with a rectified image."""

    camera: Camera
    period_s: float = 0.1
    phase_s: float = 0.008  # after the LiDAR looks forward
    jitter_s: float = 0.001
    noise: float = 0.008  # of a full scale of 1
    quality: int = 90  # of the JPEG


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RadarModel:
    """A forward radar; what its cells of range, azimuth and range rate hold becomes a return."""

    name: str = "radar"
    ego_from_radar: Float64 = field(default_factory=lambda: _mount(3.6, 0.0, 0.5))
    period_s: float = 1 / 13
    azimuth_rad: float = np.radians(60.0)  # seen to either side
    elevation_rad: float = np.radians(7.0)  # seen above and below
    range_m: float = 90.0
    range_cell_m: float = 0.4
    azimuth_cell_rad: float = np.radians(1.6)
    rate_cell_mps: float = 0.25
    range_std_m: float = 0.12
    azimuth_std_rad: float = np.radians(0.35)
    elevation_std_rad: float = np.radians(1.5)
    rate_std_mps: float = 0.08
    weakest_dbsm: float = 3.0  # seen at `range_m`; nearer, weaker ones are
    floor_dbsm: float = -20.0  # but none weaker than this
    clutter: float = 12.0  # false returns a sweep, on the average


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NavigationModel:
    """GPS, IMU and wheels. The IMU sits above the ego origin, where a car on a plane turns."""

    ego_from_gps: Float64 = field(default_factory=lambda: _mount(0.4, 0.0, 1.5))
    ego_from_imu: Float64 = field(default_factory=lambda: _mount(0.0, 0.0, 0.4))
    gps_period_s: float = 0.1
    imu_period_s: float = 0.01
    twist_period_s: float = 0.02
    gps_std_m: tuple[float, float, float] = (0.4, 0.4, 0.8)  # east, north, up
    gyroscope_std_radps: float = 0.004
    gyroscope_bias_radps: float = 0.003
    accelerometer_std_mps2: float = 0.08
    accelerometer_bias_mps2: float = 0.05
    wheel_std_mps: float = 0.05


def _front() -> CameraModel:
    width, height, focal = 960, 540, 720.0
    image_from_camera = np.array(
        [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    )
    ego_from_camera = compose(EGO_FROM_OPTICAL, np.array([1.7, 0.0, 1.45]))
    return CameraModel(
        camera=Camera(
            name="front",
            image_from_camera=image_from_camera,
            ego_from_camera=ego_from_camera,
            size_px=(width, height),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rig:
    """All sensors of the car."""

    lidar: LidarModel = field(default_factory=LidarModel)
    cameras: tuple[CameraModel, ...] = field(default_factory=lambda: (_front(),))
    radar: RadarModel = field(default_factory=RadarModel)
    navigation: NavigationModel = field(default_factory=NavigationModel)

    @property
    def calibration(self) -> Calibration:
        """Return where everything is."""
        return Calibration(
            cameras={model.camera.name: model.camera for model in self.cameras},
            ego_from={
                self.lidar.name: self.lidar.ego_from_lidar,
                self.radar.name: self.radar.ego_from_radar,
                "gps": self.navigation.ego_from_gps,
                "imu": self.navigation.ego_from_imu,
                "twist": np.eye(4),
            },
        )

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """Return the streams, on topics as the node's default settings name them."""
        cameras = [model.camera.name for model in self.cameras]
        return (
            _stream(self.lidar.name, "lidar", "/points"),
            *(_stream(name, "camera", "/image/compressed") for name in cameras),
            _stream(self.radar.name, "radar", "/points"),
            _stream("gps", "gps", "/fix"),
            _stream("imu", "imu"),
            replace(_stream("twist", "twist"), frame="base_link"),
        )


def _stream(name: str, kind: str, of_data: str = "") -> SensorConfig:
    return SensorConfig(name=name, kind=kind, topic=name + of_data, frame=name)
