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

"""What the head should say: heat around each centre, and the box in the cells near it.

Source: Zhou, Wang and Krahenbuhl, "Objects as Points", 2019 (heat, its spread by the size of the
object).

Axis letters: B frames, N objects of all frames, K classes, C channels, X, Y cells; P cells that
have a box to learn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model import outputs as o

REACH = 1  # cells around the centre's that learn its box too
SPREAD_PER_SIZE = 1 / 6  # standard deviation of the heat, of the mean of length and width
LEAST_SPREAD_CELLS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledBoxes:
    """The true boxes of a batch, in ego."""

    frame: torch.Tensor  # (N,) int64 index in the batch
    label: torch.Tensor  # (N,) int64 index into the network's classes
    boxes: torch.Tensor  # (N, 7) x, y, z of the centre, length, width, height, yaw
    velocity: torch.Tensor  # (N, 2) m/s; NaN unknown
    ground: torch.Tensor  # (N,) m, height of the ground below each; NaN unknown
    ignored: torch.Tensor  # (N,) bool: neither object nor background

    def to(self, device: torch.device) -> LabelledBoxes:
        """Return the boxes on a device."""
        return LabelledBoxes(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """What a head should say of a batch."""

    heat: torch.Tensor  # (B, K, X, Y) in [0, 1]
    counted: torch.Tensor  # (B, 1, X, Y) bool: cells that the heat is learnt in
    frame: torch.Tensor  # (P,)
    cell: torch.Tensor  # (P, 2)
    box: torch.Tensor  # (P, C) with NaN where unknown
    weight: torch.Tensor  # (P,) less away from the centre
    truth: torch.Tensor  # (P, 7) the box in ego
    objects: int


def targets_of(labelled: LabelledBoxes, grid: BevGrid, frames: int, classes: int) -> Targets:
    """Spread labels over the cells of a grid; centres outside it are left out."""
    x_cells, y_cells = grid.shape
    device = labelled.boxes.device
    place = _places(labelled.boxes, grid)  # (N, 2) in cells, 0 at the first cell's edge
    size = torch.tensor([x_cells, y_cells], device=device)
    inside = ((place >= 0) & (place < size)).all(dim=1)
    heat = torch.zeros(frames, classes, x_cells, y_cells, device=device)
    counted = torch.ones(frames, 1, x_cells, y_cells, dtype=torch.bool, device=device)
    for row in torch.nonzero(inside).flatten().tolist():
        frame, label = int(labelled.frame[row]), int(labelled.label[row])
        spread = labelled.boxes[row, 3:5].mean() * SPREAD_PER_SIZE / grid.cell_m
        blob = _blob(place[row], spread.clamp(min=LEAST_SPREAD_CELLS), x_cells, y_cells)
        if labelled.ignored[row]:
            counted[frame, 0] &= blob < 0.1
        else:
            heat[frame, label] = torch.maximum(heat[frame, label], blob)
    real = inside & ~labelled.ignored
    return Targets(
        heat=heat, counted=counted, objects=int(real.sum()), **_boxes(labelled, place, real, grid)
    )


def _places(boxes: torch.Tensor, grid: BevGrid) -> torch.Tensor:
    corner = torch.tensor([grid.x_min_m, grid.y_min_m], device=boxes.device, dtype=boxes.dtype)
    return (boxes[:, :2] - corner) / grid.cell_m


def _blob(place: torch.Tensor, spread: torch.Tensor, x_cells: int, y_cells: int) -> torch.Tensor:
    """Return a bell (X, Y) that is 1 in the cell that holds the centre."""
    x = torch.arange(x_cells, device=place.device) - place[0].floor()
    y = torch.arange(y_cells, device=place.device) - place[1].floor()
    return torch.exp(-(x[:, None] ** 2 + y[None, :] ** 2) / (2 * spread**2))


def _boxes(
    labelled: LabelledBoxes, place: torch.Tensor, real: torch.Tensor, grid: BevGrid
) -> dict[str, torch.Tensor]:
    """Return frame, cell, box, weight and truth of every cell that learns a box."""
    device = place.device
    steps = torch.arange(-REACH, REACH + 1, device=device)
    around = torch.cartesian_prod(steps, steps)  # (S, 2)
    rows = torch.nonzero(real).flatten()
    cells = (place[rows].floor().long()[:, None] + around[None]).reshape(-1, 2)  # (N * S, 2)
    rows = rows.repeat_interleave(len(around))
    size = torch.tensor(grid.shape, device=device)
    kept = ((cells >= 0) & (cells < size)).all(dim=1)
    rows, cells = rows[kept], cells[kept]
    offset = place[rows] - (cells + 0.5)
    rows, cells, offset = _nearest(labelled.frame, rows, cells, offset)
    return {
        "frame": labelled.frame[rows],
        "cell": cells,
        "box": _channels(labelled, rows, offset),
        "weight": torch.exp(-(offset**2).sum(dim=1)),
        "truth": labelled.boxes[rows],
    }


def _nearest(
    frame: torch.Tensor, rows: torch.Tensor, cells: torch.Tensor, offset: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keep for each cell of a frame the object whose centre is nearest."""
    order = torch.argsort((offset**2).sum(dim=1), stable=True)
    rows, cells, offset = rows[order], cells[order], offset[order]
    seen: set[tuple[int, ...]] = set()
    first = []
    for index, key in enumerate(torch.column_stack([frame[rows], cells]).tolist()):
        if tuple(key) not in seen:
            seen.add(tuple(key))
            first.append(index)
    return rows[first], cells[first], offset[first]


def _channels(labelled: LabelledBoxes, rows: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Return the head's channels (P, C); those not learnt from a value are NaN."""
    boxes = labelled.boxes[rows]
    bottom = boxes[:, 2] - boxes[:, 5] / 2
    yaw = boxes[:, 6]
    told = torch.full((len(rows), o.BOX_CHANNELS), torch.nan, device=boxes.device)
    told[:, o.OFFSET] = offset
    told[:, o.BOTTOM_RISE] = (bottom - labelled.ground[rows])[:, None]
    told[:, o.BOTTOM] = bottom[:, None]
    told[:, o.LOG_SIZE] = boxes[:, 3:6].log()
    told[:, o.AXIS] = torch.stack([torch.cos(2 * yaw), torch.sin(2 * yaw)], dim=1)
    told[:, o.FRONT] = (torch.cos(yaw) > 0).to(told.dtype)[:, None]
    told[:, o.VELOCITY] = labelled.velocity[rows]
    return told
