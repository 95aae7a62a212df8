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

"""The street and who is on it: the ego car, traffic both ways, parked cars, people.

Every pose is a closed form of time, so any sensor may ask for any moment. Nobody runs into anybody:
a candidate that would come too near another one within the drive is not let in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mm_fusion.objects import CLASSES
from mm_fusion.records import Float64
from mm_fusion.simulation.materials import KERB_M
from mm_fusion.simulation.mesh import Mesh, Rgb
from mm_fusion.simulation.motion import Path, Wave
from mm_fusion.simulation.people import pedestrian
from mm_fusion.simulation.scenery import PAVEMENT_M, scenery
from mm_fusion.simulation.vehicles import car, cyclist, truck

EGO_SPEED_MPS = 9.0
EGO_LANE_M, ONCOMING_LANE_M = -1.75, 1.6
EGO_SIZE_M = (4.6, 1.9)
BEHIND_M, AHEAD_M = 90.0, 170.0  # street before the first and beyond the last place of the ego car
CLEAR_M = (0.6, 0.25)  # smallest gaps along and across the street
REAR_AXLE_M = 1.35  # the ego frame is this far behind the middle of the ego car

_COLORS: tuple[Rgb, ...] = (
    (0.55, 0.02, 0.02), (0.02, 0.07, 0.3), (0.6, 0.6, 0.62), (0.02, 0.02, 0.025),
    (0.75, 0.75, 0.73), (0.04, 0.2, 0.13), (0.16, 0.17, 0.19), (0.6, 0.33, 0.02),
    (0.05, 0.25, 0.45), (0.3, 0.05, 0.06),
)  # fmt: skip
_COATS: tuple[Rgb, ...] = (
    (0.5, 0.05, 0.06), (0.7, 0.5, 0.05), (0.04, 0.1, 0.35), (0.05, 0.05, 0.06), (0.1, 0.3, 0.12),
    (0.6, 0.58, 0.5), (0.35, 0.12, 0.4),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Actor:
    """A road user: its look, its size and its way."""

    ident: int
    label: int  # index into CLASSES
    mesh: Mesh  # x ahead, origin on the ground
    path: Path

    @property
    def moving(self) -> bool:
        """Tell whether it ever moves."""
        return self.path.heading_rad is None

    @property
    def box(self) -> Float64:
        """Return the mesh's box (7,) in its own frame: x, y, z, length, width, height, yaw."""
        low, high = self.mesh.vertices.min(axis=0), self.mesh.vertices.max(axis=0)
        return np.array([*(low + high) / 2, *(high - low), 0.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Street:
    """A world to be sensed."""

    scenery: Mesh
    actors: tuple[Actor, ...]
    ego: Path
    crossings_m: Float64  # (Z,) where zebras are


def ego_path() -> Path:
    """Return the ego car's way: 8 to 10 m/s, swaying half a metre in its lane."""
    return Path(
        x=Wave(start=0.0, rate=EGO_SPEED_MPS, amplitude=2.0, omega_radps=0.5),
        y=Wave(start=EGO_LANE_M, amplitude=0.45, omega_radps=0.55, phase_rad=0.4),
    )


def build_street(seconds: float, rng: np.random.Generator) -> Street:
    """Build a street long enough for a drive of `seconds`, with its traffic."""
    travel = EGO_SPEED_MPS * seconds
    start, end = -BEHIND_M, travel + AHEAD_M
    crossings = np.arange(42.0, end, 66.0)
    traffic = _Traffic(seconds, rng)
    _add_crossing_people(traffic, crossings, travel)
    _add_moving(traffic, start, end, seconds)
    _add_parked(traffic, start, end, crossings)
    _add_walkers(traffic, start, end)
    return Street(
        scenery=scenery(start, end, rng),
        actors=tuple(traffic.actors),
        ego=ego_path(),
        crossings_m=crossings,
    )


class _Traffic:
    """Takes in who comes near nobody."""

    def __init__(self, seconds: float, rng: np.random.Generator) -> None:
        self.rng = rng
        self.actors: list[Actor] = []
        self._times_s = np.arange(-0.2, seconds + 0.4, 0.1)
        ego = ego_path().positions(self._times_s)[:, :2] + np.array([REAR_AXLE_M, 0.0])
        self._ways = [ego]
        self._sizes = [np.array(EGO_SIZE_M)]

    def admit(self, label: str, mesh: Mesh, path: Path) -> bool:
        """Let a road user in unless it comes too near another one."""
        actor = Actor(ident=len(self.actors) + 1, label=CLASSES.index(label), mesh=mesh, path=path)
        way = path.positions(self._times_s)[:, :2]
        size = actor.box[3:5] if label != "pedestrian" else np.full(2, 0.8)
        ways, sizes = np.stack(self._ways), np.stack(self._sizes)
        gaps = np.abs(ways - way) - (sizes[:, None] + size) / 2  # (actors, times, 2)
        if (gaps < np.array(CLEAR_M)).all(axis=2).any():
            return False
        self.actors.append(actor)
        self._ways.append(way)
        self._sizes.append(size)
        return True

    def pick(self, options: tuple[Rgb, ...]) -> Rgb:
        """Choose a colour."""
        return options[int(self.rng.integers(len(options)))]

    def car(self) -> Mesh:
        """Return a car of some size, shape and colour."""
        color, kind = self.pick(_COLORS), self.rng.random()
        stretch = float(self.rng.uniform(0.95, 1.06))
        if kind < 0.45:
            return car(4.6 * stretch, 1.82, 1.46, color)
        if kind < 0.75:
            return car(4.0 * stretch, 1.76, 1.52, color, trunk=0.02)
        if kind < 0.92:
            return car(4.6 * stretch, 1.88, 1.72, color, trunk=0.01)
        return car(4.95 * stretch, 1.95, 2.0, color, trunk=0.0)

    def person(self) -> Mesh:
        """Return somebody."""
        trousers = self.pick(((0.03, 0.04, 0.09), (0.02, 0.02, 0.02), (0.2, 0.16, 0.1)))
        height = float(self.rng.uniform(1.58, 1.9))
        return pedestrian(height, self.pick(_COATS), trousers, int(self.rng.integers(3)))


def _add_moving(traffic: _Traffic, start: float, end: float, seconds: float) -> None:
    """Let in one car ahead and one behind in the ego lane, and the oncoming traffic."""
    for gap_m, sway in ((24.0, 0.3), (-17.0, 1.9), (55.0, 1.1)):
        x = Wave(start=gap_m, rate=EGO_SPEED_MPS, amplitude=1.5, omega_radps=0.4, phase_rad=sway)
        y = Wave(start=EGO_LANE_M, amplitude=0.15, omega_radps=0.5, phase_rad=sway)
        traffic.admit("car", traffic.car(), Path(x=x, y=y))
    kinds: list[tuple[str, Callable[[], Mesh], float]] = [
        ("car", traffic.car, ONCOMING_LANE_M),
        ("car", traffic.car, ONCOMING_LANE_M),
        ("truck", lambda: truck(traffic.pick(_COLORS), (0.72, 0.72, 0.7)), ONCOMING_LANE_M),
        ("bicycle", lambda: cyclist(traffic.pick(_COLORS)), 3.05),
    ]
    place = start
    while place < end + 11.0 * seconds:
        label, mesh, lane = kinds[int(traffic.rng.choice(4, p=[0.4, 0.22, 0.16, 0.22]))]
        speed = float(
            traffic.rng.uniform(4.0, 6.0) if label == "bicycle" else traffic.rng.uniform(8, 13)
        )
        sway = float(traffic.rng.uniform(0, 6))
        x = Wave(start=place, rate=-speed, amplitude=1.0, omega_radps=0.6, phase_rad=sway)
        y = Wave(start=lane, amplitude=0.12, omega_radps=0.5, phase_rad=sway)
        traffic.admit(label, mesh(), Path(x=x, y=y))
        place += float(traffic.rng.uniform(9.0, 22.0))


def _add_parked(traffic: _Traffic, start: float, end: float, crossings: Float64) -> None:
    for side in (-1, 1):
        place = start
        while place < end:
            length = float(traffic.rng.uniform(5.6, 8.4))
            free = np.abs(crossings - place).min(initial=np.inf) > 7.0
            if free and traffic.rng.random() < 0.62:
                heading = 0.0 if side < 0 else np.pi
                heading += float(traffic.rng.normal(0, 0.02))
                y = side * (KERB_M - 1.05) + float(traffic.rng.normal(0, 0.05))
                mesh = traffic.car()
                traffic.admit("car", mesh, Path.standing(place, y, heading))
            place += length


def _add_walkers(traffic: _Traffic, start: float, end: float) -> None:
    for side in (-1, 1):
        for place in np.arange(start, end, 11.0):
            x = float(place + traffic.rng.uniform(-4, 4))
            speed = float(traffic.rng.choice([-1, 1]) * traffic.rng.uniform(1.0, 1.6))
            y = side * float(traffic.rng.uniform(KERB_M + 1.2, 8.4))
            if traffic.rng.random() < 0.12:
                path = Path.standing(x, y, float(traffic.rng.uniform(-3, 3)), PAVEMENT_M)
            else:
                sway = Wave(start=y, amplitude=0.1, omega_radps=0.7, phase_rad=speed)
                path = Path(x=Wave(start=x, rate=speed), y=sway, z_m=PAVEMENT_M)
            traffic.admit("pedestrian", traffic.person(), path)


def _add_crossing_people(traffic: _Traffic, crossings: Float64, travel: float) -> None:
    """Let people walk to and fro over each zebra, off the road when the ego car passes."""
    for crossing in crossings[crossings < travel + 60.0]:
        arrival_s = float(crossing) / EGO_SPEED_MPS
        for shift, way in ((-0.9, 1), (0.1, -1), (1.0, 1)):
            omega = float(traffic.rng.uniform(0.2, 0.25))
            leaving = float(traffic.rng.uniform(0.75, 1.2))  # rad past the middle at the arrival
            phase = leaving - omega * arrival_s + (0.0 if way > 0 else np.pi)
            y = Wave(start=0.0, amplitude=7.2, omega_radps=omega, phase_rad=phase)
            x = Wave(start=float(crossing) + shift, amplitude=0.15, omega_radps=2 * omega)
            traffic.admit("pedestrian", traffic.person(), Path(x=x, y=y))
