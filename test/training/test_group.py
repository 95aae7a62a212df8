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

"""Several processes train one network."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mm_fusion.errors import ConfigError
from mm_fusion.training.group import Group
from mm_fusion.training.log import LOG

SCRIPT = Path(__file__).with_name("two_processes.py")


def test_two_processes_end_with_the_same_weights_and_one_of_them_writes(tmp_path):
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *words, str(SCRIPT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "steps 4, apart 0, of" in done.stdout
    assert len((tmp_path / LOG).read_text().splitlines()) == 4
    assert (tmp_path / "state.safetensors").exists()


def test_a_batch_is_shared_out_without_rest():
    shares = [list(range(6))[Group(rank, 3).share(6)] for rank in range(3)]
    assert shares == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(ConfigError, match="batch is 4, which 3 processes cannot share evenly"):
        Group(0, 3).share(4)


def test_alone_nothing_is_averaged():
    layer = torch.nn.Linear(2, 1)
    Group().average(layer)
    assert layer.weight.grad is None
    assert Group.join(torch.device("cpu")) == Group()
