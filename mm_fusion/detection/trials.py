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

"""Boxes of cars laid over a cluster, and what speaks for each of them.

Axis letters: C cells, K clusters, Y headings tried, H boxes tried at each, S places on a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.detection.clusters import Clusters
from mm_fusion.detection.freespace import (
    AZIMUTHS,
    HIDDEN,
    HIT,
    THROUGH,
    UNSEEN,
    FreeSpace,
    azimuth_of,
)
from mm_fusion.detection.rectangles import turned
from mm_fusion.records import Bool, Float64, Int64

LENGTHS_M = (3.5, 4.2, 4.9)
USUAL_LENGTH_M, WIDTH_M = 4.2, 1.8
ENDS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of either axis: the low end stays, or the high one
PLACES = np.array([0.1, 0.3, 0.5, 0.7, 0.9])  # (S,) along a face
INSET_M = 0.1  # corners are round
WORTH = np.zeros(4)
WORTH[[HIT, HIDDEN, UNSEEN, THROUGH]] = 1.0, 0.1, -0.2, -1.0
ON_FACE_M = 0.6  # cells farther from every visible face than this say nothing for the box
FIRST_M = 0.2  # cells this close behind the first of their direction are outermost as well
BEHIND = 0.1  # weight of those farther behind
UNUSUAL_PER_M = 0.15  # against every metre off the length most cars have
OVERSIZE_PER_M = 0.5  # against every metre that no car has
NOBODY, OTHER = -1, -2
CELL_M = 0.25  # of the plan that tells which cluster holds a place
WITHIN_LENGTH = np.array([0.1, 0.26, 0.42, 0.58, 0.74, 0.9])
WITHIN_WIDTH = np.array([0.2, 0.5, 0.8])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """Boxes to choose from, each in the axes of its heading."""

    yaws: Float64  # (K, Y) rad
    low: Float64  # (K, Y, H, 2) m, least along and across
    high: Float64  # (K, Y, H, 2) m, greatest
    edge: Float64  # (K, Y, H, 2) m, of each axis the edge that is nearer to the LiDAR
    seen: Float64  # (K, Y, H, 2) m, how large that face looks: 0 where it is turned away


def laid(low: Float64, high: Float64, yaws: Float64, viewpoint: Float64) -> Trials:
    """Lay boxes over what was measured, which lies at one end of each axis of the box.

    Args:
        low: (K, Y, 2) m, least along and across each heading of the cells.
        high: (K, Y, 2) m, greatest.
        yaws: (K, Y) rad.
        viewpoint: (2,) m, of the LiDAR.
    """
    sizes = np.array([(length, WIDTH_M) for length in LENGTHS_M for _ in ENDS])
    side = np.array(ENDS * len(LENGTHS_M))
    grown = np.maximum(sizes - (high - low)[:, :, None], 0.0)  # (K, Y, H, 2)
    box_low, box_high = low[:, :, None] - grown * side, high[:, :, None] + grown * (1 - side)
    eye = turned(viewpoint, -yaws)[:, :, None]  # (K, Y, 1, 2)
    gap = np.maximum(np.maximum(box_low - eye, eye - box_high), 0.0)
    middle = (box_low + box_high) / 2 - eye
    distance = np.maximum(np.hypot(middle[..., 0], middle[..., 1]), 1e-6)
    return Trials(
        yaws=yaws,
        low=box_low,
        high=box_high,
        edge=np.where(eye < box_low, box_low, box_high),
        # the width of the face times the cosine at which it is seen
        seen=(box_high - box_low)[..., ::-1] * gap / distance[..., None],
    )


def became(trials: Trials, space: FreeSpace) -> Float64:
    """Return the shares (K, Y, H, 4) of each box's visible faces that are in each state."""
    low, high = trials.low, trials.high
    yaws = trials.yaws[:, :, None, None].astype(np.float32)
    total = np.zeros((*low.shape[:3], len(WORTH)))
    for axis in (0, 1):
        across = 1 - axis
        inward = np.sign((low + high)[..., axis] / 2 - trials.edge[..., axis]) * INSET_M
        span = (high - low)[..., across]
        places = np.empty((*low.shape[:3], len(PLACES), 2), np.float32)  # half the time of float64
        places[..., axis] = (trials.edge[..., axis] + inward)[..., None]
        places[..., across] = low[..., across, None] + span[..., None] * PLACES
        state = space.state(turned(places, yaws))
        for k in range(len(WORTH)):
            total[..., k] += trials.seen[..., axis] * (state == k).mean(axis=-1)
    return np.asarray(total / np.maximum(trials.seen.sum(axis=-1), 1e-6)[..., None])


