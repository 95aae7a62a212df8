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

pytest.importorskip("autoware_perception_msgs")

from autoware_perception_msgs.msg import ObjectClassification, Shape
from autoware_perception_msgs.msg import TrackedObjectKinematics as Kinematics
from visualization_msgs.msg import Marker

from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.records import EgoMotion
from mm_fusion.ros.markers import ObjectMarkers
from mm_fusion.ros.object_messages import (
    detections_message,
    header_of,
    odometry_message,
    tracked_objects_message,
    transform_message,
)

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
    first = markers.message(Objects.none(), objects(), HEADER).markers
    assert {(m.ns, m.id) for m in first} == {
        ("tracks", 7),
        ("tracks", 8),
        ("labels", 7),
        ("labels", 8),
        ("velocities", 7),
    }
    assert all(m.action == Marker.ADD and m.lifetime.nanosec > 0 for m in first)
    (word,) = (m for m in first if (m.ns, m.id) == ("labels", 7))
    assert word.text == "car 7 5.1 m/s"  # sqrt(1 + 25) = 5.099
    (arrow,) = (m for m in first if m.ns == "velocities")
    assert (arrow.points[1].x, arrow.points[1].y) == (11.0, 7.0)  # one second on
    second = markers.message(Objects.none(), objects()[1:], HEADER).markers
    gone = {(m.ns, m.id) for m in second if m.action == Marker.DELETE}
    assert gone == {("tracks", 7), ("labels", 7), ("velocities", 7)}
    third = markers.message(Objects.none(), objects()[1:], HEADER).markers
    assert all(m.action == Marker.ADD for m in third)
