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

"""Several processes that train one network: each learns its share of every batch.

`torchrun --nproc-per-node N -m mm_fusion.cli train ...` starts them, on one GPU each, or on the
CPU. After each step all of them hold the same weights, so one of them writes for all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed, nn

from mm_fusion.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Group:
    """One process's place among those that train together; alone by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: torch.device) -> Group:
        """Meet the others that torchrun has started; alone where it has not."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), size)

    def leave(self) -> None:
        """Part from the others."""
        if self.size > 1:
            distributed.destroy_process_group()

    @property
    def leads(self) -> bool:
        """This process writes and tells for all."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Return which frames of a batch are this process's.

        Raises:
            ConfigError: they cannot be shared out evenly.
        """
        if batch % self.size:
            raise ConfigError(
                f"optimizer.batch is {batch}, which {self.size} processes cannot share evenly; "
                f"choose a multiple of {self.size}"
            )
        return slice(self.rank, batch, self.size)

    def average(self, network: nn.Module) -> None:
        """Give every process the mean of all gradients, and of what the norms have counted."""
        if self.size == 1:
            return
        learnt = [p for p in network.parameters() if p.requires_grad]
        for parameter in learnt:  # a modality may be absent here and present elsewhere
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        counted = [b for b in network.buffers() if b.is_floating_point()]
        self._mean([p.grad for p in learnt if p.grad is not None] + counted)

    def _mean(self, tensors: list[torch.Tensor]) -> None:
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.size
        means = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))
