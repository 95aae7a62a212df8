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

"""Points into pillars: nothing lost, nothing moved, order and company of no account."""

import pytest
import torch

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.inputs import LIDAR_COLUMNS, RADAR_COLUMNS, PointInputs
from mm_fusion.model.pillars import SLICES, PillarEncoder, _most

GRID = BevGrid(x_min_m=0.0, x_max_m=4.0, y_min_m=-2.0, y_max_m=2.0, cell_m=0.5)


def inputs(rows, frame=None):
    points = torch.tensor(rows, dtype=torch.float32).reshape(-1, len(LIDAR_COLUMNS))
    frame = torch.zeros(len(points), dtype=torch.int64) if frame is None else torch.tensor(frame)
    return PointInputs(points=points, frame=frame)


def point(x, y, z=0.0, intensity=0.5, above=0.0):
    return (x, y, z, intensity, above)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return PillarEncoder(GRID, LIDAR_COLUMNS, 16, slices_of="above_ground").eval()


@pytest.fixture
def cloud():
    rng = torch.Generator().manual_seed(1)
    rows = torch.rand(300, 5, generator=rng) * torch.tensor([5.0, 5.0, 2.0, 1.0, 2.0])
    return rows - torch.tensor([0.5, 2.5, 1.0, 0.0, 0.5])


def test_a_point_fills_its_own_cell_and_no_other(encoder):
    bev = encoder(inputs([point(1.2, -1.9)]), 1)
    assert bev.shape == (1, 16, 8, 8)
    filled = torch.nonzero(bev[0].abs().sum(dim=0)).tolist()
    assert filled == [[2, 0]]


@pytest.mark.parametrize("x", [-0.01, 4.0, float("nan"), float("inf")])
def test_what_the_grid_does_not_hold_fills_nothing(encoder, x):
    assert not encoder(inputs([point(x, 0.0)]), 1).any()


def test_without_points_the_map_is_zero(encoder):
    assert not encoder(inputs([]), 2).any()


def test_the_order_of_points_is_of_no_account(encoder, cloud):
    shuffled = cloud[torch.randperm(len(cloud), generator=torch.Generator().manual_seed(2))]
    torch.testing.assert_close(
        encoder(inputs(cloud.tolist()), 1), encoder(inputs(shuffled.tolist()), 1), atol=1e-5, rtol=0
    )


def test_frames_of_a_batch_do_not_know_each_other(encoder, cloud):
    rows = cloud.tolist()
    both = encoder(inputs(rows + rows[:100], [0] * 300 + [1] * 100), 2)
    torch.testing.assert_close(both[:1], encoder(inputs(rows), 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(both[1:], encoder(inputs(rows[:100]), 1), atol=1e-5, rtol=0)


def test_more_points_than_any_pillar_was_meant_for_all_count(encoder):
    many = [point(0.25, 0.25, 0.001 * k) for k in range(1000)]
    tall = encoder(inputs([*many, point(0.25, 0.25, 3.0)]), 1)
    assert not torch.allclose(tall, encoder(inputs(many), 1))


def test_the_most_of_a_pillar_is_worked_out_by_hand_and_ties_share_the_gradient():
    features = torch.tensor([[1.0, -4], [3, -2], [5, 7], [5, 6], [5, 0]], requires_grad=True)
    most = _most(features, torch.tensor([2, 3]))
    assert most.tolist() == [[3, -2], [5, 7]]
    most.backward(torch.tensor([[1.0, 1], [3, 1]]))
    assert features.grad.tolist() == [[0, 0], [1, 1], [1, 1], [1, 0], [1, 0]]


def test_a_row_that_is_not_finite_anywhere_is_as_if_it_were_not_there(encoder, cloud):
    spoilt = torch.cat([cloud, cloud[:5]])
    spoilt[300:] = spoilt[300:].fill_diagonal_(float("nan"))
    frame = torch.zeros(len(spoilt), dtype=torch.int64)
    assert torch.equal(
        encoder(PointInputs(points=spoilt, frame=frame), 1), encoder(inputs(cloud.tolist()), 1)
    )


def test_radar_returns_are_told_apart_by_speed_reflection_and_ray():
    torch.manual_seed(0)
    encoder = PillarEncoder(GRID, RADAR_COLUMNS, 16).eval()
    still = torch.tensor([[1.2, 0.3, 0.5, 0.0, 5.0, 1.0, 0.0]])
    frame = torch.zeros(1, dtype=torch.int64)
    bev = encoder(PointInputs(points=still, frame=frame), 1)
    assert torch.nonzero(bev[0].abs().sum(dim=0)).tolist() == [[2, 4]]
    for column, change in (("radial_speed", 10.0), ("rcs", 20.0), ("ray_y", 0.5)):
        other = still.clone()
        other[0, RADAR_COLUMNS.index(column)] += change
        assert not torch.allclose(bev, encoder(PointInputs(points=other, frame=frame), 1))


def test_heights_are_told_slice_by_slice(encoder):
    heights = torch.tensor([-5.0, -0.3, 0.1, 0.1, 99.0])
    told = encoder._occupied(heights, torch.zeros(5, dtype=torch.int64), 1)
    # below the first slice counts to it, above the last to that; 0.1 m lies in the second
    expected = torch.zeros(1, SLICES)
    expected[0, 0], expected[0, 1], expected[0, -1] = 2, 2, 1
    torch.testing.assert_close(told, expected.log1p() / 4)


def test_gradients_reach_every_weight_and_are_finite(encoder, cloud):
    encoder.train()(inputs(cloud.tolist()), 1).square().sum().backward()
    for parameter in encoder.parameters():
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.any()
