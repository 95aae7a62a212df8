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

"""Which objects of several detectors are one and the same.

Detector after detector, the objects are assigned to the groups made so far at the least total cost
(Hungarian method), so that a group never holds two objects of one detector. A group is compared by
its member of the highest score.

Axis letters: N objects of all detectors, G groups, K objects of one detector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from mm_fusion.geometry.boxes import iou_bev
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.records import Float64, Int64

ANY = -1  # family of `unknown`, which may be anything
_FAMILIES = (("car", "truck", "bus", "trailer"), ("motorcycle", "bicycle"), ("pedestrian",))
FAMILY = np.array([next((f for f, n in enumerate(_FAMILIES) if c in n), ANY) for c in CLASSES])


def group(found: Sequence[Objects], *, distance_m: float, min_iou: float) -> Int64:
    """Return the group (N,) of each object, in the order of `Objects.joined(*found)`.

    Args:
        found: what each detector found.
        distance_m: centres at most this far apart on the ground may be one object.
        min_iou: so may footprints of at least this overlap, however far their centres.
    """
    everything = Objects.joined(*found)
    anchors = np.zeros(0, np.int64)  # (G,) the best member so far
    families = np.zeros(0, np.int64)  # (G,)
    groups: list[Int64] = [np.zeros(0, np.int64)]
    first = 0
    for objects in found:
        rows = np.arange(first, first + len(objects))
        first += len(objects)
        family = FAMILY[objects.labels]
        cost = _cost(everything[anchors], objects, distance_m, min_iou)
        differ = families[:, None] != family[None, :]
        cost[differ & (families[:, None] != ANY) & (family[None, :] != ANY)] = np.inf
        old, new = _assigned(cost)
        mine = np.full(len(objects), -1, np.int64)
        mine[new] = old
        better = objects.scores[new] > everything.scores[anchors[old]]
        anchors[old[better]] = rows[new[better]]
        families[old] = np.where(families[old] == ANY, family[new], families[old])
        alone = np.flatnonzero(mine < 0)
        mine[alone] = len(anchors) + np.arange(len(alone))
        anchors = np.concatenate([anchors, rows[alone]])
        families = np.concatenate([families, family[alone]])
        groups.append(mine)
    return np.concatenate(groups)


def _cost(a: Objects, b: Objects, distance_m: float, min_iou: float) -> Float64:
    """Return what it costs (G, K) in [0, 1) to take two objects for one; inf: it cannot be."""
    offset = a.centers_ego[:, None, :2] - b.centers_ego[None, :, :2]
    distance = np.linalg.norm(offset, axis=2)
    overlap = iou_bev(a.boxes, b.boxes)
    cost = distance / (distance + distance_m) * (1 - np.clip(overlap, 0, 1))
    return np.where((distance <= distance_m) | (overlap >= min_iou), cost, np.inf)


def _assigned(cost: Float64) -> tuple[Int64, Int64]:
    """Return rows and columns of the cheapest pairs, where leaving two objects apart costs 1."""
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1.0))
    kept = np.isfinite(cost[rows, columns])
    return np.asarray(rows[kept], np.int64), np.asarray(columns[kept], np.int64)
