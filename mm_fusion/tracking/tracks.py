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

"""The table of tracks: a row each, all in the map. Axis letters: T tracks."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import CLASSES, UNKNOWN, Objects
from mm_fusion.records import Bool, Float64, Int64
from mm_fusion.tracking.motion import TURN

FRONT_SPEED_MPS = 2.0  # from here on the direction of motion says where the front is
TURNING = np.array([name not in ("pedestrian", "unknown") for name in CLASSES])


def _none(*shape: int) -> Float64:
    return np.zeros((0, *shape))


@dataclass(slots=True)
class Tracks:
    """All tracks; `objects` holds what no filter estimates, as last detected, in the map."""

    states: Float64 = field(default_factory=lambda: _none(5))  # x, y, vx, vy, turn rate
    covariances: Float64 = field(default_factory=lambda: _none(5, 5))
    objects: Objects = field(default_factory=Objects.none)
    votes: Float64 = field(default_factory=lambda: _none(len(CLASSES)))  # sums of scores
    hits: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    seen_ns: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    missed_s: Float64 = field(default_factory=_none)  # looked for in vain since seen
    existence: Float64 = field(default_factory=_none)  # probability
    confirmed: Bool = field(default_factory=lambda: np.zeros(0, np.bool_))

    @classmethod
    def begun(
        cls, objects: Objects, states: Float64, covariances: Float64, stamp_ns: int
    ) -> Tracks:
        """Return tracks of objects (T,) of the map that were detected for the first time."""
        count = len(objects)
        votes = np.zeros((count, len(CLASSES)))
        votes[np.arange(count), objects.labels] = objects.scores
        return cls(
            states=states,
            covariances=covariances,
            objects=objects,
            votes=votes,
            hits=np.ones(count, np.int64),
            seen_ns=np.full(count, stamp_ns, np.int64),
            missed_s=np.zeros(count),
            existence=objects.scores.astype(np.float64),
            confirmed=np.zeros(count, np.bool_),
        )

    def __len__(self) -> int:
        return len(self.hits)

    def rows(self, keep: Int64) -> Tracks:
        """Return a copy of some rows."""
        return Tracks(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def copy(self) -> Tracks:
        """Return a copy that may be changed."""
        return self.rows(np.arange(len(self)))

    def joined(self, more: Tracks) -> Tracks:
        """Return these and more."""
        columns = {
            f.name: np.concatenate([getattr(self, f.name), getattr(more, f.name)])
            for f in fields(self)
            if f.name != "objects"
        }
        return Tracks(objects=Objects.joined(self.objects, more.objects), **columns)

    @property
    def labels(self) -> Int64:
        """(T,) the class with the most evidence; `unknown` only where nothing else has any."""
        known = self.votes.copy()
        known[:, UNKNOWN] *= 1e-3
        return np.asarray(known.argmax(axis=1), np.int64)

    def placed(self) -> Objects:
        """Return the objects where their states say they are, in the map."""
        centers = self.objects.centers_ego.copy()
        centers[:, :2] = self.states[:, :2]
        return replace(self.objects, centers_ego=centers)

    def published(self) -> Objects:
        """Return what others are told of the tracks, in the map; the score is the existence."""
        speed = np.linalg.norm(self.states[:, 2:4], axis=1)
        heading = np.arctan2(self.states[:, 3], self.states[:, 2])
        backwards = np.cos(heading - self.objects.yaws_rad) < 0
        yaws = self.objects.yaws_rad + np.pi * (backwards & (speed > FRONT_SPEED_MPS))
        return replace(
            self.placed(),
            yaws_rad=wrap_angle(yaws),
            velocities_ego=self.states[:, 2:4].copy(),
            scores=self.existence.copy(),
            labels=self.labels,
            covariances=self.covariances[:, :4, :4].copy(),
            turn_rates_radps=self.states[:, TURN].copy(),
        )
