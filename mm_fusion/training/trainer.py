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

"""The training itself: steps until the end, from wherever it stands.

Everything that is drawn depends on the seed and the number of the step alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from mm_fusion.errors import ConfigError
from mm_fusion.model.camera import STRIDE, depth_bins
from mm_fusion.model.depth import depth_loss, depth_targets
from mm_fusion.model.image_encoder import ImageEncoder, freeze_early, load_imagenet
from mm_fusion.model.inputs import MODALITIES
from mm_fusion.model.losses import fusion_loss
from mm_fusion.model.network import FusionNetwork
from mm_fusion.model.outputs import BevOutputs
from mm_fusion.model.targets import targets_of
from mm_fusion.records import Bool
from mm_fusion.training.augment import Augmentation
from mm_fusion.training.batches import Batch, batch_of_samples, window_of
from mm_fusion.training.group import Group
from mm_fusion.training.log import TrainingLog
from mm_fusion.training.optimizer import follow, optimizer_of, set_rate
from mm_fusion.training.paste import ObjectBank, paste
from mm_fusion.training.samples import Sample
from mm_fusion.training.state import TrainingState
from mm_fusion.training.train_config import DropConfig, TrainConfig

SAVE_S = 120.0  # between two saves
DEPTH_WEIGHT = 0.3
CPU = torch.device("cpu")
ALONE = Group()

Progress = Callable[[int, int, Mapping[str, float]], object]  # step, steps, what it told


class Trainer:
    """Trains one network on samples."""

    def __init__(
        self,
        config: TrainConfig,
        samples: Sequence[Sample],
        out: Path,
        *,
        device: torch.device = CPU,
        group: Group = ALONE,
    ) -> None:
        """Begin, or go on where `out` stands.

        Args:
            config: every setting.
            samples: what is learnt from.
            out: folder of the state and the log.
            device: where it is learnt.
            group: the processes that learn together.

        Raises:
            ConfigError: there are fewer samples than a batch holds, or the group cannot share one.
            CheckpointError: `out` holds the state of another network.
        """
        if len(samples) < config.optimizer.batch:
            raise ConfigError(
                f"training: {len(samples)} labelled frames are fewer than one batch of "
                f"{config.optimizer.batch}"
            )
        self._config, self._samples, self._out = config, samples, out
        self._device, self._group = device, group
        self._share = group.share(config.optimizer.batch)
        self._bank = ObjectBank.of(samples) if config.paste else None
        self._augmentation = Augmentation()
        torch.manual_seed(config.seed)
        network = FusionNetwork(config.network).to(memory_format=torch.channels_last, device=device)  # type: ignore[call-overload]
        if config.imagenet and "camera" in config.network.modalities:
            encoder: ImageEncoder = network.encoders["camera"].image_encoder
            load_imagenet(encoder)
            freeze_early(encoder)
        self._state = TrainingState(
            network=network,
            average=copy.deepcopy(network).eval().requires_grad_(False),
            optimizer=optimizer_of(network, config.optimizer),
        )
        self._state.resume(out)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return len(self._samples) // self._config.optimizer.batch * self._config.optimizer.epochs

    @property
    def step(self) -> int:
        """Steps done."""
        return self._state.step

    @property
    def average(self) -> FusionNetwork:
        """The averaged network, which is the one to keep."""
        assert isinstance(self._state.average, FusionNetwork)
        return self._state.average

    def run(self, progress: Progress = lambda *_: None) -> None:
        """Train to the end; the state is saved on the way, at the end and when interrupted."""
        saved_s = time.monotonic()
        log = TrainingLog(self._out) if self._group.leads else None
        try:
            for batch in self._batches():
                told = self._learn(batch.to(self._device))
                if log is None:
                    continue
                log.note(told)
                progress(self.step, self.steps, told)
                if time.monotonic() - saved_s > SAVE_S:
                    self._state.save(self._out)
                    saved_s = time.monotonic()
        finally:
            if log is not None:
                self._state.save(self._out)
                log.close()

    def _learn(self, batch: Batch) -> Mapping[str, float]:
        state, settings = self._state, self._config.optimizer
        network = state.network.train()
        torch.manual_seed(_seed(self._config.seed, self.step, 1, self._group.rank))
        rate = set_rate(state.optimizer, settings, self.step, self.steps)
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=settings.bfloat16):
            outputs = network(batch.inputs, batch.window)
        loss, told = self._loss(outputs, batch)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._group.average(network)
        length = torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        if torch.isfinite(length):
            state.optimizer.step()
        state.step += 1
        follow(state.average, network, settings.average, state.step)
        return {
            "step": state.step,
            "loss": float(loss.detach()),
            "rate": rate,
            "gradient": float(length),
            **told,
        }

    def _loss(self, outputs: BevOutputs, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        network = self._config.network
        grid = batch.window.coarser(2)
        targets = targets_of(batch.labelled, grid, len(batch.inputs), len(network.classes))
        loss, told = fusion_loss(outputs, targets, grid.cell_m, self._config.loss)
        told = dict(told)
        if outputs.depth_logits is not None and batch.inputs.cameras is not None:
            bins = depth_targets(
                batch.inputs.lidar.points[:, :3],
                batch.inputs.lidar.frame,
                batch.inputs.cameras.intrinsics,
                batch.inputs.cameras.ego_from_camera,
                batch.inputs.cameras.frame,
                depths=depth_bins(network),
                size=(outputs.depth_logits.shape[2], outputs.depth_logits.shape[3]),
                stride=STRIDE,
            )
            depth = depth_loss(outputs.depth_logits, bins)
            loss, told["depth"] = loss + DEPTH_WEIGHT * depth, float(depth.detach())
        return loss, told

    def _batches(self) -> Iterator[Batch]:
        """Yield the batches that are left; each is made while the one before is learnt."""
        with ThreadPoolExecutor(1) as pool:
            coming: Future[Batch] = pool.submit(self._batch, self.step)
            for step in range(self.step, self.steps):
                batch = coming.result()
                if step + 1 < self.steps:
                    coming = pool.submit(self._batch, step + 1)
                yield batch

    def _batch(self, step: int) -> Batch:
        size = self._config.optimizer.batch
        an_epoch = len(self._samples) // size
        epoch, place = divmod(step, an_epoch)
        order = np.random.default_rng(_seed(self._config.seed, epoch, 2)).permutation(
            len(self._samples)
        )
        rng = np.random.default_rng(_seed(self._config.seed, step, 3, self._group.rank))
        places = order[place * size : (place + 1) * size][self._share]
        chosen = [self._samples[k] for k in places]
        pasted = [self._varied(sample, rng) for sample in chosen]
        hidden = np.array([_hidden(sample, self._config.drop, rng) for sample in pasted])
        network, size_m = self._config.network, (self._config.window_x_m, self._config.window_y_m)
        window = window_of(network.grid, size_m, network.coarsest, rng)
        return batch_of_samples(pasted, network.classes, hidden, window)

    def _varied(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if self._bank is not None:
            counts = dict.fromkeys(self._config.network.classes, 1) | {"car": self._config.paste}
            sample = paste(sample, self._bank, rng, counts)
        return self._augmentation.apply(sample, rng)


def _hidden(sample: Sample, drop: DropConfig, rng: np.random.Generator) -> Bool:
    """Choose which modalities (M,) a frame goes without; one that it has always stays."""
    chance = np.array([getattr(drop, name) for name in MODALITIES])
    there = np.array([name in sample.frame.present_kinds for name in MODALITIES])
    hidden = rng.random(len(MODALITIES)) < chance
    if not (there & ~hidden).any() and there.any():
        hidden[rng.choice(np.flatnonzero(there))] = False
    return np.asarray(hidden)


def _seed(*numbers: int) -> int:
    """Return one seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
