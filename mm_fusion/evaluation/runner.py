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

"""Runs a recording through the pipeline off line: every frame, no ROS, the same every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.errors import ConfigError
from mm_fusion.evaluation.results import Results, boxes_of
from mm_fusion.evaluation.synchronized import synchronized
from mm_fusion.objects import FusionResult
from mm_fusion.pipeline import build_pipeline
from mm_fusion.records import FRAMED_KINDS, NS_PER_S, Float64, FramedRecord, SensorFrame

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import RecordedFrame, Recording

WITHOUT = ("lidar", "camera", "radar", "gps")
ALSO_WITHOUT = {"gps": ("gps", "imu", "odometry", "twist")}  # positioning as a whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunFrame:
    """One frame's result, its name and the frame its boxes are written in."""

    token: str
    result: FusionResult
    result_from_ego: Float64  # (4, 4)
    calibration: Calibration
    offsets_s: Mapping[str, float]  # stream -> its record's stamp less the frame's
    latencies_s: Mapping[str, float]  # stage -> how long it took


def run(
    recording: Recording | BagRecording,
    config: FusionConfig,
    *,
    without: Collection[str] = (),
    tokens: Collection[str] | None = None,
) -> Iterator[RunFrame]:
    """Yield one result per frame.

    Args:
        recording: a data set or a bag.
        config: settings; its sensors are replaced by the recording's.
        without: kinds of sensor to leave out: lidar, camera, radar, gps (which stands for
            everything that measures the vehicle's own motion).
        tokens: names of the frames wanted; None: all.

    Raises:
        ConfigError: `without` names something else, or leaves no sensor.
    """
    if strangers := sorted(set(without) - set(WITHOUT)):
        raise ConfigError(f"--without {strangers[0]}: choose from {', '.join(WITHOUT)}")
    dropped = {kind for w in without for kind in ALSO_WITHOUT.get(w, (w,))}
    sensors = tuple(s for s in recording.sensors if s.kind not in dropped)
    if not any(s.kind in FRAMED_KINDS for s in sensors):
        if not without:
            raise ConfigError(f"{recording.layout} has no camera, LiDAR or radar here")
        raise ConfigError(f"--without {','.join(without)} leaves no sensor of {recording.layout}")
    config = replace(config, sensors=sensors)
    if recording.layout == "rosbag2":
        return _run_stream(recording, config)  # type: ignore[arg-type]
    return _run_frames(recording, config, tokens)  # type: ignore[arg-type]


class _StageClock:
    """Times the stages of one frame after another."""

    def __init__(self) -> None:
        self._taken_s: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began_s = time.perf_counter()
        yield
        self._taken_s[stage] = time.perf_counter() - began_s

    def taken(self) -> Mapping[str, float]:
        """Return how long each stage took, and begin anew."""
        taken_s, self._taken_s = self._taken_s, {}
        return taken_s


def _run_frames(
    recording: Recording, config: FusionConfig, tokens: Collection[str] | None
) -> Iterator[RunFrame]:
    """Take the data set's own frames, which are matched already."""
    clock = _StageClock()
    pipeline = build_pipeline(config, clock)
    wanted = {s.name for s in config.sensors}
    for recorded in recording.frames(tokens):
        pipeline.calibrate(recorded.calibration)
        for stream, record in recorded.motion:
            if stream in wanted:
                pipeline.observe(stream, record)
        frame = _sensor_frame(recorded, config)
        if frame is not None:
            yield RunFrame(
                token=recorded.token,
                result=pipeline.process(frame),
                result_from_ego=recorded.result_from_ego,
                calibration=recorded.calibration,
                offsets_s=_offsets(frame),
                latencies_s=clock.taken(),
            )


def _sensor_frame(recorded: RecordedFrame, config: FusionConfig) -> SensorFrame | None:
    """Anchor a recorded frame on its first present stream in the order of priority."""
    by_priority = [
        sensor
        for kind in config.sync.reference_priority
        for sensor in config.sensors
        if sensor.kind == kind
    ]
    records: dict[str, FramedRecord] = {
        s.name: recorded.records[s.name] for s in by_priority if s.name in recorded.records
    }
    if not records:
        return None
    reference = next(iter(records))
    return SensorFrame(
        stamp_ns=records[reference].stamp_ns,
        reference=reference,
        records=records,
        missing={s.name: "not recorded" for s in by_priority if s.name not in records},
    )


def _offsets(frame: SensorFrame) -> Mapping[str, float]:
    return {
        stream: (record.stamp_ns - frame.stamp_ns) / NS_PER_S
        for stream, record in frame.records.items()
    }


def _run_stream(recording: BagRecording, config: FusionConfig) -> Iterator[RunFrame]:
    """Synchronise a bag's records as the node does."""
    clock = _StageClock()
    pipeline = build_pipeline(config, clock)
    for frame, calibration in synchronized(
        recording, config, calibrate=pipeline.calibrate, observe=pipeline.observe
    ):
        yield RunFrame(
            token=str(frame.stamp_ns),
            result=pipeline.process(frame),
            result_from_ego=np.eye(4),
            calibration=calibration,
            offsets_s=_offsets(frame),
            latencies_s=clock.taken(),
        )


def collect(
    run_frames: Iterator[RunFrame],
    recording: Recording | BagRecording,
    config: FusionConfig,
    *,
    without: Collection[str] = (),
    tracks: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> Results:
    """Gather a run into the layout of a results file.

    Args:
        run_frames: of the recording.
        recording: what was run.
        config: what it was run with.
        without: kinds of sensor that were left out.
        tracks: gather tracks, with their ids, instead of detections.
        progress: called with 1 per frame.
    """
    frames = {}
    for frame in run_frames:
        objects = frame.result.tracks if tracks else frame.result.detections
        frames[frame.token] = boxes_of(frame.token, objects, frame.result_from_ego)
        progress(1)
    return Results(meta=_meta(recording.sensors, recording, config, without), frames=frames)


def _meta(
    sensors: tuple[SensorConfig, ...],
    recording: Recording | BagRecording,
    config: FusionConfig,
    without: Collection[str],
) -> Mapping[str, object]:
    used = {s.kind for s in sensors} - set(without)
    return {
        "frame": recording.result_frame,
        "layout": recording.layout,
        "detector": config.detector,
        "without": sorted(without),
        "use_camera": "camera" in used,
        "use_lidar": "lidar" in used,
        "use_radar": "radar" in used,
        "use_map": False,
        "use_external": False,
    }