def near_faces(clusters: Clusters, along: Float64, trials: Trials, outer: Bool) -> Float64:
    """Return how close the outermost cells lie to the visible faces (K, Y, H), in [0, 1].

    Args:
        clusters: the cells.
        along: (C, Y, 2) m, each cell in the axes of its cluster's headings.
        trials: the boxes.
        outer: (C,) which cells are outermost.
    """
    owner = clusters.owner
    weight = np.where(outer, 1.0, BEHIND).astype(np.float32)
    nearest = np.full((*along.shape[:2], trials.edge.shape[2]), np.inf, np.float32)  # (C, Y, H)
    for axis in (0, 1):
        shown = np.where(trials.seen[..., axis] > 0, trials.edge[..., axis], np.inf)
        gap = along[:, :, None, axis].astype(np.float32) - shown.astype(np.float32)[owner]
        nearest = np.minimum(nearest, np.abs(gap))
    near = np.maximum(1 - nearest / ON_FACE_M, 0) * weight[:, None, None]
    return np.asarray(clusters.total(near) / clusters.total(weight)[:, None, None], np.float64)


def outermost(clusters: Clusters, space: FreeSpace) -> Bool:
    """Tell which cells (C,) are the first of their cluster in their direction.

    Those lie on the faces; what a LiDAR of many lines sees behind them is bonnet, glass and roof.
    """
    offset = clusters.xy - space.viewpoint
    distance = np.hypot(offset[:, 0], offset[:, 1])
    key = clusters.owner * AZIMUTHS + azimuth_of(offset)
    first = np.full(len(clusters) * AZIMUTHS, np.inf)
    np.minimum.at(first, key, distance)
    return np.asarray(distance <= first[key] + FIRST_M)


def by_size(measured: Float64, trials: Trials) -> Float64:
    """Return what speaks for boxes (K, Y, H) by their length and what was measured (K, Y, 2)."""
    length = (trials.high - trials.low)[..., 0]
    over = np.maximum(measured - (LENGTHS_M[-1], WIDTH_M + 0.15), 0).sum(axis=-1)
    unusual = UNUSUAL_PER_M * np.abs(length - USUAL_LENGTH_M)
    return np.asarray(-unusual - OVERSIZE_PER_M * over[..., None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Which cluster holds each place of the ground plan."""

    owner: Int64  # (X, X) row of the fitted cluster, OTHER for one that is not, else NOBODY
    side: int  # cells from the edge to the vehicle

    def taken(self, trials: Trials) -> Float64:
        """Return how much of each box (K, Y, H) clusters other than its own hold, in [0, 1]."""
        u, v = (a.ravel() for a in np.meshgrid(WITHIN_LENGTH, WITHIN_WIDTH))
        fraction = np.stack([u, v], axis=1).astype(np.float32)
        low, high = (a[..., None, :].astype(np.float32) for a in (trials.low, trials.high))
        yaws = trials.yaws[:, :, None, None].astype(np.float32)
        places = turned(low + (high - low) * fraction, yaws)
        index = np.floor(places / CELL_M).astype(np.int64) + self.side
        index = np.clip(index, 0, len(self.owner) - 1)
        found = self.owner[index[..., 0], index[..., 1]]
        own = np.arange(len(trials.yaws))[:, None, None, None]
        return np.asarray(((found != NOBODY) & (found != own)).mean(axis=-1))


def plan_of(clusters: Clusters, rows: Bool) -> Plan:
    """Draw the plan of all clusters, of which those that `rows` (K,) says are fitted."""
    side = int(np.ceil(np.abs(clusters.xy).max(initial=0.0) / CELL_M)) + 2
    owner = np.full((2 * side, 2 * side), NOBODY, np.int64)
    number = np.where(rows, rows.cumsum() - 1, OTHER)[clusters.owner]
    x, y = (np.floor(clusters.xy / CELL_M).astype(np.int64) + side).T
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (0, 0)):  # their own cell last: it stands
        owner[x + dx, y + dy] = number
    return Plan(owner=owner, side=side)
