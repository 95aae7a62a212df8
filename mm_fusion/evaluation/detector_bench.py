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

"""What the learned detector costs on this machine: backends side by side, on a recording's frames.

Every backend that is installed takes its turn in every round, so that a machine that grows busy
is as hard on one as on another.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mm_fusion.config import FusionConfig
from mm_fusion.detection.learned import LearnedDetector, learned_detector
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.runner import run
from mm_fusion.model.backends import NEEDS, is_installed
from mm_fusion.model.inputs import BevInputs
from mm_fusion.recordings.recording import Recording

ROUNDS = 3
FRAMES = 20  # of a recording are enough


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendCost:
    """What one backend takes, in ms, over all frames and rounds."""

    backend: str
    network_p50_ms: float  # the network alone
    network_p95_ms: float
    pipeline_p50_ms: float  # everything from records to tracks
    pipeline_p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorCost:
    """What a detector is made of, and what it takes."""

    detector: str
    parameters: int
    gmacs: float  # multiplications and additions of one frame, 10^9
    points: int  # of the LiDAR in a frame, in the middle
    returns: int  # of the radar
    images: int
    threads: int
    peak_mib: float  # of the process, all backends loaded one after the other
    backends: tuple[BackendCost, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def detector_cost(
    recording: Recording,
    config: FusionConfig,
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> DetectorCost:
    """Measure on the frames of a recording.

    Args:
        recording: a data set.
        config: settings of the detector, which is a learned one or has one.
        progress: called with 1 per frame of every round.

    Raises:
        RecordingError: it has no frames.
    """
    names = _backends()
    taken: dict[str, list[float]] = {name: [] for name in names}
    alone: dict[str, list[float]] = {name: [] for name in names}
    inputs: list[BevInputs] = []
    for number in range(ROUNDS):
        for name in names:
            tuned = replace(config, learned=replace(config.learned, backend=name))
            results = list(run(recording, tuned))
            if not results:
                raise RecordingError(f"{recording.layout}: there are no frames to measure on")
            detector = learned_detector(tuned.learned)
            detector.calibrate(results[0].calibration)
            inputs = inputs or [detector.inputs_of(r.result.frame) for r in results]
            for given, result in zip(inputs, results, strict=True):
                if number or result is not results[0]:  # the first of all warms up
                    taken[name].append(sum(result.latencies_s.values()))
                    alone[name].append(_seconds(detector, given))
                progress(1)
    network = learned_detector(replace(config.learned, backend="eager"))
    clouds = [r.result.frame for r in results]
    return DetectorCost(
        detector=config.detector,
        parameters=network.parameters,
        gmacs=network.gmacs(inputs[0]),
        points=int(np.median([len(frame.points_ego) for frame in clouds])),
        returns=int(np.median([len(frame.radar_ego) for frame in clouds])),
        images=int(np.median([len(frame.images) for frame in clouds])),
        threads=network.threads,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        backends=tuple(_cost(name, alone[name], taken[name]) for name in names),
    )


def runs() -> int:
    """Return how often `detector_cost` goes through a recording."""
    return ROUNDS * len(_backends())


def _backends() -> list[str]:
    return [name for name in NEEDS if name != "compile" and is_installed(name)]  # which takes long


def _seconds(detector: LearnedDetector, inputs: BevInputs) -> float:
    began_s = time.perf_counter()
    detector.answer(inputs)
    return time.perf_counter() - began_s


def _cost(name: str, network_s: Sequence[float], pipeline_s: Sequence[float]) -> BackendCost:
    network, pipeline = (np.percentile(taken, (50, 95)) * 1e3 for taken in (network_s, pipeline_s))
    return BackendCost(
        backend=name,
        network_p50_ms=float(network[0]),
        network_p95_ms=float(network[1]),
        pipeline_p50_ms=float(pipeline[0]),
        pipeline_p95_ms=float(pipeline[1]),
    )


def print_cost(cost: DetectorCost) -> None:
    """Print the table on the terminal."""
    title = f"detector {cost.detector}: {cost.parameters / 1e6:.2f} M parameters"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title)
    table.add_column("backend", no_wrap=True)
    for name in ("network p50", "p95", "pipeline p50", "p95"):
        table.add_column(f"{name} ms", justify="right", no_wrap=True)
    for row in cost.backends:
        values = list(asdict(row).values())[1:]
        table.add_row(row.backend, *(f"{value:.0f}" for value in values))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{cost.points} points, {cost.returns} returns and {cost.images} images a frame: "
        f"{cost.gmacs:.1f} GMAC; {cost.threads} threads, {cost.peak_mib:.0f} MiB at most. "
        "Pipeline: from records to tracks, images decoded."
    )
