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

"""The rectangle around each cluster: the L-shape that its cells lie on.

Source: Zhang, Xu, Dong and Dolan, "Efficient L-shape fitting for vehicle detection using laser
scanners", IEEE Intelligent Vehicles Symposium, 2017, algorithm 2 with the closeness criterion
(algorithm 4).

Axis letters: C cells, K clusters, A angles tried.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mm_fusion.detection.clusters import Clusters
from mm_fusion.records import Bool, Float32, Float64

ANGLES_RAD = np.radians(np.arange(0.0, 90.0, 3.0))
CLOSEST_M = 0.08  # cells closer to an edge than this count as on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rectangles:
    """Rectangles in the ground plan, each with the axes u (at `angle`) and v (90 degrees on)."""

    angle: Float64  # (K,) rad in [0, pi/2)
    low: Float64  # (K, 2) m, least u and v of the cells
    high: Float64  # (K, 2) m, greatest
    closeness: Float64  # (K,) in [0, 1]: how near the cells lie to the edges

    def chosen(self, rows: Bool) -> Rectangles:
        """Keep only those that `rows` (K,) says."""
        return Rectangles(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def fit(clusters: Clusters) -> Rectangles:
    """Fit a rectangle to every cluster."""
    nearness = _nearness(clusters)
    best = nearness.argmax(axis=1)
    angle = ANGLES_RAD[best]
    along = turned(clusters.xy, -angle[clusters.owner])
    return Rectangles(
        angle=angle,
        low=clusters.least(along),
        high=clusters.greatest(along),
        closeness=nearness.max(axis=1, initial=0.0) * CLOSEST_M / np.maximum(clusters.cells, 1),
    )


def turned(xy: Float64 | Float32, angle: Float64 | Float32 | float) -> Float64:
    """Turn points (..., 2) anticlockwise about the origin; by -angle: into axes at the angle."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = xy[..., 0], xy[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def _nearness(clusters: Clusters) -> Float64:
    """Sum one over the distance of a cell to its nearest edge, capped, over each cluster (K, A)."""
    middle = clusters.total(clusters.xy) / np.maximum(clusters.cells, 1)[:, None]
    owner = clusters.owner
    # about the cluster's own middle, so that single precision is plenty
    x, y = (clusters.xy - middle[owner]).astype(np.float32).T[:, :, None]
    cos, sin = np.cos(ANGLES_RAD).astype(np.float32), np.sin(ANGLES_RAD).astype(np.float32)
    distance = np.full((len(x), len(ANGLES_RAD)), np.inf, np.float32)
    for along in (x * cos + y * sin, y * cos - x * sin):  # (C, A)
        low, high = clusters.least(along)[owner], clusters.greatest(along)[owner]
        np.minimum(distance, along - low, out=distance)
        np.minimum(distance, high - along, out=distance)
    return clusters.total(1 / np.maximum(distance, np.float32(CLOSEST_M))).astype(np.float64)
