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

"""One object of several: estimates, boxes and classes, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.detection.late_merging import fuse, merge
from mm_fusion.objects import CLASSES, SEEN_BY, Objects

LIDAR, RADAR = SEEN_BY["lidar"], SEEN_BY["radar"]


def box(x=10.0, y=0.0, yaw=0.0, *, label="car", score=0.5, seen=LIDAR, speed=None):
    """One car-sized object."""
    return Objects.of_boxes(
        np.array([[x, y, 0.8, 4.0, 2.0, 1.6, yaw]]),
        labels=np.array([CLASSES.index(label)]),
        scores=np.array([score]),
        evidence=np.array([seen], np.uint8),
        covariances=np.diag([1.0] * 4)[None],
        velocities_ego=np.array([speed or [np.nan, np.nan]]),
    )


# -- fusing estimates


def test_estimates_of_different_sensors_are_added_as_information():
    # 1 / (1/1 + 1/4) = 0.8, and 0.8 * (0/1 + 5/4) = 1
    place, spread = fuse(
        np.array([[0.0, 0.0], [5.0, 5.0]]),
        np.array([np.eye(2), 4 * np.eye(2)]),
        np.array([LIDAR, RADAR], np.uint8),
    )
    assert_allclose(place, [1.0, 1.0])
    assert_allclose(spread, 0.8 * np.eye(2))


@pytest.mark.parametrize("bits", [(LIDAR, LIDAR), (LIDAR, LIDAR | RADAR), (0, RADAR)])
def test_estimates_that_may_share_a_sensor_gain_nothing_where_one_is_better_in_all(bits):
    # the trace w/1 + (1-w)/4 in information is best at w = 1: the better one, as it is
    place, spread = fuse(
        np.array([[0.0, 0.0], [5.0, 5.0]]),
        np.array([np.eye(2), 4 * np.eye(2)]),
        np.array(bits, np.uint8),
    )
    assert_allclose(place, [0.0, 0.0], atol=1e-12)
    assert_allclose(spread, np.eye(2))


def test_estimates_that_share_a_sensor_lend_each_other_their_better_axes():
    # w = 1/2 by symmetry: information (1 + 1/4) / 2 = 0.625 each way, 1 / 0.625 = 1.6;
    # x: 1.6 * (1/2 * 1/4 * 1) = 0.2, y: 1.6 * (1/2 * 1 * 1) = 0.8
    place, spread = fuse(
        np.array([[0.0, 0.0], [1.0, 1.0]]),
        np.array([np.diag([1.0, 4.0]), np.diag([4.0, 1.0])]),
        np.array([LIDAR, LIDAR], np.uint8),
    )
    assert_allclose(place, [0.2, 0.8])
    assert_allclose(spread, 1.6 * np.eye(2))


def test_the_same_estimate_twice_is_not_surer_than_once():
    _, spread = fuse(np.zeros((2, 2)), np.array([np.eye(2)] * 2), np.array([LIDAR] * 2, np.uint8))
    assert_allclose(spread, np.eye(2))


def test_two_of_one_sensor_count_as_one_beside_a_third_of_another():
    # the LiDAR's two give variance 1, the radar's 1: together 1/2 at the middle of 0 and 3
    place, spread = fuse(
        np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]]),
        np.array([np.eye(2)] * 3),
        np.array([LIDAR, RADAR, LIDAR], np.uint8),
    )
    assert_allclose(place, [1.5, 0.0])
    assert_allclose(spread, np.eye(2) / 2)


def test_one_that_rests_on_both_sensors_ties_all_three_together():
    _, spread = fuse(
        np.zeros((3, 2)),
        np.array([np.eye(2)] * 3),
        np.array([LIDAR, RADAR, LIDAR | RADAR], np.uint8),
    )
    assert_allclose(spread, np.eye(2))


def test_an_estimate_without_any_variance_is_not_divided_by():
    place, _ = fuse(
        np.array([[1.0, 2.0], [5.0, 5.0]]),
        np.array([np.zeros((2, 2)), np.eye(2)]),
        np.array([LIDAR, RADAR], np.uint8),
    )
    assert_allclose(place, [1.0, 2.0], atol=1e-4)


# -- merging boxes


@pytest.mark.parametrize(
    ("yaws", "mean"),
    [
        ((10.0, 20.0), 15.0),
        ((175.0, -175.0), 180.0),  # across the jump of the angle
        ((10.0, 200.0), 15.0),  # the second turned end for end
        ((-5.0, 185.0), 0.0),  # 185 is 5
        ((0.0, 90.0), 0.0),  # took the side for the front: no say
    ],
)
def test_headings_are_averaged_after_turning_boxes_to_one_side(yaws, mean):
    pair = Objects.joined(*(box(yaw=np.radians(y)) for y in yaws))
    off = np.degrees(merge(pair).yaws_rad[0]) - mean
    assert_allclose((off + 180) % 360 - 180, 0.0, atol=1e-9)


def test_a_size_is_averaged_by_score_and_a_height_by_who_sees_height():
    # length (0.75 * 4 + 0.25 * 8) / 1 = 5; the radar's height and z have no say
    radar = replace(
        box(score=0.25, seen=RADAR),
        sizes_m=np.array([[8.0, 2.0, 9.0]]),
        centers_ego=np.array([[10.0, 0.0, 7.0]]),
    )
    merged = merge(Objects.joined(box(score=0.75), radar))
    assert_allclose(merged.sizes_m, [[5.0, 2.0, 1.6]])
    assert_allclose(merged.centers_ego[0, 2], 0.8)
    assert merged.evidence[0] == LIDAR | RADAR


def test_a_velocity_comes_from_who_measured_it():
    merged = merge(Objects.joined(box(), box(seen=RADAR, speed=[3.0, 1.0])))
    assert_allclose(merged.velocities_ego, [[3.0, 1.0]])
    neither = merge(Objects.joined(box(), box(seen=RADAR)))
    assert np.isnan(neither.velocities_ego).all()


def test_the_class_with_more_score_wins_and_unknown_never_does():
    named = merge(Objects.joined(box(label="car", score=0.3), box(label="truck", score=0.4)))
    assert CLASSES[named.labels[0]] == "truck"
    mixed = merge(Objects.joined(box(label="car", score=0.1), box(label="unknown", score=0.9)))
    assert CLASSES[mixed.labels[0]] == "car"
