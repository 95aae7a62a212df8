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

"""Shape checks at the borders, where arrays become records."""

from __future__ import annotations

from typing import Protocol

from mm_fusion.errors import ShapeError


class HasShape(Protocol):
    """Anything array-like enough to be checked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size along each axis."""


def check_shapes(**expected: tuple[HasShape, tuple[int | str, ...]]) -> None:
    """Raise `ShapeError` unless each array has its shape; a letter means one size throughout.

    >>> check_shapes(points=(points, ("N", 3)), intensity=(intensity, ("N",)))
    """
    sizes: dict[str, int] = {}
    for name, (array, axes) in expected.items():
        shape = tuple(array.shape)
        wanted = tuple(sizes.get(axis, axis) if isinstance(axis, str) else axis for axis in axes)
        if len(shape) != len(axes) or any(
            size != (sizes.setdefault(axis, size) if isinstance(axis, str) else axis)
            for axis, size in zip(axes, shape, strict=True)
        ):
            raise ShapeError(f"{name}: expected {wanted}, got {shape}")
