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

"""Records: their shapes are what they promise."""

import numpy as np
import pytest

from mm_fusion.errors import ShapeError
from mm_fusion.records import GpsFix, LidarScan, RadarScan


def test_a_scan_whose_columns_differ_in_length_is_refused():
    with pytest.raises(ShapeError, match=r"intensity: expected \(5,\), got \(4,\)"):
        LidarScan(
            stamp_ns=1,
            points_lidar=np.zeros((5, 3), np.float32),
            intensity=np.zeros(4, np.float32),
            offset_s=np.zeros(5, np.float32),
        )


def test_a_ring_for_each_point_or_none():
    five = {
        "points_lidar": np.zeros((5, 3), np.float32),
        "intensity": np.zeros(5, np.float32),
        "offset_s": np.zeros(5, np.float32),
    }
    assert LidarScan(stamp_ns=1, **five).ring is None
    with pytest.raises(ShapeError, match=r"ring: expected \(5,\), got \(6,\)"):
        LidarScan(stamp_ns=1, **five, ring=np.zeros(6, np.uint16))


def test_radar_returns_are_rows_of_three():
    with pytest.raises(ShapeError, match="points_radar: expected"):
        RadarScan(
            stamp_ns=1,
            points_radar=np.zeros((3, 9), np.float32),
            range_rate_mps=np.zeros(9, np.float32),
            rcs_dbsm=np.zeros(9, np.float32),
        )


def test_a_fix_has_a_covariance_of_three_by_three():
    with pytest.raises(ShapeError, match="covariance_enu"):
        GpsFix(
            stamp_ns=1,
            latitude_rad=0.0,
            longitude_rad=0.0,
            altitude_m=0.0,
            covariance_enu=np.zeros(9),
        )
