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

"""Labels as vision_msgs/Detection3DArray, and back.

The first hypothesis of a detection is its class; a score of 0 marks an object that is not to be
scored. A second one, `occluded_<level>`, tells how much of it is hidden, where that is known.
"""

from __future__ import annotations

import math

import numpy as np

from mm_fusion.geometry.rigid import rotation_from_quaternion, rotation_from_rpy, yaw_of
from mm_fusion.objects import CLASSES, UNKNOWN, UNKNOWN_OCCLUSION, UNTRACKED, Objects, Truth
from mm_fusion.recordings.headers import Message
from mm_fusion.recordings.message_parts import header, part, point, quaternion, vector
from mm_fusion.records import Int64

_OCCLUDED = "occluded_"


def detections_of(truth: Truth, stamp_ns: int, frame: str) -> Message:
    """Write labels as a message, those to be ignored with score 0."""
    unknown = np.full(len(truth.ignored), UNKNOWN_OCCLUSION)
    return part(
        "vision_msgs/msg/Detection3DArray",
        header=header(stamp_ns, frame),
        detections=[
            *_rows(truth.objects, truth.occlusion, 1.0, header(stamp_ns, frame)),
            *_rows(truth.ignored, unknown, 0.0, header(stamp_ns, frame)),
        ],
    )


def _rows(objects: Objects, occlusion: Int64, score: float, stamped: Message) -> list[Message]:
    rows = []
    for k, box in enumerate(objects.boxes):
        center = part(
            "geometry_msgs/msg/Pose",
            position=point(box[:3]),
            orientation=quaternion(rotation_from_rpy(0, 0, box[6])),
        )
        results = [_hypothesis(CLASSES[objects.labels[k]], score, center)]
        if occlusion[k] != UNKNOWN_OCCLUSION:
            results.append(_hypothesis(f"{_OCCLUDED}{occlusion[k]}", 1.0, center))
        rows.append(
            part(
                "vision_msgs/msg/Detection3D",
                header=stamped,
                results=results,
                bbox=part("vision_msgs/msg/BoundingBox3D", center=center, size=vector(box[3:6])),
                id="" if objects.ids[k] == UNTRACKED else str(objects.ids[k]),
            )
        )
    return rows


def _hypothesis(name: str, score: float, pose: Message) -> Message:
    return part(
        "vision_msgs/msg/ObjectHypothesisWithPose",
        hypothesis=part("vision_msgs/msg/ObjectHypothesis", class_id=name, score=score),
        pose=part("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36)),
    )


def truth_of(message: Message, azimuth_limit_rad: float = math.pi) -> Truth:
    """Read labels from a message; a class that is not ours is `unknown`."""
    rows = message.detections
    boxes = np.array([_box(row) for row in rows], np.float64).reshape(-1, 7)
    objects = Objects.of_boxes(
        boxes,
        labels=np.array([_label(row) for row in rows], np.int64),
        ids=np.array([_id(row.id) for row in rows], np.int64),
    )
    occlusion = np.array([_occlusion(row) for row in rows], np.int64)
    scored = np.array(
        [not row.results or row.results[0].hypothesis.score > 0 for row in rows], bool
    )
    return Truth(
        objects=objects[scored],
        occlusion=occlusion[scored],
        azimuth_limit_rad=azimuth_limit_rad,
        ignored=objects[~scored],
    )


def _box(row: Message) -> tuple[float, ...]:
    position, q, size = row.bbox.center.position, row.bbox.center.orientation, row.bbox.size
    rotation = rotation_from_quaternion(np.array([q.w, q.x, q.y, q.z]))
    return (position.x, position.y, position.z, size.x, size.y, size.z, yaw_of(rotation))


def _label(row: Message) -> int:
    name = row.results[0].hypothesis.class_id.lower() if row.results else ""
    return CLASSES.index(name) if name in CLASSES else UNKNOWN


def _id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else UNTRACKED


def _occlusion(row: Message) -> int:
    for result in row.results[1:]:
        name = result.hypothesis.class_id
        if name.startswith(_OCCLUDED) and name[len(_OCCLUDED) :].isdigit():
            return int(name[len(_OCCLUDED) :])
    return UNKNOWN_OCCLUSION
