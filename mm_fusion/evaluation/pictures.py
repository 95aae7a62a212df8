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

"""A frame as a picture: from above, and from each camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig
from mm_fusion.errors import RecordingError
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.results import Results, objects_of
from mm_fusion.evaluation.runner import RunFrame, run
from mm_fusion.geometry.rigid import invert, transform
from mm_fusion.objects import FusionResult, Objects
from mm_fusion.preprocess.image import decode
from mm_fusion.records import Float64, UInt8
from mm_fusion.view.bev import NO_TRAILS, draw_bev
from mm_fusion.view.colors import BACKGROUND
from mm_fusion.view.overlay import draw_camera
from mm_fusion.view.trails import Trails

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

OVERLAY_PX = 960
CONFIDENT = 0.5  # existence of a track, below which it is not drawn
WIDEST = 2  # of all the cameras' views, in heights of the picture


def draw_frame(
    result: FusionResult,
    calibration: Calibration,
    *,
    objects: Objects,
    truth: Objects | None = None,
    trails: Mapping[int, Float64] = NO_TRAILS,
    title: str = "",
) -> UInt8:
    """Draw one frame from above, with the cameras' views beside it, (H, W, 3) RGB."""
    frame = result.frame
    above = draw_bev(
        points_ego=frame.points_ego,
        radar_ego=frame.radar_ego,
        radial_speed_mps=frame.radial_speed_mps,
        radar_ray_ego=frame.radar_ray_ego,
        objects=objects,
        truth=truth,
        trails=trails,
        title=title,
    )
    views = [
        draw_camera(
            decode(frame.images[name]),
            calibration.cameras[name],
            frame,
            objects,
            width_px=OVERLAY_PX,
        )
        for name in sorted(frame.images)
        if name in calibration.cameras
    ]
    return _beside(above, views)


def picture(
    source: Recording | BagRecording,
    path: Path,
    *,
    config: FusionConfig,
    results: Results | None = None,
    token: str | None = None,
    tracks: bool = False,
) -> str:
    """Write a picture of one frame of a recording, and return the frame's name.

    Args:
        source: what to draw.
        path: the PNG to write.
        config: settings of the pipeline that runs up to that frame.
        results: draw the objects of these instead of the pipeline's.
        token: name of the frame; None: the one in the middle.
        tracks: draw the pipeline's tracks that more likely exist than not, and their ways, instead
            of its detections.

    Raises:
        RecordingError: there is no such frame, or none at all.
    """
    run_frame, trails = _find(source, config, token)
    labelled = next(iter(labelled_frames(source, [run_frame.token])), None)
    objects = run_frame.result.detections
    if tracks:
        objects = run_frame.result.tracks
        objects = objects[objects.scores >= CONFIDENT]
        trails = {ident: way for ident, way in trails.items() if ident in objects.ids}
    if results is not None:
        objects = objects_of(
            results.frames.get(run_frame.token, ()), invert(run_frame.result_from_ego)
        )
    image = draw_frame(
        run_frame.result,
        run_frame.calibration,
        objects=objects,
        truth=labelled.truth.objects if labelled and labelled.truth else None,
        trails=trails if tracks else NO_TRAILS,
        title=f"{source.layout} {run_frame.token}",
    )
    save_png(path, image)
    return run_frame.token


def results_picture(results: Results, path: Path, token: str | None = None) -> str:
    """Write a picture of the boxes of one frame of a results file alone, and return its name.

    Args:
        results: of any frame of reference; of boxes on a map the middle one is the centre.
        path: the PNG to write.
        token: name of the frame; None: the one in the middle.

    Raises:
        RecordingError: there is no such frame, or none at all.
    """
    names = list(results.frames)
    if not names:
        raise RecordingError("the results hold no frame")
    token = names[len(names) // 2] if token is None else token
    if token not in results.frames:
        raise RecordingError(f"no frame is named {token!r}; the last is {names[-1]}")
    objects = objects_of(results.frames[token], np.eye(4))
    if results.meta.get("frame") == "global" and len(objects):
        objects = replace(
            objects, centers_ego=objects.centers_ego - np.median(objects.centers_ego, axis=0)
        )
    nothing = np.zeros((0, 3))
    drawn = draw_bev(
        points_ego=nothing,
        radar_ego=nothing,
        radial_speed_mps=np.zeros(0),
        radar_ray_ego=nothing,
        objects=objects,
        title=f"{results.meta.get('layout', 'results')} {token}",
    )
    save_png(path, drawn)
    return token


def _find(
    source: Recording | BagRecording, config: FusionConfig, token: str | None
) -> tuple[RunFrame, Mapping[int, Float64]]:
    """Run the pipeline up to the frame wanted; what came before gives it pose, tracks, trails."""
    last, trails = None, Trails()
    for number, last in enumerate(run(source, config)):
        result, tracks = last.result, last.result.tracks
        trails.add(result.stamp_ns, tracks.ids, transform(result.odom_from_ego, tracks.centers_ego))
        if last.token == token or (token is None and number >= len(source) // 2):
            return last, _seen_from(trails, result.odom_from_ego)
    if last is None:
        raise RecordingError(f"{source.layout}: no frame could be read")
    if token is not None:
        raise RecordingError(
            f"{source.layout}: no frame is named {token!r}; the last is {last.token}"
        )
    return last, _seen_from(trails, last.result.odom_from_ego)


def _seen_from(trails: Trails, odom_from_ego: Float64) -> dict[int, Float64]:
    ego_from_odom = invert(odom_from_ego)
    return {ident: transform(ego_from_odom, way) for ident, way in trails.strips().items()}


def save_png(path: Path, rgb: UInt8) -> None:
    """Write a picture (H, W, 3), whatever the file's name ends in."""
    _, coded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(coded.tobytes())


def _beside(left: UInt8, right: Sequence[UInt8]) -> UInt8:
    """Put pictures beside the first, in the grid that shows them largest."""
    if not right:
        return left
    height, count = left.shape[0], len(right)
    aspect = max(view.shape[1] / view.shape[0] for view in right)

    def width(columns: int) -> int:
        rows = -(-count // columns)
        return int(min(WIDEST * height / columns, height / rows * aspect))

    columns = max(range(1, count + 1), key=width)
    wide, high = width(columns), int(width(columns) / aspect)
    canvas = np.full((height, columns * wide, 3), BACKGROUND, np.uint8)
    for number, view in enumerate(right):
        row, column = divmod(number, columns)
        fitted = (wide, min(round(view.shape[0] * wide / view.shape[1]), height))
        scaled = cv2.resize(view, fitted, interpolation=cv2.INTER_AREA)[:high]
        top, start = row * high, column * wide
        canvas[top : top + len(scaled), start : start + wide] = scaled
    return np.concatenate([left, canvas], axis=1)
