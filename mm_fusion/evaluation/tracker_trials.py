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

"""The tracker on objects whose truth is drawn: speed errors, consistency, identity and cost.

Every trial is seeded. The vehicle stands at the origin of the map; objects are detected at 10 Hz
with the noise they state, and a radar hears them between the frames. Axis letters: K objects.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mm_fusion.config import TrackerConfig
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.records import NS_PER_S, Bool, Float64, Int64
from mm_fusion.tracking.motion import predict, turned
from mm_fusion.tracking.range_rates import Returns
from mm_fusion.tracking.tracker import Tracker
from mm_fusion.tracking.visibility import Visibility

PERIOD_S = 0.1
PLACE_STD_M = 0.2
YAW_STD_RAD = 0.1
RATE_STD_MPS = 0.2
RADAR_OFFSET_S = 0.03  # the radar's stamps lie this far from the frames'
FIRST_S = 1.0  # of a track's life
CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")
SIZES_M = {CAR: (4.2, 1.8, 1.6), PEDESTRIAN: (0.6, 0.6, 1.75)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crowd:
    """Objects on a wide square, each at a place of its own, as they truly are."""

    states: Float64  # (K, 5) x, y, vx, vy, turn rate, in the map
    labels: Int64  # (K,)

    @classmethod
    def drawn(cls, count: int, rng: np.random.Generator, spacing_m: float = 60.0) -> Crowd:
        """Draw cars, three of four, and pedestrians, with speeds and turn rates that they have."""
        labels = np.where(np.arange(count) % 4 == 3, PEDESTRIAN, CAR)
        columns = int(np.ceil(np.sqrt(count)))
        grid = np.stack(np.divmod(np.arange(count), columns), axis=1) - columns / 2
        speed = np.where(labels == CAR, rng.uniform(2, 15, count), rng.uniform(0.5, 2, count))
        course = rng.uniform(-np.pi, np.pi, count)
        rate = np.where(labels == CAR, rng.normal(0, 0.1, count), 0.0)
        velocity = speed[:, None] * np.stack([np.cos(course), np.sin(course)], axis=1)
        return cls(states=np.column_stack([grid * spacing_m + 5.0, velocity, rate]), labels=labels)

    def moved(self, seconds: float) -> Crowd:
        """Return them later; all keep their speeds and turn rates."""
        return Crowd(states=turned(self.states, seconds), labels=self.labels)

    def detections(self, rng: np.random.Generator, scores: float = 0.7) -> Objects:
        """Return noisy boxes, velocities unknown."""
        count = len(self.labels)
        place = self.states[:, :2] + rng.normal(0, PLACE_STD_M, (count, 2))
        course = np.arctan2(self.states[:, 3], self.states[:, 2])
        yaw = course + rng.normal(0, YAW_STD_RAD, count)
        sizes = np.array([SIZES_M[int(label)] for label in self.labels]).reshape(-1, 3)
        boxes = np.column_stack([place, np.full(count, 0.8), sizes, yaw])
        variances = np.diag([PLACE_STD_M**2, PLACE_STD_M**2, 1e6, 1e6])
        return Objects.of_boxes(
            boxes,
            labels=self.labels,
            scores=np.full(count, scores),
            covariances=np.tile(variances, (count, 1, 1)),
        )

    def returns(self, rng: np.random.Generator) -> Returns:
        """Return what a radar at the origin hears, two returns an object, before the frame."""
        then = np.repeat(turned(self.states, -RADAR_OFFSET_S), 2, axis=0)
        places = then[:, :2] + rng.normal(0, PLACE_STD_M, (len(then), 2))
        rays = places / np.linalg.norm(places, axis=1, keepdims=True)
        speeds = np.einsum("ki,ki->k", rays, then[:, 2:4]) + rng.normal(0, RATE_STD_MPS, len(then))
        return Returns(
            places=places,
            rays=rays,
            speeds_mps=speeds,
            offset_s=np.full(len(then), -RADAR_OFFSET_S),
        )


class Blind(Visibility):
    """What a frame without any sensor sees: nothing."""

    def __init__(self) -> None:
        super().__init__(viewpoint=np.zeros(3), front_m=None, radar=None, cameras=())


def first_second(*, radar: bool, count: int = 400, seed: int = 1) -> Float64:
    """Return the root mean square error of velocity (T,), m/s, by age of a track, up to a second.

    Ages are those of the frames from the second on; a track of one frame is not published.
    """
    rng, crowd = np.random.default_rng(seed), Crowd.drawn(count, np.random.default_rng(seed))
    tracker = Tracker(TrackerConfig(confirm_hits=2, confirm_existence=0.0))
    errors = []
    for step in range(round(FIRST_S / PERIOD_S) + 1):
        detected = crowd.detections(rng)
        heard = crowd.returns(rng) if radar else None
        tracks = tracker.update(detected, np.eye(4), _ns(step), returns=heard)
        if len(tracks):
            own = _owners(tracks, crowd)
            error = tracks.velocities_ego - crowd.states[own, 2:4]
            errors.append(np.sqrt((error**2).sum(axis=1).mean()))
        crowd = crowd.moved(PERIOD_S)
    return np.array(errors)


def consistency(count: int = 400, seconds: float = 4.0, seed: int = 2) -> Float64:
    """Return the mean normalized estimation error squared (T,) of x, y, vx, vy, frame by frame.

    The truth accelerates and turns as hard as the settings say. Four is what it should be.
    """
    rng, config = np.random.default_rng(seed), TrackerConfig(confirm_hits=2, confirm_existence=0.0)
    spacing_m = 200.0  # nobody meets anybody
    crowd = Crowd.drawn(count, rng, spacing_m)
    crowd = Crowd(states=crowd.states, labels=np.full(count, CAR))
    crowd.states[:, 4] = rng.normal(0, config.turn_std_radps, count)
    tracker, means = Tracker(config), []
    for step in range(round(seconds / PERIOD_S)):
        tracks = tracker.update(crowd.detections(rng), np.eye(4), _ns(step))
        if len(tracks):
            error = np.concatenate([tracks.centers_ego[:, :2], tracks.velocities_ego], axis=1)
            error -= crowd.states[_owners(tracks, crowd), :4]
            inverse = np.linalg.inv(tracks.covariances)
            means.append(np.einsum("ki,kij,kj->k", error, inverse, error).mean())
        still = np.zeros((count, 5, 5))
        moved, spread = predict(
            crowd.states, still, PERIOD_S, config.acceleration_std_mps2, config.turn_std_radps
        )
        root = np.linalg.cholesky(spread + 1e-12 * np.eye(5))
        noise = np.einsum("kij,kj->ki", root, rng.normal(size=(count, 5)))
        crowd = Crowd(states=moved + noise, labels=crowd.labels)
    return np.array(means)


def switches(
    *, hidden_s: float, radar_only: bool = False, count: int = 100, seed: int = 3
) -> tuple[int, int]:
    """Hide all objects for some time after two seconds, then show them for one more.

    Args:
        hidden_s: for how long.
        radar_only: a radar goes on hearing them meanwhile, as when the LiDAR is lost.
        count: of objects.
        seed: of all that is drawn.

    Returns:
        how many have another id afterwards than before, and how many have none.
    """
    rng = np.random.default_rng(seed)
    crowd, tracker = Crowd.drawn(count, rng), Tracker(TrackerConfig())
    first, last = round(2 / PERIOD_S), round((2 + hidden_s) / PERIOD_S)
    before: dict[int, int] = {}
    for step in range(last + round(1 / PERIOD_S)):
        gone = first <= step < last
        tracks = tracker.update(
            Objects.none() if gone else crowd.detections(rng),
            np.eye(4),
            _ns(step),
            visibility=Blind() if gone else None,
            returns=crowd.returns(rng) if radar_only or not gone else None,
        )
        if step == first - 1:
            before = _identities(tracks, crowd)
        crowd = crowd.moved(PERIOD_S)
    after = _identities(tracks, crowd.moved(-PERIOD_S))
    changed = sum(ident != before.get(own) for own, ident in after.items())
    return changed, count - len(after)


def costs(counts: tuple[int, ...] = (100, 300, 1000, 2000, 4000)) -> Iterator[tuple[int, Float64]]:
    """Yield how long frames take, ms, with that many objects that move through each other."""
    for count in counts:
        rng = np.random.default_rng(count)
        crowd, tracker, took_ms = (
            Crowd.drawn(count, rng, spacing_m=8.0),
            Tracker(TrackerConfig()),
            [],
        )
        for step in range(25):
            detected = crowd.detections(rng)
            began_s = time.perf_counter()
            tracker.update(detected, np.eye(4), _ns(step))
            took_ms.append(1e3 * (time.perf_counter() - began_s))
            crowd = crowd.moved(PERIOD_S)
        yield count, np.array(took_ms[5:])


def _ns(step: int) -> int:
    return round(step * PERIOD_S * NS_PER_S)


def _owners(tracks: Objects, crowd: Crowd) -> Int64:
    """Return the nearest object (K,) of each track."""
    away = tracks.centers_ego[:, None, :2] - crowd.states[None, :, :2]
    return np.asarray((away**2).sum(axis=2).argmin(axis=1), np.int64)


def _identities(tracks: Objects, crowd: Crowd) -> dict[int, int]:
    """Return object -> id of the track nearest to it, of those within 2 m."""
    away = np.linalg.norm(crowd.states[:, None, :2] - tracks.centers_ego[None, :, :2], axis=2)
    near: Bool = away.min(axis=1, initial=np.inf) <= 2.0
    return {int(own): int(tracks.ids[away[own].argmin()]) for own in np.flatnonzero(near)}
