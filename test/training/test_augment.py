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

"""Variations of a sample leave it true: points stay in their boxes and on their pixels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.boxes import inside
from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.training.augment import Augmentation, colored, flipped, thinned, transformed
from mm_fusion.training.paste import ObjectBank, paste

from .conftest import street

BOX = [12.0, 3.0, 0.8, 4.2, 1.8, 1.6, 0.4]


@pytest.fixture
def sample():
    return street([BOX])


def pixels(sample):
    """Where the camera sees the LiDAR's points."""
    image = sample.images["front"]
    camera_from_ego = np.linalg.inv(image.ego_from_camera)
    points = sample.frame.points_ego @ camera_from_ego[:3, :3].T + camera_from_ego[:3, 3]
    return (points @ image.intrinsics.T)[:, :2] / points[:, 2:]


def share_inside(sample):
    return inside(sample.frame.points_ego, sample.truth.objects.boxes[0], 0.05).sum()


def test_left_and_right_exchanged_puts_every_point_on_the_mirrored_pixel(sample):
    mirrored = flipped(sample)
    width = sample.images["front"].rgb.shape[1]
    there, before = pixels(mirrored), pixels(sample)
    assert_allclose(there[:, 0], width - 1 - before[:, 0], atol=1e-3)
    assert_allclose(there[:, 1], before[:, 1], atol=1e-3)
    assert (mirrored.images["front"].rgb[:, 0] == sample.images["front"].rgb[:, -1]).all()
    assert_allclose(mirrored.truth.objects.boxes[0, [1, 6]], [-3.0, -0.4])
    assert share_inside(mirrored) == share_inside(sample) >= 150


def test_a_moved_and_grown_world_is_seen_on_the_same_pixels(sample):
    moved = compose(rotation_from_rpy(0, 0, 0.3), np.array([0.5, -0.2, 0.1]))
    other = transformed(sample, moved, 1.05)
    assert_allclose(pixels(other), pixels(sample), atol=1e-2, rtol=1e-4)
    assert share_inside(other) == share_inside(sample)
    # 12, 3 turned by 0.3 rad, moved, then grown
    x = 1.05 * (12 * np.cos(0.3) - 3 * np.sin(0.3) + 0.5)
    assert_allclose(other.truth.objects.boxes[0, [0, 3, 6]], [x, 1.05 * 4.2, 0.7])
    rays = other.frame.radar_ray_ego
    assert_allclose(np.linalg.norm(rays, axis=1), 1, rtol=1e-5)


def test_a_small_tilt_leaves_points_in_their_box(sample):
    tilted = transformed(sample, compose(rotation_from_rpy(0.01, -0.01, 0.0), np.zeros(3)))
    assert share_inside(tilted) > 0.95 * share_inside(sample)


def test_about_as_many_points_are_left_out_as_asked(sample):
    rng = np.random.default_rng(0)
    left = [len(thinned(sample, rng, 0.5, 0.5).frame.points_ego) for _ in range(200)]
    assert_allclose(np.mean(left) / len(sample.frame.points_ego), 0.75, atol=0.03)


def test_colours_change_and_keep_their_range(sample):
    rgb = colored(sample, np.random.default_rng(0), 0.2).images["front"].rgb
    assert rgb.dtype == np.uint8
    assert 0 < np.abs(rgb.astype(int) - sample.images["front"].rgb).mean() < 60


def test_what_is_drawn_depends_on_the_generator_alone(sample):
    one = Augmentation().apply(sample, np.random.default_rng(7))
    two = Augmentation().apply(sample, np.random.default_rng(7))
    assert np.array_equal(one.frame.points_ego, two.frame.points_ego)
    assert np.array_equal(one.images["front"].rgb, two.images["front"].rgb)


EMPTY = np.zeros((0, 7))


def test_a_pasted_object_stands_where_it_was_seen_and_hides_what_is_behind(sample):
    bank = ObjectBank.of([sample])
    scene = street(EMPTY, seed=9)
    pasted = paste(scene, bank, np.random.default_rng(1), {"car": 5})
    (box,) = pasted.truth.objects.boxes  # the others would stand in the first
    assert_allclose(box[:2], BOX[:2])
    assert_allclose(box[2], 0.8, atol=0.1)
    assert inside(pasted.frame.points_ego, box, 0.05).sum() > 100
    behind = pasted.frame.points_ego
    bearing = np.arctan2(behind[:, 1], behind[:, 0]) - np.arctan2(3, 12)
    shadow = (np.abs(bearing) < 0.03) & (np.hypot(behind[:, 0], behind[:, 1]) > 15.5)
    free = scene.frame.points_ego
    bearing = np.arctan2(free[:, 1], free[:, 0]) - np.arctan2(3, 12)
    open_ = (np.abs(bearing) < 0.03) & (np.hypot(free[:, 0], free[:, 1]) > 15.5)
    assert shadow.sum() < open_.sum()
    assert not np.array_equal(pasted.images["front"].rgb, scene.images["front"].rgb)


def test_nothing_is_pasted_into_an_object_or_behind_a_wall(sample):
    bank = ObjectBank.of([sample])
    near = street([[11.0, 3.5, 0.8, 4.2, 1.8, 1.6, 0.0]], seed=2)
    assert len(paste(near, bank, np.random.default_rng(1), {"car": 5}).truth.objects) == 1
    wall = street([[6.0, 1.5, 2.0, 0.5, 8.0, 4.0, 0.0]], seed=2)
    dense = np.stack(np.meshgrid([5.75], np.arange(-2.5, 5.5, 0.02), np.arange(0, 4, 0.04)), -1)
    solid = dense.reshape(-1, 3).astype(np.float32)
    frame = wall.frame
    whole = type(frame)(
        **{
            **{name: getattr(frame, name) for name in frame.__dataclass_fields__},
            "points_ego": np.concatenate([frame.points_ego, solid]),
            "intensity": np.concatenate([frame.intensity, np.zeros(len(solid), np.float32)]),
        }
    )
    walled = type(wall)(token="w", frame=whole, truth=wall.truth, images=wall.images)
    assert len(paste(walled, bank, np.random.default_rng(1), {"car": 5}).truth.objects) == 1
