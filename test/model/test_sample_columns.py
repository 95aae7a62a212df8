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

"""Sampling is checked against pixels worked out by hand; the camera is that of test_lift.py."""

import math

import pytest
import torch

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.sample_columns import (
    SampleColumns,
    bilinear_taps,
    column_points,
    feature_pixels,
)

GRID = BevGrid(x_min_m=-4.0, x_max_m=16.0, y_min_m=-8.0, y_max_m=8.0, cell_m=1.0)
INTRINSICS = torch.tensor([[[40.0, 0, 31.5], [0, 40, 15.5], [0, 0, 1]]])
EGO_FROM_CAMERA = torch.tensor([[[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]]])


def yawed(angle_rad):
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return torch.tensor([[cos, -sin, 0.0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def passing_on(heights_m):
    """Return a module of one channel that adds the heights' features as they are."""
    module = SampleColumns(GRID, heights_m, in_channels=1, channels=1)
    torch.nn.init.ones_(module.by_height.weight)
    return module


def sampled(module, features, frame, matrices, batch_size):
    with torch.no_grad():
        return module(
            features,
            INTRINSICS.expand(len(frame), 3, 3),
            matrices,
            torch.tensor(frame, dtype=torch.int64),
            batch_size=batch_size,
            stride=8,
        )


def test_points_stand_on_the_middles_of_the_cells():
    points = column_points(GRID, (0.5, 2.0))
    assert points.shape == (2, 320, 3)
    assert points[1, 17].tolist() == [-2.5, -6.5, 2.0]  # cell (1, 1)


def test_a_point_projects_into_the_feature_map():
    # at 10 m: u = 31.5 - 40 * 2 / 10 = 23.5, v = 15.5 - 40 * (2 - 1) / 10 = 11.5
    points = torch.tensor([[[10.0, 2.0, 2.0], [-10.0, 2.0, 2.0]]])
    pixels, ahead = feature_pixels(points, INTRINSICS, EGO_FROM_CAMERA, stride=8)
    torch.testing.assert_close(pixels[0, 0, 0], torch.tensor([2.5, 1.0]))  # (u + 0.5) / 8 - 0.5
    assert ahead.tolist() == [[[True, False]]]


def test_taps_are_weighed_by_nearness():
    taps, weights = bilinear_taps(torch.tensor([[2.25, 1.5]]), (4, 8))
    assert taps.tolist() == [[10, 11, 18, 19]]
    assert weights.tolist() == [[0.375, 0.125, 0.375, 0.125]]


def test_past_the_outer_centres_the_edge_is_repeated():
    taps, weights = bilinear_taps(torch.tensor([[-0.25, 3.4]]), (4, 8))
    assert taps.tolist() == [[24, 24, 24, 24]]
    assert weights.sum().item() == pytest.approx(1)


def test_taps_are_what_grid_sample_gives():
    torch.manual_seed(0)
    features, pixels = torch.randn(1, 3, 4, 8), torch.rand(50, 2) * torch.tensor([7.0, 3.0])
    taps, weights = bilinear_taps(pixels, (4, 8))
    ours = (features[0].flatten(1)[:, taps] * weights).sum(-1)
    places = (pixels + 0.5) / torch.tensor([8.0, 4.0]) * 2 - 1
    theirs = torch.nn.functional.grid_sample(features, places[None, None], align_corners=False)
    torch.testing.assert_close(ours, theirs[0, :, 0])


def test_a_cell_holds_what_the_camera_sees_there():
    features = torch.arange(8.0).expand(1, 1, 4, 8)  # each its column
    bev = sampled(passing_on((1.0,)), features, [0], EGO_FROM_CAMERA, 1)
    assert bev.shape == (1, 1, 20, 16)
    # cell (14, 9): x = 10.5, y = 1.5: u = 31.5 - 60 / 10.5, column (32 - 60 / 10.5) / 8 - 0.5
    assert bev[0, 0, 14, 9].item() == pytest.approx((32 - 60 / 10.5) / 8 - 0.5, abs=1e-5)


def test_cells_behind_or_beside_the_view_are_zero():
    bev = sampled(passing_on((1.0,)), torch.ones(1, 1, 4, 8), [0], EGO_FROM_CAMERA, 1)[0, 0]
    assert bev[:4].abs().sum() == 0  # behind
    # half of the view is 32 / 40 of the depth wide: at x = 5.5 that is 4.4 m
    assert bev[9].tolist() == pytest.approx([0] * 4 + [1] * 8 + [0] * 4)


def test_the_heights_of_a_column_add_up_where_they_are_seen():
    # at x = 2.5 the view ends 16 / 40 * 2.5 = 1 m above and below the camera's 1 m
    module = passing_on((0.1, 1.0, 2.1))
    bev = sampled(module, torch.ones(1, 1, 4, 8), [0], EGO_FROM_CAMERA, 1)[0, 0]
    assert bev[6, 8].item() == pytest.approx(2)
    assert bev[14, 8].item() == pytest.approx(3)


def test_cameras_that_see_a_point_are_averaged_whatever_their_order():
    features = torch.stack([torch.full((1, 4, 8), 2.0), torch.full((1, 4, 8), 6.0)])
    matrices = torch.cat([EGO_FROM_CAMERA, yawed(0.5) @ EGO_FROM_CAMERA])
    module = passing_on((1.0,))
    bev = sampled(module, features, [0, 0], matrices, 1)
    assert bev[0, 0, 14, 8].item() == pytest.approx(4)  # (10.5, 0.5): both
    assert bev[0, 0, 14, 2].item() == pytest.approx(2)  # (10.5, -5.5): the first alone
    again = sampled(module, features.flip(0), [0, 0], matrices.flip(0), 1)
    torch.testing.assert_close(bev, again, atol=1e-5, rtol=0)


def test_frames_get_their_own_cameras_and_those_without_get_zeros():
    torch.manual_seed(2)
    module = SampleColumns(GRID, (0.0, 1.0), in_channels=3, channels=5)
    features = torch.randn(2, 3, 4, 8)
    matrices = torch.cat([EGO_FROM_CAMERA, yawed(0.5) @ EGO_FROM_CAMERA])
    bev = sampled(module, features, [3, 1], matrices, 4)
    assert bev.shape == (4, 5, 20, 16)
    assert bev[[0, 2]].abs().sum() == 0
    torch.testing.assert_close(bev[3:], sampled(module, features[:1], [0], matrices[:1], 1))
    torch.testing.assert_close(bev[1:2], sampled(module, features[1:], [0], matrices[1:], 1))
    none = sampled(module, features[:0], [], matrices[:0], 2)
    assert none.shape == (2, 5, 20, 16)
    assert none.abs().sum() == 0


def test_turning_camera_and_grid_points_alike_changes_nothing():
    points = column_points(GRID, (0.5,))
    turned = points @ yawed(0.7)[:3, :3].T
    pixels, ahead = feature_pixels(points, INTRINSICS, EGO_FROM_CAMERA, stride=8)
    again, ahead_again = feature_pixels(turned, INTRINSICS, yawed(0.7) @ EGO_FROM_CAMERA, stride=8)
    assert torch.equal(ahead, ahead_again)
    torch.testing.assert_close(pixels[ahead], again[ahead], atol=1e-3, rtol=1e-5)


def test_gradients_reach_the_features_and_the_weights():
    module = SampleColumns(GRID, (0.0, 1.0), in_channels=3, channels=5)
    features = torch.randn(1, 3, 4, 8, requires_grad=True)
    frame = torch.tensor([0])
    bev = module(features, INTRINSICS, EGO_FROM_CAMERA, frame, batch_size=1, stride=8)
    bev.square().sum().backward()
    assert features.grad.abs().sum() > 0
    assert module.by_height.weight.grad.abs().sum() > 0
