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

"""Every fuser: an absent modality leaves no trace, whatever its map holds."""

import pytest
import torch

from mm_fusion.errors import ConfigError, ShapeError
from mm_fusion.model.fusers import FUSERS, build_fuser

MODALITIES = ("camera", "lidar", "radar")
CHANNELS = 8


@pytest.fixture(params=FUSERS)
def fuser(request):
    torch.manual_seed(0)
    return build_fuser(request.param, MODALITIES, CHANNELS).eval()


def maps(frames=2, seed=1):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(frames, len(MODALITIES), CHANNELS, 6, 5, generator=rng)


def with_radar(given, other):
    return torch.cat([given[:, :2], other[:, None]], dim=1)


def weights(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_an_absent_modality_leaves_no_trace_whatever_it_holds(fuser):
    weight = weights((1, 1, 0), (1, 1, 0))
    given = maps()
    radar = given[:, 2]
    without = fuser(with_radar(given, torch.zeros_like(radar)), weight)
    for other in (torch.full_like(radar, torch.nan), 1e6 * radar):
        assert torch.equal(fuser(with_radar(given, other), weight), without)


def test_what_is_absent_from_one_frame_may_be_nan_there_and_learnt_from_in_another(fuser):
    given, weight = maps(), weights((1, 1, 0), (1, 1, 1))
    spoilt = given.clone()
    spoilt[0, 2] = torch.nan
    spoilt.requires_grad_()
    assert torch.equal(fuser(spoilt, weight), fuser(given, weight))
    fuser.train()(spoilt, weight).square().sum().backward()
    assert not spoilt.grad[0, 2].any()
    assert spoilt.grad[1, 2].any()
    assert all(torch.isfinite(p.grad).all() for p in fuser.parameters())


def test_no_gradient_reaches_an_absent_modality(fuser):
    given = maps().requires_grad_()
    fuser.train()(given, weights((1, 0, 1), (1, 0, 1))).square().sum().backward()
    camera, lidar, radar = given.grad.unbind(1)
    assert not lidar.any()
    assert camera.any()
    assert radar.any()


def test_frames_with_different_sensors_are_fused_as_if_alone(fuser):
    given = maps()
    weight = weights((1, 0, 1), (0, 1, 1))
    both = fuser(given, weight)
    for row in range(2):
        alone = fuser(given[row : row + 1], weight[row : row + 1])
        torch.testing.assert_close(both[row : row + 1], alone, atol=1e-5, rtol=1e-5)


def test_without_any_modality_the_map_is_zero(fuser):
    fused = fuser(maps(), weights((0, 0, 0), (1, 1, 1)))
    assert not fused[0].any()
    assert fused[1].any()


def test_less_trust_changes_the_map_a_little_and_none_at_all_is_absence(fuser):
    given = maps(1)
    full = fuser(given, weights((1, 1, 1)))
    step = (fuser(given, weights((1, 1, 0.99))) - full).abs().max()
    leap = (fuser(given, weights((1, 1, 0.5))) - full).abs().max()
    assert 0 < step < leap
    nearly = fuser(given, weights((1, 1, 1e-6)))
    torch.testing.assert_close(nearly, fuser(given, weights((1, 1, 0))), atol=1e-3, rtol=0)


def test_a_step_of_training_has_finite_gradients(fuser):
    fuser.train()(maps(), weights((1, 1, 1), (0, 1, 0))).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in fuser.parameters())


def test_embrace_draws_each_modality_as_often_as_it_counts():
    fuser = build_fuser("embrace", MODALITIES, CHANNELS).train()
    values = torch.arange(1.0, 4.0)
    for layer in fuser.dock:
        torch.nn.init.dirac_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    made = values[None, :, None, None, None].expand(1, 3, CHANNELS, 60, 60)
    torch.manual_seed(3)
    drawn = fuser.fuse(made, weights((0.5, 0.25, 0.25)))
    shares = torch.stack([(drawn == value).float().mean() for value in values])
    # 28 800 draws: a standard deviation of 0.003
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.25, 0.25]), atol=0.015, rtol=0)
    assert shares.sum() == 1
    mean = fuser.eval().fuse(made, weights((0.5, 0.25, 0.25)))
    torch.testing.assert_close(mean, torch.full_like(mean, 0.5 + 0.5 + 0.75))


def test_embrace_draws_exactly_one_modality_and_never_an_absent_one():
    fuser = build_fuser("embrace", MODALITIES, CHANNELS).train()
    for layer in fuser.dock:
        torch.nn.init.dirac_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    values = torch.tensor([1.0, 10.0, 100.0])
    made = values[None, :, None, None, None].expand(1, 3, CHANNELS, 300, 300)
    torch.manual_seed(4)
    drawn = fuser.fuse(made, weights((0.3, 0.0, 0.7)))
    assert set(drawn.unique().tolist()) == {1.0, 100.0}
    # in bfloat16 a draw would have 256 values, and fall to 0 every 256th time
    with torch.autocast("cpu", torch.bfloat16):
        rare = fuser.fuse(made, weights((0.001, 0.0, 1.0)))
    assert rare.dtype == torch.bfloat16
    # 720 000 draws of chance 0.000999: 719 expected, a standard deviation of 27
    assert abs((rare == 1).sum().item() - 719) < 135


def test_channels_that_heads_cannot_share_are_refused():
    with pytest.raises(ConfigError, match="6 channels are not a multiple of 4 heads"):
        build_fuser("attention", MODALITIES, 6)


def test_maps_and_weights_that_do_not_fit_are_refused(fuser):
    with pytest.raises(ShapeError, match=r"weight: expected \('B', 3\), got \(2, 2\)"):
        fuser(maps(), torch.ones(2, 2))
    with pytest.raises(ShapeError, match=r"maps: expected \(2, 3, 8, 'X', 'Y'\), got \(2, 3, 4, "):
        fuser(maps()[:, :, :4], torch.ones(2, 3))


def test_an_unknown_fuser_is_named():
    with pytest.raises(ConfigError, match="fuser 'mean' is not known; choose from concat, gated"):
        build_fuser("mean", MODALITIES, CHANNELS)
