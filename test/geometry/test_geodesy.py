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

"""The Earth's shape: points everybody knows, and the way there and back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.geometry.geodesy import (
    SEMI_MAJOR_M,
    LocalTangentPlane,
    ecef_from_geodetic,
    geodetic_from_ecef,
)

SEMI_MINOR_M = 6356752.314245  # a (1 - f)
ARC_SECOND = np.pi / 648_000
HALF_RIGHT = np.pi / 4


def test_the_equator_at_greenwich_is_one_semi_major_axis_away():
    assert_allclose(ecef_from_geodetic(0, 0, 0), [SEMI_MAJOR_M, 0, 0])


@pytest.mark.parametrize("pole", [1, -1])
def test_the_poles_are_one_semi_minor_axis_away(pole):
    ecef = ecef_from_geodetic(pole * np.pi / 2, 0.3, 100)
    assert_allclose(ecef, [0, 0, pole * (SEMI_MINOR_M + 100)], atol=1e-4)


def test_45_degrees_north_and_east_by_hand():
    # N = a / sqrt(1 - e2 / 2) = 6388838.290; x = y = N / 2, z = N (1 - e2) / sqrt(2)
    ecef = ecef_from_geodetic(HALF_RIGHT, HALF_RIGHT, 0)
    assert_allclose(ecef, [3194419.145, 3194419.145, 4487348.409], atol=1e-3)


def test_many_points_at_once_are_those_one_by_one():
    rng = np.random.default_rng(0)
    latitude, longitude, altitude = rng.uniform((-1.5, -3, -100), (1.5, 3, 9000), (10, 3)).T
    together = ecef_from_geodetic(latitude, longitude, altitude)
    assert together.shape == (10, 3)
    for k in range(10):
        alone = ecef_from_geodetic(latitude[k], longitude[k], altitude[k])
        assert_allclose(together[k], alone)


@pytest.mark.parametrize("latitude", np.radians([-90, -89.9, -45, -1e-6, 0, 30, 60, 89.999, 90]))
@pytest.mark.parametrize("altitude", [-400.0, 0.0, 8848.0, 20_000.0])
def test_geodetic_coordinates_are_found_again_anywhere(latitude, altitude):
    ecef = ecef_from_geodetic(latitude, -2.0, altitude)
    found = geodetic_from_ecef(ecef)
    assert_allclose(found[0], latitude, atol=1e-11)
    assert_allclose(found[2], altitude, atol=1e-6)
    assert_allclose(ecef_from_geodetic(*found), ecef, atol=1e-4)


def test_an_arc_second_north_of_the_equator_is_30_7_metres():
    # the meridian's radius there is a (1 - e2) = 6335439.327 m, times pi / 648000 is 30.7149 m
    plane = LocalTangentPlane(0, 0.5, 0)
    assert_allclose(plane.enu(ARC_SECOND, 0.5, 0), [0, 30.7149, 0], atol=1e-3)


def test_an_arc_second_east_at_60_degrees_is_half_of_that_at_the_equator():
    # N cos(60 deg) = 6394209.17 / 2; times pi / 648000 is 15.5000 m
    plane = LocalTangentPlane(np.pi / 3, 0.2, 50)
    east, north, up = plane.enu(np.pi / 3, 0.2 + ARC_SECOND, 50)
    assert_allclose([east, north, up], [15.5001, 0, 0], atol=1e-3)


def test_up_is_the_ellipsoids_normal():
    plane = LocalTangentPlane(0.9, -1.2, 300)
    assert_allclose(plane.enu(0.9, -1.2, 310), [0, 0, 10], atol=1e-8)


def test_the_earth_falls_away_from_the_plane():
    # 10 km off at the same height: d^2 / 2a = 7.839 m below
    plane = LocalTangentPlane(0, 0, 0)
    enu = plane.enu(0, 1e4 / SEMI_MAJOR_M, 0)
    assert_allclose(enu, [1e4, 0, -7.839], atol=0.01)


def test_the_datum_is_the_origin():
    datum = (0.8, 0.2, 432.1)
    plane = LocalTangentPlane(*datum)
    assert plane.datum == datum
    assert_allclose(plane.enu(*datum), np.zeros(3), atol=1e-9)


def test_places_in_the_plane_are_found_again_on_the_earth():
    plane = LocalTangentPlane(0.85, 0.15, 110)
    for enu in np.random.default_rng(1).uniform(-5000, 5000, (20, 3)):
        assert_allclose(plane.enu(*plane.geodetic(enu)), enu, atol=1e-5)


def test_the_plane_keeps_distances():
    rng = np.random.default_rng(2)
    a, b = rng.uniform((0.849, 0.149, 0), (0.851, 0.151, 500), (2, 3))
    plane = LocalTangentPlane(0.85, 0.15, 110)
    across = np.linalg.norm(ecef_from_geodetic(*a) - ecef_from_geodetic(*b))
    assert_allclose(np.linalg.norm(plane.enu(*a) - plane.enu(*b)), across)
