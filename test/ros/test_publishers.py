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


import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("autoware_perception_msgs")

from autoware_perception_msgs.msg import ObjectClassification, Shape
from autoware_perception_msgs.msg import TrackedObjectKinematics as Kinematics
from visualization_msgs.msg import Marker

from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.objects import CLASSES, FusionResult, Objects
from mm_fusion.records import EgoFrame, EgoMotion
from mm_fusion.ros.markers import ObjectMarkers
from mm_fusion.ros.object_messages import (
    detections_message,
    header_of,
    odometry_message,
    tracked_objects_message,
    transform_message,
)
from mm_fusion.ros.predicted_messages import predicted_objects_message

HEADER = header_of(1_700_000_000_123_456_789, "base_link")
SESSION = bytes(range(8))


def objects(**columns):
    """A car 10 m ahead, 2 m left, turned to the left, and an unknown thing behind."""
    boxes = np.array([[10.0, 2, 0.8, 4, 2, 1.5, np.pi / 2], [-5, 0, 0.5, 1, 1, 1, 0]])
    given = {
        "labels": np.array([CLASSES.index("car"), CLASSES.index("unknown")]),
        "scores": np.array([0.75, 0.5]),
        "ids": np.array([7, 8]),
        "velocities_ego": np.array([[1.0, 5.0], [np.nan, np.nan]]),
        "covariances": np.array([np.diag([1.0, 2.0, 3.0, 4.0]), np.diag([1.0, 1, 1e6, 1e6])]),
    }
    return Objects.of_boxes(boxes, **(given | columns))


def result(stamp_ns, detections, tracks, map_from_ego, odom_from_ego=None):
    nothing = np.zeros((0, 3), np.float32)
    frame = EgoFrame(
        stamp_ns=stamp_ns,
        points_ego=nothing,
        intensity=nothing[:, 0],
        radar_ego=nothing,
        radar_ray_ego=nothing,
        radial_speed_mps=nothing[:, 0],
        rcs_dbsm=nothing[:, 0],
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=map_from_ego,
        present=frozenset(),
        present_kinds=frozenset(),
        missing={},
    )
    return FusionResult(
        stamp_ns=stamp_ns,
        reference="lidar",
        frame=frame,
        pose_covariance=np.eye(6),
        detections=detections,
        tracks=tracks,
        odom_from_ego=map_from_ego if odom_from_ego is None else odom_from_ego,
        missing={},
    )


def shown(markers, detections, tracks, *, stamp_s=1_700_000_000.0, map_from_ego=None, odom=None):
    """What is published of one frame."""
    pose = np.eye(4) if map_from_ego is None else map_from_ego
    frame = result(round(stamp_s * 1e9), detections, tracks, pose, odom)
    return markers.message(frame, "base_link", "map").markers


