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

"""Where a training stands: all of it in two files, so that it goes on after any interruption.

What is drawn at random is drawn from the seed and the number of the step, so that a training that
was interrupted ends as one that was not. Tensors are in a safetensors file; nothing is unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mm_fusion.errors import CheckpointError

FILE = "state.safetensors"


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """What moves: the weights, their average, the optimizer's moments, the step."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0

    def save(self, folder: Path) -> None:
        """Write everything; a crash while writing leaves what was there before."""
        from safetensors.torch import save_file

        tensors = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.state_dict().items()}
        tensors |= _moments(self.optimizer)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{FILE}.part"
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            str(part),
            metadata={"step": str(self.step)},
        )
        part.replace(folder / FILE)

    def resume(self, folder: Path) -> bool:
        """Go on where a folder's training stands; False where there is none.

        Raises:
            CheckpointError: what is there is of another network.
        """
        from safetensors import safe_open

        if not (folder / FILE).exists():
            return False
        with safe_open(str(folder / FILE), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict
            self.step = int(file.metadata()["step"])
        try:
            self.network.load_state_dict(_under("network.", tensors))
            self.average.load_state_dict(_under("average.", tensors))
        except RuntimeError as error:
            raise CheckpointError(
                f"{folder / FILE} is of another network than the settings; "
                "choose another --out, or delete it to begin anew"
            ) from error
        _restore(self.optimizer, _under("moment.", tensors))
        return True


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the optimizer's tensors by the number of the parameter and their name."""
    return {
        f"moment.{number}.{name}": torch.as_tensor(value)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def _restore(optimizer: torch.optim.Optimizer, moments: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in moments.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    whole = optimizer.state_dict()
    optimizer.load_state_dict({**whole, "state": state})
