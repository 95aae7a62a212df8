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

"""What a label says, and that it stays in the picture."""

import numpy as np
import pytest

from mm_fusion.objects import CLASSES, UNTRACKED, Objects
from mm_fusion.view.labels import Tags, describe, draw_label, name, tag_size

CAR = CLASSES.index("car")
RED = (255, 0, 0)


def words(velocity=(np.nan, np.nan), track=UNTRACKED, label=CAR, score=0.826):
    one = Objects.of_boxes(
        np.array([[10.0, 0, 1, 4, 2, 2, 0]]),
        velocities_ego=np.array([velocity]),
        ids=np.array([track]),
        labels=np.array([label]),
        scores=np.array([score]),
    )
    return describe(one, 0)


def test_of_a_detection_class_and_score_are_said():
    assert words() == "car 0.83"


def test_of_a_track_the_id_and_the_speed_are_said_and_no_score():
    # 3 and 4 m/s across are 5 m/s
    assert words(velocity=(3.0, -4.0), track=17) == "car #17 5 m/s"


@pytest.mark.parametrize("speed", [0.0, 0.49])
def test_what_stands_has_no_speed(speed):
    assert words(velocity=(speed, 0.0)) == "car 0.83"


def test_a_label_out_of_the_list_is_unknown():
    assert words(label=42) == "unknown 0.83"


def tag(at_px):
    canvas = np.zeros((80, 200, 3), np.uint8)
    draw_label(canvas, "car #17", at_px, RED)
    return canvas


@pytest.mark.parametrize("at_px", [(-50, -50), (-50, 500), (500, -50), (500, 500), (0, 0)])
def test_a_tag_beyond_an_edge_is_moved_into_the_picture_whole(at_px):
    middle, moved = tag((60, 40)), tag(at_px)
    assert np.count_nonzero(moved.any(axis=2)) == np.count_nonzero(middle.any(axis=2))


def test_the_tag_ends_at_the_bottom_left_corner_given():
    rows, columns = np.nonzero(tag((60, 40)).any(axis=2))
    assert (columns.min(), rows.max()) == (60, 40)


def test_the_writing_is_dark_on_the_colour():
    canvas = tag((60, 40))
    painted = canvas[canvas.any(axis=2)]
    assert (painted == RED).all(axis=1).mean() > 0.5
    assert (painted[:, 0] < 60).any()


def test_the_writing_is_light_on_a_dark_colour():
    canvas = np.zeros((80, 200, 3), np.uint8)
    draw_label(canvas, "car #17", (60, 40), (20, 20, 160))
    assert (canvas[..., 0] > 200).any()


@pytest.mark.parametrize(
    ("label", "ident", "said"),
    [
        (CAR, 17, "car #17"),
        (CAR, UNTRACKED, "car"),
        (CLASSES.index("unknown"), 17, "#17"),
        (42, UNTRACKED, "unknown"),
    ],
)
def test_a_name_is_class_and_id_as_far_as_they_are_known(label, ident, said):
    one = Objects.of_boxes(np.zeros((1, 7)), labels=np.array([label]), ids=np.array([ident]))
    assert name(one, 0) == said


def test_a_tag_takes_the_first_place_that_is_free():
    tags = Tags(np.zeros((80, 200, 3), np.uint8))
    width, height = tag_size("car #17")
    assert tags.draw("car #17", [(60, 40)], RED) == (60, 40)
    one_too_near, free = (60 + width - 1, 40), (60, 40 + height)
    assert tags.draw("car #17", [one_too_near, free], RED) == free
    assert tags.draw("car #17", [(60 + width, 40)], RED) == (60 + width, 40)


def test_a_tag_without_a_free_place_is_left_out():
    canvas = np.zeros((80, 200, 3), np.uint8)
    tags = Tags(canvas)
    tags.draw("car #17", [(60, 40)], RED)
    before = canvas.copy()
    assert tags.draw("bus #9", [(60, 40), (62, 44)], (0, 255, 0)) is None
    assert (canvas == before).all()


def test_what_is_kept_free_beneath_a_tag_stays_free():
    tags = Tags(np.zeros((80, 200, 3), np.uint8))
    _, height = tag_size("car #17")
    tags.draw("car #17", [(60, 30)], RED, below_px=9)
    places = [(60, 30 + 9 + height - 1), (60, 30 + 9 + height)]
    assert tags.draw("car #17", places, RED) == places[1]
