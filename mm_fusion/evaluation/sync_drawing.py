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

"""Drawn streams of a whole vehicle, with every way in which their times go wrong.

Axis letters: N records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mm_fusion.config import SensorConfig
from mm_fusion.records import NS_PER_S, CameraImage, FramedRecord, LidarScan, RadarScan

FIRST_NS = 1_700_000_000 * NS_PER_S
JITTER_S = 0.002  # standard deviation of a stamp about its place in the period
LATENCY_S = {"lidar": 0.03, "camera": 0.05, "radar": 0.01}  # from stamp to arrival
LATENCY_SPREAD_S = 0.004
BURST = 10  # records a millisecond apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One sensor of the rig."""

    name: str
    kind: str
    rate_hz: float
    phase_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What goes wrong, by the names of the streams that it happens to."""

    name: str
    silent: tuple[str, ...] = ()
    loss: float = 0.0  # share of the records of every stream
    late_s: Mapping[str, float] = field(default_factory=dict)  # beside the usual latency
    loops: int = 1  # times the same recording is played
    clock_off_s: Mapping[str, float] = field(default_factory=dict)
    drift: Mapping[str, float] = field(default_factory=dict)  # of the clock, seconds a second
    split_s: float = 0.0  # the others speak in bursts, as far before the reference or behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One record as it comes in."""

    stream: str
    record: FramedRecord
    true_ns: int  # when it was measured, were its clock right
    loop: int


def vehicle(cameras: int = 6, radars: int = 5) -> tuple[Drawn, ...]:
    """Return a LiDAR at 10 Hz, cameras at 12 Hz and radars at 13 Hz, their phases spread.

    The cameras lie 9 to 76 ms behind the LiDAR, as in Autoware's example.
    """
    return (
        Drawn(name="lidar", kind="lidar", rate_hz=10.0, phase_s=0.0),
        *(
            Drawn(name=f"camera{k}", kind="camera", rate_hz=12.0, phase_s=phase)
            for k, phase in enumerate(np.linspace(0.009, 0.076, cameras).tolist())
        ),
        *(
            Drawn(name=f"radar{k}", kind="radar", rate_hz=13.0, phase_s=phase)
            for k, phase in enumerate(np.linspace(0.004, 0.070, radars).tolist())
        ),
    )


def sensors_of(rig: Sequence[Drawn]) -> list[SensorConfig]:
    """Return the settings of a rig's sensors."""
    return [SensorConfig(name=s.name, kind=s.kind, topic=s.name) for s in rig]


def scenarios(rig: Sequence[Drawn]) -> list[Scenario]:
    """Return everything that is tried on a rig."""
    kinds: dict[str, list[str]] = {}
    for sensor in rig:
        kinds.setdefault(sensor.kind, []).append(sensor.name)
    camera, radar = kinds["camera"][0], kinds["radar"][0]
    return [
        Scenario(name="nominal"),
        *(Scenario(name=f"{s.name} silent", silent=(s.name,)) for s in rig),
        Scenario(name=f"lidar, {camera} silent", silent=("lidar", camera)),
        Scenario(name=f"{camera}, {radar} silent", silent=(camera, radar)),
        *(Scenario(name=f"{share:.0%} lost", loss=share) for share in (0.02, 0.05, 0.1)),
        Scenario(name="lidar 0.6 s late", late_s={"lidar": 0.6}),
        Scenario(name="played three times", loops=3),
        Scenario(name=f"{camera} 110 ms off", clock_off_s={camera: 0.11}),
        Scenario(name=f"{camera} drifts 200 ppm", drift={camera: 200e-6}),
        Scenario(name="adversarial stamps", split_s=0.09),
    ]


def draw(rig: Sequence[Drawn], scenario: Scenario, *, seconds: float, seed: int) -> list[Arrival]:
    """Return the records of a drive in the order in which they arrive."""
    rng = np.random.default_rng(seed)
    once: list[tuple[int, Arrival]] = []
    for number, sensor in enumerate(rig):
        true_s = _times(sensor, number, scenario, seconds, rng)
        kept = rng.random(len(true_s)) >= scenario.loss
        wait_s = LATENCY_S[sensor.kind] + LATENCY_SPREAD_S * rng.random(len(true_s))
        late_s = wait_s + scenario.late_s.get(sensor.name, 0.0)
        if sensor.name in scenario.silent:
            continue
        stamp_s = true_s * (1 + scenario.drift.get(sensor.name, 0.0))
        stamp_s = stamp_s + scenario.clock_off_s.get(sensor.name, 0.0)
        for true, stamp, late in zip(true_s[kept], stamp_s[kept], late_s[kept], strict=True):
            true_ns, stamp_ns = (FIRST_NS + round(t * NS_PER_S) for t in (true, stamp))
            record = _record(sensor.kind, stamp_ns)
            arrival = Arrival(stream=sensor.name, record=record, true_ns=true_ns, loop=0)
            once.append((true_ns + round(late * NS_PER_S), arrival))
    once.sort(key=lambda row: row[0])
    return [replace(a, loop=loop) for loop in range(scenario.loops) for _, a in once]


def _times(
    sensor: Drawn, number: int, scenario: Scenario, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """Return when a sensor measures (N,), s."""
    if scenario.split_s:
        reference_s = np.arange(0.4, seconds, 0.4)  # so far apart that no other one is near
        if number == 0:
            return reference_s
        side = 1 if number % 2 else -1
        burst_s = side * (scenario.split_s - 0.001 * np.arange(BURST))
        return np.sort((reference_s[:, None] + burst_s).ravel())
    times_s = 0.1 + sensor.phase_s + np.arange(round(seconds * sensor.rate_hz)) / sensor.rate_hz
    return np.asarray(times_s + rng.normal(0, JITTER_S, len(times_s)).clip(-0.006, 0.006))


_NOTHING = np.zeros((0, 3), np.float32)
_NONE = np.zeros(0, np.float32)
_BYTES = np.zeros(0, np.uint8)


def _record(kind: str, stamp_ns: int) -> FramedRecord:
    if kind == "lidar":
        return LidarScan(stamp_ns=stamp_ns, points_lidar=_NOTHING, intensity=_NONE, offset_s=_NONE)
    if kind == "radar":
        return RadarScan(
            stamp_ns=stamp_ns, points_radar=_NOTHING, range_rate_mps=_NONE, rcs_dbsm=_NONE
        )
    return CameraImage(stamp_ns=stamp_ns, data=_BYTES, encoding="jpeg")
