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

"""Which two tracks are one object."""

import numpy as np
import pytest

from mm_fusion.objects import CLASSES, UNKNOWN, Objects
from mm_fusion.tracking.merging import merge
from mm_fusion.tracking.tracks import Tracks

CAR, PEDESTRIAN = CLASSES.index("car"), CLASSES.index("pedestrian")
NOW = 100


def two(x=1.0, y=0.0, labels=(CAR, CAR), velocity=(0.0, 0.0), seen=(0, NOW)):
    """Track 7 unseen at the origin's place given, track 9 detected now at the origin."""
    boxes = np.array([[x, y, 0.8, 4, 2, 1.6, 0], [0, 0, 0.8, 4, 2, 1.6, 0]], float)
    objects = Objects.of_boxes(
        boxes, labels=np.array(labels), scores=np.full(2, 0.5), ids=np.array([7, 9])
    )
    states = np.array([[x, y, *velocity, 0], [0.0, 0, 0, 0, 0]])
    tracks = Tracks.begun(objects, states, np.tile(np.eye(5), (2, 1, 1)), 0)
    tracks.seen_ns[:] = seen
    tracks.hits[:] = [20, 1]
    tracks.confirmed[:] = [True, False]
    tracks.existence[:] = [0.9, 0.5]
    return tracks


def test_the_one_that_was_detected_goes_on_under_the_older_id():
    tracks = two()
    assert merge(tracks, NOW).tolist() == [False, True]
    assert tracks.objects.ids[1] == 7
    assert tracks.hits[1] == 21
    assert tracks.confirmed[1]
    assert tracks.existence[1] == 0.9


@pytest.mark.parametrize(
    "given",
    [
        {"x": 2.1},  # outside the box, 2 m to its front
        {"x": 0.0, "y": 1.1},
        {"labels": (CAR, PEDESTRIAN)},
        {"velocity": (4.3, 0.0)},  # 4.3^2 / (1 + 1) > 9
        {"seen": (NOW, NOW)},  # two detections are two objects
        {"seen": (0, 0)},
    ],
)
def test_two_objects_stay_two(given):
    tracks = two(**given)
    assert merge(tracks, NOW).all()
    assert tracks.objects.ids.tolist() == [7, 9]


@pytest.mark.parametrize("given", [{"x": 1.9}, {"labels": (UNKNOWN, CAR)}, {"velocity": (4.2, 0)}])
def test_one_object_becomes_one(given):
    assert merge(two(**given), NOW).tolist() == [False, True]


def test_nothing_merges_with_nothing():
    assert len(merge(Tracks(), NOW)) == 0
