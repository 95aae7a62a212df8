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

"""What is seen in the original picture is found in the resized one, where its matrix says."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.errors import CalibrationError
from mm_fusion.geometry.pinhole import project
from mm_fusion.model.image_inputs import Fit, fit, fitted_image, fitted_intrinsics, image_arrays
from mm_fusion.records import CameraImage, EgoFrame, EgoMotion

EGO_FROM_CAMERA = np.array([[0.0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.2], [0, 0, 0, 1]])
LENSES = {
    "": (),
    "plumb_bob": (-0.3, 0.1, 0.001, -0.002, 0.0),
    "rational_polynomial": (0.2, -0.05, 0.001, 0.001, 0.01, 0.3, -0.02, 0.02),
    "equidistant": (0.05, -0.01, 0.002, 0.0),
}


def make_camera(width, height, lens="", name="front"):
    matrix = np.array(
        [[0.7 * width, 0, 0.5 * width - 3.0], [0, 0.72 * width, 0.5 * height + 5], [0, 0, 1]]
    )
    return Camera(
        name=name,
        image_from_camera=matrix,
        ego_from_camera=EGO_FROM_CAMERA,
        size_px=(width, height),
        distortion_model=lens,
        distortion=LENSES[lens],
    )


def bright_spot(rgb):
    """Return u, v of the middle of all light."""
    light = rgb.astype(np.float64).sum(axis=2)
    rows, columns = np.indices(light.shape)
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize(
    ("size_px", "target_px"),
    [
        ((1600, 900), (704, 256)),  # rows cut off the top
        ((1242, 375), (640, 192)),  # rows cut by a hair
        ((1242, 375), (704, 256)),  # black rows above
        ((640, 480), (704, 256)),  # black columns beside
        ((320, 160), (640, 320)),  # enlarged
    ],
)
def test_a_dot_is_found_where_the_new_matrix_projects_its_point(lens, size_px, target_px):
    camera = make_camera(*size_px, lens)
    points = np.array([[1.0, 0.8, 10.0], [-2.5, 0.5, 9.0], [2.0, 1.5, 12.0]])
    for point in points:
        (pixel,), (in_view,) = project(point[None], camera)
        assert in_view
        picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
        centre = tuple(int(c) for c in np.round(pixel * 16))  # cv2 draws to a 16th of a pixel
        cv2.circle(picture, centre, 5 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
        rays = fitted_intrinsics(camera, target_px) @ point
        found = bright_spot(fitted_image(picture, camera, target_px))
        assert_allclose(found, rays[:2] / rays[2], atol=0.25)


def test_half_the_size_moves_the_middle_by_a_quarter_pixel():
    camera = make_camera(1280, 384)
    intrinsics = fitted_intrinsics(camera, (640, 192))
    assert_allclose(intrinsics[0], [0.35 * 1280, 0, 637 / 2 - 0.25])  # (u + 0.5) / 2 - 0.5
    assert_allclose(intrinsics[1], [0, 0.36 * 1280, 197 / 2 - 0.25])


@pytest.mark.parametrize(
    ("size_px", "target_px", "laid"),
    [
        ((1600, 900), (704, 256), Fit(704, 396, 0, -140)),
        ((1242, 375), (704, 256), Fit(704, 213, 0, 43)),
        ((640, 480), (704, 256), Fit(569, 427, 67, -171)),  # four tenths of the rows are cut
        ((704, 256), (704, 256), Fit(704, 256, 0, 0)),
    ],
)
def test_a_picture_stands_on_the_bottom_edge(size_px, target_px, laid):
    assert fit(size_px, target_px) == laid


def test_a_picture_of_the_target_size_is_untouched():
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    camera = make_camera(96, 64)
    assert np.array_equal(fitted_image(picture, camera, (96, 64)), picture)
    assert_allclose(fitted_intrinsics(camera, (96, 64)), camera.image_from_camera)


def test_what_the_picture_does_not_reach_is_black():
    picture = np.full((375, 1242, 3), 200, np.uint8)
    fitted = fitted_image(picture, make_camera(1242, 375), (704, 256))
    assert (fitted[:43] == 0).all()
    assert (fitted[43:] == 200).all()


def test_a_picture_of_another_size_than_calibrated_is_refused():
    with pytest.raises(CalibrationError, match=r"front.* 64 x 32 px.* 96 x 64"):
        fitted_image(np.zeros((32, 64, 3), np.uint8), make_camera(96, 64), (96, 64))


def make_frame(names, image_stamp_from_frame):
    nothing = np.zeros((0, 3), np.float32)
    none = np.zeros(0, np.float32)
    image = CameraImage(stamp_ns=0, data=np.zeros(0, np.uint8), encoding="jpeg")
    return EgoFrame(
        stamp_ns=0,
        points_ego=nothing,
        intensity=none,
        radar_ego=nothing,
        radar_ray_ego=nothing,
        radial_speed_mps=none,
        rcs_dbsm=none,
        images=dict.fromkeys(names, image),
        image_stamp_from_frame=dict.fromkeys(names, image_stamp_from_frame),
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset(names),
        present_kinds=frozenset({"camera"}),
        missing={},
    )


def test_the_pictures_of_a_frame_come_by_name_with_their_place_at_its_stamp():
    cameras = {name: make_camera(96, 64, name=name) for name in ("right", "front")}
    image_stamp_from_frame = np.eye(4)
    image_stamp_from_frame[0, 3] = -0.5  # the vehicle drove 0.5 m on before the images were taken
    frame = make_frame(("right", "front", "unknown"), image_stamp_from_frame)
    pictures = {
        "right": np.full((64, 96, 3), 255, np.uint8),
        "front": np.full((64, 96, 3), (51, 0, 102), np.uint8),
        "unknown": np.zeros((8, 8, 3), np.uint8),
    }
    arrays = image_arrays(frame, Calibration(cameras=cameras), pictures, (96, 64))
    assert arrays.names == ("front", "right")
    assert arrays.images.shape == (2, 3, 64, 96)
    assert arrays.images.dtype == np.float32
    assert_allclose(arrays.images[0, :, 5, 7], [0.2, 0, 0.4], rtol=1e-6)
    assert (arrays.images[1] == 1).all()
    assert_allclose(arrays.ego_from_camera[0, :3, 3], [2.0, 0, 1.2])  # 1.5 + 0.5 ahead
    assert_allclose(arrays.intrinsics[0], cameras["front"].image_from_camera)


def test_a_frame_without_pictures_gives_none():
    arrays = image_arrays(make_frame((), np.eye(4)), Calibration(), {}, (96, 64))
    assert arrays.images.shape == (0, 3, 64, 96)
    assert arrays.ego_from_camera.shape == (0, 4, 4)
