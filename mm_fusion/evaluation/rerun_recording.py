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

"""A run of the pipeline as a Rerun recording: every frame, to be looked at from all sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from mm_fusion.config import FusionConfig
from mm_fusion.errors import MessageError, RecordingError
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.runner import RunFrame, run
from mm_fusion.preprocess.image import decode
from mm_fusion.records import CameraImage
from mm_fusion.view.rerun_layout import COUNTS, LATENCIES, OFFSETS, layout
from mm_fusion.view.rerun_scene import RerunScene
from mm_fusion.view.rerun_stream import open_file

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

JPEG_QUALITY = 80


def record(
    source: Recording | BagRecording,
    path: Path,
    *,
    config: FusionConfig,
    frames: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Run the pipeline over a recording, write a .rrd file, and return how many frames it holds.

    Args:
        source: what to run over; where it has labels they are written too.
        path: the file to write.
        config: settings of the pipeline.
        frames: only the first so many; None: all.
        progress: called with 1 per frame.

    Raises:
        ConfigError: Rerun is not installed, or the file cannot be written.
        RecordingError: no frame could be read.
    """
    if frames is not None and frames < 1:
        raise RecordingError(f"{frames} frames are none; ask for 1 or more")
    scene = RerunScene(open_file(path))
    try:
        cameras = [sensor.name for sensor in source.sensors if sensor.kind == "camera"]
        scene.arrange(layout(cameras, curves=(COUNTS, OFFSETS, LATENCIES)))
        stamps = {}
        for frame in islice(run(source, config), frames):
            _show(scene, frame)
            stamps[frame.token] = frame.result.stamp_ns
            progress(1)
        for labelled in labelled_frames(source, list(stamps)):
            if labelled.truth is not None:
                scene.set_stamp(stamps[labelled.token])
                scene.show_truth(labelled.truth.objects)
    finally:
        scene.close()
    if not stamps:
        raise RecordingError(f"{source.layout}: no frame could be read")
    return len(stamps)


def compressed(image: CameraImage) -> bytes:
    """Return an image as a JPEG or PNG file; one that is a file already stays as it is.

    Raises:
        MessageError: the pixels cannot be decoded.
    """
    if image.encoding in ("jpeg", "png"):
        return image.data.tobytes()
    bgr = cv2.cvtColor(decode(image), cv2.COLOR_RGB2BGR)
    coded: bytes = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    return coded


def _show(scene: RerunScene, frame: RunFrame) -> None:
    """Log one frame; an image that cannot be decoded is not shown, and said to be missing."""
    images, missing = {}, dict(frame.result.missing)
    for name, image in frame.result.frame.images.items():
        try:
            images[name] = compressed(image)
        except MessageError as error:
            missing[name] = str(error)
    result = replace(frame.result, missing=missing)
    scene.show(
        result,
        frame.calibration,
        images=images,
        offsets_s=frame.offsets_s,
        latencies_s=frame.latencies_s,
    )
