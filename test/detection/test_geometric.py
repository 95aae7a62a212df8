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

"""Scenes made by hand: what stands on the ground is found where it stands."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import GeometricConfig
from mm_fusion.detection.geometric import GeometricDetector
from mm_fusion.geometry.boxes import corners, wrap_angle
from mm_fusion.geometry.rigid import compose, rotation_from_rpy, transform
from mm_fusion.objects import CLASSES, SEEN_BY
from mm_fusion.preprocess.ground import find_ground
from mm_fusion.records import EgoFrame, EgoMotion

CAR, UNKNOWN = CLASSES.index("car"), CLASSES.index("unknown")
SENSOR = np.array([0.0, 0.0, 1.8])


def road(slope=0.0, step=0.4, reach=40.0):
    """A plane z = slope * x, sampled on a jittered grid."""
    rng = np.random.default_rng(0)
    grid = np.arange(-reach, reach, step)
    x, y = (a.ravel() + rng.uniform(-0.1, 0.1, a.size) for a in np.meshgrid(grid, grid))
    return np.stack([x, y, slope * x + rng.normal(0, 0.02, x.size)], axis=1)


def faces(box, spacing=0.15):
    """The faces of a box (7,) that look at the sensor, as points."""
    points = []
    ring = corners(np.array(box))[0]
    bottom, height = ring[0, 2], box[5]
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        start, end = ring[a, :2], ring[b, :2]
        outward = (start + end) / 2 - np.array(box[:2])
        if outward @ ((start + end) / 2 - SENSOR[:2]) >= 0:
            continue  # turned away
        along = np.linspace(0, 1, max(2, int(np.linalg.norm(end - start) / spacing)))
        for z in np.arange(0.3, height, 0.2):
            plan = start + along[:, None] * (end - start)
            points.append(np.column_stack([plan, np.full(len(plan), bottom + z)]))
    return np.concatenate(points)


def scene(*boxes, slope=0.0, spacing=0.08):
    """The boxes' near faces on a road, each in the shadow of what stands before it."""
    ground = road(slope)
    shadow = np.zeros(len(ground), bool)
    for box in boxes:
        shadow |= crosses(ground[:, :2], np.array(box))
    parts = [ground[~shadow]]
    for k, box in enumerate(boxes):
        points = faces(box, spacing)
        hidden = np.zeros(len(points), bool)
        for other in boxes[:k] + boxes[k + 1 :]:
            hidden |= crosses(points[:, :2], np.array(other))
        parts.append(points[~hidden])
    return np.vstack(parts)


def crosses(xy, box):
    """Whether the line from the sensor to each point meets the footprint of the box."""
    fractions = np.linspace(0, 1, 161)[:, None, None]
    offset = SENSOR[:2] + fractions * (xy - SENSOR[:2]) - box[:2]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    u, v = offset[..., 0] * cos + offset[..., 1] * sin, offset[..., 1] * cos - offset[..., 0] * sin
    return ((np.abs(u) < box[3] / 2 - 0.02) & (np.abs(v) < box[4] / 2 - 0.02)).any(axis=0)


def car(x, y, yaw=0.0, ground=0.0):
    return [x, y, ground + 0.75, 4.2, 1.8, 1.5, yaw]


