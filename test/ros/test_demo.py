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

"""The demo: a drive made, played by one process into another over DDS, scored and drawn."""

import json

import cv2
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not there; `make setup` brings it")
pytest.importorskip("open3d", reason="Open3D is not there; `make setup` brings it")

from mm_fusion.ros.demo import demo, print_demo
from mm_fusion.view.colors import class_color

SECONDS = 3.0


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    told = []

    def stage(name, total):
        told.append([name, total, 0])

        def update(count):
            told[-1][2] += count

        return update

    made = demo(tmp_path_factory.mktemp("demo"), SECONDS, stage)
    return made, told


def test_every_scan_of_the_drive_is_played_and_most_are_answered(outcome):
    figures = outcome[0].figures
    assert figures["frames"] == 30
    assert figures["answered"] + figures["dropped"] == 30
    assert figures["answered"] >= 20  # the newest wins on a machine too slow for all of them


def test_what_the_node_published_finds_the_road_users(outcome):
    score = outcome[0].score
    assert score.any_class.objects > 200  # about a dozen in each of at least 20 frames
    assert score.any_class.recall > 0.7
    (car,) = (c for c in score.classes if c.name == "car")
    assert car.recall > 0.5
    assert car.precision > 0.5
    assert car.translation_m < 0.6


def test_the_results_are_what_was_published(outcome):
    made = outcome[0]
    results = json.loads(made.results.read_text())
    assert results["meta"]["frame"] == "base_link"
    assert len(results["results"]) == made.figures["answered"]
    names = {box["detection_name"] for boxes in results["results"].values() for box in boxes}
    assert {"car", "pedestrian"} <= names


def test_the_pictures_show_boxes_in_the_colours_of_their_classes(outcome):
    above, *overlays = outcome[0].pictures
    assert [path.name for path in overlays] == ["overlay_front.jpg"]
    picture = cv2.imread(str(above))[..., ::-1]
    assert picture.shape[1] > picture.shape[0]  # the camera's view stands beside
    car_pixels = (picture == class_color(0)).all(axis=2).sum()
    assert car_pixels > 200
    overlay = cv2.imread(str(overlays[0]))
    assert overlay.shape[1] == 960
    assert overlay.std() > 20


def test_progress_reaches_its_end(outcome):
    (simulating, playing) = outcome[1]
    assert simulating == ["simulating", 30, 30]
    assert playing[0] == "playing"
    assert playing[2] == outcome[0].figures["answered"]


def test_the_tables_name_what_was_made(outcome, capsys):
    print_demo(outcome[0])
    printed = capsys.readouterr().out
    assert "pedestrian" in printed
    assert "latency" in printed
    assert "demo.png" in printed
