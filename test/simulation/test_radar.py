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

"""The radar measures range rates by hand-worked numbers, and nothing that does not return."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.simulation.materials import Material
from mm_fusion.simulation.motion import Path, Wave
from mm_fusion.simulation.radar import Radar
from mm_fusion.simulation.rig import RadarModel

from .conftest import actor, plate, straight

QUIET = RadarModel(
    ego_from_radar=np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1.0]]),
    range_std_m=0.0, azimuth_std_rad=0.0, elevation_std_rad=0.0, rate_std_mps=0.0, clutter=0.0,
)  # fmt: skip
FAR = plate(500.0)


def sweep(world, model=QUIET, seed=0):
    return Radar(model).scan(world, 0.0, 10**9, np.random.default_rng(seed))


def test_a_car_that_comes_at_10_mps_from_30_degrees_closes_at_8_66(build):
    # at range 40 m, 30 degrees left, driving in -x: the part of its speed along the ray is
    # -10 cos 30 = -8.66 m/s
    at = 40 * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    path = Path(x=Wave(start=at[0], rate=-10.0), y=Wave(start=at[1]))
    scan = sweep(build(FAR, [actor(path, size=(0.3, 0.3, 1.0))]))
    assert len(scan.points_radar) > 0
    assert_allclose(scan.range_rate_mps, -8.66, atol=0.05)
    assert_allclose(np.linalg.norm(scan.points_radar, axis=1), 40.0, atol=0.5)
    azimuth = np.degrees(np.arctan2(scan.points_radar[:, 1], scan.points_radar[:, 0]))
    assert_allclose(azimuth, 30.0, atol=1.0)


def test_a_standing_wall_closes_with_the_ego_cars_speed_times_the_cosine(build):
    scan = sweep(build(plate(30.0, Material.METAL), ego=straight(0.0, speed_mps=10.0)))
    ray = scan.points_radar / np.linalg.norm(scan.points_radar, axis=1, keepdims=True)
    # a cell spans 0.4 m and 1.6 degrees: its mean rate is that of its mean ray within 0.1 m/s
    assert_allclose(scan.range_rate_mps, -10.0 * ray[:, 0], atol=0.1)
    assert len(scan.points_radar) > 20


def test_a_radar_ahead_of_the_axle_swings_with_a_turning_car(build):
    # turning right at 0.5 rad/s about the axle, a radar 4 m ahead moves right at 2 m/s, so a wall
    # on the left goes away at 2 m/s times the left part of the ray
    turning = Path(
        x=Wave(start=0.0, amplitude=1e-3, omega_radps=0.5),
        y=Wave(start=0.0, amplitude=1e-3, omega_radps=0.5, phase_rad=np.pi / 2),
    )
    assert_allclose(turning.yaw_rates(np.zeros(1)), -0.5, rtol=1e-6)
    ahead = np.eye(4)
    ahead[0, 3] = 4.0
    world = build(plate(1.0, Material.METAL).moved(quarter_turn()), ego=turning)
    model = replace(QUIET, ego_from_radar=ahead)
    scan = sweep(world, model)
    ray = scan.points_radar / np.linalg.norm(scan.points_radar, axis=1, keepdims=True)
    assert len(ray) > 10
    assert_allclose(scan.range_rate_mps, 2.0 * ray[:, 1], atol=0.03)


def quarter_turn():
    """Bring a plate at x = 1 to 20 m on the left of the car, its face along the road."""
    street_from_plate = np.eye(4)
    street_from_plate[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    street_from_plate[1, 3] = 19.0
    return street_from_plate


def test_asphalt_mirrors_the_beam_away_and_returns_nothing(build):
    assert len(sweep(build(plate(30.0, Material.ASPHALT))).points_radar) == 0


def test_weak_things_are_seen_near_only(build):
    person = {"size": (0.4, 0.4, 1.7), "label": "pedestrian", "material": Material.CLOTH}
    near, far = (
        len(sweep(build(FAR, [actor(straight(x), **person)])).points_radar) for x in (12.0, 88.0)
    )
    assert near > 0
    assert far == 0


def test_clutter_comes_at_the_rate_of_the_model(build):
    world, model = build(FAR), replace(QUIET, clutter=12.0)
    counts = [len(sweep(world, model, seed).points_radar) for seed in range(60)]
    assert np.mean(counts) == pytest.approx(12.0, abs=1.4)  # 3 sigma: 3 sqrt(12 / 60)
