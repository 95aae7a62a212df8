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

"""Any PointCloud2 as named columns: field layout, types, endianness, padding, rows.

Source: sensor_msgs/PointCloud2 and PointField message definitions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm_fusion.errors import MessageError
from mm_fusion.recordings.headers import Message, bytes_of
from mm_fusion.records import Bool, Float32, Float64

FORMATS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
Columns = NDArray[np.void]  # a structured array, a row a point


def columns_of(cloud: Message) -> Columns:
    """View the bytes of a cloud as a structured array (N,), copying only padded rows.

    Raises:
        MessageError: a field is of no known type or outside the point, or bytes are missing.
    """
    points, step = cloud.width * cloud.height, cloud.point_step
    dtype = _layout(cloud)
    data = bytes_of(cloud.data)
    row = cloud.width * step
    if cloud.height > 1 and cloud.row_step > row:
        needed = cloud.row_step * (cloud.height - 1) + row
        _need(len(data) >= needed, cloud, needed, len(data))
        padded = np.zeros(cloud.row_step * cloud.height, np.uint8)
        padded[: min(len(data), len(padded))] = data[: len(padded)]
        data = np.ascontiguousarray(padded.reshape(cloud.height, -1)[:, :row]).ravel()
    _need(len(data) >= points * step, cloud, points * step, len(data))
    return np.frombuffer(data, dtype, count=points) if points else np.zeros(0, dtype)


def _layout(cloud: Message) -> np.dtype[np.void]:
    """Return a point's layout; fields named `_` are padding, as PCL names it."""
    fields = [f for f in cloud.fields if f.name.strip("_")]
    names = [f.name for f in fields]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise MessageError(f"PointCloud2 has the field {twice[0]!r} twice")
    formats = [_format(cloud, f) for f in fields]
    offsets = [f.offset for f in fields]
    layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": cloud.point_step}
    return np.dtype(layout)  # type: ignore[call-overload,no-any-return]  # numpy wants literals


def _format(cloud: Message, field: Message) -> str:
    if field.datatype not in FORMATS:
        raise MessageError(
            f"PointCloud2 field {field.name!r} has datatype {field.datatype}; known: 1 to 8"
        )
    kind = FORMATS[field.datatype]
    if field.offset + int(kind[1]) > cloud.point_step:
        raise MessageError(
            f"PointCloud2 field {field.name!r} at offset {field.offset} lies outside the "
            f"point_step of {cloud.point_step} bytes"
        )
    return (">" if cloud.is_bigendian else "<") + kind


def _need(enough: bool, cloud: Message, needed: int, have: int) -> None:
    if not enough:
        raise MessageError(
            f"PointCloud2 of {cloud.width} x {cloud.height} points needs {needed} bytes, "
            f"has {have}: truncated"
        )


def xyz_of(columns: Columns) -> tuple[Float32, Bool]:
    """Return the finite points (N, 3) f4, and which rows (M,) they are: one mask for all columns.

    Raises:
        MessageError: x, y or z is not among the fields.
    """
    names = columns.dtype.names or ()
    if missing := [axis for axis in "xyz" if axis not in names]:
        raise MessageError(f"PointCloud2 lacks {', '.join(missing)}; it has {', '.join(names)}")
    points = np.empty((len(columns), 3), np.float32)
    for k, axis in enumerate("xyz"):
        points[:, k] = columns[axis]
    # the sum is finite only where all three are, and one pass is faster than three
    finite = np.isfinite(points.sum(axis=1))
    return (points, finite) if finite.all() else (points[finite], finite)


def column(columns: Columns, names: tuple[str, ...], rows: Bool) -> NDArray | None:  # type: ignore[type-arg]
    """Return the first of some columns that exists, at the rows; None where none does."""
    have = {name.lower(): name for name in columns.dtype.names or ()}
    for name in names:
        if name in have:
            values = columns[have[name]]
            return values if rows.all() else values[rows]
    return None


def as_float64(values: NDArray) -> Float64:  # type: ignore[type-arg]
    """Return values as native float64, whatever their type and byte order."""
    return np.asarray(values, np.float64)
