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

"""Where a network runs."""

from __future__ import annotations

import os

import torch

from mm_fusion.errors import ConfigError


def device_of(name: str) -> torch.device:
    """Return the device that a setting means: cpu, cuda, or auto, the GPU where there is one.

    Of several processes that torchrun starts, each gets a GPU of its own.

    Raises:
        ConfigError: there is no GPU.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("device is 'cuda' but no GPU is to be had; choose cpu or auto")
    if name == "cpu" or not there:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