def test_detections_say_class_score_box_and_stamp():
    array = detections_message(objects(ids=np.array([-1, 8])), HEADER)
    assert (array.header.stamp.sec, array.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert array.header.frame_id == "base_link"
    car, thing = array.detections
    assert car.results[0].hypothesis.class_id == "car"
    assert car.results[0].hypothesis.score == 0.75
    assert (car.id, thing.id) == ("", "8")
    position, size = car.bbox.center.position, car.bbox.size
    assert (position.x, position.y, position.z) == (10.0, 2.0, 0.8)
    assert (size.x, size.y, size.z) == (4.0, 2.0, 1.5)
    turned = car.bbox.center.orientation  # 90 degrees about z: half of it is 45
    assert (turned.z, turned.w) == pytest.approx((np.sqrt(0.5), np.sqrt(0.5)))
    covariance = car.results[0].pose.covariance
    assert (covariance[0], covariance[7]) == (1.0, 2.0)


def test_nothing_seen_is_an_empty_array_with_a_stamp():
    array = detections_message(Objects.none(), HEADER)
    assert len(array.detections) == 0
    assert array.header.stamp.sec == 1_700_000_000


def test_a_planner_reads_the_velocity_along_the_object():
    car, thing = tracked_objects_message(objects(), HEADER, SESSION).objects
    twist = car.kinematics.twist_with_covariance
    # it looks along +y of ego: 5 m/s along y is forward, 1 m/s along x is to its right
    assert (twist.twist.linear.x, twist.twist.linear.y) == pytest.approx((5.0, -1.0))
    # var(vy) = 4 becomes forward, var(vx) = 3 sideways
    assert (twist.covariance[0], twist.covariance[7]) == pytest.approx((4.0, 3.0))
    assert car.kinematics.orientation_availability == Kinematics.AVAILABLE
    assert not car.kinematics.is_stationary
    twist = thing.kinematics.twist_with_covariance
    assert (twist.twist.linear.x, twist.twist.linear.y) == (0.0, 0.0)
    assert twist.covariance[0] == twist.covariance[7] == 1e6
    assert thing.kinematics.orientation_availability == Kinematics.SIGN_UNKNOWN
    assert not thing.kinematics.is_stationary  # it is not known to stand


def test_a_standing_object_is_said_to_stand():
    still = objects(velocities_ego=np.zeros((2, 2)))
    message = tracked_objects_message(still, HEADER, SESSION)
    assert all(o.kinematics.is_stationary for o in message.objects)


def test_an_identity_is_the_session_and_the_id():
    car, thing = tracked_objects_message(objects(), HEADER, SESSION).objects
    assert bytes(car.object_id.uuid) == SESSION + b"\0\0\0\0\0\0\0\x07"
    assert bytes(thing.object_id.uuid) != bytes(car.object_id.uuid)
    assert car.classification[0].label == ObjectClassification.CAR
    assert thing.classification[0].label == ObjectClassification.UNKNOWN
    assert car.existence_probability == pytest.approx(0.75)
    assert car.shape.type == Shape.BOUNDING_BOX
    assert car.shape.dimensions.x == 4.0


def test_every_class_has_a_label_of_its_own():
    rows = np.arange(len(CLASSES))
    many = Objects.of_boxes(np.ones((len(CLASSES), 7)), labels=rows, ids=rows)
    message = tracked_objects_message(many, HEADER, SESSION)
    labels = [o.classification[0].label for o in message.objects]
    assert len(set(labels)) == len(CLASSES)


def test_odometry_says_pose_and_velocity():
    map_from_ego = compose(rotation_from_rpy(0, 0, np.pi), np.array([3.0, 4, 5]))
    motion = EgoMotion(linear_ego=np.array([6.0, 0, 0]), angular_ego=np.array([0, 0, 0.5]))
    covariance = np.arange(36.0).reshape(6, 6)
    message = odometry_message(map_from_ego, covariance, motion, HEADER, "base_link")
    position = message.pose.pose.position
    assert (position.x, position.y, position.z) == (3.0, 4.0, 5.0)
    assert abs(message.pose.pose.orientation.z) == pytest.approx(1.0)
    assert message.pose.covariance.tolist() == list(range(36))
    assert message.twist.twist.linear.x == 6.0
    assert message.twist.twist.angular.z == 0.5
    assert message.child_frame_id == "base_link"


def test_a_velocity_nobody_measured_has_no_weight():
    unknown = EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3), known=False)
    message = odometry_message(np.eye(4), np.eye(6), unknown, HEADER, "base_link")
    assert message.twist.covariance[0] == 1e6


def test_a_transform_names_parent_and_child():
    map_from_ego = compose(np.eye(3), np.array([1.0, 2, 3]))
    message = transform_message(map_from_ego, header_of(1, "map"), "base_link")
    assert (message.header.frame_id, message.child_frame_id) == ("map", "base_link")
    assert message.transform.translation.y == 2.0
    assert message.transform.rotation.w == 1.0


def test_markers_show_tracks_and_take_away_what_is_gone():
    markers = ObjectMarkers()
    first = shown(markers, Objects.none(), objects())
    assert {(m.ns, m.id) for m in first} == {
        ("tracks", 7),
        ("tracks", 8),
        ("labels", 7),
        ("labels", 8),
        ("velocities", 7),
        ("covariances", 7),
        ("covariances", 8),
    }
    assert all(m.action == Marker.ADD and m.lifetime.nanosec > 0 for m in first)
    (word,) = (m for m in first if (m.ns, m.id) == ("labels", 7))
    assert word.text == "car 7 5.1 m/s"  # sqrt(1 + 25) = 5.099
    (arrow,) = (m for m in first if m.ns == "velocities")
    assert (arrow.points[1].x, arrow.points[1].y) == (11.0, 7.0)  # one second on
    second = shown(markers, Objects.none(), objects()[1:])
    gone = {(m.ns, m.id) for m in second if m.action == Marker.DELETE}
    assert gone == {("tracks", 7), ("labels", 7), ("velocities", 7), ("covariances", 7)}
    third = shown(markers, Objects.none(), objects()[1:])
    assert all(m.action == Marker.ADD for m in third)


