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

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.config import FusionConfig
from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.evaluation.pictures import CONFIDENT, save_png
from mm_fusion.evaluation.runner import RunFrame, run
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.objects import UNKNOWN, Objects
from mm_fusion.preprocess.image import decode
from mm_fusion.records import NS_PER_S, UInt8
from mm_fusion.view.bev import TopView, draw_bev
from mm_fusion.view.overlay import camera_at_image, draw_overlay
from mm_fusion.view.strip import lay_out, write_stamp

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

WIDTH_PX = 960
ABOVE = TopView(range_m=40.0, size_px=600)
MOST = 24
AROUND_S = 3.0  # before and after a frame that is named
FAR_M = 40.0  # tracks farther away would hide each other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """One frame of the run, and whose image of it is drawn."""

    since_s: float  # from the recording's first frame
    frame: RunFrame
    camera: Camera | None  # where it was when it looked; None: seen from above


def strip(
    source: Recording | BagRecording,
    path: Path,
    *,
    config: FusionConfig,
    moments: int,
    token: str | None = None,
    camera: str | None = None,
    frames: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> str:
    """Write a strip of moments, and say in words how many tracks are found again in the next.

    The moments are spread evenly over the recording, or over the 3 s before and after a frame that
    is named. Tracks of road users within 40 m are drawn in the camera's image, or from above where
    there is no camera, if they more likely exist than not.

    Args:
        source: recording to run the pipeline over, once.
        path: the PNG to write.
        config: settings of the pipeline.
        moments: how many.
        token: name of the frame in the middle; None: the whole recording.
        camera: whose images; None: the one that looks ahead.
        frames: only the first so many; None: all.
        progress: called with 1 per frame.

    Raises:
        ConfigError: the number of moments is absurd, or there is no such camera.
        RecordingError: no frame could be read, none is named so, or none has an image.
    """
    if not 1 <= moments <= MOST:
        raise ConfigError(f"--strip is {moments}; it must lie in [1, {MOST}]")
    cameras = sorted(s.name for s in source.sensors if s.kind == "camera")
    if camera is not None and camera not in cameras:
        known = ", ".join(cameras) or "none"
        raise ConfigError(f"--camera {camera}: there is no such camera; known: {known}")
    count = min(len(source), len(source) if frames is None else frames)
    wanted = [camera] if camera else cameras
    run_frames = _drawable(islice(run(source, config), count), wanted, source.layout, progress)
    if token is None:
        places = (np.arange(moments) + 0.5) * count / moments  # the middle of each part
        chosen = list(_spread(run_frames, places.astype(int).tolist()))
    else:
        chosen = _around(run_frames, token, moments, source.layout)
    save_png(path, lay_out([_draw(moment) for moment in chosen]))
    return _tell([_seen(moment) for moment in chosen])


def _drawable(
    frames: Iterator[RunFrame],
    cameras: Collection[str],
    layout: str,
    progress: Callable[[int], object],
) -> Iterator[tuple[int, Moment]]:
    """Number the frames and leave out those without an image, where there are cameras."""
    first_ns, drawable = None, False
    for number, frame in enumerate(frames):
        progress(1)
        first_ns = frame.result.stamp_ns if first_ns is None else first_ns
        since_s = (frame.result.stamp_ns - first_ns) / NS_PER_S
        camera = _ahead(frame, cameras)
        if camera is not None or not cameras:
            drawable = True
            yield number, Moment(since_s=since_s, frame=frame, camera=camera)
    if first_ns is None:
        raise RecordingError(f"{layout}: no frame could be read")
    if not drawable:
        raise RecordingError(f"{layout}: no frame has an image of {', '.join(cameras)}")


def _ahead(frame: RunFrame, cameras: Collection[str]) -> Camera | None:
    """Return that of the cameras with an image which looks ahead most."""
    known = frame.calibration.cameras
    seeing = [known[n] for n in cameras if n in known and n in frame.result.frame.images]
    best = max(seeing, key=lambda camera: camera.ego_from_camera[0, 2], default=None)
    return None if best is None else camera_at_image(best, frame.result.frame)


def _spread(frames: Iterator[tuple[int, Moment]], numbers: list[int]) -> Iterator[Moment]:
    """Pick the frames of these numbers, ascending, or the next one that can be drawn."""
    due = sorted(set(numbers))
    for number, moment in frames:
        if due and number >= due[0]:
            due = [later for later in due if later > number]
            yield moment


def _around(
    frames: Iterator[tuple[int, Moment]], token: str, moments: int, layout: str
) -> list[Moment]:
    """Pick frames evenly in time from just before to just after the one of this name."""
    near: deque[Moment] = deque()
    middle: Moment | None = None
    for _, moment in frames:
        near.append(moment)
        middle = moment if moment.frame.token == token else middle
        if middle is None:
            while moment.since_s - near[0].since_s > AROUND_S:
                near.popleft()
        elif moment.since_s - middle.since_s >= AROUND_S:
            break
    if middle is None:
        last = near[-1].frame.token
        raise RecordingError(f"{layout}: no frame is named {token!r}; the last is {last}")
    if moments == 1:
        return [middle]
    since_s = np.array([moment.since_s for moment in near])
    wanted_s = np.linspace(since_s[0], since_s[-1], moments)
    return [near[row] for row in sorted({int(abs(since_s - at).argmin()) for at in wanted_s})]


def _tracks(moment: Moment) -> Objects:
    tracks = moment.frame.result.tracks
    near = np.hypot(*tracks.centers_ego[:, :2].T) <= FAR_M
    return tracks[near & (tracks.scores >= CONFIDENT) & (tracks.labels != UNKNOWN)]


def _draw(moment: Moment) -> UInt8:
    tracks, frame = _tracks(moment), moment.frame.result.frame
    if moment.camera is None:
        picture = draw_bev(
            points_ego=frame.points_ego,
            radar_ego=np.zeros((0, 3)),
            radial_speed_mps=np.zeros(0),
            radar_ray_ego=np.zeros((0, 3)),
            objects=tracks,
            view=ABOVE,
        )
    else:
        named = replace(tracks, velocities_ego=np.full((len(tracks), 2), np.nan))  # no speeds
        rgb = decode(frame.images[moment.camera.name])
        picture = draw_overlay(rgb, moment.camera, named, width_px=WIDTH_PX)
    write_stamp(picture, moment.since_s)
    return picture


def _seen(moment: Moment) -> frozenset[int]:
    """Return the ids of the tracks whose centres the picture holds."""
    tracks = _tracks(moment)
    if moment.camera is not None:
        _, in_view, _ = project_ego(tracks.centers_ego, moment.camera)
        tracks = tracks[in_view]
    return frozenset(tracks.ids.tolist())


def _tell(ids: list[frozenset[int]]) -> str:
    """Count moments and tracks, and how many of each moment's tracks the next one shows."""
    tracks = len(frozenset().union(*ids))
    words = f"{_counted(len(ids), 'moment')}, {_counted(tracks, 'track')}"
    kept = [f"{len(one & other)} of {len(one)}" for one, other in pairwise(ids)]
    return f"{words}; seen again in the next: {', '.join(kept)}" if kept else words


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
