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

"""The fusion network: an encoder for each modality, a fuser, a backbone, a head.

Whatever sensors a frame has take part; those it lacks leave no trace.

Axis letters: B frames, M branches, C channels, X cells forward, Y cells to the left.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.backbone import Backbone, conv_norm
from mm_fusion.model.camera import CameraBranch, ImageFeatures
from mm_fusion.model.early import JOINT_COLUMNS, PAINT, Painter, joined
from mm_fusion.model.fusers import build_fuser
from mm_fusion.model.head import CentreHead, SmallHead
from mm_fusion.model.inputs import (
    LIDAR_COLUMNS,
    MODALITIES,
    RADAR_COLUMNS,
    BevInputs,
    PointInputs,
)
from mm_fusion.model.network_config import JOINT, NetworkConfig
from mm_fusion.model.outputs import BevOutputs, HeadMaps
from mm_fusion.model.pillars import PillarEncoder

COLUMNS = {"lidar": LIDAR_COLUMNS, "radar": RADAR_COLUMNS, JOINT: JOINT_COLUMNS}
SLICED = "above_ground"  # whose occupied heights each pillar tells


class PointBranch(nn.Module):
    """Points to a map of half the pillars' resolution."""

    def __init__(self, config: NetworkConfig, columns: tuple[str, ...]) -> None:
        super().__init__()
        self.pillars = PillarEncoder(
            config.grid,
            columns,
            config.pillar_channels,
            slices_of=SLICED if SLICED in columns else "",
            painted=PAINT + 1 if "paint" in config.early else 0,
        )
        self.around = nn.Sequential(
            conv_norm(config.pillar_channels, config.channels, stride=2),
            nn.ReLU(),
            conv_norm(config.channels, config.channels),
            nn.ReLU(),
        )

    def forward(self, points: PointInputs, frames: int, grid: BevGrid) -> torch.Tensor:
        """Return (B, C, X, Y) of points in a grid of twice as many pillars each way."""
        bev: torch.Tensor = self.around(self.pillars(points, frames, grid))
        return bev


class Trunk(nn.Module):
    """Everything after the encoders: fuser, backbone and head."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.fuser = build_fuser(config.fuser, config.branches, config.channels)
        self.backbone = Backbone(config.channels, config.depths, config.blocks)
        self.head = CentreHead(config.channels, len(config.classes))

    def forward(
        self, weight: torch.Tensor, *maps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return heat (B, K, X, Y) and boxes (B, C', X, Y) of maps (B, C, X, Y), one a branch.

        Args:
            weight: (B, M) of the branches; 0: absent.
            maps: M of them.
        """
        said: HeadMaps = self.head(self.backbone(self.fuser(torch.stack(maps, dim=1), weight)))
        return said.heat, said.box


class FusionNetwork(nn.Module):
    """Fuses whatever sensors there are, and answers for every cell."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleDict(
            {
                name: CameraBranch(config)
                if name == "camera"
                else PointBranch(config, COLUMNS[name])
                for name in config.branches
            }
        )
        self.painter = Painter(config.image_channels) if "paint" in config.early else None
        self.trunk: nn.Module = Trunk(config)
        self.alone = nn.ModuleDict(
            {name: SmallHead(config.channels, len(config.classes)) for name in config.branches}
        )

    def forward(self, inputs: BevInputs, grid: BevGrid | None = None) -> BevOutputs:
        """Answer for a batch; what one branch alone would say is given in training only.

        Args:
            inputs: the batch.
            grid: of the pillars, instead of the settings': convolutions fit any extent.
        """
        grid = grid or self.config.grid
        map_grid = grid.coarser(2)
        weights = self._weights(inputs)
        images = self._images(inputs, weights)
        maps: dict[str, torch.Tensor] = {}
        depth_logits = None
        for name, weight in weights.items():
            rows = torch.nonzero(weight > 0).flatten()
            if not len(rows):
                continue
            if name == "camera":
                encoded, depth_logits = self.encoders[name](images, rows, map_grid)
            else:
                points = _of_frames(self._points(name, inputs, images), rows, len(inputs))
                encoded = self.encoders[name](points, len(rows), grid)
            maps[name] = _placed(encoded, rows, len(inputs))
        weight = torch.stack(list(weights.values()), dim=1)  # (B, M)
        nothing = weight.new_zeros(len(inputs), self.config.channels, *map_grid.shape)
        heat, box = self.trunk(weight, *(maps.get(name, nothing) for name in weights))
        return BevOutputs(
            fused=HeadMaps(heat=heat, box=box),
            alone={n: self.alone[n](maps[n]) for n in maps} if self.training else {},
            depth_logits=depth_logits,
        )

    def _weights(self, inputs: BevInputs) -> dict[str, torch.Tensor]:
        """Return what each branch counts in each frame (B,)."""
        of = {name: inputs.weight[:, column] for column, name in enumerate(MODALITIES)}
        if inputs.cameras is None:
            of["camera"] = torch.zeros_like(of["camera"])
        of[JOINT] = torch.maximum(of["lidar"], of["radar"])
        return {name: of[name] for name in self.config.branches}

    def _images(
        self, inputs: BevInputs, weights: Mapping[str, torch.Tensor]
    ) -> ImageFeatures | None:
        """Return the features of the images that take part; None: there are none."""
        if inputs.cameras is None or "camera" not in weights:
            return None
        shown = torch.nonzero(weights["camera"][inputs.cameras.frame] > 0).flatten()
        if not len(shown):
            return None
        branch = self.encoders["camera"]
        assert isinstance(branch, CameraBranch)
        return branch.encode(inputs.cameras, shown)

    def _points(self, name: str, inputs: BevInputs, images: ImageFeatures | None) -> PointInputs:
        """Return the cloud of a branch, painted where that is asked for."""
        if name == JOINT:
            present = inputs.weight > 0
            lidar, radar = (
                _where(points, present[:, MODALITIES.index(kind)])
                for points, kind in ((inputs.lidar, "lidar"), (inputs.radar, "radar"))
            )
            points = joined(lidar, radar)
        else:
            points = inputs.lidar if name == "lidar" else inputs.radar
        return points if self.painter is None else self.painter(points, images)


def _where(points: PointInputs, present: torch.Tensor) -> PointInputs:
    """Keep the points of the frames (B,) in which their sensor is present."""
    kept = present[points.frame]
    return PointInputs(points=points.points[kept], frame=points.frame[kept])


def _of_frames(points: PointInputs, rows: torch.Tensor, frames: int) -> PointInputs:
    """Keep the points of some frames (R,), which are numbered anew."""
    number = torch.full((frames,), -1, dtype=torch.int64, device=rows.device)
    number[rows] = torch.arange(len(rows), device=rows.device)
    frame = number[points.frame]
    kept = frame >= 0
    return PointInputs(points=points.points[kept], frame=frame[kept])


def _placed(encoded: torch.Tensor, rows: torch.Tensor, frames: int) -> torch.Tensor:
    """Put the maps of some frames (R, C, X, Y) among all (B, C, X, Y), the others zero."""
    if len(rows) == frames:
        return encoded
    return encoded.new_zeros(frames, *encoded.shape[1:]).index_copy(0, rows, encoded)
