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

"""Shows the calibration: LiDAR and radar drawn into each camera's image amid the bag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.errors import MessageError
from mm_fusion.evaluation.check_findings import Finding, duration, remark, warning
from mm_fusion.evaluation.check_reading import Reading
from mm_fusion.evaluation.pictures import save_png
from mm_fusion.evaluation.synchronized import synchronized
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.localization.estimate import PoseEstimate
from mm_fusion.localization.localizer import Localizer
from mm_fusion.objects import Objects
from mm_fusion.preprocess.align import align
from mm_fusion.preprocess.image import decode
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.records import NS_PER_S, EgoFrame, SensorFrame, UInt8
from mm_fusion.view.colors import TRUTH
from mm_fusion.view.labels import draw_label
from mm_fusion.view.overlay import FAR_DEPTH_M, camera_at_image, draw_overlay

WIDTH_PX = 1280  # of the pictures, where the images are not smaller
DRAWN = {"lidar": "LiDAR points", "radar": "radar returns"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame with all it takes to bring its records together."""

    frame: SensorFrame
    calibration: Calibration
    pose: PoseEstimate


def draw_overlays(
    bag: BagRecording, reading: Reading, out: Path
) -> tuple[tuple[Path, ...], tuple[Finding, ...]]:
    """Write `<camera>_lidar.png` and `<camera>_radar.png` of every camera.

    Each shows the frame nearest the middle of the camera's images that has both.

    Returns:
        files: what was written.
        findings: what could not be drawn and why, and what the pictures show.
    """
    files: list[Path] = []
    findings: list[Finding] = []
    kinds = [kind for kind in DRAWN if any(s.kind == kind for s in reading.sensors)]
    cameras = [s for s in reading.sensors if s.kind == "camera"]
    if not kinds or not cameras:
        return (), (remark("overlays", "none: they take a camera and a LiDAR or radar"),)
    moments = _middle_moments(bag, reading, [(c, kind) for c in cameras for kind in kinds])
    for (name, kind), moment in moments.items():
        path = out / f"{name}_{kind}.png"
        if moment is None:
            findings.append(_unmet(path, name, kind))
            continue
        drawn = _overlay(moment, reading.sensors, name, kind)
        if isinstance(drawn, str):
            findings.append(warning(path.name, f"not drawn: {drawn}"))
            continue
        picture, count = drawn
        save_png(path, picture)
        files.append(path)
        if not count:
            findings.append(_none_in_view(path, name, kind))
    return tuple(files), tuple(findings)


def _unmet(path: Path, camera: str, kind: str) -> Finding:
    tolerance_s = FusionConfig().sync.tolerance_s
    return warning(
        path.name,
        f"not drawn: no image of {camera} lies within {tolerance_s:g} s of {DRAWN[kind]}; see "
        "their stamps",
    )


def _none_in_view(path: Path, camera: str, kind: str) -> Finding:
    say = warning if kind == "lidar" else remark
    return say(
        path.name,
        f"no {DRAWN[kind]} fall into the image of {camera}; unless they look different ways, their "
        "transforms are wrong",
    )


def _middle_moments(
    bag: BagRecording, reading: Reading, pairs: Sequence[tuple[SensorConfig, str]]
) -> dict[tuple[str, str], Moment | None]:
    """Return for each camera and kind the moment nearest the camera's middle that has both."""
    middles = {
        camera.name: int(np.median(stamps))
        for camera, _ in pairs
        if (stamps := reading.log_of(camera).stamp_ns)
    }
    kind_of = {s.name: s.kind for s in reading.sensors}
    best: dict[tuple[str, str], Moment | None] = {(c.name, kind): None for c, kind in pairs}
    off_ns: dict[tuple[str, str], float] = dict.fromkeys(best, np.inf)
    for moment in _moments(bag):
        present = moment.frame.records
        kinds = {kind_of[name] for name in present}
        for name, kind in best:
            away_ns = abs(moment.frame.stamp_ns - middles.get(name, 0))
            if name in present and kind in kinds and away_ns < off_ns[name, kind]:
                best[name, kind], off_ns[name, kind] = moment, away_ns
        passed_ns = {pair: moment.frame.stamp_ns - middles.get(pair[0], 0) for pair in best}
        if all(passed_ns[pair] > off_ns[pair] for pair in best):
            break  # stamps rise: none that follows is nearer
    return best


def _moments(bag: BagRecording) -> Iterator[Moment]:
    """Synchronise and localize as the pipeline does; nothing is detected."""
    config = FusionConfig(sensors=bag.sensors)
    localizer = Localizer(config.localizer)

    def calibrate(calibration: Calibration) -> None:
        localizer.calibrate(calibration, config.sensors)

    for frame, calibration in synchronized(
        bag, config, calibrate=calibrate, observe=localizer.observe
    ):
        yield Moment(frame, calibration, localizer.pose_at(frame.stamp_ns))


def _overlay(
    moment: Moment, sensors: Sequence[SensorConfig], name: str, kind: str
) -> tuple[UInt8, int] | str:
    """Return the picture and how many points are in it, or why there is none."""
    by_name: Mapping[str, SensorConfig] = {s.name: s for s in sensors}
    ego = align(
        moment.frame,
        moment.calibration,
        by_name,
        map_from_ego=moment.pose.map_from_ego,
        motion=moment.pose.motion,
    )
    unplaced = [s for s in moment.frame.records if s == name or by_name[s].kind == kind]
    if lacking := [f"{s} has {ego.missing[s]}" for s in unplaced if s in ego.missing]:
        return "; ".join(lacking)
    try:
        rgb = decode(ego.images[name])
    except MessageError as error:
        return str(error)
    return _drawn(rgb, ego, moment.calibration.cameras[name], kind)


def _drawn(rgb: UInt8, ego: EgoFrame, camera: Camera, kind: str) -> tuple[UInt8, int]:
    moved = camera_at_image(camera, ego)
    points = ego.points_ego if kind == "lidar" else ego.radar_ego
    points = points[project_ego(points.astype(np.float64), moved)[1]]
    picture = draw_overlay(
        rgb,
        moved,
        Objects.none(),
        points_ego=points if kind == "lidar" else None,
        radar_ego=points if kind == "radar" else None,
        width_px=min(WIDTH_PX, rgb.shape[1]),
    )
    draw_label(picture, _caption(ego, camera.name, kind, len(points)), (4, 24), TRUTH, scale=0.5)
    return picture, len(points)


def _caption(ego: EgoFrame, camera: str, kind: str, count: int) -> str:
    apart_s = (ego.images[camera].stamp_ns - ego.stamp_ns) / NS_PER_S
    when = f"{duration(abs(apart_s))} {'before' if apart_s < 0 else 'after'} them"
    colors = f" (red near, blue from {FAR_DEPTH_M:g} m)" if kind == "lidar" else ""
    return f"{camera}: {count} {DRAWN[kind]}{colors}, image {when if apart_s else 'at their stamp'}"
