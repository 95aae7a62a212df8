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

"""A training from its settings to its weights on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mm_fusion.errors import ConfigError
from mm_fusion.model.checkpoint import Card, save_checkpoint
from mm_fusion.recordings.open import open_recording
from mm_fusion.training.group import Group
from mm_fusion.training.samples import Sample, load_samples, parts
from mm_fusion.training.train_config import TrainConfig
from mm_fusion.training.trainer import Trainer

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

WEIGHTS = "weights.safetensors"
HELD_OUT = "held_out.txt"

Bar = Callable[[str, float], AbstractContextManager[Any]]


def train(
    config: TrainConfig,
    out: Path,
    *,
    threads: int | None,
    device: torch.device,
    bar: Bar,
    say: Callable[[str], object],
) -> None:
    """Train; an interrupted training goes on.

    Args:
        config: every setting.
        out: folder of the state, the log, the names of the frames kept out, and the weights.
        threads: of the CPU; None: as many as torch takes.
        device: where it is learnt.
        bar: makes a progress bar of a name and a total.
        say: told in sentences what came of it.

    Raises:
        ConfigError: a setting is absurd, or no data is named.
    """
    data = config.data
    if not data.source:
        raise ConfigError("training: the settings name no data; set data.source, or give --source")
    if threads:
        torch.set_num_threads(threads)
    recording = open_recording(Path(data.source), layout=data.layout or None)
    samples = _read(recording, config, bar)
    seed = config.seed if data.random_folds else None
    learnt, held = parts([s.token for s in samples], data.folds, data.fold, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / HELD_OUT).write_text("".join(f"{token}\n" for token in held))
    group = Group.join(device)
    chosen = [s for s in samples if s.token in set(learnt)]
    trainer = Trainer(config, chosen, out, device=device, group=group)
    with bar("training", trainer.steps) as shown:
        shown.update(trainer.step)

        def progress(_step: int, _steps: int, told: Mapping[str, float]) -> None:
            shown.update(1)
            shown.set_postfix(loss=f"{told['loss']:.2f}")

        trainer.run(progress)
    group.leave()
    if not group.leads:
        return
    card = _card(config, recording.layout, samples, len(learnt))
    save_checkpoint(out / WEIGHTS, trainer.average, card, half=True)
    say(f"{out / WEIGHTS}: learnt from {len(learnt)} frames, {len(held)} kept out ({HELD_OUT})")


def _read(recording: Recording | BagRecording, config: TrainConfig, bar: Bar) -> list[Sample]:
    size = config.network.image_width, config.network.image_height
    with bar("reading", len(recording)) as shown:
        return load_samples(recording, size, progress=shown.update)


def _card(config: TrainConfig, layout: str, samples: list[Sample], learnt: int) -> Card:
    known = any(np.isfinite(s.truth.objects.velocities_ego).any() for s in samples)
    return Card(
        data=f"{Path(config.data.source).name}, {learnt} of {len(samples)} labelled frames",
        licence=config.licence,
        layout=layout,
        command=f"mm_fusion train, {config.optimizer.epochs} epochs, seed {config.seed}",
        trained_modalities=config.network.modalities,
        velocity=bool(known),
    )
