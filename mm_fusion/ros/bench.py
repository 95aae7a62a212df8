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


"""Figures of the real processes over DDS, on this machine: the node on a bag, the transport."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.serialization import serialize_message
from rich.console import Console
from rich.table import Table
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import Image, PointCloud2

from mm_fusion.records import NS_PER_S
from mm_fusion.ros.bag_parameters import bag_config
from mm_fusion.ros.environment import ros_environment
from mm_fusion.ros.processes import node_process, ros_arguments
from mm_fusion.ros.session import SessionResult, private_domain, run_session

CAMERAS, WIDTH, HEIGHT = 6, 1600, 900  # rgb8
POINTS, POINT_STEP = 120_000, 32  # bytes a point
PERIOD_NS = NS_PER_S // 10
LATENCIES = ("latency_p50_ms", "latency_p95_ms", "latency_max_ms")  # input to publication
CYCLES = 20  # in the synthetic bag, which is looped


def bench_bag(bag: Path, rate: float = 1.0, objects_hz: float = 0.0) -> dict[str, Any]:
    """Play a bag through the real node and return what it cost.

    Args:
        bag: the bag's folder or file.
        rate: times the recorded pace.
        objects_hz: rate of the objects, by prediction; 0: they come with the frames.

    Returns:
        Figures by name; the unit is the end of the name.

    Raises:
        FusionError: the bag or one of the processes failed.
    """
    with TemporaryDirectory(prefix="mm_fusion_bench_") as folder:
        config = bag_config(bag)
        config = replace(config, output=replace(config.output, rate_hz=objects_hz))
        light = objects_hz > 0
        result = run_session(bag, Path(folder), config=config, rate=rate, arrivals_only=light)
    steady = steadiness(result.outputs.objects_s, rate) if objects_hz else {}
    return {"bag": str(bag), "rate": rate, **session_figures(result), **steady}


def steadiness(arrivals_s: Mapping[int, float], rate: float) -> dict[str, float]:
    """Return how evenly objects came: steps of their stamps, and how late each came.

    Args:
        arrivals_s: when objects came, by a steady clock, by their stamps.
        rate: of the bag.
    """
    stamps = np.array(sorted(arrivals_s))
    if len(stamps) < 2:
        return {"objects_published": float(len(stamps))}
    steps_ms = np.diff(stamps) / 1e6
    late_ms = np.array([arrivals_s[s] for s in stamps.tolist()]) * 1e3 - stamps / 1e6 / rate
    jitter_ms = np.abs(late_ms - np.median(late_ms))
    return {
        "objects_published": float(len(stamps)),
        "objects_step_min_ms": float(steps_ms.min()),
        "objects_step_max_ms": float(steps_ms.max()),
        "objects_jitter_p50_ms": float(np.quantile(jitter_ms, 0.5)),
        "objects_jitter_p95_ms": float(np.quantile(jitter_ms, 0.95)),
        "objects_jitter_max_ms": float(jitter_ms.max()),
    }


def session_figures(result: SessionResult) -> dict[str, Any]:
    """Sum a session up in plain numbers."""
    found = [len(result.outputs.detections[stamp]) for stamp in result.answered]
    played = result.played
    return {
        "reference": result.reference,
        "frames": len(result.expected),
        "answered": len(result.answered),
        "dropped": len(result.dropped),
        "objects_per_frame": float(np.mean(found)) if found else math.nan,
        **latency_figures(result.outputs.diagnostics),
        "node_cores": result.node_cores,
        "player_cores": played["cpu_s"] / max(played["duration_s"], 1e-9),
        "player_lag_p95_ms": played["lag_p95_s"] * 1e3,
        "player_lag_max_ms": played["lag_max_s"] * 1e3,
        "played_mb": played["megabytes"],
    }


def latency_figures(diagnostics: Mapping[str, DiagnosticStatus]) -> dict[str, float]:
    """Return the latencies that the node's own diagnostics state, of frames and of stages."""
    figures = {}
    for name, status in diagnostics.items():
        values = {pair.key: pair.value for pair in status.values}
        _, _, what = name.partition(": ")
        if what == "pipeline":
            found = {key: values[key] for key in LATENCIES}
        elif what.startswith("stage "):
            stage = what.removeprefix("stage ").replace(" ", "_")
            found = {f"{stage}_p95_ms": values["p95_ms"]}
        else:
            continue
        figures.update({key: float(value) for key, value in found.items()})
    return figures


