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

"""The car that best explains what was seen of it.

A LiDAR sees the faces that look at it, and of those only what nothing hides. Of every cluster that
may belong to a car, boxes of the size of cars are tried at the places and headings that its cells
allow; the one is taken whose visible faces were hit, or hidden, but not looked through, and which
leaves its neighbours their room.

Axis letters: C cells, K clusters, Y headings tried, H boxes tried at each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mm_fusion.detection import trials
from mm_fusion.detection.clusters import Clusters
from mm_fusion.detection.freespace import FreeSpace
from mm_fusion.detection.rectangles import Rectangles, turned
from mm_fusion.records import Bool, Float64

LONGEST_M, WIDEST_M = 5.6, 2.5  # measured; more is no car
ROAD_PRIOR = 0.1  # for the headings that the scene shares
ALONG_ROAD_RAD = 0.05
TAKEN_COST = 2.0  # of a box that others hold wholly
SURE_LENGTH_M = 2.6  # a side that was seen this long tells the heading
COMPANY_M = 8.0  # how far neighbours' headings reach
COMPANY_PRIOR = 0.4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fits:
    """The best box of each cluster, in the ground plan."""

    centre: Float64  # (K, 2) m
    size: Float64  # (K, 2) m, length and width
    yaw: Float64  # (K,) rad
    became: Float64  # (K, 4) shares of its visible faces by state: HIT, HIDDEN, UNSEEN, THROUGH
    points: Float64  # (K,) in [0, 1]: how close the cells lie to those faces
    possible: Float64  # (K,) 1 where any box of a car's size holds the cluster, else 0

    @classmethod
    def none(cls, count: int) -> Fits:
        """Return the fits of so many clusters of which none may be a car."""
        flat = np.zeros(count)
        return cls(
            centre=np.zeros((count, 2)),
            size=np.zeros((count, 2)),
            yaw=flat,
            became=np.zeros((count, len(trials.WORTH))),
            points=flat,
            possible=flat,
        )


def fit(clusters: Clusters, rectangles: Rectangles, space: FreeSpace, rows: Bool) -> Fits:
    """Fit a car to each of the clusters that `rows` (K,) says; of the others nothing is possible.

    What those others hold is still taken: no car can be there.
    """
    columns = {f.name: getattr(Fits.none(len(rows)), f.name).copy() for f in fields(Fits)}
    if rows.any():
        plan = trials.plan_of(clusters, rows)
        found = _fit(clusters.chosen(rows), rectangles.chosen(rows), space, plan)
        for name, values in columns.items():
            values[rows] = getattr(found, name)
    return Fits(**columns)


def _fit(clusters: Clusters, rectangles: Rectangles, space: FreeSpace, plan: trials.Plan) -> Fits:
    count, road = len(clusters), scene_angle(rectangles)
    yaws = np.stack([rectangles.angle, np.full(count, road)], axis=1)
    yaws = np.concatenate([yaws, yaws + np.pi / 2], axis=1)  # (K, Y)
    along = turned(clusters.xy[:, None], -yaws[clusters.owner])  # (C, Y, 2)
    low, high = clusters.least(along), clusters.greatest(along)  # (K, Y, 2)
    extent = high - low
    tried = trials.laid(low, high, yaws, space.viewpoint)
    became = trials.became(tried, space)
    points = trials.near_faces(clusters, along, tried, trials.outermost(clusters, space))
    total = became @ trials.WORTH + points + trials.by_size(extent, tried)  # (K, Y, H)
    total += ROAD_PRIOR * _along(road, yaws)[:, :, None]
    total -= TAKEN_COST * plan.taken(tried)
    possible = (extent[..., 0] <= LONGEST_M) & (extent[..., 1] <= WIDEST_M)  # (K, Y)
    total = np.where(possible[..., None], total, -np.inf)
    total += _company(total, yaws, extent[..., 0], middle_of(rectangles))[:, :, None]
    heading, box = np.divmod(total.reshape(count, -1).argmax(axis=1), total.shape[2])
    at = (np.arange(count), heading, box)
    yaw = yaws[at[:2]]
    return Fits(
        centre=turned((tried.low[at] + tried.high[at]) / 2, yaw),
        size=(tried.high - tried.low)[at],
        yaw=yaw,
        became=became[at],
        points=points[at],
        possible=possible.max(axis=1).astype(np.float64),
    )


def scene_angle(rectangles: Rectangles) -> float:
    """Return the direction, modulo 90 degrees, that the long straight things of a scene share."""
    longest = (rectangles.high - rectangles.low).max(axis=1, initial=0.0)
    weight = np.clip(longest - 1.5, 0, 10) * rectangles.closeness
    return float(np.angle((weight * np.exp(4j * rectangles.angle)).sum()) / 4)


def middle_of(rectangles: Rectangles) -> Float64:
    """Return the middle (K, 2) m of what was measured."""
    return turned((rectangles.low + rectangles.high) / 2, rectangles.angle)


def _along(road: float, yaws: Float64) -> Bool:
    """Tell which headings lie along the road or across it."""
    return np.asarray(np.abs(np.sin(2 * (yaws - road))) < 2 * ALONG_ROAD_RAD)


def _company(total: Float64, yaws: Float64, length: Float64, middle: Float64) -> Float64:
    """Return what the headings of sure neighbours add to each heading (K, Y).

    Vehicles next to each other point the same way or the opposite one: in a queue, in a car park.
    """
    rows = np.arange(len(yaws))
    worth = total.max(axis=2)  # (K, Y)
    best = worth.argmax(axis=1)
    sure = np.clip(worth[rows, best] - 1.0, 0, 1) * (length[rows, best] > SURE_LENGTH_M)
    distance = np.linalg.norm(middle[:, None] - middle[None], axis=-1)
    weight = sure * np.exp(-0.5 * (distance / COMPANY_M) ** 2)  # (K, K)
    np.fill_diagonal(weight, 0.0)
    alike = np.cos(2 * (yaws[:, :, None] - yaws[rows, best]))  # (K, Y, K)
    vote = (alike * weight[:, None]).sum(axis=2)
    return np.asarray(COMPANY_PRIOR * vote / (weight.sum(axis=1) + 0.5)[:, None])
