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

Axis letters: B frames, C channels, X cells forward, Y cells to the left.
"""

from __future__ import annotations

import torch
from torch import nn

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.backbone import Backbone, conv_norm
from mm_fusion.model.camera import CameraBranch
from mm_fusion.model.fusers import build_fuser
from mm_fusion.model.head import CentreHead, SmallHead
from mm_fusion.model.inputs import (
    LIDAR_COLUMNS,
    MODALITIES,
    RADAR_COLUMNS,
    BevInputs,
    PointInputs,
)
from mm_fusion.model.network_config import NetworkConfig
from mm_fusion.model.outputs import BevOutputs, HeadMaps
from mm_fusion.model.pillars import PillarEncoder


class PointBranch(nn.Module):
    """Points to a map of half the pillars' resolution."""

    def __init__(self, config: NetworkConfig, columns: tuple[str, ...], slices_of: str) -> None:
        super().__init__()
        self.pillars = PillarEncoder(
            config.grid, columns, config.pillar_channels, slices_of=slices_of
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
        self.fuser = build_fuser(config.fuser, config.modalities, config.channels)
        self.backbone = Backbone(config.channels, config.depths, config.blocks)
        self.head = CentreHead(config.channels, len(config.classes))

    def forward(
        self, weight: torch.Tensor, *maps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return heat (B, K, X, Y) and boxes (B, C', X, Y) of maps (B, C, X, Y), one a modality.

        Args:
            weight: (B, M) of the modalities; 0: absent.
            maps: M of them.
        """
        said: HeadMaps = self.head(self.backbone(self.fuser(torch.stack(maps, dim=1), weight)))
        return said.heat, said.box


class FusionNetwork(nn.Module):
    """Fuses whatever sensors there are, and answers for every cell."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        encoders: dict[str, nn.Module] = {}
        if "camera" in config.modalities:
            encoders["camera"] = CameraBranch(config)
        if "lidar" in config.modalities:
            encoders["lidar"] = PointBranch(config, LIDAR_COLUMNS, "above_ground")
        if "radar" in config.modalities:
            encoders["radar"] = PointBranch(config, RADAR_COLUMNS, "")
        self.encoders = nn.ModuleDict(encoders)
        self.trunk: nn.Module = Trunk(config)
        self.alone = nn.ModuleDict(
            {name: SmallHead(config.channels, len(config.classes)) for name in config.modalities}
        )

    def forward(self, inputs: BevInputs, grid: BevGrid | None = None) -> BevOutputs:
        """Answer for a batch; what one modality alone would say is given in training only.

        Args:
            inputs: the batch.
            grid: of the pillars, instead of the settings': convolutions fit any extent.
        """
        grid = grid or self.config.grid
        map_grid = grid.coarser(2)
        order = [MODALITIES.index(name) for name in self.config.modalities]
        weight = inputs.weight[:, order]
        maps: dict[str, torch.Tensor] = {}
        depth_logits = None
        for column, name in enumerate(self.config.modalities):
            rows = torch.nonzero(weight[:, column] > 0).flatten()
            if not len(rows):
                continue
            if name == "camera":
                encoded, depth_logits = self.encoders[name](inputs, rows, map_grid)
            else:
                points = inputs.lidar if name == "lidar" else inputs.radar
                points = _of_frames(points, rows, len(inputs))
                encoded = self.encoders[name](points, len(rows), grid)
            maps[name] = _placed(encoded, rows, len(inputs))
        shape = (len(inputs), self.config.channels, *map_grid.shape)
        nothing = weight.new_zeros(shape)
        heat, box = self.trunk(weight, *(maps.get(n, nothing) for n in self.config.modalities))
        return BevOutputs(
            fused=HeadMaps(heat=heat, box=box),
            alone={n: self.alone[n](maps[n]) for n in maps} if self.training else {},
            depth_logits=depth_logits,
        )


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
