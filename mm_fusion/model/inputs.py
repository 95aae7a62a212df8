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

"""What the network is given: the points and images of a batch, and which sensors there were.

Axis letters: B frames, P points of all frames, F columns of a point, I images of all frames, H, W
pixels, M modalities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mm_fusion.records import EgoFrame, Float64
from mm_fusion.shapes import check_shapes

MODALITIES = ("camera", "lidar", "radar")
LIDAR_COLUMNS = ("x", "y", "z", "intensity", "above_ground")
RADAR_COLUMNS = ("x", "y", "z", "radial_speed", "rcs", "ray_x", "ray_y")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointInputs:
    """Points of all frames of a batch, one list."""

    points: torch.Tensor  # (P, F) float32; columns as LIDAR_COLUMNS or RADAR_COLUMNS name them
    frame: torch.Tensor  # (P,) int64 index of the frame

    def to(self, device: torch.device | str) -> PointInputs:
        """Return the points on a device."""
        return PointInputs(points=self.points.to(device), frame=self.frame.to(device))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraInputs:
    """Images of all frames of a batch, one list: any number of cameras a frame, none included."""

    images: torch.Tensor  # (I, 3, H, W) float32 RGB in [0, 1]
    frame: torch.Tensor  # (I,) int64 index of the frame
    intrinsics: torch.Tensor  # (I, 3, 3) px; pixel centres at whole coordinates
    ego_from_camera: torch.Tensor  # (I, 4, 4) of the optical axes, at the frame's stamp

    def to(self, device: torch.device | str) -> CameraInputs:
        """Return the images on a device."""
        return CameraInputs(
            images=self.images.to(device),
            frame=self.frame.to(device),
            intrinsics=self.intrinsics.to(device),
            ego_from_camera=self.ego_from_camera.to(device),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BevInputs:
    """A batch of frames."""

    lidar: PointInputs
    radar: PointInputs
    cameras: CameraInputs | None
    present: torch.Tensor  # (B, M) bool, in the order of MODALITIES
    trust: torch.Tensor  # (B, M) float32 in [0, 1]
    planes: Float64  # (B, 3) a, b, c of the ground z = a x + b y + c; NaN where nothing knows it

    def __post_init__(self) -> None:
        modalities = len(MODALITIES)
        check_shapes(
            planes=(self.planes, ("B", 3)),
            present=(self.present, ("B", modalities)),
            trust=(self.trust, ("B", modalities)),
        )

    def __len__(self) -> int:
        return len(self.present)

    @property
    def weight(self) -> torch.Tensor:
        """What each modality counts in each frame (B, M)."""
        return torch.where(self.present, self.trust, torch.zeros_like(self.trust))

    def to(self, device: torch.device | str) -> BevInputs:
        """Return the batch on a device."""
        return replace(
            self,
            lidar=self.lidar.to(device),
            radar=self.radar.to(device),
            cameras=None if self.cameras is None else self.cameras.to(device),
            present=self.present.to(device),
            trust=self.trust.to(device),
        )

    def without(self, modality: str) -> BevInputs:
        """Return the batch as if this modality were in no frame of it."""
        present = self.present.clone()
        present[:, MODALITIES.index(modality)] = False
        planes = np.full_like(self.planes, np.nan) if modality == "lidar" else self.planes
        return replace(self, present=present, planes=planes)


def batch_of(
    frames: Sequence[EgoFrame],
    planes: Float64,
    cameras: CameraInputs | None = None,
    trust: torch.Tensor | None = None,
) -> BevInputs:
    """Make a batch of aligned frames.

    A kind that a frame does not have gives no rows, whatever the frame still holds of it. Of a
    camera there must be an image: one that sent something nobody could use is absent.

    Args:
        frames: B of them.
        planes: (B, 3) the ground below each; NaN where nothing knows it.
        cameras: their images.
        trust: (B, M) in [0, 1]; None: full trust.
    """
    kinds = [frame.present_kinds for frame in frames]
    present = torch.tensor([[m in kind for m in MODALITIES] for kind in kinds], dtype=torch.bool)
    present = present.reshape(len(frames), len(MODALITIES))
    pictured = torch.zeros(len(frames), dtype=torch.bool)
    if cameras is not None:
        pictured[cameras.frame] = True
    present[:, MODALITIES.index("camera")] &= pictured
    lidar = [_lidar_rows(frame, plane) for frame, plane in zip(frames, planes, strict=True)]
    return BevInputs(
        lidar=_joined(lidar, len(LIDAR_COLUMNS)),
        radar=_joined([_radar_rows(frame) for frame in frames], len(RADAR_COLUMNS)),
        cameras=cameras,
        present=present,
        trust=torch.ones(len(frames), len(MODALITIES)) if trust is None else trust,
        planes=np.asarray(planes, np.float64).reshape(len(frames), 3),
    )


def _lidar_rows(frame: EgoFrame, plane: Float64) -> Float64:
    if "lidar" not in frame.present_kinds:
        return np.zeros((0, len(LIDAR_COLUMNS)))
    x, y, z = np.asarray(frame.points_ego, np.float64).T
    above = z - (plane[0] * x + plane[1] * y + plane[2])
    return np.column_stack([x, y, z, frame.intensity, np.nan_to_num(above)])


def _radar_rows(frame: EgoFrame) -> Float64:
    if "radar" not in frame.present_kinds:
        return np.zeros((0, len(RADAR_COLUMNS)))
    rays = frame.radar_ray_ego[:, :2]
    return np.column_stack([frame.radar_ego, frame.radial_speed_mps, frame.rcs_dbsm, rays])


def _joined(rows: Sequence[Float64], columns: int) -> PointInputs:
    counts = np.array([len(r) for r in rows], np.int64)
    whole = np.concatenate([np.zeros((0, columns)), *rows]).astype(np.float32)
    return PointInputs(
        points=torch.from_numpy(whole),
        frame=torch.from_numpy(np.repeat(np.arange(len(rows)), counts)),
    )
