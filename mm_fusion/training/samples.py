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

"""Labelled frames in memory: what a training reads once and sees many times.

Axis letters: H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.config import FusionConfig
from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.evaluation.labels import labelled_frames
from mm_fusion.evaluation.runner import run
from mm_fusion.geometry.rigid import invert
from mm_fusion.model.image_inputs import fitted_image, fitted_intrinsics
from mm_fusion.objects import Truth
from mm_fusion.preprocess.image import decode
from mm_fusion.records import EgoFrame, Float64, UInt8

if TYPE_CHECKING:
    from mm_fusion.calibration import Calibration
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingImage:
    """One camera's picture in the network's size, without a lens."""

    rgb: UInt8  # (H, W, 3)
    intrinsics: Float64  # (3, 3) px; pixel centres at whole coordinates
    ego_from_camera: Float64  # (4, 4) of the optical axes, at the frame's stamp


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One labelled frame."""

    token: str
    frame: EgoFrame  # its own images taken out: they are in `images`
    truth: Truth
    images: Mapping[str, TrainingImage]


def load_samples(
    source: Recording | BagRecording,
    image_px: tuple[int, int],
    *,
    tokens: Collection[str] | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> list[Sample]:
    """Read every labelled frame of a recording as the pipeline sees it.

    Args:
        source: data set or bag.
        image_px: width and height of the network's images.
        tokens: names of the frames wanted; None: all.
        progress: called with 1 per frame.

    Raises:
        RecordingError: no frame is labelled.
    """
    seen: dict[str, tuple[EgoFrame, dict[str, TrainingImage]]] = {}
    for one in run(source, FusionConfig(), tokens=tokens):
        frame = one.result.frame
        seen[one.token] = replace(frame, images={}), _images(frame, one.calibration, image_px)
        progress(1)
    samples = [
        Sample(
            token=one.token,
            frame=seen[one.token][0],
            truth=one.truth,
            images=seen[one.token][1],
        )
        for one in labelled_frames(source, list(seen))
        if one.truth is not None
    ]
    if not samples:
        raise RecordingError(f"none of the {len(seen)} frames of {source.layout} is labelled")
    return samples


def _images(
    frame: EgoFrame, calibration: Calibration, image_px: tuple[int, int]
) -> dict[str, TrainingImage]:
    images = {}
    for name, picture in frame.images.items():
        if name in calibration.cameras:
            camera = calibration.cameras[name]
            moved = invert(frame.image_stamp_from_frame[name])
            images[name] = TrainingImage(
                rgb=fitted_image(decode(picture), camera, image_px),
                intrinsics=fitted_intrinsics(camera, image_px),
                ego_from_camera=moved @ camera.ego_from_camera,
            )
    return images


def parts(
    tokens: Sequence[str], folds: int, fold: int, *, seed: int | None = None
) -> tuple[list[str], list[str]]:
    """Cut frames into what is learnt from and what is kept out.

    Args:
        tokens: names of the frames, in the order of time.
        folds: how many parts.
        fold: number of the part that is kept out; -1: none.
        seed: None: parts are runs of consecutive frames, as neighbours look alike; else at random.

    Raises:
        ConfigError: there is no part of that number.
    """
    if fold >= folds:
        raise ConfigError(f"data.fold is {fold}; of {folds} folds the last is {folds - 1}")
    order = np.arange(len(tokens))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    held = set(np.array_split(order, folds)[fold].tolist()) if fold >= 0 else set()
    return (
        [t for k, t in enumerate(tokens) if k not in held],
        [t for k, t in enumerate(tokens) if k in held],
    )