def test_a_spread_is_an_ellipse_along_its_longer_axis():
    # variances 4 along 30 degrees, 1 across; 95 of 100: sqrt(5.991) = 2.4477 times either side
    turn = rotation_from_rpy(0, 0, np.pi / 6)[:2, :2]
    covariance = np.diag([4.0, 1.0, 1.0, 1.0])
    covariance[:2, :2] = turn @ np.diag([4.0, 1.0]) @ turn.T
    tracks = objects(covariances=np.array([covariance, np.eye(4)]))
    (ellipse, _) = (
        m for m in shown(ObjectMarkers(), Objects.none(), tracks) if m.ns == "covariances"
    )
    assert (ellipse.scale.x, ellipse.scale.y) == pytest.approx((4 * 2.4477, 2 * 2.4477), rel=1e-4)
    yaw = 2 * np.arctan2(ellipse.pose.orientation.z, ellipse.pose.orientation.w)
    assert np.tan(yaw) == pytest.approx(np.tan(np.pi / 6))  # an axis has no front
    assert ellipse.pose.position.z == pytest.approx(0.8 - 1.5 / 2)  # at the bottom of the box
    assert (ellipse.id, ellipse.type) == (7, Marker.CYLINDER)


def test_a_trail_is_where_a_track_was_in_the_map_for_three_seconds():
    """A car stays 10 m ahead of us while we drive east at 10 m/s."""
    markers, car = ObjectMarkers(), objects()[:1]
    for k in range(50):
        pose = compose(np.eye(3), np.array([1.0 * k, 0, 0]))
        made = shown(markers, Objects.none(), car, stamp_s=0.1 * k, map_from_ego=pose)
    (trail,) = (m for m in made if m.ns == "trails")
    assert trail.header.frame_id == "map"
    assert [p.x for p in trail.points] == pytest.approx(np.arange(10 + 19, 10 + 50))
    assert {p.y for p in trail.points} == {2.0}
    after = shown(markers, Objects.none(), Objects.none(), stamp_s=5.0)
    assert ("trails", 7) in {(m.ns, m.id) for m in after if m.action == Marker.DELETE}


def test_a_map_that_jumps_takes_trails_along_and_does_not_bend_them():
    markers, car = ObjectMarkers(), objects()[:1]
    for k in range(10):
        driven = compose(np.eye(3), np.array([float(k), 0, 0]))
        jumped = compose(np.eye(3), np.array([k, 50.0 if k > 5 else 0.0, 0]))
        stamp_s = 1_700_000_000 + 0.1 * k
        made = shown(
            markers, Objects.none(), car, stamp_s=stamp_s, map_from_ego=jumped, odom=driven
        )
    (trail,) = (m for m in made if m.ns == "trails")
    assert [p.x for p in trail.points] == pytest.approx(np.arange(10, 20))
    assert {p.y for p in trail.points} == {52.0}


def test_what_stands_has_no_trail():
    markers = ObjectMarkers()
    for k in range(5):
        made = shown(markers, Objects.none(), objects(), stamp_s=0.1 * k)
    assert not [m for m in made if m.ns == "trails"]


def test_predicted_paths_by_hand():
    tracks = objects(turn_rates_radps=np.array([0.0, np.nan]))
    array = predicted_objects_message(tracks, HEADER, SESSION, 3.0, 0.5)
    car, thing = array.objects
    (path,) = car.kinematics.predicted_paths
    assert len(path.path) == 7  # 0 to 3 s
    assert (path.time_step.sec, path.time_step.nanosec) == (0, 500_000_000)
    ends = [(p.position.x, p.position.y) for p in path.path]
    assert_allclose(ends, [(10 + 0.5 * k, 2 + 2.5 * k) for k in range(7)])
    assert bytes(car.object_id.uuid) == SESSION + b"\0\0\0\0\0\0\0\x07"
    assert car.kinematics.initial_twist_with_covariance.twist.linear.x == pytest.approx(5.0)
    places = {(p.position.x, p.position.y) for p in thing.kinematics.predicted_paths[0].path}
    assert places == {(-5.0, 0.0)}  # of unknown velocity: it stays


def test_a_path_holds_no_more_poses_than_the_interface():
    array = predicted_objects_message(objects(), HEADER, SESSION, 20.0, 0.05)
    assert {len(o.kinematics.predicted_paths[0].path) for o in array.objects} == {100}
