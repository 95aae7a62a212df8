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

"""RESULTS.json: objects per frame in the layout of a nuScenes detection submission.

Source of the layout: the nuScenes detection task's submission format. A velocity nobody could
know is NaN, as in the annotations of that data set; Python's `json` reads and writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.geometry.rigid import (
    compose,
    quaternion_from_rotation,
    rotation_from_quaternion,
    rotation_from_rpy,
    yaw_of,
)
from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.records import Float64

DIGITS = 4  # a tenth of a millimetre


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one run gave: the boxes of each frame, in the frame that `meta` names."""

    meta: Mapping[str, Any]
    frames: Mapping[str, Sequence[Mapping[str, Any]]]  # token -> boxes


def boxes_of(token: str, objects: Objects, result_from_ego: Float64) -> list[dict[str, Any]]:
    """Spell objects as entries of the submission layout, best first.

    Args:
        token: name of the frame.
        objects: in the ego frame.
        result_from_ego: (4, 4) into the frame of the results.
    """
    order = np.argsort(-objects.scores, kind="stable")
    return [_entry(token, objects[order[k : k + 1]], result_from_ego) for k in range(len(objects))]


def _entry(token: str, one: Objects, result_from_ego: Float64) -> dict[str, Any]:
    ego_from_box = compose(rotation_from_rpy(0, 0, float(one.yaws_rad[0])), one.centers_ego[0])
    result_from_box = result_from_ego @ ego_from_box
    velocity = result_from_ego[:3, :2] @ one.velocities_ego[0]
    length, width, height = one.sizes_m[0]
    entry = {
        "sample_token": token,
        "translation": _rounded(result_from_box[:3, 3]),
        "size": _rounded([width, length, height]),
        "rotation": _rounded(quaternion_from_rotation(result_from_box[:3, :3]), 6),
        "velocity": _rounded(velocity[:2]),
        "detection_name": CLASSES[one.labels[0]],
        "detection_score": round(float(one.scores[0]), 6),
        "attribute_name": "",
    }
    if one.ids[0] != UNTRACKED:
        entry["tracking_id"] = str(one.ids[0])
    return entry


def objects_of(entries: Sequence[Mapping[str, Any]], ego_from_result: Float64) -> Objects:
    """Read entries back into objects of the ego frame.

    Raises:
        RecordingError: an entry lacks a key or holds something else than numbers.
    """
    try:
        rows = [_row(entry, ego_from_result) for entry in entries]
        boxes = np.array([row[:7] for row in rows]).reshape(-1, 7)
        return Objects.of_boxes(
            boxes,
            velocities_ego=np.array([row[7:9] for row in rows]).reshape(-1, 2),
            scores=np.array([float(entry["detection_score"]) for entry in entries]),
            labels=np.array(
                [CLASSES.index(entry["detection_name"]) for entry in entries], np.int64
            ),
            ids=np.array([_id(str(entry.get("tracking_id", ""))) for entry in entries], np.int64),
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise RecordingError(f"a result entry is malformed: {error!r}") from error


def _row(entry: Mapping[str, Any], ego_from_result: Float64) -> list[float]:
    result_from_box = compose(
        rotation_from_quaternion(np.array(entry["rotation"], np.float64)),
        np.array(entry["translation"], np.float64),
    )
    ego_from_box = ego_from_result @ result_from_box
    width, length, height = entry["size"]
    vx, vy = entry.get("velocity", (np.nan, np.nan))
    velocity = ego_from_result[:2, :2] @ np.array([vx, vy], np.float64)
    return [*ego_from_box[:3, 3], length, width, height, yaw_of(ego_from_box), *velocity]


def _id(text: str) -> int:
    """Return the number a track is known by; one made of the text where that is no number."""
    if text.isascii() and text.isdigit() and len(text) < len(str(2**63)):
        return int(text)
    return int.from_bytes(sha256(text.encode()).digest()[:7], "big") if text else UNTRACKED


def save_results(path: Path, results: Results) -> None:
    """Write a results file; the same results give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{json.dumps(token)}: {json.dumps(list(boxes))}" for token, boxes in results.frames.items()
    ]
    meta = json.dumps(dict(results.meta), sort_keys=True)
    text = ",\n".join(lines)
    path.write_text(f'{{"meta": {meta},\n"results": {{\n{text}\n}}}}\n')


def load_results(path: Path) -> Results:
    """Read a results file.

    Raises:
        RecordingError: it is missing, is not JSON, or is of another layout.
    """
    try:
        tree = json.loads(path.read_text())
    except OSError as error:
        raise RecordingError(f"results file {path}: {error.strerror}") from error
    except ValueError as error:
        raise RecordingError(f"results file {path} is not JSON: {error}") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("results"), dict):
        raise RecordingError(f"results file {path} lacks `results`; write it with `mm_fusion run`")
    return Results(meta=tree.get("meta", {}), frames=tree["results"])


def _rounded(values: Any, digits: int = DIGITS) -> list[float]:  # noqa: ANN401
    return [round(float(value), digits) + 0.0 for value in values]  # + 0.0: no minus zero
