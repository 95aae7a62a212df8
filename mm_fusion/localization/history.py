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

"""What was heard lately and believed then: late measurements find their place in it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from mm_fusion.config import LocalizerConfig
from mm_fusion.localization.belief import (
    Belief,
    Event,
    Inertial,
    Position,
    at,
    beginning,
    moved,
)
from mm_fusion.localization.eskf import State
from mm_fusion.localization.fixes import heard_position
from mm_fusion.localization.inertial import heard_inertial, heard_velocity
from mm_fusion.localization.rotations import turned, vector_of
from mm_fusion.records import NS_PER_S, Float64


def heard(belief: Belief, event: Event, config: LocalizerConfig) -> Belief:
    """Return what is believed once an event, not older than the belief, is heard."""
    if isinstance(event, Inertial):
        return heard_inertial(belief, event, config)
    belief = moved(belief, event.stamp_ns, config)
    if isinstance(event, Position):
        return heard_position(belief, event, config)
    return heard_velocity(belief, event)


class History:
    """The events of the last `history_s`, in order of stamps, with the belief after each."""

    def __init__(self, config: LocalizerConfig) -> None:
        self._config = config
        self._span_ns = round(config.history_s * NS_PER_S)
        self._stamps: list[int] = []
        self._events: list[Event] = []
        self._beliefs: list[Belief] = []

    def retune(self, config: LocalizerConfig) -> None:
        """Hear what comes with changed settings; its span stays."""
        self._config = config

    @property
    def newest(self) -> Belief | None:
        """What is believed after all that was heard; None before anything was."""
        return self._beliefs[-1] if self._beliefs else None

    def hear(self, event: Event) -> str:
        """Take an event, late ones too; return what became of it, as `LocalizerStats` counts it."""
        if not self._stamps or event.stamp_ns >= self._stamps[-1]:
            self._append(event)
        elif event.stamp_ns <= self._stamps[0]:
            return "too_old"
        else:
            place = bisect_right(self._stamps, event.stamp_ns)
            again = [event, *self._events[place:]]
            del self._stamps[place:], self._events[place:], self._beliefs[place:]
            self._append(event)
            outcome = self._beliefs[-1].outcome
            for later in again[1:]:
                self._append(later)
            return outcome
        return self._beliefs[-1].outcome

    def state_at(self, stamp_ns: int) -> State:
        """Return the state at a stamp: between two beliefs the way from one to the other.

        Before the oldest and after the newest it is predicted, `history_s` back at most. Something
        must have been heard.
        """
        place = bisect_right(self._stamps, stamp_ns) - 1
        if place < 0:
            stamp_ns = max(stamp_ns, self._stamps[0] - self._span_ns)
            return at(self._beliefs[0], stamp_ns, self._config)
        if place == len(self._stamps) - 1 or self._stamps[place] == stamp_ns:
            return at(self._beliefs[place], stamp_ns, self._config)
        return self._between(place, stamp_ns)

    def _append(self, event: Event) -> None:
        before = self.newest or beginning(event.stamp_ns)
        self._stamps.append(event.stamp_ns)
        self._events.append(event)
        self._beliefs.append(heard(before, event, self._config))
        past = bisect_right(self._stamps, event.stamp_ns - self._span_ns) - 1
        if past > 0:  # one belief older than the span stays, to start from
            del self._stamps[:past], self._events[:past], self._beliefs[:past]

    def _between(self, place: int, stamp_ns: int) -> State:
        """Predict from the earlier belief, and spread the later one's correction over the way."""
        earlier, later = self._beliefs[place], self._beliefs[place + 1]
        if later.broke:
            return at(later, stamp_ns, self._config)
        span_ns = later.stamp_ns - earlier.stamp_ns
        share = (stamp_ns - earlier.stamp_ns) / span_ns
        here = at(earlier, stamp_ns, self._config)
        there = at(earlier, later.stamp_ns, self._config)
        end = later.state
        error = vector_of(there.map_from_ego.T @ end.map_from_ego)

        def mixed(a: Float64, b: Float64) -> Float64:
            return (1 - share) * a + share * b

        return replace(
            here,
            position_map=here.position_map + share * (end.position_map - there.position_map),
            map_from_ego=here.map_from_ego @ turned(share * error)[0],
            linear_ego=here.linear_ego + share * (end.linear_ego - there.linear_ego),
            covariance=mixed(here.covariance, end.covariance),
            gyro=mixed(earlier.state.turn_ego, end.turn_ego) + here.gyro_bias,
        )
