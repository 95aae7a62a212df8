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

"""The rectangle around each cluster: the L-shape that its points lie on.

Source: Zhang, Xu, Dong and Dolan, "Efficient L-shape fitting for vehicle detection using laser
scanners", IEEE Intelligent Vehicles Symposium, 2017, algorithm 2 with the closeness criterion
(algorithm 4).

Axis letters: N points, K clusters, A angles tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mm_fusion.detection.clusters import Clusters
from mm_fusion.records import Float64

ANGLES_RAD = np.radians(np.arange(0.0, 90.0, 3.0))
CLOSEST_M = 0.08  # points closer to an edge than this count as on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rectangles:
    """Rectangles in the ground plan, each with the axes u (at `angle`) and v (90 degrees on)."""

    angle: Float64  # (K,) rad in [0, pi/2)
    low: Float64  # (K, 2) m, least u and v of the points
    high: Float64  # (K, 2) m, greatest
    closeness: Float64  # (K,) in [0, 1]: how near the points lie to the edges


def fit(clusters: Clusters) -> Rectangles:
    """Fit a rectangle to every cluster."""
    if not len(clusters):
        none = np.zeros((0, 2))
        return Rectangles(angle=none[:, 0], low=none, high=none, closeness=none[:, 0])
    xy, start = clusters.points[:, :2], clusters.start[:-1]
    best = np.full(len(clusters), -np.inf)
    angle = np.zeros(len(clusters))
    for tried in ANGLES_RAD:
        nearness = np.add.reduceat(_nearness(xy, clusters, tried), start)
        better = nearness > best
        best[better], angle[better] = nearness[better], tried
    u, v = _projected(xy, clusters.spread(angle))
    low = np.stack([np.minimum.reduceat(u, start), np.minimum.reduceat(v, start)], axis=1)
    high = np.stack([np.maximum.reduceat(u, start), np.maximum.reduceat(v, start)], axis=1)
    closeness = best * CLOSEST_M / clusters.counts
    return Rectangles(angle=angle, low=low, high=high, closeness=closeness)


def _projected(xy: Float64, angle: Float64 | float) -> tuple[Float64, Float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return xy[:, 0] * cos + xy[:, 1] * sin, xy[:, 1] * cos - xy[:, 0] * sin


def _nearness(xy: Float64, clusters: Clusters, angle: float) -> Float64:
    """Return one over the distance of each point to its nearest edge (N,), capped."""
    distance = np.full(len(xy), np.inf)
    start = clusters.start[:-1]
    for along in _projected(xy, angle):
        low = clusters.spread(np.minimum.reduceat(along, start))
        high = clusters.spread(np.maximum.reduceat(along, start))
        distance = np.minimum(distance, np.minimum(along - low, high - along))
    return np.asarray(1 / np.maximum(distance, CLOSEST_M))
