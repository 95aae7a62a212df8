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

"""Streams of small real records, and the synchroniser run over them in their order of arrival."""

from dataclasses import dataclass

import numpy as np
import pytest

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.records import NS_PER_S, CameraImage, LidarScan, RadarScan
from mm_fusion.sync.synchronizer import FrameSynchronizer

BYTE = np.zeros(1, np.uint8)
EMPTY = np.zeros((0, 3), np.float32)
NONE = np.zeros(0, np.float32)


def ns(seconds):
    return round(seconds * NS_PER_S)


def record(kind, stamp_ns):
    if kind == "lidar":
        return LidarScan(stamp_ns=stamp_ns, points_lidar=EMPTY, intensity=NONE, offset_s=NONE)
    if kind == "radar":
        return RadarScan(stamp_ns=stamp_ns, points_radar=EMPTY, range_rate_mps=NONE, rcs_dbsm=NONE)
    return CameraImage(stamp_ns=stamp_ns, data=BYTE, encoding="jpeg")


@dataclass
class Rig:
    """A synchroniser, its sensors' kinds, and every frame it gave."""

    sync: FrameSynchronizer
    kinds: dict

    def __post_init__(self):
        self.frames = []

    def add(self, stream, seconds):
        frames = self.sync.add(stream, record(self.kinds[stream], ns(seconds)))
        self.frames += frames
        return frames

    def flush(self, seconds):
        frames = self.sync.flush(ns(seconds))
        self.frames += frames
        return frames

    def play(self, arrivals):
        """Add (arrival s, stream, stamp s) in the order of arrival; return this play's frames."""
        before = len(self.frames)
        for _, stream, stamp in sorted(arrivals):
            self.add(stream, stamp)
        return self.frames[before:]

    def books_balance(self):
        """Received is used, dropped or still waiting: nothing is lost without a reason."""
        return all(
            s.received == s.used + sum(s.dropped.values()) + s.waiting
            for s in self.sync.stream_states(0).values()
        )


@pytest.fixture
def rig():
    def make(sync=None, **sensors):
        """rig(lidar={}, front={"kind": "camera"}): the kind is the name unless given."""
        sensors = {n: {"kind": n.rstrip("0123456789"), **s} for n, s in sensors.items()}
        configs = [SensorConfig(name=n, **s) for n, s in sensors.items()]
        synchronizer = FrameSynchronizer(SyncConfig(**(sync or {})), configs)
        return Rig(synchronizer, {n: s["kind"] for n, s in sensors.items()})

    return make


@pytest.fixture
def stream():
    def make(name, *, hz, begin=1.0, end=21.0, phase=0.0, delay=0.0, jitter=0.0, rng=None):
        """(arrival s, stream, stamp s) rows of a regular stream; jitter is of the stamps."""
        stamps = np.arange(begin + phase, end, 1 / hz)
        if jitter:
            stamps = np.sort(stamps + rng.uniform(-jitter, jitter, len(stamps)))
        return [(float(t) + delay, name, float(t)) for t in stamps]

    return make
