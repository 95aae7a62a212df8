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

"""A drive along the street: every sensor at its own pace, and the truth at the LiDAR's stamps.

Records are made when they are asked for, so a long drive takes no more memory than a short one.
The same seed gives the same records, in whatever order the sensors are asked.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import SensorConfig
from mm_fusion.errors import ConfigError
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.geometry.rigid import invert, rotate, transform
from mm_fusion.objects import UNKNOWN_OCCLUSION, Objects, Truth
from mm_fusion.records import NS_PER_S, Float64, SensorRecord
from mm_fusion.simulation.camera import CameraView
from mm_fusion.simulation.lidar import Lidar
from mm_fusion.simulation.navigation import Navigation
from mm_fusion.simulation.radar import Radar
from mm_fusion.simulation.rig import CameraModel, Rig
from mm_fusion.simulation.street import build_street
from mm_fusion.simulation.world import World

START_NS = 1_700_000_000 * NS_PER_S
TRUTH_M = 80.0  # objects farther from the ego car are not listed
MAX_S = 600.0  # the street is built in one piece

Timed = Iterator[tuple[int, str, SensorRecord]]
Measure = Callable[[float, int], SensorRecord]  # time of the drive, stamp -> record


class Drive:
    """A simulated drive, as `convert` and whoever reads records takes it."""

    layout = "simulated"
    result_frame = "base_link"

    def __init__(self, seconds: float, seed: int, rig: Rig) -> None:
        self._seconds = seconds
        self._rig = rig
        street, self._navigation, *self._noise = np.random.SeedSequence(seed).spawn(6)
        self.world = World(build_street(seconds, np.random.default_rng(street)))
        self._scan_times_s = _times(seconds, rig.lidar.period_s, rig.lidar.period_s / 2)

    def __len__(self) -> int:
        """Return the number of LiDAR scans."""
        return len(self._scan_times_s)

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams of the drive."""
        return self._rig.sensors

    @property
    def calibration(self) -> Calibration:
        """Where the sensors are."""
        return self._rig.calibration

    def records(self) -> Iterator[tuple[str, SensorRecord]]:
        """Yield stream and record in the order of the stamps."""
        for _, stream, record in heapq.merge(*self._streams(), key=lambda timed: timed[0]):
            yield stream, record

    def truths(self) -> Iterator[tuple[int, Truth]]:
        """Yield stamp and labels of every LiDAR scan."""
        for time_s in self._scan_times_s:
            yield stamp_ns(time_s), self.truth(float(time_s))

    def truth(self, time_s: float) -> Truth:
        """Return who is where at a time of the drive, in the ego frame of that time."""
        street = self.world.street
        now = np.array([time_s])
        ego_from_street = invert(street.ego.pose(time_s))
        near = [
            actor
            for actor in street.actors
            if np.linalg.norm((actor.path.positions(now) - street.ego.positions(now))[0]) < TRUTH_M
        ]
        poses = [ego_from_street @ actor.path.pose(time_s) for actor in near]
        boxes = [_box(pose, actor.box) for pose, actor in zip(poses, near, strict=True)]
        velocities = [rotate(ego_from_street, actor.path.velocities(now))[0, :2] for actor in near]
        return Truth(
            objects=Objects.of_boxes(
                np.array(boxes, np.float64),
                velocities_ego=np.array(velocities, np.float64).reshape(-1, 2),
                labels=np.array([actor.label for actor in near], np.int64),
                ids=np.array([actor.ident for actor in near], np.int64),
            ),
            occlusion=np.full(len(near), UNKNOWN_OCCLUSION),
        )

    def _streams(self) -> Iterator[Timed]:
        rig, world = self._rig, self.world
        scans, sweeps, images, jitter = (np.random.default_rng(s) for s in self._noise)
        lidar, radar = Lidar(rig.lidar), Radar(rig.radar)
        yield _stream(
            rig.lidar.name, self._scan_times_s, lambda t, ns: lidar.scan(world, t, ns, scans)
        )
        sweep_times_s = _times(self._seconds, rig.radar.period_s, rig.radar.period_s / 3)
        yield _stream(rig.radar.name, sweep_times_s, lambda t, ns: radar.scan(world, t, ns, sweeps))
        for model in rig.cameras:
            times_s = self._scan_times_s + model.phase_s
            times_s = times_s + jitter.normal(0.0, model.jitter_s, len(times_s))
            yield _stream(model.camera.name, times_s, _taking(model, world, images))
        navigation = Navigation(
            rig.navigation, world.street.ego, np.random.default_rng(self._navigation)
        )
        for stream, period_s, measure in (
            ("gps", rig.navigation.gps_period_s, navigation.fix),
            ("imu", rig.navigation.imu_period_s, navigation.inertial),
            ("twist", rig.navigation.twist_period_s, navigation.twist),
        ):
            yield _stream(stream, _times(self._seconds, period_s, 0.0), measure)


def simulate(seconds: float, seed: int = 0, rig: Rig | None = None) -> Drive:
    """Return a drive of so many seconds; the street is built now, the records when asked for.

    Raises:
        ConfigError: the drive is shorter than a scan or longer than the street may be.
    """
    rig = rig or Rig()
    if not rig.lidar.period_s <= seconds <= MAX_S:
        raise ConfigError(
            f"a drive of {seconds:g} s cannot be simulated; ask for {rig.lidar.period_s:g} to "
            f"{MAX_S:g} s"
        )
    return Drive(seconds, seed, rig)


def stamp_ns(time_s: float) -> int:
    """Return the stamp of a time of the drive."""
    return START_NS + round(float(time_s) * NS_PER_S)


def _stream(name: str, times_s: Float64, measure: Measure) -> Timed:
    for time_s in times_s:
        stamp = stamp_ns(time_s)
        yield stamp, name, measure(float(time_s), stamp)


def _taking(model: CameraModel, world: World, rng: np.random.Generator) -> Measure:
    view = CameraView(model)
    return lambda time_s, stamp: view.image(world, time_s, stamp, rng)


def _times(seconds: float, period_s: float, phase_s: float) -> Float64:
    count = int(np.ceil((seconds - phase_s) / period_s - 1e-9))
    return np.asarray(phase_s + period_s * np.arange(count), np.float64)


def _box(ego_from_actor: Float64, box: Float64) -> Float64:
    center = transform(ego_from_actor, box[None, :3])[0]
    yaw = wrap_angle(np.arctan2(ego_from_actor[1, 0], ego_from_actor[0, 0]))
    return np.array([*center, *box[3:6], float(yaw)])
