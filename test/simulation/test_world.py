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

"""Rays meet what is there, at the moment asked for."""

import numpy as np
from numpy.testing import assert_allclose

from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.mesh import ball, box, join, rod
from mm_fusion.simulation.world import REACH_M, SCENERY

from .conftest import WHITE, actor, plate, straight

AHEAD = np.array([[1.0, 0.0, 0.0]])
EYE = np.array([0.0, 0.0, 0.5])


def test_a_plate_at_10_m_returns_10_m(build):
    hits = build(plate(10.0)).at(0.0, EYE).cast(EYE, AHEAD)
    assert_allclose(hits.range_m, [10.0], atol=1e-5)
    assert_allclose(hits.normals, [[-1.0, 0.0, 0.0]], atol=1e-6)
    assert hits.materials.tolist() == [Material.PLASTER]
    assert hits.actors.tolist() == [SCENERY]


def test_a_ray_that_meets_nothing_has_an_infinite_range(build):
    hits = build(plate(10.0)).at(0.0, EYE).cast(EYE, -AHEAD)
    assert not hits.met.any()


def test_a_car_hides_the_wall_and_is_where_its_path_says(build):
    world = build(plate(50.0), [actor(straight(20.0, speed_mps=10.0))])
    # the car is 4 m long: its rear is at 20 - 2 + 10 t
    for time_s, range_m in ((0.0, 18.0), (1.5, 33.0), (4.0, 50.0)):
        hits = world.at(time_s, EYE).cast(EYE, AHEAD)
        assert_allclose(hits.range_m, [range_m], atol=1e-4)
        assert hits.actors.tolist() == [SCENERY if time_s == 4.0 else 0]


def test_a_parked_car_is_told_from_the_scenery(build):
    world = build(plate(50.0), [actor(straight(20.0)), actor(straight(30.0))])
    assert world.at(0.0, EYE).cast(EYE, AHEAD).actors.tolist() == [0]


def test_movers_out_of_reach_are_not_cast(build):
    far = build(plate(9e3), [actor(straight(REACH_M + 5, speed_mps=1.0))])
    assert not (far.at(0.0, EYE).cast(EYE, AHEAD).actors == 0).any()
    assert (far.at(0.0, np.array([10.0, 0, 0])).cast(EYE, AHEAD).actors == 0).all()


def test_a_wall_towards_the_sun_shades_the_ground_behind_it(build):
    ground = box((100.0, 100.0, 0.2), (0.0, 0.0, -0.1), WHITE, Material.ASPHALT)
    wall = box((0.1, 10.0, 2.0), (5.0, 0.0, 1.0), WHITE, Material.PLASTER)
    points = np.array([[4.0, 0, 0], [2.0, 0, 0], [6.0, 0, 0]], np.float32)
    up = np.tile(np.array([0, 0, 1.0], np.float32), (3, 1))
    towards = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)  # the shadow of 2 m ends 2 m behind the wall
    moment = build(join(ground, wall)).at(0.0, EYE)
    assert moment.shadowed(points, up, towards).tolist() == [True, False, False]


def test_primitives_have_the_extents_they_are_asked_for():
    block = box((2.0, 3.0, 4.0), (1.0, 1.0, 1.0), WHITE, Material.METAL).vertices
    assert_allclose(np.ptp(block, axis=0), [2, 3, 4])
    bar = rod((0, 0, 0), (0, 0, 5), (0.5, 0.25), WHITE, Material.WOOD, sides=4).vertices
    assert_allclose(np.ptp(bar, axis=0), [1, 1, 5], atol=1e-12)
    egg = ball((0, 0, 0), (1, 2, 3), WHITE, Material.LEAVES, rings=50, sides=40).vertices
    assert_allclose(np.abs(egg).max(axis=0), [1, 2, 3], rtol=0.01)
