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

"""The camera sees what is in front of it, where the pinhole says."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.boxes import corners
from mm_fusion.geometry.pinhole import project_ego
from mm_fusion.simulation.camera import HORIZON, SUN, CameraView, sky, tone
from mm_fusion.simulation.drive import Drive, simulate
from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.mesh import box, join
from mm_fusion.simulation.rig import Rig

from .conftest import CAMERA, MODEL, WHITE, actor, plate, straight


def view(world):
    hits = CameraView(MODEL).hits(world, 0.0)
    return hits.range_m.reshape(91, 161), hits.actors.reshape(91, 161)


def test_a_plate_covers_the_pixels_the_pinhole_says(build):
    # 2 m wide, 1 m high, 10 m ahead, centred 1 m left and at the camera's height:
    # u from 80 - 100 * 2 / 10 = 60 to 80 - 100 * 0 / 10 = 80, v = 45 -+ 5
    world = build(box((0.1, 2.0, 1.0), (10.05, 1.0, 1.0), WHITE, Material.PLASTER))
    rows, columns = np.nonzero(np.isfinite(view(world)[0]))
    assert (columns.min(), columns.max()) in {(60, 80), (60, 79), (61, 80), (61, 79)}
    assert (rows.min(), rows.max()) in {(40, 50), (40, 49), (41, 50), (41, 49)}


def test_the_box_of_a_car_encloses_its_pixels(build):
    car = actor(straight(12.0, y_m=2.0))
    _, actors = view(build(plate(90.0), [car]))
    rows, columns = np.nonzero(actors == 0)
    box_ego = np.array([[12.0, 2.0, 0.75, 4.0, 2.0, 1.5, 0.0]])
    pixels, _, _ = project_ego(corners(box_ego)[0], CAMERA)
    left, top = pixels.min(axis=0)
    right, bottom = pixels.max(axis=0)
    seen = (columns.max() - columns.min() + 1) * (rows.max() - rows.min() + 1)
    inside = columns.min() >= left - 0.5 and columns.max() <= right + 0.5
    assert inside
    assert rows.min() >= top - 0.5
    assert rows.max() <= bottom + 0.5
    assert seen / ((right - left) * (bottom - top)) > 0.95


def test_a_shadow_is_darker_than_the_sunlit_ground_beside_it(build):
    ground = box((200.0, 200.0, 0.2), (0.0, 0.0, -0.1), WHITE, Material.SIGN)
    wall = box((4.0, 0.2, 2.0), (10.0, 0.0, 1.0), WHITE, Material.SIGN)
    rgb = CameraView(MODEL).render(build(join(ground, wall)), 0.0)
    # the sun comes from the right (y < 0), so the shadow falls to the left: to y = 2 * 0.5 / 0.76
    assert SUN[1] < 0 < SUN[2]
    behind, _, _ = project_ego(np.array([[10.0, 0.7, 0.0], [10.0, 3.0, 0.0]]), CAMERA)
    (u0, v0), (u1, v1) = np.round(behind).astype(int)
    assert rgb[v0, u0].mean() < 0.75 * rgb[v1, u1].mean()


def test_the_sky_is_brightest_towards_the_sun_and_bluest_above():
    light = sky(np.array([SUN, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]))
    assert light[0].sum() > 2 * light[1:].sum(axis=1).max()
    assert light[1, 2] > 2 * light[1, 0]
    assert_allclose(light[3], HORIZON, atol=1e-6)


def test_the_tone_curve_rises_and_stays_in_range():
    light = np.linspace(0, 50, 400, dtype=np.float32)
    toned = tone(light)
    assert (np.diff(toned) >= 0).all()
    assert toned[0] == 0
    assert toned.max() <= 1


def test_an_image_is_a_jpeg_of_the_cameras_size(build):
    image = CameraView(MODEL).image(build(plate(10.0)), 0.0, 5, np.random.default_rng(0))
    assert (image.stamp_ns, image.encoding) == (5, "jpeg")
    assert cv2.imdecode(image.data, cv2.IMREAD_COLOR).shape == (91, 161, 3)


@pytest.fixture(scope="module")
def drive() -> Drive:
    pytest.importorskip("open3d", reason="Open3D is not there; `make setup` brings it")
    return simulate(0.5, seed=3, rig=Rig(cameras=(MODEL,)))


def test_every_car_in_view_lies_within_its_truth_box(drive):
    hits = CameraView(MODEL).hits(drive.world, 0.25)
    truth = drive.truth(0.25).objects
    rows, columns = np.divmod(np.arange(len(hits.actors)), 161)
    checked = 0
    for box_ego, ident in zip(truth.boxes, truth.ids, strict=True):
        mine = hits.actors == ident - 1
        seen_px, in_view, depth = project_ego(corners(box_ego[None])[0], CAMERA)
        if mine.sum() < 20 or not in_view.all() or depth.min() < 1:
            continue
        checked += 1
        low, high = seen_px.min(axis=0) - 1, seen_px.max(axis=0) + 1
        pixels = np.column_stack([columns, rows])[mine]
        assert (pixels >= low).all()
        assert (pixels <= high).all()
    assert checked >= 3
