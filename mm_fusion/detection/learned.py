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

"""The detector that has learnt: the fusion network, for whatever sensors a frame has.

Axis letters: K objects, M modalities.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from mm_fusion.calibration import Calibration
from mm_fusion.config import LearnedConfig
from mm_fusion.detection.ground_plane import ground_plane
from mm_fusion.detection.shipped import weights_of
from mm_fusion.geometry.boxes import hit
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.model.backends import accelerated, chosen_backend
from mm_fusion.model.checkpoint import TRAINING_ONLY, Card, load_checkpoint
from mm_fusion.model.decode import DecodeConfig, decode
from mm_fusion.model.device import device_of
from mm_fusion.model.folding import folded
from mm_fusion.model.image_inputs import image_arrays
from mm_fusion.model.inputs import BevInputs, CameraInputs, batch_of
from mm_fusion.model.network import FusionNetwork
from mm_fusion.model.outputs import BevOutputs
from mm_fusion.objects import SEEN_BY, Objects
from mm_fusion.preprocess.image import decode as decode_image
from mm_fusion.records import EgoFrame

TOUCH_M = 0.2  # around a box: points this close are its own


class LearnedDetector:
    """Runs a trained network; a sensor it never learnt to use is left aside."""

    name = "learned"

    def __init__(self, network: FusionNetwork, card: Card, config: LearnedConfig) -> None:
        """Take a network that is ready to detect, where it is to run.

        Args:
            network: of a checkpoint.
            card: what it was trained on.
            config: settings.
        """
        self.card = card
        self._config = config
        self._shape = network.config
        self._network = network
        self._device = next(network.parameters()).device
        self._calibration = Calibration()

    @property
    def needs_any_of(self) -> frozenset[str]:
        """Kinds of sensor of which at least one must be present for anything to be seen."""
        return frozenset(self._shape.modalities)

    def calibrate(self, calibration: Calibration) -> None:
        """Use these cameras from the next frame on."""
        self._calibration = calibration

    def detect(self, frame: EgoFrame) -> Objects:
        """Return the objects of one frame; without a sensor it knows there are none."""
        if not self.needs_any_of & frame.present_kinds:
            return Objects.none()
        inputs = self.inputs_of(frame)
        outputs = self.answer(inputs)
        settings = DecodeConfig(
            least_score=self._config.score_threshold,
            overlap=self._config.overlap,
            velocity=self.card.velocity,
        )
        (objects,) = decode(
            outputs.fused, self._shape.map_grid, self._shape.classes, inputs.planes, settings
        )
        return _with_evidence(objects, frame, self._calibration)

    def answer(self, inputs: BevInputs) -> BevOutputs:
        """Return what the network says."""
        with torch.inference_mode():
            outputs: BevOutputs = self._network(inputs.to(self._device))
        return outputs

    @property
    def parameters(self) -> int:
        """How many weights detection uses, of a network that torch runs."""
        return sum(
            weights.numel()
            for name, weights in self._network.named_parameters()
            if not name.startswith(TRAINING_ONLY)
        )

    @property
    def threads(self) -> int:
        """On how many threads of the CPU it runs."""
        return torch.get_num_threads()

    def gmacs(self, inputs: BevInputs) -> float:
        """Count the multiplications and additions of an answer in 10^9, of one that torch runs."""
        with FlopCounterMode(display=False) as counter:
            self.answer(inputs)
        return float(counter.get_total_flops()) / 2e9

    def inputs_of(self, frame: EgoFrame) -> BevInputs:
        """Return what the network is given of one frame."""
        plane = ground_plane(frame)
        return batch_of([frame], plane[None], self._cameras(frame))

    def _cameras(self, frame: EgoFrame) -> CameraInputs | None:
        if "camera" not in self._shape.modalities or not frame.images:
            return None
        pictures = {
            name: decode_image(image)
            for name, image in frame.images.items()
            if name in self._calibration.cameras
        }
        size = self._shape.image_width, self._shape.image_height
        arrays = image_arrays(frame, self._calibration, pictures, size)
        if not arrays.names:
            return None
        return CameraInputs(
            images=torch.from_numpy(arrays.images),
            frame=torch.zeros(len(arrays.names), dtype=torch.int64),
            intrinsics=torch.from_numpy(arrays.intrinsics.astype(np.float32)),
            ego_from_camera=torch.from_numpy(arrays.ego_from_camera.astype(np.float32)),
        )


def _with_evidence(objects: Objects, frame: EgoFrame, calibration: Calibration) -> Objects:
    """Say of each object which kinds of sensor have seen anything where it is."""
    evidence = np.zeros(len(objects), np.uint8)
    for kind, points in (("lidar", frame.points_ego), ("radar", frame.radar_ego)):
        evidence[hit(points, objects.boxes, TOUCH_M)] |= SEEN_BY[kind]
    for name in frame.images.keys() & calibration.cameras.keys():
        _, in_view, _ = project_ego(objects.centers_ego, calibration.cameras[name])
        evidence[in_view] |= SEEN_BY["camera"]
    return replace(objects, evidence=evidence)


def learned_detector(config: LearnedConfig) -> LearnedDetector:
    """Load the network that the settings name.

    Raises:
        CheckpointError: the file is missing or does not fit.
        ConfigError: no file is named, or the device is not there.
    """
    return LearnedDetector(*_loaded(config), config)


def card_of(config: LearnedConfig) -> Card:
    """Return what a user should know of the weights that the settings name."""
    return _loaded(config)[1]


def _loaded(config: LearnedConfig) -> tuple[FusionNetwork, Card]:
    path = weights_of(config.checkpoint)
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    device = device_of(config.device)
    return _ready(path, stamp, device, chosen_backend(config.backend, device))


@lru_cache(maxsize=1)  # a changed threshold does not read the weights again
def _ready(
    path: Path, _stamp: int, device: torch.device, backend: str
) -> tuple[FusionNetwork, Card]:
    network, card = load_checkpoint(path)
    network = folded(network).to(device).requires_grad_(False)
    return accelerated(network, backend), card