def frame(points, radar=(), speeds=()):
    radar = np.array(radar, np.float32).reshape(-1, 3)
    rays = radar / np.maximum(np.linalg.norm(radar, axis=1, keepdims=True), 1e-6)
    points = np.asarray(points, np.float32).reshape(-1, 3)
    kinds = {k for k, there in (("lidar", len(points)), ("radar", len(radar))) if there}
    return EgoFrame(
        stamp_ns=1,
        points_ego=points,
        intensity=np.zeros(len(points), np.float32),
        radar_ego=radar,
        radar_ray_ego=rays.astype(np.float32),
        radial_speed_mps=np.array(speeds, np.float32).reshape(-1),
        rcs_dbsm=np.zeros(len(radar), np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset(kinds),
        present_kinds=frozenset(kinds),
        missing={},
        viewpoint_ego=SENSOR,
    )


def detect(points, radar=(), speeds=(), **settings):
    return GeometricDetector(GeometricConfig(**settings)).detect(frame(points, radar, speeds))


def nearest(objects, x, y):
    return objects[[int(np.hypot(*(objects.centers_ego[:, :2] - (x, y)).T).argmin())]]


@pytest.mark.parametrize("yaw", [0.0, 0.4, 1.2, -0.7])
@pytest.mark.parametrize(("x", "y"), [(12.0, 3.0), (-9.0, 8.0), (15.0, -6.0)])
def test_a_car_is_found_with_place_size_and_heading(x, y, yaw):
    box = car(x, y, yaw)
    (found,) = [detect(scene(box))]
    assert len(found) == 1
    assert found.labels[0] == CAR
    assert_allclose(found.centers_ego[0, :2], (x, y), atol=0.35)
    assert_allclose(found.centers_ego[0, 2], 0.75, atol=0.2)
    assert_allclose(found.sizes_m[0], (4.2, 1.8, 1.5), atol=0.4)
    assert abs(wrap_angle(2 * (found.yaws_rad[0] - yaw)) / 2) < np.radians(5)
    assert found.evidence[0] == SEEN_BY["lidar"]


def test_of_a_car_ahead_only_the_rear_is_seen_and_the_centre_is_behind_it():
    box = car(15.0, 0.0)
    assert_allclose(faces(box)[:, 0].max(), 15 - 2.1)  # nothing but the rear face
    found = detect(scene(box))
    assert_allclose(found.centers_ego[0, :2], (15, 0), atol=0.3)
    assert abs(wrap_angle(2 * found.yaws_rad[0]) / 2) < 0.1


@pytest.mark.parametrize("slope", [-0.08, 0.0, 0.08, 0.14])
def test_the_ground_is_removed_on_slopes(slope):
    box = car(15.0, 4.0, 0.0, ground=15 * slope)
    points = scene(box, slope=slope)
    ground = find_ground(points.astype(np.float32), GeometricConfig())
    assert_allclose(
        ground.height(np.array([[15.0, 4.0], [-20, 10]])), [15 * slope, -20 * slope], atol=0.12
    )
    found = detect(points)
    assert len(found) == 1
    assert_allclose(found.centers_ego[0, :2], (15, 4), atol=0.4)


def test_a_road_that_bends_upwards_is_still_ground():
    flat = road()
    flat[:, 2] += 0.06 * np.maximum(flat[:, 0] - 10, 0)  # level, then 6 % up
    assert len(detect(flat)) == 0


def test_an_empty_road_has_no_objects():
    assert len(detect(road())) == 0
    assert len(detect(np.zeros((0, 3)))) == 0


def test_two_cars_a_metre_apart_stay_two():
    boxes = car(12.0, 3.0), car(12.0, 5.8)  # 1 m between their sides
    found = detect(scene(*boxes))
    cars = found[found.labels == CAR]
    assert len(cars) == 2
    assert_allclose(sorted(cars.centers_ego[:, 1]), [3.0, 5.8], atol=0.5)


def test_a_long_wall_is_no_car():
    wall = [10.0, 8.0, 1.0, 30.0, 0.3, 2.0, 0.0]
    found = detect(scene(wall))
    assert CAR not in found.labels
    pole = [10.0, -4.0, 1.0, 0.2, 0.2, 2.0, 0.0]
    found = detect(scene(pole, spacing=0.05))
    assert CAR not in found.labels


def test_a_person_is_called_one():
    person = [8.0, -2.0, 0.85, 0.5, 0.5, 1.7, 0.0]
    found = detect(scene(person))
    assert [CLASSES[k] for k in found.labels] == ["pedestrian"]


def test_the_order_of_the_points_changes_nothing():
    points = scene(car(12, 3), car(-8, -5, 0.5))
    rng = np.random.default_rng(1)
    a, b = detect(points), detect(rng.permutation(points))
    assert len(a) == len(b) == 2
    order = b.centers_ego[:, 0].argsort(), a.centers_ego[:, 0].argsort()
    assert_allclose(b.boxes[order[0]], a.boxes[order[1]], atol=1e-4)


@pytest.mark.parametrize("turn", [0.3, np.pi / 2, 2.5])
def test_turning_the_scene_turns_the_boxes(turn):
    points = scene(car(12, 3), car(-8, -5, 0.5))
    rotation = compose(rotation_from_rpy(0, 0, turn), np.zeros(3))
    settings = {"vehicle_length_m": 2.0, "vehicle_width_m": 2.0}
    before = detect(points, **settings)
    after = detect(transform(rotation, points), **settings)
    assert len(before) == len(after) == 2
    for box in before.boxes:
        turned = transform(rotation, box[None, :3])[0]
        match = nearest(after, *turned[:2])
        assert_allclose(match.centers_ego[0], turned, atol=0.25)
        assert abs(wrap_angle(2 * (match.yaws_rad[0] - box[6] - turn)) / 2) < np.radians(6)


def test_the_vehicle_does_not_see_itself():
    hood = np.random.default_rng(0).uniform((-1.2, -0.8, 0.4), (1.2, 0.8, 1.4), (300, 3))
    assert len(detect(np.vstack([road(), hood]))) == 0


def radar_on(box, count=12, seed=0):
    rng = np.random.default_rng(seed)
    local = rng.uniform(-0.4, 0.4, (count, 3)) * (box[3], box[4], 1.0)
    return np.array(box[:3]) + local


def test_radar_gives_a_car_its_velocity_along_its_heading():
    # the car ahead to the left drives away at 10 m/s along x: the radar sees 10 cos(azimuth)
    box = car(15.0, 3.0)
    returns = radar_on(box)
    speeds = 10 * returns[:, 0] / np.linalg.norm(returns, axis=1)
    found = detect(scene(box), returns, speeds)
    (one,) = [found[found.labels == CAR]]
    assert one.evidence[0] == SEEN_BY["lidar"] | SEEN_BY["radar"]
    assert_allclose(one.velocities_ego[0], (10, 0), atol=0.5)
    assert one.covariances[0, 2, 2] < 1.0  # m^2/s^2


def test_what_moves_is_seen_by_radar_where_the_lidar_sees_nothing():
    returns = radar_on(car(40.0, -2.0))
    speeds = np.full(len(returns), -12.0)
    found = detect(road(reach=30.0), returns, speeds)
    assert len(found) == 1
    assert found.evidence[0] == SEEN_BY["radar"]
    assert_allclose(found.centers_ego[0, :2], (41, -2), atol=1.5)
    assert_allclose(found.velocities_ego[0, 0], -12, atol=0.5)
    still = detect(road(reach=30.0), returns, np.zeros(len(returns)))
    assert len(still) == 0  # a LiDAR is there to see what stands


def test_without_lidar_the_radar_sees_what_stands_too():
    returns = np.vstack([radar_on(car(20.0, 4.0)), radar_on(car(25.0, -6.0), seed=1)])
    found = detect(np.zeros((0, 3)), returns, np.zeros(len(returns)))
    assert len(found) == 2
    for x, y in ((20, 4), (25, -6)):
        distance = np.hypot(*(found.centers_ego[:, :2] - (x, y)).T).min()
        assert distance < 2.0


def test_a_velocity_across_the_ray_is_not_claimed():
    # a pedestrian straight ahead: the radar knows vx, not vy
    person = [10.0, 0.0, 0.85, 0.5, 0.5, 1.7, 0.0]
    returns = radar_on(person, 6)
    found = detect(scene(person), returns, np.full(6, 1.5))
    one = nearest(found, 10, 0)
    assert one.velocities_ego[0, 0] == pytest.approx(1.5, abs=0.1)
    assert one.covariances[0, 2, 2] < 0.5
    assert one.covariances[0, 3, 3] > 4.0


def test_nothing_below_the_score_threshold_is_returned():
    points = scene([8.0, -2.0, 0.85, 0.5, 0.5, 1.7, 0.0])
    (score,) = detect(points, score_threshold=0.0).scores
    assert 0 < score < 1
    assert len(detect(points, score_threshold=score - 0.01)) == 1
    assert len(detect(points, score_threshold=score + 0.01)) == 0


def test_a_frame_is_not_changed():
    given = frame(scene(car(12, 3)))
    before = replace(given, points_ego=given.points_ego.copy())
    GeometricDetector(GeometricConfig()).detect(given)
    assert_allclose(given.points_ego, before.points_ego)


def test_a_wall_that_goes_on_above_the_ceiling_is_scenery():
    # 3 m wide and 6 m high, facing us; no road user is as high
    wall = [12.0, 4.0, 3.0, 0.3, 3.0, 6.0, 0.0]
    points = scene(wall, car(10.0, -4.0))
    users, everything = detect(points), detect(points, scenery=True)
    assert [CLASSES[k] for k in users.labels] == ["car"]
    assert len(everything) > len(users)
    assert np.hypot(*(everything.centers_ego[:, :2] - (11.85, 4.0)).T).min() < 1.0
