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

"""The legend explains what is in the picture, and nothing else."""

import numpy as np

from mm_fusion.objects import CLASSES, SEEN_BY, Objects
from mm_fusion.view.colors import BACKGROUND, SENSOR_COLORS, TRUTH, class_color
from mm_fusion.view.legend import draw_legend, legend


def objects(label, ids, evidence):
    return Objects.of_boxes(
        np.zeros((len(ids), 7)),
        labels=np.full(len(ids), CLASSES.index(label)),
        ids=np.array(ids),
        evidence=np.array(evidence, np.uint8),
    )


def words(*args, **kwargs):
    return [text for text, _ in legend(*args, **kwargs)]


def test_of_an_empty_picture_there_is_nothing_to_explain():
    assert legend(Objects.none(), truth=False, radar=False) == []


def test_detections_are_told_by_class_and_tracks_are_not():
    assert words(objects("car", [-1], [0]), truth=False, radar=False) == ["car"]
    assert words(objects("car", [7], [0]), truth=False, radar=False) == []


def test_each_kind_of_sensor_that_saw_any_object_is_told_in_its_colour():
    lidar, camera = SEEN_BY["lidar"], SEEN_BY["camera"]
    seen = legend(objects("car", [7, 8], [lidar, lidar | camera]), truth=False, radar=False)
    assert seen == [
        ("seen by lidar", SENSOR_COLORS["lidar"]),
        ("seen by camera", SENSOR_COLORS["camera"]),
    ]


def test_truth_and_radar_are_told_where_they_are_drawn():
    assert words(Objects.none(), truth=True, radar=False) == ["truth"]
    assert words(Objects.none(), truth=False, radar=True) == [
        "radar: closing",
        "radar: away",
        "radar: standing",
    ]


def test_it_lies_at_the_bottom_left_on_a_ground_of_its_own():
    canvas = np.full((200, 300, 3), 99, np.uint8)
    draw_legend(canvas, [("car", class_color(0)), ("truth", TRUTH)])
    # lines of 18 px, the last one's base 12 px above the edge: at rows 170 and 188
    assert canvas[165, 15].tolist() == list(class_color(0))
    assert canvas[183, 15].tolist() == list(TRUTH)
    assert canvas[199, 0].tolist() == list(BACKGROUND)
    assert (canvas[:150] == 99).all()
    assert (canvas[:, 120:] == 99).all()
