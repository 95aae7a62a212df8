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

"""Early fusion: what a point is painted with, and that absent sensors still leave no trace."""

import pytest
import torch
from torch.testing import assert_close

from mm_fusion.errors import ConfigError
from mm_fusion.model.camera import STRIDE, ImageFeatures
from mm_fusion.model.early import JOINT_COLUMNS, PAINT, Painter, joined
from mm_fusion.model.inputs import MODALITIES, PointInputs
from mm_fusion.model.network import FusionNetwork

from .test_network import EGO_FROM_CAMERA, SMALL, answer, batch, otherwise, replace

INTRINSICS = torch.tensor([[40.0, 0, 31.5], [0, 40, 15.5], [0, 0, 1]])
VARIANTS = [("paint",), ("joint",), ("paint", "joint")]


def seen_by(*frames, features):
    count = len(frames)
    return ImageFeatures(
        features=features,
        frame=torch.tensor(frames),
        intrinsics=INTRINSICS.expand(count, 3, 3),
        ego_from_camera=EGO_FROM_CAMERA.expand(count, 4, 4),
    )


def plain_painter():
    """Passes PAINT channels through as they are."""
    painter = Painter(PAINT)
    torch.nn.init.dirac_(painter.mix.weight)
    torch.nn.init.zeros_(painter.mix.bias)
    return painter


def at(pixel_u, pixel_v, depth_m, frame=0):
    """A point where the camera (1.2 m up, looking ahead) sees a pixel."""
    x, y = (pixel_u - 31.5) / 40 * depth_m, (pixel_v - 15.5) / 40 * depth_m
    return [depth_m, -x, 1.2 - y, 0.3, 1.0], frame


def cloud(*points):
    return PointInputs(
        points=torch.tensor([p for p, _ in points]), frame=torch.tensor([f for _, f in points])
    )


def test_a_point_gets_the_feature_it_lies_on_and_between_two_their_mean():
    features = torch.arange(2 * 4 * PAINT).float().reshape(1, 2, 4, PAINT).permute(0, 3, 1, 2)
    middle = STRIDE / 2 - 0.5  # the pixel in the middle of the first feature
    points = cloud(
        at(middle + 2 * STRIDE, middle, 10.0),  # feature of row 0, column 2
        at(middle + 2.5 * STRIDE, middle, 25.0),  # between columns 2 and 3
        at(middle, middle + STRIDE, 3.0),  # row 1, column 0
        at(-20.0, middle, 10.0),  # left of the image
        ([-10.0, 0.0, 1.2, 0.3, 1.0], 0),  # behind the camera
        at(middle, middle, 10.0, frame=1),  # of a frame without images
    )
    painted = plain_painter()(points, seen_by(0, features=features)).points
    assert painted.shape == (6, 5 + PAINT + 1)
    assert_close(painted[:, :5], points.points)
    assert_close(painted[0, 5:-1], features[0, :, 0, 2])
    assert_close(painted[1, 5:-1], features[0, :, 0, 2:4].mean(dim=1), atol=1e-4, rtol=1e-5)
    assert_close(painted[2, 5:-1], features[0, :, 1, 0])
    assert painted[:, -1].tolist() == [1, 1, 1, 0, 0, 0]
    assert not painted[3:, 5:].any()


def test_what_two_cameras_see_is_painted_with_the_mean():
    features = torch.stack([torch.full((PAINT, 2, 4), 1.0), torch.full((PAINT, 2, 4), 4.0)])
    painted = plain_painter()(cloud(at(20, 10, 9.0)), seen_by(0, 0, features=features)).points
    assert_close(painted[0, 5:-1], torch.full((PAINT,), 2.5))
    assert painted[0, -1] == 1


def test_without_images_points_are_unpainted():
    assert not plain_painter()(cloud(at(20, 10, 9.0)), None).points[:, 5:].any()


def test_one_cloud_says_of_each_point_what_its_sensor_told():
    lidar = PointInputs(points=torch.tensor([[1.0, 2, 3, 0.5, 0.7]]), frame=torch.tensor([0]))
    radar = PointInputs(
        points=torch.tensor([[4.0, 5, 6, -8, 20, 0.6, 0.8]]), frame=torch.tensor([1])
    )
    both = joined(lidar, radar)
    told = [dict(zip(JOINT_COLUMNS, row, strict=True)) for row in both.points.tolist()]
    silent = {"radial_speed": 0, "rcs": 0, "ray_x": 0, "ray_y": 0, "is_radar": 0}
    assert told[0] == pytest.approx(
        {"x": 1, "y": 2, "z": 3, "intensity": 0.5, "above_ground": 0.7, **silent}
    )
    assert told[1] == pytest.approx(
        {"x": 4, "y": 5, "z": 6, "intensity": 0, "above_ground": 0, "radial_speed": -8, "rcs": 20}
        | {"ray_x": 0.6, "ray_y": 0.8, "is_radar": 1}
    )
    assert both.frame.tolist() == [0, 1]


@pytest.mark.parametrize("early", VARIANTS)
@pytest.mark.parametrize("gone", MODALITIES)
def test_an_absent_sensor_leaves_no_trace(early, gone):
    torch.manual_seed(0)
    network = FusionNetwork(replace(SMALL, early=early)).eval()
    given = batch().without(gone)
    assert torch.equal(answer(network, given), answer(network, otherwise(given, gone)))
    assert not torch.equal(answer(network, given), answer(network, batch()))


@pytest.mark.parametrize("early", VARIANTS)
def test_every_subset_is_answered_and_every_part_learns(early):
    torch.manual_seed(0)
    network = FusionNetwork(replace(SMALL, early=early))
    for subset in range(8):
        given = batch()
        for k, name in enumerate(MODALITIES):
            if not subset >> k & 1:
                given = given.without(name)
        assert torch.isfinite(answer(network.eval(), given)).all()
    outputs = network.train()(batch())
    (outputs.fused.heat.square().sum() + outputs.fused.box.square().sum()).backward()
    still = [
        name
        for name, p in network.named_parameters()
        if not name.startswith("alone") and (p.grad is None or not p.grad.any())
    ]
    assert still == []


def test_painted_points_teach_the_image_encoder():
    torch.manual_seed(0)
    network = FusionNetwork(replace(SMALL, early=("paint",))).train()
    network(batch()).alone["lidar"].heat.square().sum().backward()
    encoder = network.encoders["camera"].image_encoder
    assert any(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_what_cannot_be_fused_early_is_said():
    with pytest.raises(ConfigError, match="early fusion 'glue' is not known; paint, joint are"):
        replace(SMALL, early=("glue",))
    with pytest.raises(ConfigError, match=r"early fusion 'paint' needs the modality \['camera'\]"):
        replace(SMALL, early=("paint",), modalities=("lidar", "radar"))
