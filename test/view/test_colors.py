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

"""Colours mean the same in every picture."""

import numpy as np
import pytest

from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.view.colors import (
    CLASS_COLORS,
    RAMP_RGB,
    class_color,
    id_color,
    object_color,
    ramp,
)


def test_every_class_has_a_colour_of_its_own():
    assert list(CLASS_COLORS) == list(CLASSES)
    assert len(set(CLASS_COLORS.values())) == len(CLASSES)


@pytest.mark.parametrize("label", [-1, len(CLASSES), 99])
def test_a_label_that_means_nothing_is_grey(label):
    assert class_color(label) == CLASS_COLORS["unknown"]
    red, green, blue = class_color(label)
    assert red == green == blue


def test_the_ramp_goes_from_blue_to_red():
    low, high = ramp(np.array([0.0, 0.8]), 0.0, 1.0).astype(int)
    assert low[2] > low[0]
    assert high[0] > high[2]


def test_beyond_the_ends_the_colour_stays():
    colors = ramp(np.array([-5.0, 0.0, 10.0, 500.0]), 0.0, 10.0)
    assert (colors[0] == colors[1]).all()
    assert (colors[2] == colors[3]).all()
    assert (colors[0] == RAMP_RGB[0]).all()
    assert (colors[3] == RAMP_RGB[255]).all()


def test_a_ramp_may_run_backwards():
    values = np.array([2.0, 5.0, 8.0])
    assert (ramp(values, 10.0, 0.0) == ramp(10 - values, 0.0, 10.0)).all()


def test_ids_that_follow_each_other_have_colours_far_apart_and_for_ever():
    colors = np.array([id_color(k) for k in range(40)], float)
    assert np.abs(np.diff(colors, axis=0)).sum(axis=1).min() > 60
    assert id_color(7) == id_color(7)


def test_a_track_has_its_own_colour_and_a_detection_its_classs():
    objects = Objects.of_boxes(
        np.zeros((2, 7)), ids=np.array([5, UNTRACKED]), labels=np.array([0, 0])
    )
    assert object_color(objects, 0) == id_color(5)
    assert object_color(objects, 1) == CLASS_COLORS["car"]


@pytest.mark.parametrize("apart", [21, 34, 55, 89, 144, 233])
def test_ids_whose_hues_come_round_differ_in_tone_as_a_rule(apart):
    # 55 golden angles are 7563 degrees, 3 more than 21 turns: by the hue alone they are one
    differ = [np.abs(np.subtract(id_color(k), id_color(k + apart))).sum() > 60 for k in range(100)]
    assert np.mean(differ) > 0.7
