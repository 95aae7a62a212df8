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

"""Where the sensors are, as /tf_static, /tf, CameraInfo and the calibration file say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.errors import FusionError
from mm_fusion.geometry.tree import TransformTree
from mm_fusion.recordings.messages import camera_of, edge_of, frame_of
from mm_fusion.records import Float64

PLACED_KINDS = ("camera", "lidar", "radar", "gps", "imu")  # the others speak of the vehicle itself


class LiveCalibration:
    """The calibration as it is known so far; entries of the calibration file win."""

    def __init__(self, config: FusionConfig, given: Calibration) -> None:
        """Begin with what the calibration file says.

        Args:
            config: sensors and frames.
            given: what the calibration file says; it is never overruled.
        """
        self._config = config
        self._given = given
        self._tree = TransformTree()
        self._frames = {s.name: _bare(s.frame) for s in config.sensors}
        self._infos: dict[str, Any] = {}
        self._known = Calibration()
        self._dirty = True
        self.rejected: Counter[str] = Counter()  # sentence -> how often
        self.troubles: Mapping[str, str] = {}  # sensor -> why its place is not known

    def note_frame(self, sensor: str, frame_id: str) -> None:
        """Take the header.frame_id of a sensor's message; the setting `frame` overrules it."""
        if not self._frames[sensor] and frame_id:
            self._frames[sensor] = frame_id
            self._dirty = True

    def note_info(self, camera: str, info: Any) -> None:  # noqa: ANN401  # CameraInfo
        """Take a CameraInfo; it may differ from the one before."""
        self.note_frame(camera, frame_of(info))
        before = self._infos.get(camera)
        if before is None or not _same_info(before, info):
            self._infos[camera] = info
            self._dirty = True

    def note_transforms(self, message: Any) -> None:  # noqa: ANN401  # TFMessage
        """Take a message of /tf_static or /tf, our own pose of the vehicle excepted.

        A malformed transform is left out and counted in `rejected`.
        """
        ours = (self._config.map_frame, self._config.base_frame)
        for stamped in message.transforms:
            try:
                parent, child, parent_from_child = edge_of(stamped)
                if (parent, child) != ours:
                    self._tree.add(parent, child, parent_from_child)
                    self._dirty = True
            except FusionError as error:
                self.rejected[str(error)] += 1

    def refresh(self) -> Calibration | None:
        """Return the calibration if it has changed since the last time, else None."""
        if not self._dirty:
            return None
        self._dirty = False
        troubles: dict[str, str] = {}
        found = Calibration()
        for sensor in self._config.sensors:
            if sensor.kind in PLACED_KINDS:
                try:
                    found = self._with(found, sensor)
                except FusionError as error:
                    troubles[sensor.name] = str(error)
        self.troubles = troubles
        if same_calibration(found, self._known):
            return None
        self._known = found
        return found

    def _with(self, found: Calibration, sensor: SensorConfig) -> Calibration:
        name = sensor.name
        if name in self._given.cameras:
            return found.with_camera(self._given.cameras[name])
        if sensor.kind != "camera":
            return found.with_extrinsic(name, self._place(name))
        if name not in self._infos:
            raise FusionError("no CameraInfo")
        return found.with_camera(camera_of(name, self._infos[name], self._place(name)))

    def _place(self, name: str) -> Float64:
        if name in self._given.ego_from:
            return self._given.ego_from[name]
        if not self._frames[name]:
            raise FusionError(
                f"its messages name no frame (header.frame_id is empty); set sensor.{name}.frame"
            )
        return self._tree.lookup(self._config.base_frame, self._frames[name])


def _bare(frame: str) -> str:
    return frame.lstrip("/")  # as tf once spelt it


def _same_info(a: Any, b: Any) -> bool:  # noqa: ANN401  # CameraInfo
    simple = ("width", "height", "distortion_model", "binning_x", "binning_y", "roi")
    return all(getattr(a, name) == getattr(b, name) for name in simple) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("k", "d")
    )


def same_calibration(a: Calibration, b: Calibration) -> bool:
    """Tell whether two calibrations say the same."""
    return (
        a.ego_from.keys() == b.ego_from.keys()
        and a.cameras.keys() == b.cameras.keys()
        and all(np.array_equal(m, b.ego_from[name]) for name, m in a.ego_from.items())
        and all(_same_camera(camera, b.cameras[name]) for name, camera in a.cameras.items())
    )


def _same_camera(a: Camera, b: Camera) -> bool:
    return (
        np.array_equal(a.image_from_camera, b.image_from_camera)
        and np.array_equal(a.ego_from_camera, b.ego_from_camera)
        and (a.size_px, a.distortion_model, a.distortion)
        == (b.size_px, b.distortion_model, b.distortion)
    )
