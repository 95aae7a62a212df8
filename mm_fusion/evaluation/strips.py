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

"""A strip of pictures, moments of one recording in a row: do tracks keep their names?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mm_fusion.config import FusionConfig
from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.evaluation.pictures import CONFIDENT, save_png
from mm_fusion.evaluation.runner import RunFrame, run
from mm_fusion.objects import UNKNOWN, Objects
from mm_fusion.preprocess.image import decode
from mm_fusion.records import NS_PER_S, UInt8
from mm_fusion.view.bev import TEXT, TopView, draw_bev
from mm_fusion.view.labels import FONT
from mm_fusion.view.overlay import camera_at_image, draw_overlay

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

WIDTH_PX = 960
ABOVE = TopView(range_m=40.0, size_px=600)
COLUMNS = 2
GAP_PX = 4
MOST = 24
FAR_M = 40.0  # tracks farther away would hide each other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """One picture, and which tracks are in it."""

    stamp_ns: int
    picture: UInt8  # (H, W, 3)
    ids: frozenset[int]


def strip(
    source: Recording | BagRecording,
    path: Path,
    *,
    config: FusionConfig,
    moments: int,
    camera: str | None = None,
    frames: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> str:
    """Write a strip of moments spread evenly over a recording, and say in words what it shows.

    Tracks of road users within 40 m are drawn in the camera's image, or from above where there is
    none, if they more likely exist than not.

    Args:
        source: recording to run the pipeline over.
        path: the PNG to write.
        config: settings of the pipeline.
        moments: how many.
        camera: whose images; None: the first.
        frames: only the first so many; None: all.
        progress: called with 1 per frame.

    Raises:
        ConfigError: the number of moments is absurd, or there is no such camera.
        RecordingError: no frame could be read.
    """
    if not 1 <= moments <= MOST:
        raise ConfigError(f"--strip is {moments}; it must lie in [1, {MOST}]")
    cameras = sorted(s.name for s in source.sensors if s.kind == "camera")
    if camera is not None and camera not in cameras:
        known = ", ".join(cameras) or "none"
        raise ConfigError(f"--camera {camera}: there is no such camera; known: {known}")
    camera = camera or next(iter(cameras), None)
    count = min(len(source), frames or len(source))
    places = (np.arange(moments) + 0.5) * count / moments  # the middle of each part
    wanted = set(places.astype(int).tolist())
    drawn = list(_moments(islice(run(source, config), count), wanted, camera, progress))
    if not drawn:
        raise RecordingError(f"{source.layout}: no frame could be read")
    save_png(path, _rows(drawn))
    kept = [len(a.ids & b.ids) for a, b in pairwise(drawn)]
    seen = len(frozenset.union(*(moment.ids for moment in drawn)))
    stay = f", of each {', '.join(map(str, kept))} are in the next one too" if kept else ""
    return f"{len(drawn)} moments, {seen} tracks{stay}"


def _moments(
    frames: Iterator[RunFrame],
    wanted: set[int],
    camera: str | None,
    progress: Callable[[int], object],
) -> Iterator[Moment]:
    first_ns = None
    for number, frame in enumerate(frames):
        first_ns = frame.result.stamp_ns if first_ns is None else first_ns
        progress(1)
        if number in wanted:
            drawn = _draw(frame, camera, (frame.result.stamp_ns - first_ns) / NS_PER_S)
            if drawn is not None:
                yield drawn


def _draw(frame: RunFrame, camera: str | None, since_s: float) -> Moment | None:
    """Draw one moment; None where the camera has no image of it."""
    result, tracks = frame.result, frame.result.tracks
    near = np.hypot(*tracks.centers_ego[:, :2].T) <= FAR_M
    tracks = tracks[near & (tracks.scores >= CONFIDENT) & (tracks.labels != UNKNOWN)]
    if camera is None:
        nothing = np.zeros((0, 3))
        picture = draw_bev(
            points_ego=result.frame.points_ego,
            radar_ego=nothing,
            radial_speed_mps=np.zeros(0),
            radar_ray_ego=nothing,
            objects=tracks,
            view=ABOVE,
        )
    elif camera in result.frame.images and camera in frame.calibration.cameras:
        at_image = camera_at_image(frame.calibration.cameras[camera], result.frame)
        named = replace(tracks, velocities_ego=np.full((len(tracks), 2), np.nan))
        rgb = decode(result.frame.images[camera])
        picture = draw_overlay(rgb, at_image, named, width_px=WIDTH_PX)
    else:
        return None
    at = (10, picture.shape[0] - 12)
    cv2.putText(picture, f"{since_s:.1f} s", at, FONT, 0.7, TEXT, 2, cv2.LINE_AA)
    return Moment(stamp_ns=result.stamp_ns, picture=picture, ids=_ids(tracks))


def _ids(tracks: Objects) -> frozenset[int]:
    return frozenset(tracks.ids.tolist())


def _rows(moments: list[Moment]) -> UInt8:
    """Lay the pictures out row by row, in reading order."""
    height, width = moments[0].picture.shape[:2]
    columns = min(COLUMNS, len(moments))
    rows = -(-len(moments) // columns)
    shape = (rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3)
    canvas = np.zeros(shape, np.uint8)
    for number, moment in enumerate(moments):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP_PX), column * (width + GAP_PX)
        canvas[top : top + height, left : left + width] = moment.picture[:height, :width]
    return canvas
