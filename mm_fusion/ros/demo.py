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

"""The whole way in one go: a synthetic drive, its bag, the real player and node, scores, pictures.

No step is made for the demo: the bag is written as any recording's, played as any bag, and what
is scored is what the node published.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mm_fusion.errors import FusionError
from mm_fusion.evaluation.pictures import picture
from mm_fusion.evaluation.report import evaluate, print_score
from mm_fusion.evaluation.results import Results, boxes_of, save_results
from mm_fusion.evaluation.scores import Score
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.recordings.convert import convert
from mm_fusion.ros.bag_parameters import bag_config
from mm_fusion.ros.bench import session_figures
from mm_fusion.ros.session import SessionResult, run_session
from mm_fusion.simulation.drive import simulate

RANGE_M = 40.0  # of the score
DISTANCE_M = 1.0
SEEN_POINTS = 5  # an object with fewer LiDAR points is not asked for

Stage = Callable[[str, float], Callable[[float], object]]  # name, total -> progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What a demo made."""

    bag: Path
    results: Path
    pictures: tuple[Path, ...]
    score: Score
    figures: Mapping[str, Any]


def demo(out: Path, seconds: float, stage: Stage) -> Demo:
    """Make a drive, play it through the node, score and draw what came out.

    Args:
        out: folder for everything; a former demo's bag in it is replaced.
        seconds: length of the drive.
        stage: told the name and length of each part, gives back where to report progress.

    Raises:
        FusionError: a part failed; the text says which.
    """
    out.mkdir(parents=True, exist_ok=True)
    bag = out / "bag"
    if bag.exists():
        shutil.rmtree(bag)
    drive = simulate(seconds)
    written = stage("simulating", len(drive))
    convert(drive, bag, progress=lambda: written(1))
    played = stage("playing", len(BagRecording(bag)))
    session = run_session(bag, out / "session", overlays=True, progress=played)
    results = _results(session)
    save_results(out / "results.json", results)
    recording = BagRecording(bag)
    score, _ = evaluate(
        results,
        recording,
        distance_m=DISTANCE_M,
        range_m=RANGE_M,
        min_lidar_points=SEEN_POINTS,
    )
    above = out / "demo.png"
    answered = list(results.frames)
    middle = answered[len(answered) // 2]
    picture(recording, above, config=bag_config(bag), results=results, token=middle)
    return Demo(
        bag=bag,
        results=out / "results.json",
        pictures=(above, *_overlays(session, out)),
        score=score,
        figures=session_figures(session),
    )


def _results(session: SessionResult) -> Results:
    """Bring what the node published into the layout of a results file."""
    detections = session.outputs.detections
    frames = {str(s): boxes_of(str(s), detections[s], np.eye(4)) for s in sorted(detections)}
    if not frames:
        raise FusionError(
            f"the node published nothing; its log is {', '.join(map(str, session.logs))}"
        )
    return Results(meta={"frame": "base_link", "layout": "rosbag2"}, frames=frames)


def _overlays(session: SessionResult, out: Path) -> tuple[Path, ...]:
    """Keep the middle one of the pictures that the node drew into each camera's images."""
    paths = []
    for camera, images in session.outputs.overlays.items():
        if images:
            path = out / f"overlay_{camera}.jpg"
            path.write_bytes(images[sorted(images)[len(images) // 2]])
            paths.append(path)
    return tuple(paths)


def print_demo(outcome: Demo) -> None:
    """Show the tables and name the files."""
    print_score(outcome.score, "what the node published")
    figures = outcome.figures
    table = Table(title="over DDS, three processes, at the recorded pace")
    for column in ("frames", "answered", "dropped", "latency p50", "p95", "max", "node"):
        table.add_column(column, justify="right")
    table.add_row(
        *(str(figures[key]) for key in ("frames", "answered", "dropped")),
        *(f"{figures[f'latency_{key}_ms']:.0f} ms" for key in ("p50", "p95", "max")),
        f"{figures['node_cores']:.2f} cores",
    )
    console = Console()
    console.print(table)
    for path in (*outcome.pictures, outcome.results, outcome.bag):
        console.print(str(path), highlight=False)
