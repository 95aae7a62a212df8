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

"""Who is who: objects of several detectors that are one, and that are not."""

import numpy as np

from mm_fusion.detection.late_matching import group
from mm_fusion.objects import CLASSES, Objects


def box(x=10.0, *, label="car"):
    """One car-sized object on the x axis."""
    return Objects.of_boxes(
        np.array([[x, 0.0, 0.8, 4.0, 2.0, 1.6, 0.0]]), labels=np.array([CLASSES.index(label)])
    )


def groups(*found, distance_m=2.0, min_iou=0.2):
    return group(found, distance_m=distance_m, min_iou=min_iou).tolist()


def test_objects_of_one_detector_are_never_one():
    assert groups(Objects.joined(box(), box(10.1))) == [0, 1]


def test_the_pairs_of_least_total_cost_are_taken():
    # greedily 10 would take 10.9 and leave 12.5 alone, being too far from 9.4
    ours, theirs = Objects.joined(box(10.0), box(12.5)), Objects.joined(box(10.9), box(9.4))
    assert groups(ours, theirs) == [0, 1, 1, 0]


def test_a_car_and_a_pedestrian_stay_apart_even_if_something_unknown_joins_one():
    car, person, thing = box(label="car"), box(label="pedestrian"), box(label="unknown")
    assert groups(car, person) == [0, 1]
    assert groups(car, box(label="truck")) == [0, 0]
    assert groups(thing, car, person) == [0, 0, 1]


def test_long_boxes_that_overlap_are_one_however_far_their_centres():
    # 4 m boxes 2.5 m apart share 1.5 of 6.5 m: 0.23
    assert groups(box(10.0), box(12.5)) == [0, 0]
    assert groups(box(10.0), box(12.5), min_iou=0.25) == [0, 1]