def bench_transport(seconds: float = 10.0, megabytes_per_s: float | None = None) -> dict[str, Any]:
    """Play six cameras and a LiDAR to a process that counts, and return what arrived.

    Args:
        seconds: how long.
        megabytes_per_s: how fast; None: 10 Hz, 298 MB/s.

    Raises:
        FusionError: one of the processes failed.
    """
    with TemporaryDirectory(prefix="mm_fusion_bench_") as folder:
        topics, cycle_mb = _write_large_bag(Path(folder, "bag"))
        nominal = cycle_mb * NS_PER_S / PERIOD_NS
        rate = 1.0 if megabytes_per_s is None else megabytes_per_s / nominal
        played, counted = _play_and_count(Path(folder), topics, rate, seconds)
    sent, arrived = sum(played["messages"].values()), sum(counted["messages"].values())
    return {
        "seconds": played["duration_s"],
        "megabytes_per_s": played["megabytes"] / max(played["duration_s"], 1e-9),
        "sent": sent,
        "arrived": arrived,
        "delivered": arrived / max(sent, 1),
        "player_lag_p95_ms": played["lag_p95_s"] * 1e3,
        "player_lag_max_ms": played["lag_max_s"] * 1e3,
        "player_cores": played["cpu_s"] / max(played["duration_s"], 1e-9),
        "subscriber_cores": counted["cpu_s"] / max(played["duration_s"], 1e-9),
    }


def _play_and_count(
    folder: Path, topics: Mapping[str, str], rate: float, seconds: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run both processes; returns their reports."""
    environment = ros_environment(private_domain())
    sent, counted = folder / "player.json", folder / "counter.json"
    wanted = " ".join(f"{topic}={msgtype}" for topic, msgtype in topics.items())
    count = ros_arguments(topics=wanted, report=str(counted))
    play = ros_arguments(
        bag=str(folder / "bag"), rate=rate, loop=True, wait_for=" ".join(topics), report=str(sent)
    )
    with (
        node_process("counter_node", count, environment, folder / "counter.log") as counter,
        node_process("player_node", play, environment, folder / "player.log") as player,
    ):
        player.await_words("playing", timeout_s=60.0)
        time.sleep(seconds)
        for process in (player, counter):
            if process.end() != 0:
                raise process.failure()
        return json.loads(sent.read_text()), json.loads(counted.read_text())


def _write_large_bag(bag: Path) -> tuple[dict[str, str], float]:
    """Write a few seconds; returns message type by topic, and megabytes in a cycle."""
    image = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
    image.data.frombytes(bytes(3 * WIDTH * HEIGHT))
    cloud = PointCloud2(height=1, width=POINTS, point_step=POINT_STEP, is_dense=True)
    cloud.row_step = POINTS * POINT_STEP
    cloud.data.frombytes(bytes(POINTS * POINT_STEP))
    messages = {f"/bench/camera_{i}/image": image for i in range(CAMERAS)}
    messages["/bench/lidar/points"] = cloud
    types = {topic: f"sensor_msgs/msg/{type(m).__name__}" for topic, m in messages.items()}
    payloads = {topic: serialize_message(message) for topic, message in messages.items()}
    store = get_typestore(Stores.ROS2_HUMBLE)
    with Writer(bag, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {t: writer.add_connection(t, k, typestore=store) for t, k in types.items()}
        for cycle in range(CYCLES):
            for rank, (topic, payload) in enumerate(payloads.items()):
                stamp_ns = NS_PER_S + cycle * PERIOD_NS + rank * PERIOD_NS // len(payloads)
                writer.write(connections[topic], stamp_ns, payload)
    return types, sum(map(len, payloads.values())) / 1e6


def print_bench(figures: Mapping[str, Any]) -> None:
    """Show figures as a table on the terminal."""
    table = Table("figure", "value", title="mm_fusion bench")
    for name, value in figures.items():
        table.add_row(
            name.replace("_", " "), f"{value:.3g}" if isinstance(value, float) else str(value)
        )
    Console().print(table)
