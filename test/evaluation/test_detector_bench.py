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

"""The bench of the learned detector: every backend has its row, and what it counts is so."""

import json

import pytest
import torch

from mm_fusion.cli import main
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.backends import NEEDS, is_installed
from mm_fusion.model.checkpoint import Card, save_checkpoint
from mm_fusion.model.network import FusionNetwork
from mm_fusion.model.network_config import NetworkConfig

TINY = NetworkConfig(
    modalities=("radar",),
    classes=("car",),
    grid=BevGrid(x_min_m=0.0, x_max_m=51.2, y_min_m=-25.6, y_max_m=25.6, cell_m=0.64),
    pillar_channels=8,
    channels=8,
    depths=(8,),
    blocks=1,
)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, FusionNetwork(TINY), Card(data="drawn", licence="Apache-2.0"))
    return path


def test_every_backend_has_its_row_and_the_convolutions_are_counted(astyx, weights, capsys):
    words = ["bench", "--detector", str(astyx), "--checkpoint", str(weights)]
    assert main([*words, "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    wanted = [name for name in NEEDS if name != "compile" and is_installed(name)]
    assert [row["backend"] for row in cost["backends"]] == wanted
    for row in cost["backends"]:
        assert 0 < row["network_p50_ms"] <= row["network_p95_ms"]
        assert row["network_p50_ms"] < row["pipeline_p50_ms"]
    network = FusionNetwork(TINY)
    aside = sum(p.numel() for p in network.alone.parameters())
    folded_away = sum(
        m.num_features for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)
    )
    # folding turns the two weights of a normalisation into one bias
    assert cost["parameters"] == sum(p.numel() for p in network.parameters()) - aside - folded_away
    # 40 x 40 cells: 3 x 3 x 8 x 8 weights 1 + 2 + 1 + 2 times, 8 x 8 of 1 x 1 four times (value and
    # gate, the fuser's and the lateral one), 8 x (1 + 14) of the head; the points' are few
    per_cell = 9 * 64 * 7 + 64 * 4 + 8 * 15
    assert cost["gmacs"] == pytest.approx(1600 * per_cell / 1e9, rel=0.1)


def test_a_recording_without_weights_and_a_bag_are_refused(tmp_path, astyx, capsys):
    bag = tmp_path / "bag"
    assert main(["convert", str(astyx), str(bag), "--frames", "1"]) == 0
    assert main(["bench", "--detector", str(bag)]) == 1
    assert "--detector takes a data set" in capsys.readouterr().err
    assert main(["bench"]) == 1
    assert "--tracker or --detector SOURCE" in capsys.readouterr().err
