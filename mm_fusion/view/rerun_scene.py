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

"""Frames as a Rerun recording: the scene on its map, the cameras, curves and remarks.

Axis letters: N LiDAR points, M radar returns, K objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.geometry.rigid import invert, transform
from mm_fusion.objects import CLASSES, FusionResult, Objects
from mm_fusion.records import NS_PER_S, EgoFrame, Float32, Float64
from mm_fusion.view import rerun_layout as paths
from mm_fusion.view.bev import ARROW_S, HIGH_M, LOW_M, MOVING_MPS
from mm_fusion.view.colors import AWAY, CLOSING, STANDING, TRUTH, class_color, ramp
from mm_fusion.view.rerun_stream import load_rerun
from mm_fusion.view.trails import Trails

EPOCH_S = 10**9  # stamps beyond are dates (2001 and later), smaller ones times of a simulation
TRAJECTORY_STEP_M = 0.2  # the vehicle's way is drawn by points this far apart
IMAGE_PLANE_M = 4.0  # how far before its camera an image hangs in the scene
POINT_M, RETURN_M = 0.03, 0.2  # radii
THIN, THICK = -0.6, -1.8  # radii of lines; negative: in points of the screen, not in m
GREY = (150, 150, 150)
PNG = b"\x89PNG"  # what such a file begins with
EGO_BOX = ((1.4, 0.0, 0.75), (4.4, 1.8, 1.5))  # m: centre and size of the vehicle as drawn


class RerunScene:
    """Logs frames to a stream of `rerun_stream`, each part under a path of `rerun_layout`.

    Call `set_stamp` before what belongs to a moment. What is empty is logged too: that clears it.
    """

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  # rerun.RecordingStream
        self._rr: Any = load_rerun()
        self._stream = stream
        self._trails = Trails()
        self._labels: dict[int, int] = {}  # id -> class, of those that have a trail
        self._way: list[Float64] = []
        self._stamp_ns = 0
        self._map_from_ego = np.eye(4)
        center, size = EGO_BOX
        vehicle = self._rr.Boxes3D(centers=[center], sizes=[size], colors=[GREY], radii=THIN)
        self._log(f"{paths.EGO}/vehicle", vehicle, static=True)
        self._log(paths.MAP, self._rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def show(
        self,
        result: FusionResult,
        calibration: Calibration,
        *,
        images: Mapping[str, bytes],
        truth: Objects | None = None,
        offsets_s: Mapping[str, float] | None = None,
        latencies_s: Mapping[str, float] | None = None,
    ) -> None:
        """Log everything of one frame.

        Args:
            result: of the pipeline.
            calibration: the cameras' places; an image without one is not shown.
            images: camera -> its image as a JPEG or PNG file.
            truth: labelled boxes, in the vehicle's frame; None: this frame has no labels.
            offsets_s: stream -> its record's stamp less the frame's.
            latencies_s: stage -> how long it took.
        """
        frame = result.frame
        self.set_stamp(result.stamp_ns)
        self.show_pose(frame.map_from_ego)
        self.show_cloud(paths.LIDAR, frame.points_ego)
        self.show_radar(frame)
        for name, camera in calibration.cameras.items():
            self.show_camera(camera, frame.image_stamp_from_frame.get(name))
            self.show_image(f"{paths.CAMERAS}/{name}/image", images.get(name))
        self.show_detections(result.detections)
        self.show_tracks(result.tracks)
        self.show_velocities(result.tracks)
        self.show_truth(Objects.none() if truth is None else truth)
        self.plot(
            paths.COUNTS, {"tracks": len(result.tracks), "detections": len(result.detections)}
        )
        self.plot(paths.OFFSETS, {n: 1e3 * s for n, s in (offsets_s or {}).items()})
        self.plot(paths.LATENCIES, {n: 1e3 * s for n, s in (latencies_s or {}).items()})
        self.remark(result.missing, result.notes)

    def arrange(self, blueprint: Any) -> None:  # noqa: ANN401  # of `rerun_layout.layout`
        """Arrange the views so, until the user arranges them anew."""
        self._stream.send_blueprint(blueprint)

    def close(self) -> None:
        """Write what is still waiting, and end the stream."""
        self._stream.flush()
        self._stream.disconnect()

    def set_stamp(self, stamp_ns: int) -> None:
        """Say when what is logged from here on was: a date, or a time since the start."""
        self._stamp_ns = stamp_ns
        if stamp_ns >= EPOCH_S * NS_PER_S:
            self._stream.set_time(paths.TIMELINE, timestamp=np.datetime64(stamp_ns, "ns"))
        else:
            self._stream.set_time(paths.TIMELINE, duration=np.timedelta64(stamp_ns, "ns"))

    def show_pose(self, map_from_ego: Float64) -> None:
        """Log where the vehicle is, and the way it has come."""
        position = map_from_ego[:3, 3]
        self._map_from_ego = map_from_ego
        self._log(paths.EGO, _placed(self._rr, map_from_ego))
        if not self._way or np.linalg.norm(position - self._way[-1]) >= TRAJECTORY_STEP_M:
            self._way.append(position.copy())
            line = self._rr.LineStrips3D([np.stack(self._way)], colors=[GREY], radii=THICK)
            self._log(paths.TRAJECTORY, line)

    def show_cloud(
        self, path: str, points_ego: Float32 | Float64, radius_m: float = POINT_M
    ) -> None:
        """Log a cloud (N, 3) m, coloured by height."""
        colors = ramp(points_ego[:, 2].astype(np.float64), LOW_M, HIGH_M)
        self._log(path, self._rr.Points3D(points_ego, colors=colors, radii=radius_m))

    def show_radar(self, frame: EgoFrame) -> None:
        """Log the radar's returns; those that move have an arrow of a second's way."""
        speeds = frame.radial_speed_mps.astype(np.float64)  # NaN, which compares False, if unknown
        moving, away = np.abs(speeds) > MOVING_MPS, (speeds > 0)[:, None]
        colors = np.where(moving[:, None], np.where(away, AWAY, CLOSING), STANDING).astype(np.uint8)
        self._log(paths.RADAR, self._rr.Points3D(frame.radar_ego, colors=colors, radii=RETURN_M))
        arrows = self._rr.Arrows3D(
            vectors=(frame.radar_ray_ego * (speeds * ARROW_S)[:, None])[moving],
            origins=frame.radar_ego[moving],
            colors=colors[moving],
            radii=THIN,
        )
        self._log(f"{paths.RADAR}/range_rates", arrows)

    def show_detections(self, detections: Objects) -> None:
        """Log what was seen in this frame alone, thin and without words."""
        self._log(paths.DETECTIONS, self._boxes(detections, THIN))

    def show_tracks(self, tracks: Objects) -> None:
        """Log the tracks, in the vehicle's frame at the last stamp set: box, words and trail."""
        words = [_words(tracks, row) for row in range(len(tracks))]
        self._log(paths.TRACKS, self._boxes(tracks, THICK, words))
        points_map = transform(self._map_from_ego, tracks.centers_ego)
        self._trails.add(self._stamp_ns, tracks.ids, points_map)
        strips = self._trails.strips()
        self._labels |= zip(tracks.ids.tolist(), tracks.labels.tolist(), strict=True)
        self._labels = {ident: self._labels[ident] for ident in strips}
        colors = [class_color(label) for label in self._labels.values()]
        lines = self._rr.LineStrips3D(list(strips.values()), colors=colors, radii=THIN)
        self._log(paths.TRAILS, lines)

    def show_velocities(self, objects: Objects) -> None:
        """Log an arrow of a second's way for each object that is known to move."""
        speeds = np.linalg.norm(objects.velocities_ego, axis=1)
        moving = speeds > MOVING_MPS
        planar = objects.velocities_ego[moving] * ARROW_S
        arrows = self._rr.Arrows3D(
            vectors=np.column_stack([planar, np.zeros(len(planar))]),
            origins=objects.centers_ego[moving],
            colors=[class_color(label) for label in objects.labels[moving].tolist()],
            radii=THICK,
        )
        self._log(paths.VELOCITIES, arrows)

    def show_truth(self, truth: Objects) -> None:
        """Log labelled boxes in white."""
        self._log(paths.TRUTH, self._boxes(truth, THIN, color=TRUTH))

    def show_camera(self, camera: Camera, image_stamp_from_frame: Float64 | None) -> None:
        """Log where a camera was when it looked, in the frame's ego; its lens is taken as ideal."""
        ego_from_camera = camera.ego_from_camera
        if image_stamp_from_frame is not None:
            ego_from_camera = invert(image_stamp_from_frame) @ ego_from_camera
        pinhole = self._rr.Pinhole(
            image_from_camera=camera.image_from_camera,
            resolution=camera.size_px,
            camera_xyz=self._rr.ViewCoordinates.RDF,
            image_plane_distance=IMAGE_PLANE_M,
        )
        self._log(f"{paths.CAMERAS}/{camera.name}", _placed(self._rr, ego_from_camera), pinhole)

    def show_image(self, path: str, coded: bytes | None) -> None:
        """Log a JPEG or PNG file as it is; None: there is no image now."""
        if coded is None:
            self._log(path, self._rr.Clear(recursive=False))
            return
        kind = "image/png" if coded.startswith(PNG) else "image/jpeg"
        self._log(path, self._rr.EncodedImage(contents=coded, media_type=kind))

    def plot(self, group: str, values: Mapping[str, float]) -> None:
        """Continue the curves of a group by a value each."""
        for name, value in values.items():
            self._log(f"{group}/{name}", self._rr.Scalars(float(value)))

    def remark(self, missing: Mapping[str, str], notes: tuple[str, ...]) -> None:
        """Log what this frame lacks and what its makers say of it."""
        lines = [f"- **{stream}** missing: {why}" for stream, why in sorted(missing.items())]
        text = "\n".join([*lines, *(f"- {note}" for note in notes)]) or "nothing is missing"
        self._log(paths.REMARKS, self._rr.TextDocument(text, media_type="text/markdown"))

    def _boxes(
        self,
        objects: Objects,
        radius: float,
        words: list[str] | None = None,
        color: tuple[int, int, int] | None = None,
    ) -> Any:  # noqa: ANN401  # rerun.Boxes3D
        half, zero = objects.yaws_rad / 2, np.zeros(len(objects))
        return self._rr.Boxes3D(
            centers=objects.centers_ego,
            sizes=objects.sizes_m,
            quaternions=np.column_stack([zero, zero, np.sin(half), np.cos(half)]),  # x, y, z, w
            colors=[color or class_color(label) for label in objects.labels.tolist()],
            radii=radius,
            labels=words,
            show_labels=words is not None,
            fill_mode="MajorWireframe",  # filled ones would hide what the camera saw
        )

    def _log(self, path: str, *parts: Any, static: bool = False) -> None:  # noqa: ANN401
        self._stream.log(path, *parts, static=static)


def _placed(rr: Any, target_from_source: Float64) -> Any:  # noqa: ANN401
    return rr.Transform3D(translation=target_from_source[:3, 3], mat3x3=target_from_source[:3, :3])


def _words(tracks: Objects, row: int) -> str:
    """Say class, id and speed; a speed that is unknown or none is not said."""
    words = f"{CLASSES[tracks.labels[row]]} #{tracks.ids[row]}"
    speed = float(np.hypot(*tracks.velocities_ego[row]))
    return f"{words} {speed:.0f} m/s" if speed >= MOVING_MPS else words
