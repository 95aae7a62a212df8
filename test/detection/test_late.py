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

"""Several detectors, one answer: worked by hand, and what a missing one must not change."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mm_fusion.config import FusionConfig, LateConfig
from mm_fusion.detection.late import LateFusionDetector
from mm_fusion.detection.late_heads import Head, only
from mm_fusion.detection.stacking import Stacking
from mm_fusion.errors import ConfigError
from mm_fusion.objects import CLASSES, SEEN_BY, Objects
from mm_fusion.pipeline import build_detector
from mm_fusion.records import CameraImage, EgoFrame, EgoMotion

LIDAR, RADAR, CAMERA = SEEN_BY["lidar"], SEEN_BY["radar"], SEEN_BY["camera"]
AHEAD = [[10.0, 0.0, 0.0]]  # a point in the azimuth of what stands ahead


@dataclass
class Finds:
    """A detector that finds the same whatever it is shown."""

    found: Objects
    name: str = "finds"
    needs_any_of: frozenset = frozenset({"lidar", "radar", "camera"})

    def detect(self, frame):
        return self.found


def head(kind, found):
    return Head(name=kind, detector=Finds(found), kinds=frozenset({kind}))


def box(x=10.0, y=0.0, yaw=0.0, *, label="car", score=0.5, seen=LIDAR, speed=None):
    """One car-sized object."""
    return Objects.of_boxes(
        np.array([[x, y, 0.8, 4.0, 2.0, 1.6, yaw]]),
        labels=np.array([CLASSES.index(label)]),
        scores=np.array([score]),
        evidence=np.array([seen], np.uint8),
        covariances=np.eye(4)[None],
        velocities_ego=np.array([speed or [np.nan, np.nan]]),
    )


def frame(*kinds, lidar=AHEAD, radar=AHEAD):
    """A frame in which these kinds of sensor took part."""
    points = np.array(lidar if "lidar" in kinds else [], np.float32).reshape(-1, 3)
    returns = np.array(radar if "radar" in kinds else [], np.float32).reshape(-1, 3)
    image = CameraImage(stamp_ns=1, data=np.zeros(0, np.uint8), encoding="png")
    images = {"camera": image} if "camera" in kinds else {}
    return EgoFrame(
        stamp_ns=1,
        points_ego=points,
        intensity=np.zeros(len(points), np.float32),
        radar_ego=returns,
        radar_ray_ego=returns,
        radial_speed_mps=np.zeros(len(returns), np.float32),
        rcs_dbsm=np.zeros(len(returns), np.float32),
        images=images,
        image_stamp_from_frame={name: np.eye(4) for name in images},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset(kinds),
        present_kinds=frozenset(kinds),
        missing={},
        radar_offset_s=np.zeros(len(returns), np.float32),
    )


def late(*heads, stacking=None, **settings):
    return LateFusionDetector(heads, LateConfig(**settings), stacking)


def same(a, b):
    assert_array_equal(a.boxes, b.boxes)
    for name in ("velocities_ego", "scores", "labels", "evidence", "covariances"):
        assert_array_equal(getattr(a, name), getattr(b, name))


# -- judging


def test_weighted_scores_are_the_mean_over_who_could_see_it():
    both = late(head("lidar", box(score=0.6)), head("radar", box(score=0.4, seen=RADAR)))
    assert_allclose(both.detect(frame("lidar", "radar")).scores, [0.5])
    one = late(head("lidar", box(score=0.6)), head("radar", Objects.none()))
    assert_allclose(one.detect(frame("lidar", "radar")).scores, [0.3])
    assert_allclose(one.detect(frame("lidar")).scores, [0.6])
    behind = frame("lidar", "radar", radar=[[-10.0, 0.0, 0.0]])  # the radar looks away
    assert_allclose(one.detect(behind).scores, [0.6])


def test_a_vote_keeps_what_enough_of_those_who_could_see_it_report():
    found, nothing = box(score=0.6), Objects.none()
    three = [head("lidar", found), head("radar", found), head("camera", nothing)]
    everyone = frame("lidar", "radar", "camera")
    assert len(late(*three, method="vote", votes=2).detect(everyone)) == 1
    # three votes are asked for, but nobody knows where a camera looks: both who could see agree
    assert len(late(*three, method="vote", votes=3).detect(everyone)) == 1
    lonely = [head("lidar", found), head("radar", nothing)]
    assert len(late(*lonely, method="vote", votes=2).detect(everyone)) == 0
    assert len(late(*lonely, method="vote", votes=1).detect(everyone)) == 1
    assert len(late(*lonely, method="vote", votes=2).detect(frame("lidar"))) == 1


STACKING = Stacking(
    features=("lidar.score", "radar.score", "lidar.silent", "radar.silent", "agreement"),
    weights=np.array([4.0, 2.0, -1.0, -2.0, 1.0]),
    bias=-1.0,
)


@pytest.mark.parametrize(
    ("radar", "kinds", "logit"),
    [
        (box(score=0.5, seen=RADAR), ("lidar", "radar"), 4 * 0.5 + 2 * 0.5 + 1 - 1),
        (box(score=0.5, label="unknown"), ("lidar", "radar"), 4 * 0.5 + 2 * 0.5 - 1),
        (Objects.none(), ("lidar", "radar"), 4 * 0.5 - 2 - 1),
        (Objects.none(), ("lidar",), 4 * 0.5 - 1),  # absent is not silent
    ],
)
def test_stacking_weighs_scores_silence_and_agreement(radar, kinds, logit):
    settings = {"method": "stacked", "stacking_file": "given", "score_threshold": 0.0}
    detector = late(head("lidar", box()), head("radar", radar), stacking=STACKING, **settings)
    assert_allclose(detector.detect(frame(*kinds)).scores, [1 / (1 + np.exp(-logit))])


def test_stacked_weights_are_read_from_the_file_that_the_settings_name(tmp_path):
    STACKING.save(tmp_path / "w.json")
    settings = {"method": "stacked", "stacking_file": str(tmp_path / "w.json")}
    detector = late(head("lidar", box()), head("radar", Objects.none()), **settings)
    assert_allclose(detector.detect(frame("lidar")).scores, [1 / (1 + np.exp(-1))])


def test_stacking_without_a_file_is_refused_with_a_sentence():
    with pytest.raises(ConfigError, match=r"late.stacking_file is empty; name the file"):
        LateConfig(method="stacked")


# -- who is missing


@pytest.mark.parametrize("method", ["weighted", "vote"])
def test_a_detector_without_its_sensor_changes_nothing(method):
    rng = np.random.default_rng(3)

    def some(seen):
        return Objects.joined(
            *(
                box(
                    *rng.uniform(5, 15, 2), rng.uniform(-3, 3), score=rng.uniform(0.2, 1), seen=seen
                )
                for _ in range(12)
            )
        )

    there = [head("lidar", some(LIDAR)), head("camera", some(CAMERA))]
    around = [[x, y, 0.0] for x in (-9.0, 0.5, 9.0) for y in (-9.0, 0.5, 9.0)]
    without_radar = frame("lidar", "camera", lidar=around)
    for place in range(3):
        heads = [*there[:place], head("radar", some(RADAR)), *there[place:]]
        same(
            late(*heads, method=method).detect(without_radar),
            late(*there, method=method).detect(without_radar),
        )


def test_a_detector_that_is_alone_says_what_it_says_by_itself():
    alone = Objects.joined(box(10.0, score=0.3), box(20.0, score=0.9, label="pedestrian"))
    fused = late(head("lidar", alone), head("radar", box())).detect(frame("lidar"))
    same(fused, alone)


@pytest.mark.parametrize("method", ["weighted", "vote"])
def test_nothing_found_and_nobody_able_are_no_objects(method):
    heads = [head("lidar", Objects.none()), head("radar", Objects.none())]
    assert len(late(*heads, method=method).detect(frame("lidar", "radar"))) == 0
    sure = [head("lidar", box()), head("radar", box())]
    assert len(late(*sure, method=method).detect(frame("camera"))) == 0
    assert len(late(method=method).detect(frame("lidar"))) == 0


def test_a_head_is_shown_only_its_own_sensors():
    shown = only(frame("lidar", "radar", "camera"), {"radar"})
    assert (len(shown.points_ego), len(shown.radar_ego), len(shown.images)) == (0, 1, 0)
    assert shown.present_kinds == {"radar"}
    other = only(frame("lidar", "radar", "camera"), {"lidar", "camera"})
    assert (len(other.points_ego), len(other.radar_ego), len(other.images)) == (1, 0, 1)


def test_the_settings_choose_late_fusion_and_it_needs_what_any_of_its_heads_needs():
    detector = build_detector(FusionConfig(detector="late"))
    assert detector.name == "late"
    assert detector.needs_any_of == {"lidar", "radar"}
    assert len(detector.detect(frame("camera"))) == 0
