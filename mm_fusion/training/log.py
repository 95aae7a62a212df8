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

"""What a training tells while it runs: a line of JSON a step, and curves for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

LOG = "log.jsonl"
CURVES = "tensorboard"


class TrainingLog:
    """Writes into the folder of a training; curves where the package `tensorboard` is installed."""

    def __init__(self, folder: Path) -> None:
        """Go on where the folder's log ends."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = (folder / LOG).open("a")
        self._curves = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._curves = SummaryWriter(str(folder / CURVES))

    def note(self, told: Mapping[str, float]) -> None:
        """Write what a step told; its number is among it."""
        self._lines.write(json.dumps({k: round(v, 5) for k, v in told.items()}) + "\n")
        self._lines.flush()
        if self._curves is not None:
            for name, value in told.items():
                if name != "step":
                    self._curves.add_scalar(name.replace(" ", "/"), value, int(told["step"]))

    def close(self) -> None:
        """Write what is left."""
        self._lines.close()
        if self._curves is not None:
            self._curves.close()
