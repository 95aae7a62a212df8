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

"""What the network is made of: the settings that a checkpoint carries with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mm_fusion.config_tree import from_mapping
from mm_fusion.errors import ConfigError
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.objects import CLASSES
from mm_fusion.settings import require

EARLY = {  # and the modalities it needs
    "paint": ("camera",),  # points carry what the image shows where they are
    "joint": ("lidar", "radar"),  # points and returns are one cloud
}
JOINT = "points"  # the branch of that cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Shape of one network; a checkpoint is of one such shape."""

    modalities: tuple[str, ...] = ("camera", "lidar", "radar")
    classes: tuple[str, ...] = CLASSES[:-1]
    grid: BevGrid = field(
        default_factory=lambda: BevGrid(
            x_min_m=0.0, x_max_m=102.4, y_min_m=-35.84, y_max_m=35.84, cell_m=0.32
        )
    )  # of the pillars; everything after them is at twice the cell
    pillar_channels: int = 32
    channels: int = 48  # of the bird's-eye maps
    depths: tuple[int, ...] = (48, 96, 128)  # channels of the backbone's stages, each half as fine
    blocks: int = 2  # residual blocks a stage
    fuser: str = "gated"
    early: tuple[str, ...] = ()  # what is fused before the encoders, of EARLY
    image_height: int = 192
    image_width: int = 640
    image_channels: int = 48
    lift: str = "splat"  # or columns: without depths
    depth_step_m: float = 1.6

    def __post_init__(self) -> None:
        for name in self.early:
            require(name in EARLY, f"early fusion {name!r} is not known; {', '.join(EARLY)} are")
            lacking = [m for m in EARLY[name] if m not in self.modalities]
            require(not lacking, f"early fusion {name!r} needs the modality {lacking}")
        if strangers := sorted(set(self.classes) - set(CLASSES)):
            raise ConfigError(
                f"classes: {strangers[0]!r} is not known; known: {', '.join(CLASSES)}"
            )
        if any(cells % self.coarsest for cells in self.grid.shape):
            raise ConfigError(
                f"grid: {self.grid.shape[0]} x {self.grid.shape[1]} cells cannot be halved "
                f"{len(self.depths)} times; choose multiples of {self.coarsest}"
            )

    @property
    def branches(self) -> tuple[str, ...]:
        """What the fuser fuses: a map of each modality, or of those that are one before it."""
        if "joint" not in self.early:
            return self.modalities
        return (*(m for m in self.modalities if m not in EARLY["joint"]), JOINT)

    @property
    def coarsest(self) -> int:
        """How many pillars along a side one cell of the backbone's last stage covers."""
        return int(2 ** len(self.depths))

    @property
    def map_grid(self) -> BevGrid:
        """The grid of the maps that are fused and of the head."""
        return self.grid.coarser(2)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def of_dict(cls, tree: dict[str, Any]) -> NetworkConfig:
        """Make a config of `as_dict`'s values.

        Raises:
            ConfigError: a setting is unknown, or no longer valid.
        """
        return from_mapping(cls, tree, "network.")
