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

"""The head's maps into objects: peaks of the heat, their boxes, the best of those that overlap.

Sources: Yin, Zhou and Krahenbuhl, "Center-based 3D Object Detection and Tracking", CVPR 2021
(peaks); Hu et al., "AFDetV2", AAAI 2022 (score corrected by the overlap the head expects).

Axis letters: B frames, K classes, C channels, X, Y cells; P peaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from mm_fusion.geometry.boxes import iou_bev
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model import outputs as o
from mm_fusion.model.boxes import size_of, yaw_of
from mm_fusion.model.outputs import HeadMaps
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.records import Float64, Int64

UNMEASURED = 100.0  # (m/s)^2, variance of a velocity that nothing tells


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeConfig:
    """How maps become objects."""

    least_score: float = 0.05
    most_objects: int = 200  # of a frame, before those that overlap are thinned out
    overlap: float = 0.2  # of footprints: of two boxes that share more, the better one stays
    overlap_power: float = 0.5  # of the expected overlap in the score; 0: the heat alone
    velocity: bool = False  # the network learnt velocities


def decode(
    maps: HeadMaps,
    grid: BevGrid,
    classes: Sequence[str],
    planes: Float64,
    config: DecodeConfig,
) -> list[Objects]:
    """Return the objects of each frame, best first, in ego.

    Args:
        maps: of one head.
        grid: of the maps.
        classes: names of the heat's channels.
        planes: (B, 3) a, b, c of the ground z = a x + b y + c; NaN where it is not known.
        config: what is kept.
    """
    heat = torch.sigmoid(maps.heat.float())
    peaks = heat * (F.max_pool2d(heat, 3, stride=1, padding=1) == heat)
    expected = torch.sigmoid(maps.box[:, o.IOU].float())  # (B, 1, X, Y)
    scores = peaks ** (1 - config.overlap_power) * expected**config.overlap_power
    scores = torch.where(peaks > 0, scores, 0.0)
    found = []
    for frame in range(len(heat)):
        flat = scores[frame].flatten()
        count = min(config.most_objects, int((flat >= config.least_score).sum()))
        best, where = flat.topk(count)
        label, cell = where // heat[0, 0].numel(), where % heat[0, 0].numel()
        x, y = cell // heat.shape[3], cell % heat.shape[3]
        said = maps.box[frame, :, x, y].T.float()  # (P, C)
        cells = torch.stack([x, y], dim=1).cpu().numpy()
        names = np.array([CLASSES.index(name) for name in classes], np.int64)[label.cpu().numpy()]
        objects = _objects(
            said, cells, names, best.double().cpu().numpy(), grid, planes[frame], config
        )
        found.append(objects[thinned(objects, config.overlap)])
    return found


def _objects(
    said: torch.Tensor,
    cells: Int64,
    labels: Int64,
    scores: Float64,
    grid: BevGrid,
    plane: Float64,
    config: DecodeConfig,
) -> Objects:
    values = said.double().cpu().numpy()
    corner = np.array([grid.x_min_m, grid.y_min_m])
    place = corner + (cells + 0.5 + values[:, o.OFFSET]) * grid.cell_m
    size = size_of(said).double().cpu().numpy()
    bottom = values[:, o.BOTTOM][:, 0]
    if np.isfinite(plane).all():
        bottom = place @ plane[:2] + plane[2] + values[:, o.BOTTOM_RISE][:, 0]
    boxes = np.column_stack(
        [place, bottom + size[:, 2] / 2, size, yaw_of(said).double().cpu().numpy()]
    )
    variance = np.exp(np.clip(values[:, o.LOG_VARIANCE][:, 0], -7.0, 4.0))
    covariances = np.zeros((len(values), 4, 4))
    covariances[:, [0, 1], [0, 1]] = variance[:, None]
    covariances[:, [2, 3], [2, 3]] = 1.0 if config.velocity else UNMEASURED
    velocities = values[:, o.VELOCITY] if config.velocity else np.full((len(values), 2), np.nan)
    return Objects.of_boxes(
        boxes,
        scores=np.clip(scores, 0.0, 1.0),
        labels=labels,
        velocities_ego=velocities,
        covariances=covariances,
    )


def thinned(objects: Objects, overlap: float) -> Int64:
    """Return the rows that stay (P',) of objects sorted best first: no two share much ground."""
    boxes = objects.boxes
    shared = iou_bev(boxes, boxes) > overlap
    gone = np.zeros(len(boxes), np.bool_)
    for row in range(len(boxes)):
        if not gone[row]:
            gone[row + 1 :] |= shared[row, row + 1 :]
    return np.flatnonzero(~gone)
