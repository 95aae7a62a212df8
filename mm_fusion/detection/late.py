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

"""Late fusion: several detectors look at a frame, each with its own sensors, and are made one.

A detector that cannot see an object, because its sensor is missing or looks elsewhere, neither
helps nor harms it: nobody counts it.

Axis letters: G objects after fusion, H detectors (heads), N objects before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig, LateConfig
from mm_fusion.detection.late_heads import Head, heads_of
from mm_fusion.detection.late_matching import group
from mm_fusion.detection.late_merging import merge
from mm_fusion.detection.stacking import Stacking, feature_names, feature_rows
from mm_fusion.objects import UNKNOWN, Objects
from mm_fusion.records import Bool, EgoFrame, Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opinions:
    """The objects that several detectors found together, and what each said of them."""

    objects: Objects  # G rows, merged, with the mean score of who reported them
    scores: Float64  # (G, H) 0 where a detector did not report it
    reported: Bool  # (G, H)
    able: Bool  # (G, H) it reported it, or one of its sensors looks there
    agree: Bool  # (G,) at least two name the same class

    @property
    def rows(self) -> Float64:
        """Features (G, 2H + 1) of stacking."""
        return feature_rows(self.scores, self.able & ~self.reported, self.agree)


class LateFusionDetector:
    """Asks several detectors and fuses what they find."""

    name = "late"

    def __init__(
        self, heads: Sequence[Head], config: LateConfig, stacking: Stacking | None = None
    ) -> None:
        """Take the detectors to ask.

        Args:
            heads: the detectors, each with a name of its own.
            config: settings.
            stacking: weights of method "stacked"; None: those of the settings' file.
        """
        self._heads = tuple(heads)
        self._config = config
        self._stacking = stacking
        if config.method == "stacked" and stacking is None:
            self._stacking = Stacking.load(Path(config.stacking_file), self.features)

    @property
    def needs_any_of(self) -> frozenset[str]:
        """Kinds of sensor of which at least one must be present for anything to be seen."""
        return frozenset().union(*(head.needs_any_of for head in self._heads))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features of stacking."""
        return feature_names([head.name for head in self._heads])

    def calibrate(self, calibration: Calibration) -> None:
        """Pass it on to every detector."""
        for head in self._heads:
            head.detector.calibrate(calibration)

    def detect(self, frame: EgoFrame) -> Objects:
        """Return the fused objects of one frame; if no detector can see, there are none."""
        opinions = self.opinions(frame)
        scores, kept = self._judged(opinions)
        objects = replace(opinions.objects, scores=scores)
        return objects[kept & (scores >= self._config.score_threshold)]

    def opinions(self, frame: EgoFrame) -> Opinions:
        """Return every object that any detector reports, before it is judged."""
        config = self._config
        found = [head.detect(frame) for head in self._heads]
        everything = Objects.joined(*found)
        head_of = np.repeat(np.arange(len(found)), [len(objects) for objects in found])  # (N,)
        groups = group(found, distance_m=config.distance_m, min_iou=config.min_iou)
        count = int(groups.max(initial=-1)) + 1
        merged = Objects.joined(*(merge(everything[groups == g]) for g in range(count)))
        scores = np.zeros((count, len(found)))
        reported = np.zeros((count, len(found)), np.bool_)
        scores[groups, head_of], reported[groups, head_of] = everything.scores, True
        looks = np.zeros((count, len(found)), np.bool_)
        for h, head in enumerate(self._heads):
            looks[:, h] = head.looks_at(frame, merged.centers_ego)
        named = np.zeros((count, UNKNOWN + 1), np.int64)
        np.add.at(named, (groups, everything.labels), 1)
        return Opinions(
            objects=merged,
            scores=scores,
            reported=reported,
            able=reported | looks,
            agree=np.asarray((named[:, :UNKNOWN] > 1).any(axis=1)),
        )

    def _judged(self, opinions: Opinions) -> tuple[Float64, Bool]:
        """Return the score (G,) of each object and whether it is kept (G,)."""
        able, reported = opinions.able.sum(axis=1), opinions.reported.sum(axis=1)
        everyone = np.ones(len(able), np.bool_)
        if self._config.method == "stacked" and self._stacking is not None:
            return self._stacking.probability(opinions.rows), everyone
        if self._config.method == "vote":
            # with fewer able to see it than votes are asked for, all of them must agree
            return opinions.objects.scores, reported >= np.minimum(self._config.votes, able)
        # Solovyev et al., "Weighted boxes fusion", Image and Vision Computing 107, 2021, eq. (5):
        # the mean of the T scores, times T over the N models
        return opinions.scores.sum(axis=1) / np.maximum(able, 1), everyone


def late_fusion(config: FusionConfig) -> LateFusionDetector:
    """Build late fusion of the detectors that the settings name."""
    return LateFusionDetector(heads_of(config), config.late)
