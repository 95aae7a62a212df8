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

"""What the newest frames gave, so that one that comes late can take its place among them."""

from __future__ import annotations

from dataclasses import dataclass

from mm_fusion.objects import Objects
from mm_fusion.records import NS_PER_S, Float64
from mm_fusion.tracking.range_rates import Returns
from mm_fusion.tracking.tracks import Tracks
from mm_fusion.tracking.visibility import Visibility

MOST_BORN = 10_000  # first detections whose ids are remembered before old ones are forgotten


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What one frame gave, in the map."""

    stamp_ns: int
    detected: Objects
    map_from_ego: Float64  # (4, 4)
    visibility: Visibility | None
    returns: Returns | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moment:
    """A look, and the tracks as they were before it."""

    look: Look
    tracks: Tracks
    stamp_ns: int | None


class History:
    """Looks of the last moments, oldest first, with the tracks as they were before each."""

    def __init__(self) -> None:
        self.late = 0  # looks that came after a newer one
        self.born: dict[tuple[int, int], int] = {}  # stamp and row of a first detection -> id
        self._moments: list[_Moment] = []

    def clear(self) -> None:
        """Forget all but the count."""
        self._moments.clear()
        self.born.clear()

    def keep(self, look: Look, tracks: Tracks, stamp_ns: int | None, history_s: float) -> None:
        """Keep a look and a copy of the tracks before it; forget what is older than `history_s`."""
        oldest_ns = look.stamp_ns - round(history_s * NS_PER_S)
        self._moments = [m for m in self._moments if m.look.stamp_ns >= oldest_ns]
        self._moments.append(_Moment(look=look, tracks=tracks.copy(), stamp_ns=stamp_ns))
        if len(self.born) > MOST_BORN:
            self.born = {key: ident for key, ident in self.born.items() if key[0] >= oldest_ns}

    def undo(self, stamp_ns: int) -> tuple[Tracks, int | None, list[Look]] | None:
        """Go back to before a stamp.

        Returns:
            the tracks then, their stamp, and the looks to be taken again after it; None where the
            memory does not reach back so far.
        """
        undone = [moment for moment in self._moments if moment.look.stamp_ns > stamp_ns]
        if not undone or len(undone) == len(self._moments):
            return None
        self.late += 1
        self._moments = self._moments[: -len(undone)]
        first = undone[0]
        return first.tracks.copy(), first.stamp_ns, [moment.look for moment in undone]
