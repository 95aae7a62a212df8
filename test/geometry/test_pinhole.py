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

"""Projection, lens by lens, with pixels worked by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Camera
from mm_fusion.geometry.pinhole import project, project_ego

K = np.array([[100.0, 0, 320], [0, 100, 240], [0, 0, 1]])
# camera 0.5 m ahead of ego, looking along x: right is -y, down is -z
EGO_FROM_CAMERA = np.array([[0.0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def camera(model="", *coefficients):
    return Camera(
        name="front",
        image_from_camera=K,
        ego_from_camera=EGO_FROM_CAMERA,
        size_px=(640, 480),
        distortion_model=model,
        distortion=coefficients,
    )


def test_a_point_ahead_left_and_up_lands_left_and_high():
    pixels, in_view, depth_m = project_ego(np.array([[10.5, 2.0, 1.0]]), camera())
    assert_allclose(pixels, [[300.0, 230.0]])  # 320 - 100*2/10, 240 - 100*1/10
    assert in_view.tolist() == [True]
    assert_allclose(depth_m, [10.0])


@pytest.mark.parametrize(
    ("u", "v", "seen"),
    [(-0.4, 0, True), (-0.6, 0, False), (639.4, 479.4, True), (639.6, 0, False), (0, 479.6, False)],
)
def test_the_image_ends_half_a_pixel_past_its_outer_centres(u, v, seen):
    ray = np.linalg.solve(K, [u, v, 1.0])
    _, in_view = project(7.0 * ray[None], camera())
    assert in_view.tolist() == [seen]


@pytest.mark.parametrize("model", ["", "plumb_bob", "rational_polynomial", "equidistant"])
def test_what_is_behind_is_not_seen_by_any_lens(model):
    coefficients = {"": (), "plumb_bob": (-0.1,) + (0,) * 4, "rational_polynomial": (0.1,) * 8}
    lens = camera(model, *coefficients.get(model, (0.01, 0, 0, 0)))
    pixels, in_view = project(np.array([[0.0, 0, -5], [1, 1, 0.05]]), lens)
    assert not in_view.any()
    assert np.isnan(pixels).all()


def test_plumb_bob_by_hand():
    # x/z = 0.5, r^2 = 0.25, k1 = -0.2: 0.5 * (1 - 0.05) = 0.475
    pixels, _ = project(np.array([[1.0, 0, 2.0]]), camera("plumb_bob", -0.2, 0, 0, 0, 0))
    assert_allclose(pixels, [[320 + 47.5, 240]])


def test_rational_polynomial_by_hand():
    # r^2 = 0.25: 0.5 * (1 + 0.1 r^2) / (1 + 0.4 r^2) = 0.5 * 1.025 / 1.1
    lens = camera("rational_polynomial", 0.1, 0, 0, 0, 0, 0.4, 0, 0)
    pixels, _ = project(np.array([[1.0, 0, 2.0]]), lens)
    assert_allclose(pixels, [[320 + 100 * 0.5 * 1.025 / 1.1, 240]])


def test_equidistant_by_hand():
    # 45 degrees: theta = pi/4, k1 = 0.1: theta (1 + 0.1 theta^2)
    theta = np.pi / 4
    pixels, _ = project(np.array([[1.0, 0, 1.0]]), camera("equidistant", 0.1, 0, 0, 0))
    assert_allclose(pixels, [[320 + 100 * theta * (1 + 0.1 * theta**2), 240]])


def test_a_polynomial_lens_does_not_fold_far_points_back_into_the_image():
    # k1 = -0.2 folds at r = 1.29; at 80 degrees (r = 5.67) it would land inside the image
    lens = camera("plumb_bob", -0.2, 0, 0, 0, 0)
    ray = np.array([[np.tan(np.radians(80)) * 2, 0, 2.0]])
    _, in_view = project(np.vstack([ray, ray * [20, 1, 1]]), lens)
    assert not in_view.any()
