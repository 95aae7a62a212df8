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

"""The safety net: what no class was learnt for is found all the same, once, and nameless."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig, GeometricConfig, LearnedConfig
from mm_fusion.detection.geometric import GeometricDetector
from mm_fusion.detection.guarded import GuardedDetector, explained
from mm_fusion.detection.late_heads import only
from mm_fusion.detection.learned import learned_detector
from mm_fusion.objects import CLASSES, UNKNOWN, Objects
from mm_fusion.pipeline import build_detector

from .test_learned import checkpoint, frame  # noqa: F401  # a fixture

CAR = CLASSES.index("car")


def at(*boxes):
    boxes = np.array(boxes, float).reshape(-1, 7)
    return Objects.of_boxes(
        boxes, labels=np.full(len(boxes), CAR), scores=np.linspace(0.9, 0.5, len(boxes))
    )


def test_fragments_and_copies_of_a_known_object_are_explained_and_neighbours_are_not():
    known = at([10, 0, 0.8, 4, 2, 1.6, np.pi / 2])  # across the road: x 9 to 11, y -2 to 2
    standing = at(
        [10, 0.2, 0.8, 4, 2, 1.6, np.pi / 2],  # the same
        [10.5, 1.8, 0.5, 0.3, 0.3, 1, 0],  # a part of it
        [10, 2.4, 0.5, 0.3, 0.3, 1, 0],  # beyond its end by 0.4 m
        [10, 2.6, 0.5, 0.1, 0.1, 1, 0],  # by 0.6 m
        [11.6, 0, 0.5, 0.1, 0.1, 1, 0],  # beside it by 0.6 m
        [10, 4, 0.8, 6, 2, 1.6, np.pi / 2],  # beside it, 1 m of length shared: 2 / 18 m^2
    )
    assert explained(standing, known).tolist() == [True, True, True, False, False, True]
    assert not explained(standing, Objects.none()).any()
    assert len(explained(Objects.none(), known)) == 0


@pytest.fixture
def both(checkpoint):  # noqa: F811
    learned = learned_detector(LearnedConfig(checkpoint=str(checkpoint), score_threshold=0.3))
    net = GeometricDetector(GeometricConfig())
    guarded = GuardedDetector(learned, net)
    guarded.calibrate(Calibration())
    return guarded, learned, net


def test_what_was_learnt_stays_and_what_else_stands_there_comes_nameless(both):
    guarded, learned, net = both
    seen = frame()
    known, standing, found = (d.detect(seen) for d in (learned, net, guarded))
    assert len(known)
    assert_allclose(found.boxes[: len(known)], known.boxes)
    assert found.labels[: len(known)].tolist() == known.labels.tolist()
    rest = standing[~explained(standing, known)]
    assert_allclose(found.boxes[len(known) :], rest.boxes)
    assert (found.labels[len(known) :] == UNKNOWN).all()


def test_where_the_network_is_blind_the_other_keeps_its_names(both):
    guarded, learned, net = both
    learned._shape = replace(learned._shape, modalities=("camera",))
    seen = only(frame(), {"lidar"})
    assert_allclose(guarded.detect(seen).boxes, net.detect(seen).boxes)
    assert guarded.detect(seen).labels.tolist() == net.detect(seen).labels.tolist()
    assert guarded.needs_any_of == {"camera", "lidar", "radar"}
    assert len(guarded.detect(only(seen, set()))) == 0


def test_auto_with_weights_is_built_with_its_net(checkpoint):  # noqa: F811
    config = FusionConfig(learned=LearnedConfig(checkpoint=str(checkpoint)))
    assert build_detector(config).name == "guarded"
    assert build_detector(FusionConfig()).name == "geometric"
