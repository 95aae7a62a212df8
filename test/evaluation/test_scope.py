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

"""What counts and what does not."""

import numpy as np

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.evaluation.scope import lidar_points_of, scoped
from mm_fusion.objects import Objects, Truth
from mm_fusion.recordings.recording import RecordedFrame
from mm_fusion.records import LidarScan

CAMERA = Camera(
    name="front",
    image_from_camera=np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]),
    ego_from_camera=np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
    size_px=(100, 100),
)
CALIBRATION = Calibration(cameras={"front": CAMERA}, ego_from={"lidar": np.eye(4)})


def boxes(*places):
    return Objects.of_boxes(np.array([[x, y, 0.0, 4, 2, 2, 0] for x, y in places]).reshape(-1, 7))


def recorded(truth, points=(), limit=np.pi, regions=()):
    points = np.array(points, np.float32).reshape(-1, 3)
    zeros = np.zeros(len(points), np.float32)
    scan = LidarScan(stamp_ns=1, points_lidar=points, intensity=zeros, offset_s=zeros)
    return RecordedFrame(
        token="a",
        stamp_ns=1,
        records={"lidar": scan},
        motion=(),
        calibration=CALIBRATION,
        truth=Truth(
            objects=truth,
            occlusion=np.zeros(len(truth), np.int64),
            azimuth_limit_rad=limit,
            ignored_px=np.array(regions, np.float64).reshape(-1, 4),
            ignored_camera="front",
        ),
        result_from_ego=np.eye(4),
    )


def test_points_are_counted_with_a_margin_for_tight_labels():
    # the box reaches from 8 to 12 m; 7.95 is within the margin of 0.1, 7.85 is not
    frame = recorded(boxes((10, 0)), [[9, 0, 0], [12, 1, 1], [7.95, 0, 0], [7.85, 0, 0]])
    counts = lidar_points_of(frame.truth.objects, frame.records, CALIBRATION)
    assert counts.tolist() == [3]


def test_only_what_is_near_in_view_and_has_points_counts():
    truth = boxes((10, 0), (40, 0), (0, 10), (20, 0))
    frame = recorded(truth, [[10, 0, 0], [40, 0, 0], [0, 10, 0]], limit=0.7)
    paired = scoped(frame, boxes((10, 0), (40, 0), (0, 10)), range_m=30, min_lidar_points=1)
    assert paired.counted.tolist() == [True, False, False, False]  # far; aside; no point
    assert paired.detections.centers_ego[:, :2].tolist() == [[10, 0]]


def test_what_lies_where_nothing_was_labelled_is_excused():
    # at 10 m, y = 2 is pixel 50 - 100 * 2 / 10 = 30; y = -2 is pixel 70
    frame = recorded(boxes(), regions=[(25, 40, 35, 60)])
    paired = scoped(frame, boxes((10, 2), (10, -2)), range_m=30, min_lidar_points=0)
    assert paired.excused.tolist() == [True, False]
