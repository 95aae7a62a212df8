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

"""Frames into batches: every row kept with its frame, what is absent without a row."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mm_fusion.errors import ShapeError
from mm_fusion.model.inputs import MODALITIES, CameraInputs, batch_of
from mm_fusion.records import EgoFrame, EgoMotion

LEVEL = np.array([0.0, 0.0, -2.0])  # a, b, c: the ground lies 2 m below ego
UNKNOWN = np.full(3, np.nan)


def frame(points, returns, kinds=("lidar", "radar")):
    """Make a frame of points (x, y, z) and of returns (x, y, z, speed, rcs)."""
    points = np.array(points, np.float32).reshape(-1, 3)
    returns = np.array(returns, np.float32).reshape(-1, 5)
    ranges = np.linalg.norm(returns[:, :3], axis=1, keepdims=True)
    return EgoFrame(
        stamp_ns=1,
        points_ego=points,
        intensity=np.full(len(points), 0.25, np.float32),
        radar_ego=returns[:, :3],
        radar_ray_ego=returns[:, :3] / ranges,
        radial_speed_mps=returns[:, 3],
        rcs_dbsm=returns[:, 4],
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset(kinds),
        present_kinds=frozenset(kinds),
        missing={},
    )


def cameras(*frames):
    count = len(frames)
    return CameraInputs(
        images=torch.zeros(count, 3, 4, 6),
        frame=torch.tensor(frames, dtype=torch.int64),
        intrinsics=torch.eye(3).repeat(count, 1, 1),
        ego_from_camera=torch.eye(4).repeat(count, 1, 1),
    )


FULL = frame([[1, 2, 3], [4, 5, 6]], [[3, 4, 0, -7, 12]])


def test_rows_hold_the_columns_in_their_order():
    inputs = batch_of([FULL], LEVEL[None])
    # above the ground: 3 - -2 and 6 - -2
    assert inputs.lidar.points.tolist() == [[1, 2, 3, 0.25, 5], [4, 5, 6, 0.25, 8]]
    torch.testing.assert_close(inputs.radar.points, torch.tensor([[3.0, 4, 0, -7, 12, 0.6, 0.8]]))
    assert inputs.lidar.points.dtype == torch.float32
    assert inputs.lidar.frame.dtype == torch.int64


def test_a_slope_is_taken_from_the_height():
    inputs = batch_of([frame([[10, 5, 1]], [])], np.array([[0.1, -0.2, 0.5]]))
    assert inputs.lidar.points[0, 4].item() == pytest.approx(1 - (1.0 - 1.0 + 0.5))


def test_every_row_is_kept_with_its_frame():
    many = frame(np.ones((70_000, 3)), [])
    inputs = batch_of([FULL, many, frame([], [[1, 0, 0, 0, 0]])], np.tile(LEVEL, (3, 1)))
    assert torch.bincount(inputs.lidar.frame, minlength=3).tolist() == [2, 70_000, 0]
    assert inputs.radar.frame.tolist() == [0, 2]
    assert len(inputs) == 3


def test_a_kind_that_is_absent_has_no_row_whatever_the_frame_still_holds():
    dropped = replace(FULL, present_kinds=frozenset({"radar"}))
    inputs = batch_of([dropped, FULL], np.stack([UNKNOWN, LEVEL]))
    assert inputs.present.tolist() == [[False, False, True], [False, True, True]]
    assert inputs.lidar.frame.tolist() == [1, 1]
    assert inputs.radar.frame.tolist() == [0, 1]


def test_an_unknown_ground_gives_finite_heights():
    assert batch_of([FULL], UNKNOWN[None]).lidar.points[:, 4].tolist() == [0, 0]


def test_a_camera_is_present_where_there_is_an_image_of_it():
    seeing = replace(FULL, present_kinds=frozenset(MODALITIES))
    planes = np.tile(LEVEL, (3, 1))
    inputs = batch_of([seeing, seeing, FULL], planes, cameras(0, 0, 2))
    # the second frame's image was of no use, the third says that it has no camera
    assert inputs.present[:, MODALITIES.index("camera")].tolist() == [True, False, False]
    assert not batch_of([seeing], LEVEL[None]).present[0, 0]


def test_trust_is_full_by_default_and_counts_where_there_is_a_sensor():
    trust = torch.tensor([[torch.nan, 0.5, 0.25]])
    assert batch_of([FULL], LEVEL[None]).weight.tolist() == [[0, 1, 1]]
    assert batch_of([FULL], LEVEL[None], trust=trust).weight.tolist() == [[0, 0.5, 0.25]]
    with pytest.raises(ShapeError, match=r"trust: expected \(1, 3\), got \(1, 2\)"):
        batch_of([FULL], LEVEL[None], trust=trust[:, :2])


def test_without_a_modality_it_is_absent_from_every_frame():
    whole = batch_of([FULL, FULL], np.tile(LEVEL, (2, 1)))
    blind = whole.without("lidar")
    assert blind.present.tolist() == [[False, False, True]] * 2
    assert np.isnan(blind.planes).all()
    assert whole.present.tolist() == [[False, True, True]] * 2
    assert np.array_equal(whole.without("radar").planes, whole.planes)


def test_a_batch_moves_to_a_device_as_a_whole():
    moved = batch_of([FULL], LEVEL[None], cameras(0)).to("meta")
    tensors = (
        moved.lidar.points,
        moved.radar.frame,
        moved.cameras.ego_from_camera,
        moved.present,
        moved.trust,
    )
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_no_frames_make_an_empty_batch():
    inputs = batch_of([], np.zeros((0, 3)))
    assert inputs.present.shape == (0, 3)
    assert inputs.lidar.points.shape == (0, 5)
