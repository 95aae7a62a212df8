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

"""Lifting is checked against cells worked out by hand.

The camera stands 1 m above ego's origin and looks along x. Its image has 64 x 32 px, a focal
length of 40 px and its middle at u = 31.5, v = 15.5; of stride 8 the feature map has 8 x 4.
"""

import math

import pytest
import torch

from mm_fusion.errors import ConfigError
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.depth import DepthBins, depth_loss, depth_targets
from mm_fusion.model.lift import LiftSplat, cells_of, frustum_ego, splat, sum_into_cells

GRID = BevGrid(x_min_m=0.0, x_max_m=16.0, y_min_m=-8.0, y_max_m=8.0, cell_m=1.0)
INTRINSICS = torch.tensor([[[40.0, 0, 31.5], [0, 40, 15.5], [0, 0, 1]]])
EGO_FROM_CAMERA = torch.tensor([[[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]]])
FRAME = torch.tensor([0])
DEPTHS = DepthBins(first_m=1.0, last_m=13.0, count=6)  # middles 2, 4, ... 12 m
HEIGHTS = {"z_min_m": -5.0, "z_max_m": 5.0}


def yawed(angle_rad):
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return torch.tensor([[cos, -sin, 0.0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def bev_of_one_pixel(row, column, depth_bin, ego_from_camera=EGO_FROM_CAMERA, **heights):
    features = torch.zeros(1, 1, 4, 8)
    features[0, 0, row, column] = 3.0
    probabilities = torch.zeros(1, 6, 4, 8)
    probabilities[:, depth_bin] = 1.0
    centers_m = torch.tensor(DEPTHS.centers_m)
    points = frustum_ego(INTRINSICS, ego_from_camera, centers_m, size=(4, 8), stride=8)
    cells = cells_of(points, FRAME, GRID, **(HEIGHTS | heights))
    return splat(features, probabilities, cells, 256).reshape(16, 16)


def test_a_bright_pixel_lands_where_its_ray_is_at_its_depth():
    # column 7: u = 7.5 * 8 - 0.5 = 59.5, 28 px right of the middle; at 8 m y = -28 / 40 * 8 = -5.6
    # row 1: v = 1.5 * 8 - 0.5 = 11.5, 4 px above the middle; at 8 m z = 1 + 4 / 40 * 8 = 1.8
    points = frustum_ego(INTRINSICS, EGO_FROM_CAMERA, torch.tensor([8.0]), size=(4, 8), stride=8)
    torch.testing.assert_close(points[0, 0, 1, 7], torch.tensor([8.0, -5.6, 1.8]))
    bev = bev_of_one_pixel(1, 7, 3)  # the bin from 7 to 9 m
    assert bev[8, 2] == 3  # y = -5.6 lies in [-6, -5), the third cell from the right
    assert bev.sum() == 3


def test_what_is_too_low_or_too_high_is_dropped():
    assert bev_of_one_pixel(1, 7, 3, z_max_m=1.81).sum() == 3
    assert bev_of_one_pixel(1, 7, 3, z_max_m=1.79).sum() == 0
    assert bev_of_one_pixel(1, 7, 3, z_min_m=1.81).sum() == 0


def test_turning_the_camera_left_turns_the_map_left():
    bev = bev_of_one_pixel(1, 7, 3, yawed(math.pi / 2) @ EGO_FROM_CAMERA)
    assert bev[5, 15] == 0  # (8, -5.6) turns to (5.6, 8), just past the grid's left edge
    assert bev.sum() == 0
    bev = bev_of_one_pixel(1, 7, 2, yawed(math.pi / 2) @ EGO_FROM_CAMERA)
    assert bev[4, 14] == 3  # at 6 m (6, -4.2) turns to (4.2, 6)
    assert bev.sum() == 3


def test_moving_the_camera_moves_the_map():
    moved = EGO_FROM_CAMERA.clone()
    moved[0, :2, 3] = torch.tensor([3.0, -2.0])
    bev = bev_of_one_pixel(1, 7, 3, moved)
    assert bev[11, 0] == 3  # (11, -7.6)
    assert bev.sum() == 3


@pytest.mark.parametrize(
    ("x", "y", "cell"),
    [
        (0.01, -7.99, 0),
        (-0.01, -7.99, -1),
        (0.01, -8.01, -1),
        (0.99, 0.01, 8),
        (1.01, -0.01, 16 + 7),
        (15.99, 7.99, 255),
        (16.01, 7.99, -1),
        (15.99, 8.01, -1),
    ],
)
def test_a_centimetre_decides_the_cell_and_nothing_wraps(x, y, cell):
    point = torch.tensor([[[x, y, 0.0]]])
    assert cells_of(point, FRAME, GRID, **HEIGHTS).item() == cell
    of_third = cells_of(point, torch.tensor([2]), GRID, **HEIGHTS).item()
    assert of_third == (-1 if cell < 0 else 512 + cell)


def test_rows_are_weighed_and_summed_with_both_gradients():
    rows = torch.tensor([[1.0, 2.0], [10.0, 20.0]], requires_grad=True)
    weight = torch.tensor([0.5, 2.0, 1.0], requires_grad=True)
    cells = sum_into_cells(rows, torch.tensor([0, 1, 0]), weight, torch.tensor([2, 0, 2]), 4)
    assert cells.tolist() == [[20, 40], [0, 0], [1.5, 3], [0, 0]]
    (cells * torch.tensor([[1.0], [7], [3], [7]])).sum().backward()
    assert weight.grad.tolist() == [9, 30, 9]  # three times 1 + 2, once 10 + 20
    assert rows.grad.tolist() == [[4.5, 4.5], [2, 2]]  # 3 * (0.5 + 1), 1 * 2


def lifted(module, features, frame, matrices, batch_size):
    with torch.no_grad():
        return module(
            features,
            INTRINSICS.expand(len(frame), 3, 3),
            matrices,
            torch.tensor(frame, dtype=torch.int64),
            batch_size=batch_size,
            stride=8,
        )


def three_cameras():
    angles = (0.0, 0.5, -0.5)
    return torch.cat([yawed(angle) @ EGO_FROM_CAMERA for angle in angles])


def make_module():
    torch.manual_seed(1)
    return LiftSplat(GRID, DEPTHS, in_channels=4, channels=5, **HEIGHTS).eval()


def test_the_order_of_the_cameras_changes_nothing():
    module, matrices = make_module(), three_cameras()
    features = torch.randn(3, 4, 4, 8)
    bev, logits = lifted(module, features, [0, 0, 1], matrices, 2)
    order = [2, 0, 1]
    again, logits_again = lifted(module, features[order], [1, 0, 0], matrices[order], 2)
    torch.testing.assert_close(bev, again, atol=1e-5, rtol=0)
    torch.testing.assert_close(logits[order], logits_again, atol=1e-5, rtol=0)


def test_a_frame_gets_the_sum_of_its_own_cameras():
    module, matrices = make_module(), three_cameras()
    features = torch.randn(3, 4, 4, 8)
    bev, logits = lifted(module, features, [0, 2, 0], matrices, 4)
    first, _ = lifted(module, features[:1], [0], matrices[:1], 1)
    second, _ = lifted(module, features[1:2], [0], matrices[1:2], 1)
    third, _ = lifted(module, features[2:], [0], matrices[2:], 1)
    assert bev.shape == (4, 5, 16, 16)
    assert logits.shape == (3, 6, 4, 8)
    torch.testing.assert_close(bev[:1], first + third)
    torch.testing.assert_close(bev[2:3], second)
    assert bev[[1, 3]].abs().sum() == 0


def test_a_batch_without_cameras_is_zeros():
    bev, logits = lifted(make_module(), torch.zeros(0, 4, 4, 8), [], torch.zeros(0, 4, 4), 2)
    assert bev.shape == (2, 5, 16, 16)
    assert bev.abs().sum() == 0
    assert logits.shape == (0, 6, 4, 8)


def test_a_camera_that_looks_away_from_the_grid_gives_zeros():
    away = yawed(math.pi) @ EGO_FROM_CAMERA
    bev, _ = lifted(make_module(), torch.randn(1, 4, 4, 8), [0], away, 1)
    assert bev.abs().sum() == 0


def test_autocast_does_not_blur_the_geometry():
    centers_m, matrices = torch.tensor(DEPTHS.centers_m), three_cameras()
    exact = frustum_ego(INTRINSICS, matrices, centers_m, size=(4, 8), stride=8)
    with torch.autocast("cpu", torch.bfloat16):
        cast = frustum_ego(INTRINSICS, matrices, centers_m, size=(4, 8), stride=8)
    assert torch.equal(exact, cast)


def test_the_depth_loss_and_the_map_teach_the_head():
    module = make_module().train()
    bev, logits = module(
        torch.randn(1, 4, 4, 8), INTRINSICS, EGO_FROM_CAMERA, FRAME, batch_size=1, stride=8
    )
    (bev.square().sum() + depth_loss(logits, torch.full((1, 4, 8), 2))).backward()
    assert all(p.grad.abs().sum() > 0 for p in module.parameters())


def test_bins_hold_their_nearer_edge():
    depths_m = torch.tensor([0.99, 1.0, 2.99, 3.0, 12.99, 13.0])
    assert DEPTHS.centers_m == (2, 4, 6, 8, 10, 12)
    assert DEPTHS.bin_of(depths_m).tolist() == [-1, 0, 0, 1, 5, -1]


def test_logarithmic_bins_grow_by_a_factor():
    bins = DepthBins(first_m=1.0, last_m=8.0, count=3, spacing="log")
    assert bins.edges_m == pytest.approx((1, 2, 4, 8))
    assert bins.centers_m == pytest.approx((1.5, 3, 6))
    assert bins.bin_of(torch.tensor([1.9, 2.1, 3.9, 4.1, 7.9, 8.1])).tolist() == [0, 1, 1, 2, 2, -1]


def test_bins_that_are_none_are_refused():
    with pytest.raises(ConfigError, match=r"6 from 3\.0 to 2\.0 m"):
        DepthBins(first_m=3.0, last_m=2.0, count=6)


def targets_of(points_ego, point_frame):
    return depth_targets(
        torch.tensor(points_ego),
        torch.tensor(point_frame),
        INTRINSICS,
        EGO_FROM_CAMERA,
        FRAME,
        depths=DEPTHS,
        size=(4, 8),
        stride=8,
    )


def test_a_feature_pixel_learns_the_depth_of_its_nearest_point():
    # both on u = 59.5, v = 11.5: column 7, row 1
    targets = targets_of([[8.0, -5.6, 1.8], [4.0, -2.8, 1.4], [-8.0, 5.6, 0.2]], [0, 0, 0])
    assert targets.shape == (1, 4, 8)
    assert targets[0, 1, 7] == 1  # 4 m is in the bin from 3 to 5 m
    assert (targets != -1).sum() == 1  # nothing of the point behind


def test_points_of_other_frames_and_outside_the_image_are_not_seen():
    # at 10 m u = 31.5 - 4 y: the image ends at -0.5 px, y = 8; v = 15.5 - 4 * 0.1 = 15.1, row 1
    targets = targets_of([[10.0, 8.01, 1.1], [10.0, 7.99, 1.1], [10.0, 0.1, 1.1]], [0, 0, 1])
    assert targets[0, 1, 0] == 4
    assert (targets != -1).sum() == 1


def test_the_loss_counts_known_pixels_only():
    logits = torch.zeros(1, 6, 4, 8)
    targets = torch.full((1, 4, 8), -1)
    assert depth_loss(logits, targets) == 0
    targets[0, 0, :2] = 3
    assert depth_loss(logits, targets).item() == pytest.approx(math.log(6))
