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

import math
from collections.abc import Iterator

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from mm_fusion.geometry.rigid import invert, transform
from mm_fusion.objects import CLASSES, FusionResult, Objects
from mm_fusion.records import Float64
from mm_fusion.ros.object_messages import box_poses, box_sizes, header_of
from mm_fusion.view.colors import class_color
from mm_fusion.view.trails import Trails

LIFETIME_S = 0.5  # a marker nobody renews disappears by itself
ARROW_S = 1.0  # an arrow ends where the object will be after this
SLOWEST_ARROW_MPS = 0.5
TEXT_HEIGHT_M = 0.7
BOXES, ARROWS, WORDS, DETECTIONS = "tracks", "velocities", "labels", "detections"
TRAILS, SPREADS = "trails", "covariances"
MOVED_M = 0.5  # a trail shorter than this is not drawn
NINETY_FIVE = 5.991  # chi-square of two degrees of freedom
WHOLE = 0x7FFFFFFF  # markers' ids are 32 bits wide
CLEAR = MarkerArray(markers=[Marker(action=Marker.DELETEALL)])


class ObjectMarkers:
    """Makes the markers of each frame, with the deletion of those that are gone."""

    def __init__(self) -> None:
        self._shown: set[tuple[str, int]] = set()
        self._trails = Trails()

    def message(self, result: FusionResult, base_frame: str, map_frame: str) -> MarkerArray:
        """Return the markers of one frame; trails are in the map, all else in the vehicle."""
        header = header_of(result.stamp_ns, base_frame)
        tracks, odom_from_ego = result.tracks, result.odom_from_ego
        self._trails.add(result.stamp_ns, tracks.ids, transform(odom_from_ego, tracks.centers_ego))
        map_from_odom = result.frame.map_from_ego @ invert(odom_from_ego)
        markers = [
            *_track_markers(tracks, header),
            *_spread_markers(tracks, header),
            *_detection_markers(result.detections, header),
            *self._trail_markers(tracks, map_from_odom, header_of(result.stamp_ns, map_frame)),
        ]
        now = {(marker.ns, marker.id) for marker in markers}
        gone = sorted(self._shown - now)
        self._shown = now
        removed = [Marker(header=header, ns=n, id=i, action=Marker.DELETE) for n, i in gone]
        return MarkerArray(markers=removed + markers)

    def _trail_markers(
        self, tracks: Objects, map_from_odom: Float64, header: Header
    ) -> Iterator[Marker]:
        """Yield a line for each track that has moved in the last three seconds."""
        color = ColorRGBA(r=1.0, g=0.85, b=0.2, a=0.8)
        strips = self._trails.strips()
        for ident in sorted(strips.keys() & set(tracks.ids.tolist())):
            way = transform(map_from_odom, strips[ident])
            if np.ptp(way[:, :2], axis=0).max() < MOVED_M:
                continue
            marker = _marker(header, TRAILS, ident & WHOLE, Marker.LINE_STRIP, color)
            marker.scale = Vector3(x=0.12)
            marker.points = [Point(x=x, y=y, z=z) for x, y, z in way.tolist()]
            yield marker


def _track_markers(tracks: Objects, header: Header) -> Iterator[Marker]:
    speeds = np.linalg.norm(tracks.velocities_ego, axis=1)  # NaN where unknown
    columns = (box_poses(tracks), box_sizes(tracks), tracks.labels.tolist(), tracks.ids.tolist())
    for row, (pose, size, label, ident) in enumerate(zip(*columns, strict=True)):
        number, moves = ident & WHOLE, speeds[row] > SLOWEST_ARROW_MPS
        yield _box(pose, size, header, (BOXES, number), _color(label, 0.55))
        if moves:
            yield _arrow(pose.position, tracks.velocities_ego[row], header, number)
        words = f"{CLASSES[label]} {ident}" + (f" {speeds[row]:.1f} m/s" if moves else "")
        yield _word(pose.position, size.z, words, header, number)


def _spread_markers(tracks: Objects, header: Header) -> Iterator[Marker]:
    """Yield a flat ellipse for each track, within which its centre is in 95 of 100 cases."""
    variances, axes = np.linalg.eigh(tracks.covariances[:, :2, :2])
    widths = 2 * np.sqrt(NINETY_FIVE * np.maximum(variances, 0.0))
    turns = np.arctan2(axes[:, 1, 1], axes[:, 0, 1])  # of the longer axis
    bottoms = tracks.centers_ego[:, 2] - tracks.sizes_m[:, 2] / 2
    rows = zip(tracks.ids.tolist(), tracks.centers_ego.tolist(), bottoms.tolist(), strict=True)
    for row, (ident, (x, y, _), z) in enumerate(rows):
        color = ColorRGBA(r=0.6, g=0.8, b=1.0, a=0.25)
        marker = _marker(header, SPREADS, ident & WHOLE, Marker.CYLINDER, color)
        marker.pose.position = Point(x=x, y=y, z=z)
        half = float(turns[row]) / 2
        marker.pose.orientation = Quaternion(z=math.sin(half), w=math.cos(half))
        marker.scale = Vector3(x=float(widths[row, 1]), y=float(widths[row, 0]), z=0.02)
        yield marker


def _detection_markers(detections: Objects, header: Header) -> Iterator[Marker]:
    color = _color(-1, 0.2)
    boxes = zip(box_poses(detections), box_sizes(detections), strict=True)
    for row, (pose, size) in enumerate(boxes):
        yield _box(pose, size, header, (DETECTIONS, row), color)


def _box(
    pose: Pose, size: Vector3, header: Header, name: tuple[str, int], color: ColorRGBA
) -> Marker:
    marker = _marker(header, *name, Marker.CUBE, color)
    marker.pose, marker.scale = pose, size
    return marker


def _arrow(start: Point, velocity_mps: Float64, header: Header, number: int) -> Marker:
    marker = _marker(header, ARROWS, number, Marker.ARROW, ColorRGBA(r=1.0, g=1.0, b=1.0, a=0.9))
    ahead_x, ahead_y = (velocity_mps * ARROW_S).tolist()
    marker.points = [start, Point(x=start.x + ahead_x, y=start.y + ahead_y, z=start.z)]
    marker.scale = Vector3(x=0.15, y=0.35, z=0.4)  # shaft, head, head's length
    return marker


def _word(center: Point, height_m: float, words: str, header: Header, number: int) -> Marker:
    marker = _marker(
        header, WORDS, number, Marker.TEXT_VIEW_FACING, ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
    )
    above = center.z + height_m / 2 + TEXT_HEIGHT_M
    marker.pose.position = Point(x=center.x, y=center.y, z=above)
    marker.scale = Vector3(z=TEXT_HEIGHT_M)
    marker.text = words
    return marker


def _marker(header: Header, namespace: str, number: int, kind: int, color: ColorRGBA) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, color=color)
    marker.pose.orientation.w = 1.0
    marker.lifetime = Duration(nanosec=round(LIFETIME_S * 1e9))
    return marker


def _color(label: int, opacity: float) -> ColorRGBA:
    red, green, blue = (part / 255 for part in class_color(label))
    return ColorRGBA(r=red, g=green, b=blue, a=opacity)
