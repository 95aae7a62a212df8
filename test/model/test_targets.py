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

"""Labels to targets to maps to objects: what is put in comes out."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model import outputs as o
from mm_fusion.model.boxes import overlap_of, yaw_of
from mm_fusion.model.decode import DecodeConfig, decode, thinned
from mm_fusion.model.losses import LossWeights, fusion_loss, head_losses, heat_loss
from mm_fusion.model.outputs import BOX_CHANNELS, BevOutputs, HeadMaps
from mm_fusion.model.targets import LabelledBoxes, targets_of
from mm_fusion.objects import CLASSES, Objects

GRID = BevGrid(x_min_m=0.0, x_max_m=32.0, y_min_m=-8.0, y_max_m=8.0, cell_m=0.5)
NAMES = ("car", "pedestrian")
CERTAIN = 12.0  # logit of what is there


def labelled(boxes, label=None, ground=None, ignored=None, velocity=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 7)
    count = len(boxes)
    unknown = torch.full((count, 2), torch.nan)
    return LabelledBoxes(
        frame=torch.zeros(count, dtype=torch.int64),
        label=torch.tensor(label or [0] * count, dtype=torch.int64),
        boxes=boxes,
        velocity=unknown if velocity is None else torch.tensor(velocity),
        ground=torch.tensor(ground if ground is not None else [0.0] * count),
        ignored=torch.tensor(ignored or [False] * count, dtype=torch.bool),
    )


def maps_of(targets):
    """The maps of a head that says exactly what it should."""
    box = torch.zeros(1, BOX_CHANNELS, *GRID.shape)
    rows = targets.frame, targets.cell[:, 0], targets.cell[:, 1]
    said = torch.nan_to_num(targets.box.clone())
    said[:, o.FRONT] = (said[:, o.FRONT] * 2 - 1) * CERTAIN
    said[:, o.IOU] = CERTAIN
    box.permute(0, 2, 3, 1)[rows] = said
    heat = torch.where(targets.heat == 1, CERTAIN, -CERTAIN)
    return HeadMaps(heat=heat, box=box)


BOXES = [
    [10.3, 2.1, 0.9, 4.2, 1.8, 1.6, 0.3],
    [20.0, -3.0, 1.1, 4.6, 1.9, 1.5, -2.8],
    [15.2, 5.9, 1.0, 0.6, 0.7, 1.8, 1.7],
]


def test_what_is_put_in_comes_out():
    targets = targets_of(labelled(BOXES, [0, 0, 1]), GRID, 1, 2)
    (found,) = decode(maps_of(targets), GRID, NAMES, np.full((1, 3), np.nan), DecodeConfig())
    order = np.argsort(found.centers_ego[:, 0])
    expected = np.array(sorted(BOXES))
    assert_allclose(found.boxes[order, :6], expected[:, :6], atol=1e-4)
    assert_allclose(wrap_angle(found.yaws_rad[order] - expected[:, 6]), 0, atol=1e-4)
    assert [CLASSES[k] for k in found.labels[order]] == ["car", "pedestrian", "car"]
    assert (found.scores > 0.99).all()
    assert np.isnan(found.velocities_ego).all()


def test_over_a_known_ground_the_rise_counts_and_not_the_height():
    # the ground rises by 5 cm a metre ahead and lies 1 m below ego
    plane = np.array([[0.05, 0.0, -1.0]])
    ground = [0.05 * box[0] - 1.0 for box in BOXES]
    targets = targets_of(labelled(BOXES, [0, 0, 1], ground), GRID, 1, 2)
    maps = maps_of(targets)
    maps.box[:, o.BOTTOM] = 99.0
    (found,) = decode(maps, GRID, NAMES, plane, DecodeConfig())
    assert_allclose(np.sort(found.centers_ego[:, 2]), [0.9, 1.0, 1.1], atol=1e-4)


def test_velocities_come_out_where_they_were_learnt():
    targets = targets_of(labelled(BOXES[:1], velocity=[[3.0, -1.0]]), GRID, 1, 2)
    settings = DecodeConfig(velocity=True)
    (found,) = decode(maps_of(targets), GRID, NAMES, np.full((1, 3), np.nan), settings)
    assert_allclose(found.velocities_ego, [[3, -1]])


def test_centres_outside_the_grid_are_left_out():
    outside = [[-0.01, 0, 0, 4, 2, 1.5, 0], [5, 8.0, 0, 4, 2, 1.5, 0]]
    targets = targets_of(labelled(outside), GRID, 1, 2)
    assert targets.objects == 0
    assert not targets.heat.any()
    assert len(targets.box) == 0


def test_the_heat_is_one_in_the_cell_of_the_centre_and_falls_with_the_size():
    targets = targets_of(labelled([[10.3, 2.1, 0, 6.0, 6.0, 2, 0]]), GRID, 1, 2)
    # cell 20, 20; a spread of 6 / 6 / 0.5 = 2 cells
    assert targets.heat[0, 0, 20, 20] == 1
    assert_allclose(float(targets.heat[0, 0, 22, 20]), np.exp(-4 / 8), rtol=1e-5)
    assert not targets.heat[0, 1].any()


def test_what_is_ignored_is_neither_object_nor_background():
    targets = targets_of(labelled(BOXES[:1], ignored=[True]), GRID, 1, 2)
    assert targets.objects == 0
    assert not targets.counted[0, 0, 20, 20]
    quiet = torch.full_like(targets.heat, -CERTAIN)
    quiet[0, 0, 20, 20] = CERTAIN
    assert heat_loss(quiet, targets.heat, targets.counted) < 0.1


def test_a_cell_between_two_objects_learns_the_nearer_one():
    near = [[10.2, 2.2, 0, 1, 1, 1, 0], [10.9, 2.2, 0, 2, 2, 1, 0]]
    targets = targets_of(labelled(near), GRID, 1, 2)
    cells = targets.cell.tolist()
    assert len({tuple(cell) for cell in cells}) == len(cells)
    assert targets.truth[cells.index([20, 20]), 3] == 1
    assert targets.truth[cells.index([21, 20]), 3] == 2


@pytest.mark.parametrize("yaw", np.deg2rad([0, 30, 89, 91, 180, -30, -89, -91, -150]))
def test_a_yaw_is_its_line_and_its_front(yaw):
    said = torch.zeros(1, BOX_CHANNELS)
    said[0, o.AXIS] = torch.tensor([np.cos(2 * yaw), np.sin(2 * yaw)], dtype=torch.float32)
    said[0, o.FRONT] = 1.0 if np.cos(yaw) > 0 else -1.0
    assert_allclose(wrap_angle(float(yaw_of(said)[0]) - yaw), 0, atol=1e-5)


def test_the_overlap_of_shifted_grown_and_turned_boxes():
    truth = torch.tensor([[10.0, 0, 1, 4, 2, 2, 0]] * 4)
    true = torch.zeros(4, BOX_CHANNELS)
    true[:, o.LOG_SIZE] = torch.log(truth[:, 3:6])
    true[:, o.AXIS] = torch.tensor([1.0, 0.0])
    said = true.clone()
    said[1, o.OFFSET] = torch.tensor([2.0, 0.0])  # 1 m along: 3 of 5 m shared
    said[2, o.BOTTOM_RISE] = 1.0  # half the height shared: 1 / 3
    said[3, o.AXIS] = torch.tensor([0.0, 1.0])  # by 45 degrees: cosine squared is a half
    torch.testing.assert_close(
        overlap_of(said, true, truth, 0.5), torch.tensor([1, 3 / 5, 1 / 3, 1 / 2])
    )


def test_the_right_answer_costs_little_and_a_wrong_one_more():
    targets = targets_of(labelled(BOXES, [0, 0, 1]), GRID, 1, 2)
    right = head_losses(maps_of(targets), targets, GRID.cell_m)
    for name in ("heat", "offset", "bottom", "size", "axis", "front", "overlap"):
        assert float(right[name]) < 1e-3, name
    maps = maps_of(targets)
    maps.box[:, o.OFFSET] += 0.5
    wrong = head_losses(maps, targets, GRID.cell_m)
    assert wrong["offset"] > 0.3
    assert wrong["overlap"] > 0.1
    assert wrong["variance"] > right["variance"]


def test_a_frame_without_labels_has_a_finite_loss_and_gradient():
    targets = targets_of(labelled([]), GRID, 1, 2)
    heat = torch.zeros(1, 2, *GRID.shape, requires_grad=True)
    box = torch.zeros(1, BOX_CHANNELS, *GRID.shape, requires_grad=True)
    loss, told = fusion_loss(
        BevOutputs(fused=HeadMaps(heat=heat, box=box)), targets, GRID.cell_m, LossWeights()
    )
    loss.backward()
    assert np.isfinite(list(told.values())).all()
    assert torch.isfinite(heat.grad).all()


def test_of_boxes_that_overlap_the_best_stays():
    boxes = np.array([[10, 0, 1, 4, 2, 2, 0], [11, 0, 1, 4, 2, 2, 0], [20, 0, 1, 4, 2, 2, 0]])
    objects = Objects.of_boxes(boxes, scores=np.array([0.9, 0.8, 0.7]))
    assert thinned(objects, 0.2).tolist() == [0, 2]  # 3 of 5 m shared
    assert thinned(objects, 0.7).tolist() == [0, 1, 2]
    assert thinned(Objects.none(), 0.2).tolist() == []
