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

"""Objects as markers for RViz: a box, an arrow and a word for each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from mm_fusion.records import CLASSES, Objects
from mm_fusion.ros.object_messages import box_pose, box_size
from mm_fusion.view.colors import class_color

LIFETIME_S = 0.5  # a marker nobody renews disappears by itself
ARROW_S = 1.0  # an arrow ends where the object will be after this
SLOWEST_ARROW_MPS = 0.5
TEXT_HEIGHT_M = 0.7
BOXES, ARROWS, WORDS, DETECTIONS = "tracks", "velocities", "labels", "detections"
CLEAR = MarkerArray(markers=[Marker(action=Marker.DELETEALL)])


class ObjectMarkers:
    """Makes the markers of each frame, with the deletion of those that are gone."""

    def __init__(self) -> None:
        self._shown: set[tuple[str, int]] = set()

    def message(self, detections: Objects, tracks: Objects, header: Header) -> MarkerArray:
        """Return the markers of one frame."""
        markers = [*_track_markers(tracks, header), *_detection_markers(detections, header)]
        now = {(marker.ns, marker.id) for marker in markers}
        gone = sorted(self._shown - now)
        self._shown = now
        removed = [Marker(header=header, ns=n, id=i, action=Marker.DELETE) for n, i in gone]
        return MarkerArray(markers=removed + markers)


def _track_markers(tracks: Objects, header: Header) -> Iterable[Marker]:
    speeds = np.linalg.norm(tracks.velocities_ego, axis=1)  # NaN where unknown
    for row in range(len(tracks)):
        number = tracks.ids[row].item() & 0x7FFFFFFF
        color = _color(tracks.labels[row].item(), 0.55)
        yield _box(tracks, row, header, (BOXES, number), color)
        if speeds[row] > SLOWEST_ARROW_MPS:
            yield _arrow(tracks, row, header, number)
        yield _word(tracks, row, header, number, speeds[row])


def _detection_markers(detections: Objects, header: Header) -> Iterable[Marker]:
    for row in range(len(detections)):
        yield _box(detections, row, header, (DETECTIONS, row), _color(-1, 0.2))


def _box(
    objects: Objects, row: int, header: Header, name: tuple[str, int], color: ColorRGBA
) -> Marker:
    marker = _marker(header, *name, Marker.CUBE, color)
    marker.pose = box_pose(objects, row)
    marker.scale = box_size(objects, row)
    return marker


def _arrow(tracks: Objects, row: int, header: Header, number: int) -> Marker:
    marker = _marker(header, ARROWS, number, Marker.ARROW, ColorRGBA(r=1.0, g=1.0, b=1.0, a=0.9))
    x, y, z = tracks.centers_ego[row].tolist()
    ahead_x, ahead_y = (tracks.velocities_ego[row] * ARROW_S).tolist()
    marker.points = [Point(x=x, y=y, z=z), Point(x=x + ahead_x, y=y + ahead_y, z=z)]
    marker.scale = Vector3(x=0.15, y=0.35, z=0.4)  # shaft, head, head's length
    return marker


def _word(tracks: Objects, row: int, header: Header, number: int, speed_mps: float) -> Marker:
    marker = _marker(
        header, WORDS, number, Marker.TEXT_VIEW_FACING, ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
    )
    marker.pose = box_pose(tracks, row)
    marker.pose.position.z += tracks.sizes_m[row, 2].item() / 2 + TEXT_HEIGHT_M
    marker.scale = Vector3(z=TEXT_HEIGHT_M)
    marker.text = f"{CLASSES[tracks.labels[row]]} {tracks.ids[row]}"
    if speed_mps > SLOWEST_ARROW_MPS:
        marker.text += f" {speed_mps:.1f} m/s"
    return marker


def _marker(header: Header, namespace: str, number: int, kind: int, color: ColorRGBA) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, color=color)
    marker.pose.orientation.w = 1.0
    marker.lifetime = Duration(nanosec=round(LIFETIME_S * 1e9))
    return marker


def _color(label: int, opacity: float) -> ColorRGBA:
    red, green, blue = (part / 255 for part in class_color(label))
    return ColorRGBA(r=red, g=green, b=blue, a=opacity)
