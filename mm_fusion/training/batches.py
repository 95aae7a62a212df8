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

"""Samples into what the network takes and what it should say of them.

Axis letters: B frames, M modalities, N objects of all frames, I images of all frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mm_fusion.detection.ground_plane import ground_plane
from mm_fusion.detection.late_heads import only
from mm_fusion.geometry.boxes import inside
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.inputs import MODALITIES, BevInputs, CameraInputs, batch_of
from mm_fusion.model.targets import LabelledBoxes
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.records import Bool, EgoFrame, Float64, Int64
from mm_fusion.training.samples import Sample

SEEN_MARGIN_M = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Some frames and their labels."""

    inputs: BevInputs
    labelled: LabelledBoxes
    window: BevGrid  # of the pillars; what lies outside is not learnt

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return replace(self, inputs=self.inputs.to(device), labelled=self.labelled.to(device))


def batch_of_samples(
    samples: Sequence[Sample], classes: Sequence[str], hidden: Bool, window: BevGrid
) -> Batch:
    """Make a batch.

    Objects that none of a frame's sensors can have seen are neither objects nor background.

    Args:
        samples: B of them.
        classes: names of the network's; objects of other classes are neither, too.
        hidden: (B, M) modalities that are taken away, in the order of MODALITIES.
        window: part of the grid.
    """
    modalities = np.array(MODALITIES)
    frames = [
        only(sample.frame, modalities[~hide].tolist())
        for sample, hide in zip(samples, hidden, strict=True)
    ]
    planes = np.array([ground_plane(frame) for frame in frames]).reshape(-1, 3)
    labels = [
        _labels_of(number, sample, frame, plane, classes)
        for number, (sample, frame, plane) in enumerate(zip(samples, frames, planes, strict=True))
    ]
    return Batch(
        window=window,
        inputs=batch_of(frames, planes, _cameras(samples, frames)),
        labelled=LabelledBoxes(
            **{
                name: torch.cat([getattr(part, name) for part in labels])
                for name in LabelledBoxes.__dataclass_fields__
            }
        ),
    )


def _cameras(samples: Sequence[Sample], frames: Sequence[EgoFrame]) -> CameraInputs | None:
    owned = [
        (number, image)
        for number, (sample, frame) in enumerate(zip(samples, frames, strict=True))
        if "camera" in frame.present_kinds
        for _, image in sorted(sample.images.items())
    ]
    if not owned:
        return None
    pictures = np.stack([image.rgb for _, image in owned]).transpose(0, 3, 1, 2)
    return CameraInputs(
        images=torch.from_numpy(pictures.astype(np.float32) / 255),
        frame=torch.tensor([number for number, _ in owned]),
        intrinsics=_float_tensor([image.intrinsics for _, image in owned]),
        ego_from_camera=_float_tensor([image.ego_from_camera for _, image in owned]),
    )


def _float_tensor(matrices: Sequence[Float64]) -> torch.Tensor:
    return torch.from_numpy(np.stack(matrices).astype(np.float32))


def _labels_of(
    number: int, sample: Sample, frame: EgoFrame, plane: Float64, classes: Sequence[str]
) -> LabelledBoxes:
    truth = sample.truth
    objects = Objects.joined(truth.objects, truth.ignored)
    index = {CLASSES.index(name): k for k, name in enumerate(classes)}
    label = np.array([index.get(int(one), -1) for one in objects.labels], np.int64)
    unseen = np.zeros(len(objects), np.bool_)
    if "camera" not in frame.present_kinds:
        unseen = _hits(objects, frame) == 0
    scored = np.arange(len(objects)) < len(truth.objects)
    xy = objects.centers_ego[:, :2]
    return LabelledBoxes(
        frame=torch.full((len(objects),), number),
        label=torch.from_numpy(np.maximum(label, 0)),
        boxes=torch.from_numpy(objects.boxes.astype(np.float32)),
        velocity=torch.from_numpy(objects.velocities_ego.astype(np.float32)),
        ground=torch.from_numpy((xy @ plane[:2] + plane[2]).astype(np.float32)),
        ignored=torch.from_numpy(unseen | (label < 0) | ~scored),
    )


def _hits(objects: Objects, frame: EgoFrame) -> Int64:
    """Count the points and returns (K,) in each box."""
    points = np.concatenate([frame.points_ego, frame.radar_ego])
    return np.array([inside(points, box, SEEN_MARGIN_M).sum() for box in objects.boxes], np.int64)


def window_of(
    grid: BevGrid, size_m: tuple[float, float], step: int, rng: np.random.Generator
) -> BevGrid:
    """Draw a part of a grid.

    Args:
        grid: the whole.
        size_m: along x and y, at most; 0: all.
        step: cells of which it is a multiple, and begins at one.
        rng: draws where.
    """
    lows, highs = (grid.x_min_m, grid.y_min_m), (grid.x_max_m, grid.y_max_m)
    bounds = []
    for low, high, size in zip(lows, highs, size_m, strict=True):
        unit = step * grid.cell_m
        units = round((high - low) / unit)
        taken = min(max(1, round(size / unit)), units) if size else units
        first = int(rng.integers(units - taken + 1))
        bounds.append((low + first * unit, low + (first + taken) * unit))
    (x_min, x_max), (y_min, y_max) = bounds
    return BevGrid(x_min_m=x_min, x_max_m=x_max, y_min_m=y_min, y_max_m=y_max, cell_m=grid.cell_m)
