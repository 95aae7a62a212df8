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

"""The tree of frames that /tf_static and /tf speak of, and the way between any two of them."""

from __future__ import annotations

import numpy as np

from mm_fusion.calibration import check_rigid
from mm_fusion.errors import CalibrationError
from mm_fusion.geometry.rigid import invert
from mm_fusion.records import Float64


class TransformTree:
    """Frames, each with one parent; the newest word on a frame is the one that holds."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, Float64]] = {}  # child -> parent, parent_from_child

    @property
    def frames(self) -> tuple[str, ...]:
        """Names of all the frames known, sorted."""
        parents = (parent for parent, _ in self._parents.values())
        return tuple(sorted({*self._parents, *parents}))

    def __contains__(self, child: str) -> bool:
        return child in self._parents

    def add(self, parent: str, child: str, parent_from_child: Float64) -> None:
        """Place a frame in its parent, or place it anew.

        Raises:
            CalibrationError: a name is empty, both are the same, or the (4, 4) is not rigid.
        """
        if not parent or not child or parent == child:
            raise CalibrationError(
                f"transform from {parent!r} to {child!r}: give two frames, both named"
            )
        matrix = check_rigid(f"transform from {parent!r} to {child!r}", parent_from_child)
        self._parents[child] = (parent, matrix)

    def lookup(self, target: str, source: str) -> Float64:
        """Return target_from_source (4, 4).

        Raises:
            CalibrationError: no way leads there; the text says where it ends and what is known.
        """
        if target == source:
            return np.eye(4)
        from_target, from_source = self._ancestors(target), self._ancestors(source)
        for frame, frame_from_source in from_source.items():
            if frame in from_target:
                return invert(from_target[frame]) @ frame_from_source
        raise CalibrationError(self._no_way(target, source, list(from_target), list(from_source)))

    def _ancestors(self, frame: str) -> dict[str, Float64]:
        """Return the frame and all above it, nearest first, each as above_from_frame."""
        found = {frame: np.eye(4)}
        above = frame
        while above in self._parents:
            parent, parent_from_child = self._parents[above]
            if parent in found:
                break  # a cycle: two publishers contradict each other
            found[parent] = parent_from_child @ found[above]
            above = parent
        return found

    def _no_way(
        self, target: str, source: str, above_target: list[str], above_source: list[str]
    ) -> str:
        known = self.frames
        strangers = [frame for frame in (source, target) if frame not in known]
        listed = ", ".join(known) or "none"
        if strangers:
            return (
                f"no transform to {target!r} from {source!r}: nothing is known of "
                f"{strangers[0]!r}; frames known: {listed}"
            )
        return (
            f"no transform to {target!r} from {source!r}: {above_source[-1]!r}, at the root of "
            f"{source!r}, and {above_target[-1]!r}, at the root of {target!r}, are not linked; "
            f"frames known: {listed}"
        )
