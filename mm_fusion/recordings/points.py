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

"""Files that hold a LiDAR scan as rows of float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mm_fusion.errors import RecordingError
from mm_fusion.records import Float32


def read_points(path: Path, columns: int) -> Float32:
    """Read rows (N, columns) of little-endian float32; rows that are not finite are left out.

    Raises:
        RecordingError: the file ends within a row, or is empty.
    """
    values, row_bytes = path.read_bytes(), 4 * columns
    if not values or len(values) % row_bytes:
        raise RecordingError(
            f"{path}: truncated, {len(values)} bytes is not a whole number of "
            f"{row_bytes}-byte points"
        )
    points = np.frombuffer(values, "<f4").reshape(-1, columns)
    return np.asarray(points[np.isfinite(points).all(axis=1)])
