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

"""Objects of other frames set into a frame, with what every sensor saw of them.

Source: Yan, Mao and Li, "SECOND: Sparsely Embedded Convolutional Detection", Sensors 2018, section
3.4. Here they also hide what is behind them, stand on the ground, and are in the images.

Axis letters: N points, M returns, K objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from mm_fusion.detection.ground_plane import ground_plane
from mm_fusion.geometry.boxes import corners, inside, iou_bev
from mm_fusion.objects import CLASSES, UNKNOWN_OCCLUSION, Objects
from mm_fusion.records import Bool, EgoFrame, Float32, Float64, UInt8
from mm_fusion.training.augment import selected
from mm_fusion.training.samples import Sample, TrainingImage

MARGIN_M = 0.15  # around a box: its points, and the room it needs
ROOM = np.array([0, 0, 0, 2 * MARGIN_M, 2 * MARGIN_M, 0, 0])
LEAST_POINTS = 5  # of the LiDAR, below which an object is no example
AZIMUTH_RAD, ELEVATION_RAD = 0.008, 0.02  # of what hides what
HIDDEN = 0.3  # share of its image that a nearer object may take
PATCH_PX = 6  # smaller in the image than this: left out of it

COLUMNS = (
    "points_ego",
    "intensity",
    "radar_ego",
    "radar_ray_ego",
    "radial_speed_mps",
    "rcs_dbsm",
)

Rect = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """One object, and what each sensor saw of it."""

    objects: Objects  # one row
    occlusion: int
    ground_m: float  # height of the ground below it, in ego
    frame: EgoFrame  # its own points and returns alone
    patches: Mapping[str, UInt8]  # camera -> pixels of its rectangle


class ObjectBank:
    """All objects that are good examples, by class."""

    def __init__(self, cutouts: Sequence[Cutout]) -> None:
        self._by_class: dict[str, list[Cutout]] = {}
        for cutout in cutouts:
            name = CLASSES[cutout.objects.labels[0]]
            self._by_class.setdefault(name, []).append(cutout)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> ObjectBank:
        """Cut the objects out of samples."""
        return cls([cutout for sample in samples for cutout in _cutouts(sample)])

    def draw(self, counts: Mapping[str, int], rng: np.random.Generator) -> list[Cutout]:
        """Draw up to so many objects of each class, the farthest first."""
        drawn = [
            held[int(k)]
            for name, most in counts.items()
            if (held := self._by_class.get(name, []))
            for k in rng.integers(len(held), size=rng.integers(0, most + 1))
        ]
        return sorted(drawn, key=lambda c: -float(np.hypot(*c.objects.centers_ego[0, :2])))


def _cutouts(sample: Sample) -> list[Cutout]:
    frame, objects = sample.frame, sample.truth.objects
    plane = ground_plane(frame)
    cutouts = []
    for row in range(len(objects)):
        box = objects.boxes[row]
        points = inside(frame.points_ego, box, MARGIN_M)
        if points.sum() < LEAST_POINTS or not np.isfinite(plane).all():
            continue
        cutouts.append(
            Cutout(
                objects=objects[row : row + 1],
                occlusion=int(sample.truth.occlusion[row]),
                ground_m=float(box[:2] @ plane[:2] + plane[2]),
                frame=selected(frame, points, inside(frame.radar_ego, box, MARGIN_M)),
                patches={
                    name: image.rgb[top:bottom, left:right].copy()
                    for name, image in sample.images.items()
                    if (rect := _rect(box, image)) is not None
                    for left, top, right, bottom in [rect]
                },
            )
        )
    return cutouts


def paste(
    sample: Sample, bank: ObjectBank, rng: np.random.Generator, counts: Mapping[str, int]
) -> Sample:
    """Set objects into a sample where there is room, each where it was seen, on the ground.

    Args:
        sample: not varied yet.
        bank: of the same rig.
        rng: draws the objects.
        counts: the most of each class.
    """
    plane = ground_plane(sample.frame)
    if not np.isfinite(plane).all():
        return sample
    boxes = np.concatenate([sample.truth.objects.boxes, sample.truth.ignored.boxes])
    for cutout in bank.draw(counts, rng):
        raised = _raised(cutout, plane)
        box = raised.objects.boxes
        if len(boxes) and iou_bev(box + ROOM, boxes).max() > 0:
            continue
        shown = _shown(raised, sample.frame)
        if shown is not None:
            sample = _joined(sample, shown, boxes)
            boxes = np.concatenate([boxes, box])
    return sample


def _raised(cutout: Cutout, plane: Float64) -> Cutout:
    """Set an object on the ground of another frame."""
    center = cutout.objects.centers_ego[0]
    up = np.array([0, 0, center[:2] @ plane[:2] + plane[2] - cutout.ground_m])
    return replace(
        cutout,
        objects=replace(cutout.objects, centers_ego=cutout.objects.centers_ego + up),
        frame=replace(
            cutout.frame,
            points_ego=(cutout.frame.points_ego + up).astype(np.float32),
            radar_ego=(cutout.frame.radar_ego + up).astype(np.float32),
        ),
    )


def _shown(cutout: Cutout, scene: EgoFrame) -> Cutout | None:
    """Take away what nearer points of the scene hide; None where too little is left."""
    frame = cutout.frame
    hidden = _hidden_by(frame.points_ego, scene.points_ego, scene.viewpoint_ego, MARGIN_M)
    if (~hidden).sum() < LEAST_POINTS:
        return None
    returns = np.ones(len(frame.radar_ego), np.bool_)
    return replace(cutout, frame=selected(frame, ~hidden, returns))


def _hidden_by(points: Float32, others: Float32, viewpoint: Float64, margin_m: float) -> Bool:
    """Tell which points (N,) lie behind others (M, 3) in the same direction."""
    if not len(points) or not len(others):
        return np.zeros(len(points), np.bool_)
    direction, range_m = _seen(points, viewpoint)
    other_direction, other_range_m = _seen(others, viewpoint)
    keys = np.unique(other_direction)
    place = np.searchsorted(keys, other_direction)
    nearest_m = np.full(len(keys), np.inf)
    np.minimum.at(nearest_m, place, other_range_m)
    at = np.minimum(np.searchsorted(keys, direction), len(keys) - 1)
    return np.asarray((keys[at] == direction) & (nearest_m[at] < range_m - margin_m))


def _seen(points: Float32, viewpoint: Float64) -> tuple[Float64, Float64]:
    """Return a number of the direction (N,) and the range (N,) m of points from a place."""
    x, y, z = (points - viewpoint).astype(np.float64).T
    away = np.hypot(x, y)
    azimuth = np.floor(np.arctan2(y, x) / AZIMUTH_RAD)
    elevation = np.floor(np.arctan2(z, away) / ELEVATION_RAD)
    return azimuth * 1000 + elevation, np.hypot(away, z)


def _joined(sample: Sample, cutout: Cutout, boxes: Float64) -> Sample:
    scene, own = sample.frame, cutout.frame
    box = cutout.objects.boxes[0]
    near = np.abs(_azimuth(scene.points_ego, scene) - _azimuth(own.points_ego, scene).mean()) < 0.5
    gone = np.zeros(len(scene.points_ego), np.bool_)
    gone[near] = _hidden_by(
        scene.points_ego[near], own.points_ego, scene.viewpoint_ego, MARGIN_M
    ) | inside(scene.points_ego[near], box, 0.0)
    kept = selected(scene, ~gone, ~inside(scene.radar_ego, box, 0.0))
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(kept, name), getattr(own, name)]) for name in COLUMNS
    }
    truth = sample.truth
    return replace(
        sample,
        frame=replace(kept, **joined, radar_offset_s=None),
        truth=replace(
            truth,
            objects=Objects.joined(truth.objects, cutout.objects),
            occlusion=np.r_[truth.occlusion, UNKNOWN_OCCLUSION],
        ),
        images={name: _pasted(image, cutout, boxes, name) for name, image in sample.images.items()},
    )


def _azimuth(points: Float32, scene: EgoFrame) -> Float64:
    x, y, _ = (points - scene.viewpoint_ego).T
    return np.asarray(np.arctan2(y, x), np.float64)


def _pasted(image: TrainingImage, cutout: Cutout, boxes: Float64, name: str) -> TrainingImage:
    """Set the object's pixels into an image, unless something nearer stands before it."""
    box = cutout.objects.boxes[0]
    rect, patch = _rect(box, image), cutout.patches.get(name)
    if rect is None or patch is None or min(patch.shape[:2]) < PATCH_PX:
        return image
    nearer = boxes[np.hypot(boxes[:, 0], boxes[:, 1]) < np.hypot(*box[:2])]
    others = [other for one in nearer if (other := _rect(one, image)) is not None]
    left, top, right, bottom = rect
    area = (right - left) * (bottom - top)
    if any(_shared(rect, other) > HIDDEN * area for other in others):
        return image
    rgb = image.rgb.copy()
    rgb[top:bottom, left:right] = cv2.resize(patch, (right - left, bottom - top))
    return replace(image, rgb=rgb)


def _rect(box: Float64, image: TrainingImage) -> Rect | None:
    """Return the rectangle of a box (7,) in an image; None where it is not wholly before it."""
    camera_from_ego = np.linalg.inv(image.ego_from_camera)
    points = corners(box[None])[0] @ camera_from_ego[:3, :3].T + camera_from_ego[:3, 3]
    if (points[:, 2] < 1.0).any():
        return None
    pixels = (points @ image.intrinsics.T)[:, :2] / points[:, 2:]
    height, width = image.rgb.shape[:2]
    low = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(pixels.max(axis=0)) + 1, [width, height]).astype(int)
    if (high - low < 2).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _shared(a: Rect, b: Rect) -> int:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return max(across, 0) * max(down, 0)
