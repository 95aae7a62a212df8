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

"""A street of boxes that is quickly made: what training and the learned detector are tried on."""

import numpy as np
import pytest

from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.network_config import NetworkConfig
from mm_fusion.objects import CLASSES, Objects, Truth
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.training.samples import Sample, TrainingImage

EGO_FROM_CAMERA = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.2], [0, 0, 0, 1]])
INTRINSICS = np.array([[60.0, 0, 47.5], [0, 60, 15.5], [0, 0, 1]])
SMALL = NetworkConfig(
    grid=BevGrid(x_min_m=0.0, x_max_m=25.6, y_min_m=-10.24, y_max_m=10.24, cell_m=0.32),
    classes=("car", "pedestrian"),
    pillar_channels=16,
    channels=24,
    depths=(24, 32, 32),
    blocks=1,
    image_height=32,
    image_width=96,
    image_channels=8,
)


def street(boxes, seed=0, token="a"):
    """A sample whose LiDAR hits the ground and the surface of each box, and radar each box."""
    rng = np.random.default_rng(seed)
    boxes = np.array(boxes, np.float64).reshape(-1, 7)
    ground = np.column_stack([rng.uniform(0, 25, 800), rng.uniform(-10, 10, 800), np.zeros(800)])
    clouds, returns = [ground + [0, 0, -0.05] * rng.random((800, 1))], []
    for x, y, z, length, width, height, yaw in boxes:
        local = rng.uniform(-0.5, 0.5, (150, 3)) * [length, width, height]
        side = rng.integers(0, 2, 150)
        local[side == 0, 0] = -length / 2
        local[side == 1, 1] = -np.sign(y) * width / 2
        cos, sin = np.cos(yaw), np.sin(yaw)
        turned = np.column_stack(
            [local[:, 0] * cos - local[:, 1] * sin, local[:, 0] * sin + local[:, 1] * cos]
        )
        clouds.append(np.column_stack([turned + np.array([x, y]), local[:, 2] + z]))
        returns.append(rng.normal([x, y, z], 0.3, (8, 3)))
    radar = np.concatenate(returns) if returns else np.zeros((0, 3))
    points = np.concatenate(clouds).astype(np.float32)
    rays = radar / np.maximum(np.linalg.norm(radar, axis=1, keepdims=True), 1e-6)
    frame = EgoFrame(
        stamp_ns=1,
        points_ego=points,
        intensity=np.full(len(points), 0.5, np.float32),
        radar_ego=radar.astype(np.float32),
        radar_ray_ego=rays.astype(np.float32),
        radial_speed_mps=np.zeros(len(radar), np.float32),
        rcs_dbsm=np.full(len(radar), 60, np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset({"lidar", "radar", "front"}),
        present_kinds=frozenset({"lidar", "radar", "camera"}),
        missing={},
        viewpoint_ego=np.array([0, 0, 1.7]),
    )
    objects = Objects.of_boxes(
        boxes,
        labels=np.full(len(boxes), CLASSES.index("car")),
        ids=np.arange(len(boxes)),
        velocities_ego=np.zeros((len(boxes), 2)),
    )
    return Sample(
        token=token,
        frame=frame,
        truth=Truth(objects=objects, occlusion=np.zeros(len(boxes), np.int64)),
        images={
            "front": TrainingImage(
                rgb=rng.integers(0, 256, (32, 96, 3), dtype=np.uint8),
                intrinsics=INTRINSICS,
                ego_from_camera=EGO_FROM_CAMERA,
            )
        },
    )


@pytest.fixture
def samples():
    """Four frames of two cars each."""
    rng = np.random.default_rng(5)
    return [
        street(
            [
                [rng.uniform(5, 10), rng.uniform(-6, -3), 0.8, 4.2, 1.8, 1.6, rng.uniform(-3, 3)],
                [rng.uniform(14, 20), rng.uniform(3, 6), 0.8, 4.4, 1.8, 1.5, rng.uniform(-3, 3)],
            ],
            seed=k,
            token=f"{k:03d}",
        )
        for k in range(4)
    ]
