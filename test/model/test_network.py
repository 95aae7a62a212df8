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

"""The whole network: any subset of sensors, and its weights on disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mm_fusion.errors import CheckpointError, ConfigError
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.checkpoint import Card, load_checkpoint, save_checkpoint
from mm_fusion.model.folding import folded
from mm_fusion.model.fusers import FUSERS
from mm_fusion.model.inputs import (
    LIDAR_COLUMNS,
    MODALITIES,
    RADAR_COLUMNS,
    BevInputs,
    CameraInputs,
    PointInputs,
)
from mm_fusion.model.network import FusionNetwork
from mm_fusion.model.network_config import NetworkConfig

SMALL = NetworkConfig(
    grid=BevGrid(x_min_m=0.0, x_max_m=12.8, y_min_m=-5.12, y_max_m=5.12, cell_m=0.32),
    classes=("car", "pedestrian"),
    pillar_channels=8,
    channels=16,
    depths=(16, 16, 16),
    blocks=1,
    image_height=32,
    image_width=64,
    image_channels=8,
)
CARD = Card(data="drawn", licence="Apache-2.0", scores={"AP": 12.5})
EGO_FROM_CAMERA = torch.tensor(
    [[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.2], [0, 0, 0, 1]]
)  # optical axes; looks ahead from 1.2 m


def batch(frames=2, cameras=1, seed=0):
    rng = torch.Generator().manual_seed(seed)

    def points(columns, count):
        spread = torch.rand(frames * count, len(columns), generator=rng)
        xy = spread[:, :2] * torch.tensor([12.0, 9.0]) - torch.tensor([0.0, 4.5])
        return PointInputs(
            points=torch.cat([xy, spread[:, 2:]], dim=1),
            frame=torch.arange(frames).repeat_interleave(count),
        )

    count = frames * cameras
    intrinsics = torch.tensor([[40.0, 0, 31.5], [0, 40, 15.5], [0, 0, 1]])
    return BevInputs(
        lidar=points(LIDAR_COLUMNS, 200),
        radar=points(RADAR_COLUMNS, 50),
        cameras=CameraInputs(
            images=torch.rand(count, 3, 32, 64, generator=rng),
            frame=torch.arange(frames).repeat_interleave(cameras),
            intrinsics=intrinsics.repeat(count, 1, 1),
            ego_from_camera=EGO_FROM_CAMERA.repeat(count, 1, 1),
        ),
        present=torch.ones(frames, 3, dtype=torch.bool),
        trust=torch.ones(frames, 3),
        planes=np.zeros((frames, 3)),
    )


@pytest.fixture
def network():
    torch.manual_seed(0)
    return FusionNetwork(SMALL).eval()


def answer(network, inputs):
    with torch.inference_mode():
        fused = network(inputs).fused
    return torch.cat([fused.heat, fused.box], dim=1)


def otherwise(given, modality):
    """The batch with other data of one modality."""
    wild = {
        "camera": {"cameras": replace(given.cameras, images=given.cameras.images + 7)},
        "lidar": {"lidar": PointInputs(points=given.lidar.points * 0.5, frame=given.lidar.frame)},
        "radar": {"radar": PointInputs(points=given.radar.points + 1, frame=given.radar.frame)},
    }
    return replace(given, **wild[modality])


@pytest.mark.parametrize("gone", MODALITIES)
def test_an_absent_sensor_leaves_no_trace(network, gone):
    given = batch().without(gone)
    assert torch.equal(answer(network, given), answer(network, otherwise(given, gone)))
    assert not torch.equal(answer(network, given), answer(network, batch()))


@pytest.mark.parametrize("subset", range(1, 8))
def test_every_subset_of_sensors_is_answered(network, subset):
    given = batch()
    for k, name in enumerate(MODALITIES):
        if not subset >> k & 1:
            given = given.without(name)
    assert torch.isfinite(answer(network, given)).all()


def test_without_any_sensor_there_is_still_an_answer(network):
    given = batch()
    for name in MODALITIES:
        given = given.without(name)
    assert torch.isfinite(answer(network, given)).all()


def test_frames_of_a_batch_are_answered_as_if_alone(network):
    given = batch()
    given.present[1] = torch.tensor([False, True, False])
    both = answer(network, given)
    alone = replace(
        given,
        lidar=PointInputs(points=given.lidar.points[200:], frame=given.lidar.frame[200:] - 1),
        radar=PointInputs(points=given.radar.points[50:], frame=given.radar.frame[50:] - 1),
        present=given.present[1:],
        trust=given.trust[1:],
        planes=given.planes[1:],
        cameras=None,
    )
    torch.testing.assert_close(both[1:], answer(network, alone), atol=1e-4, rtol=1e-4)


def test_the_order_of_cameras_and_points_is_of_no_account(network):
    given = batch(frames=1, cameras=3)
    turned = torch.tensor([2, 0, 1])
    shuffled = torch.randperm(200, generator=torch.Generator().manual_seed(3))
    cameras = given.cameras
    other = replace(
        given,
        lidar=PointInputs(points=given.lidar.points[shuffled], frame=given.lidar.frame[shuffled]),
        cameras=CameraInputs(
            images=cameras.images[turned],
            frame=cameras.frame[turned],
            intrinsics=cameras.intrinsics[turned],
            ego_from_camera=cameras.ego_from_camera[turned],
        ),
    )
    torch.testing.assert_close(answer(network, given), answer(network, other), atol=1e-4, rtol=1e-4)


def test_a_part_of_the_grid_is_answered_as_the_whole_where_no_edge_is_near(network):
    given = batch()
    whole = answer(network, given)
    part = BevGrid(x_min_m=0.0, x_max_m=12.8, y_min_m=-5.12, y_max_m=2.56, cell_m=0.32)
    with torch.inference_mode():
        fused = network(given, part).fused
    answered = torch.cat([fused.heat, fused.box], dim=1)
    assert answered.shape[2:] == (20, 12)
    assert not torch.equal(answered[..., -1], whole[..., 11])  # sees what is beyond the edge
    # the receptive field of this network is wider than the grid, so equality cannot be asked for
    near, far = ((answered[..., k] - whole[..., k]).abs().mean() for k in (0, 11))
    assert near < far / 3


@pytest.mark.parametrize("fuser", FUSERS)
def test_no_gradient_reaches_the_encoder_of_an_absent_sensor(fuser):
    network = FusionNetwork(replace(SMALL, fuser=fuser)).train()
    outputs = network(batch().without("radar"))
    (outputs.fused.heat.square().sum() + outputs.fused.box.square().sum()).backward()
    assert all(p.grad is None or not p.grad.any() for p in network.encoders["radar"].parameters())
    assert any(p.grad.any() for p in network.encoders["lidar"].parameters())
    assert any(p.grad.any() for p in network.encoders["camera"].lift.parameters())


def test_the_folded_network_answers_alike(network):
    for module in network.modules():  # statistics as a training leaves them
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    quick = folded(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in quick.modules())
    torch.testing.assert_close(
        answer(quick, batch()), answer(network, batch()), atol=1e-3, rtol=1e-3
    )


def test_weights_on_disk_are_the_same_network(network, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, network, CARD)
    loaded, card = load_checkpoint(path)
    assert loaded.config == SMALL
    assert card == CARD
    assert torch.equal(answer(loaded, batch()), answer(network, batch()))
    first = path.read_bytes()
    save_checkpoint(path, loaded, card)
    assert path.read_bytes() == first


def test_half_the_bits_answer_nearly_alike_without_what_training_needs(network, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(whole, network, CARD)
    save_checkpoint(half, network, CARD, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded, _ = load_checkpoint(half)
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    torch.testing.assert_close(
        answer(loaded, batch()), answer(network, batch()), atol=0.02, rtol=0.02
    )


def changed_header(path, change):
    """Rewrite the header of a safetensors file."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    ours = json.loads(header["__metadata__"]["mm_fusion"])
    change(ours)
    header["__metadata__"]["mm_fusion"] = json.dumps(ours)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (lambda h: h.update(version=99), CheckpointError, "is of version 99, this package reads 1"),
        (lambda h: h["network"].update(blocks=2), CheckpointError, "weights are missing"),
        (lambda h: h["network"].update(fuser="sum"), ConfigError, "fuser 'sum' is not known"),
        (lambda h: h["network"].update(beams=3), ConfigError, "unknown setting network.beams"),
    ],
)
def test_weights_that_do_not_fit_are_refused(network, tmp_path, change, error, sentence):
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, network, CARD)
    changed_header(path, change)
    with pytest.raises(error, match=sentence):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file"),
        (b"", "is no safetensors file"),
        (b"\x80\x04pickle" * 9, "is no safetensors file"),
    ],
)
def test_a_file_that_holds_no_weights_gets_its_sentence(tmp_path, content, sentence):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(path)


def test_a_grid_that_cannot_be_halved_is_refused():
    grid = BevGrid(x_min_m=0.0, x_max_m=10.24, y_min_m=-5.12, y_max_m=5.44, cell_m=0.32)
    with pytest.raises(ConfigError, match="32 x 33 cells cannot be halved 3 times"):
        replace(SMALL, grid=grid)
