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

"""Upright boxes: corners, membership, overlap.

A box is x, y, z of its geometric centre, length, width, height and yaw, in any frame with z up.
"""

from __future__ import annotations

import numpy as np

from mm_fusion.geometry.rigid import yaw_of
from mm_fusion.records import Bool, Float32, Float64

# corner order: the bottom face anticlockwise seen from above, front left first, then the top
_SIGNS = np.array(
    [
        [1, 1, -1],
        [-1, 1, -1],
        [-1, -1, -1],
        [1, -1, -1],
        [1, 1, 1],
        [-1, 1, 1],
        [-1, -1, 1],
        [1, -1, 1],
    ]
)
EDGES = tuple(
    [(i, (i + 1) % 4) for i in range(4)]
    + [(4 + i, 4 + (i + 1) % 4) for i in range(4)]
    + [(i, 4 + i) for i in range(4)]
)


def wrap_angle(angle_rad: Float64) -> Float64:
    """Bring angles into [-pi, pi)."""
    return np.asarray((np.asarray(angle_rad) + np.pi) % (2 * np.pi) - np.pi)


def corners(boxes: Float64) -> Float64:
    """Return the eight corners (K, 8, 3) of boxes (K, 7); `EDGES` joins them."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    local = _SIGNS * boxes[:, None, 3:6] / 2  # (K, 8, 3)
    cos, sin = np.cos(boxes[:, 6])[:, None], np.sin(boxes[:, 6])[:, None]
    x = local[..., 0] * cos - local[..., 1] * sin
    y = local[..., 0] * sin + local[..., 1] * cos
    return np.stack([x, y, local[..., 2]], axis=-1) + boxes[:, None, :3]


def inside(points: Float64 | Float32, box: Float64, margin_m: float = 0.0) -> Bool:
    """Tell which of the points (N, 3) lie in one box (7,), grown by `margin_m` on every side."""
    local = np.asarray(points, np.float64) - box[:3]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    along = np.stack(
        [local[:, 0] * cos + local[:, 1] * sin, local[:, 1] * cos - local[:, 0] * sin, local[:, 2]],
        axis=1,
    )
    return np.asarray((np.abs(along) <= box[3:6] / 2 + margin_m).all(axis=1))


def hit(points: Float64 | Float32, boxes: Float64, margin_m: float = 0.0) -> Bool:
    """Tell which boxes (K, 7), grown by `margin_m`, hold any of the points (N, 3)."""
    order = np.argsort(points[:, 0])
    sorted_x, ordered = points[order, 0], points[order]
    reach = np.hypot(boxes[:, 3], boxes[:, 4]) / 2 + 2 * margin_m  # farther than any grown corner
    first = np.searchsorted(sorted_x, boxes[:, 0] - reach)
    last = np.searchsorted(sorted_x, boxes[:, 0] + reach, side="right")
    return np.array(
        [
            bool(inside(ordered[begin:end], box, margin_m).any())
            for begin, end, box in zip(first, last, boxes, strict=True)
        ],
        np.bool_,
    )


def moved_boxes(target_from_source: Float64, boxes: Float64) -> Float64:
    """Carry boxes (K, 7) into another frame whose z axis is nearly parallel."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 7)
    out = boxes.copy()
    out[:, :3] = boxes[:, :3] @ target_from_source[:3, :3].T + target_from_source[:3, 3]
    out[:, 6] = wrap_angle(boxes[:, 6] + yaw_of(target_from_source))
    return out


def bev_intersection(a: Float64, b: Float64) -> Float64:
    """Return the overlapping ground area (A, B) m^2 of boxes (A, 7) and (B, 7)."""
    import shapely  # only who scores needs it

    rings_a, rings_b = (
        shapely.polygons(corners(boxes)[:, :4, :2]) if len(boxes) else np.zeros(0, object)
        for boxes in (a, b)
    )
    shared = np.zeros((len(a), len(b)))
    reach_a, reach_b = (np.hypot(boxes[:, 3], boxes[:, 4]) / 2 for boxes in (a, b))
    away = np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])
    one, other = np.nonzero(away <= reach_a[:, None] + reach_b[None, :])  # the rest cannot touch
    shared[one, other] = shapely.area(shapely.intersection(rings_a[one], rings_b[other]))
    return shared


def iou_bev(a: Float64, b: Float64) -> Float64:
    """Return the intersection over union (A, B) of the footprints."""
    shared = bev_intersection(a, b)
    area_a, area_b = (boxes[:, 3] * boxes[:, 4] for boxes in (a, b))
    union = area_a[:, None] + area_b[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def iou_3d(a: Float64, b: Float64) -> Float64:
    """Return the intersection over union (A, B) of the volumes."""
    top = np.minimum((a[:, 2] + a[:, 5] / 2)[:, None], (b[:, 2] + b[:, 5] / 2)[None])
    bottom = np.maximum((a[:, 2] - a[:, 5] / 2)[:, None], (b[:, 2] - b[:, 5] / 2)[None])
    shared = bev_intersection(a, b) * np.maximum(top - bottom, 0)
    volume_a, volume_b = (boxes[:, 3:6].prod(axis=1) for boxes in (a, b))
    union = volume_a[:, None] + volume_b[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))
