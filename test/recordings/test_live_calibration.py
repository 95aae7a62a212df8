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

"""What is known of the sensors' places, as messages come."""

from types import SimpleNamespace as Values

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.geometry.rigid import compose
from mm_fusion.recordings.live_calibration import LiveCalibration, same_calibration

LIDAR = SensorConfig(name="lidar", kind="lidar", topic="points")
CAMERA = SensorConfig(name="front", kind="camera", topic="image")
TWIST = SensorConfig(name="twist", kind="twist", topic="twist")


def live(*sensors, given=None):
    config = FusionConfig(sensors=sensors or (LIDAR,))
    return LiveCalibration(config, Calibration() if given is None else given)


def moved(parent, child, x, quaternion=(0.0, 0.0, 0.0, 1.0)):
    qx, qy, qz, qw = quaternion
    transform = Values(
        translation=Values(x=x, y=0.0, z=0.0), rotation=Values(x=qx, y=qy, z=qz, w=qw)
    )
    header = Values(frame_id=parent, stamp=Values(sec=1, nanosec=0))
    return Values(header=header, child_frame_id=child, transform=transform)


def transforms(*edges):
    return Values(transforms=list(edges))


def info(frame="optical", focal=100.0, width=64, distortion=()):
    return Values(
        header=Values(frame_id=frame, stamp=Values(sec=1, nanosec=0)),
        width=width,
        height=48,
        distortion_model="plumb_bob",
        d=list(distortion),
        k=[focal, 0, 32, 0, focal, 24, 0, 0, 1],
        binning_x=0,
        binning_y=0,
        roi=Values(x_offset=0, y_offset=0, width=0, height=0),
    )


def test_a_place_is_the_way_through_the_tree_to_the_frame_of_the_messages():
    known = live()
    known.note_frame("lidar", "lidar_link")
    known.note_transforms(
        transforms(moved("base_link", "roof", 1.0), moved("roof", "lidar_link", 0.5))
    )
    assert_allclose(known.refresh().ego_from["lidar"], compose(np.eye(3), np.array([1.5, 0, 0])))
    assert known.troubles == {}


def test_nothing_new_is_no_calibration():
    known = live()
    known.note_frame("lidar", "lidar_link")
    known.note_transforms(transforms(moved("base_link", "lidar_link", 1.0)))
    assert known.refresh() is not None
    assert known.refresh() is None
    known.note_transforms(transforms(moved("base_link", "lidar_link", 1.0)))  # the same again
    assert known.refresh() is None


def test_a_sensor_that_is_moved_makes_a_new_one():
    known = live()
    known.note_frame("lidar", "lidar_link")
    known.note_transforms(transforms(moved("base_link", "lidar_link", 1.0)))
    known.refresh()
    known.note_transforms(transforms(moved("base_link", "lidar_link", 1.2)))
    assert known.refresh().ego_from["lidar"][0, 3] == 1.2


def test_a_sensor_whose_frame_is_not_known_yet_is_a_trouble_with_its_reason():
    known = live()
    assert known.refresh() is None
    assert (
        "its messages name no frame (header.frame_id is empty); set sensor.lidar.frame"
        in (known.troubles["lidar"])
    )
    known.note_frame("lidar", "lidar_link")
    assert known.refresh() is None
    assert "nothing is known of 'lidar_link'" in known.troubles["lidar"]
    known.note_transforms(transforms(moved("base_link", "lidar_link", 1.0)))
    assert known.refresh() is not None
    assert known.troubles == {}


def test_the_first_frame_named_holds():
    known = live()
    known.note_frame("lidar", "one")
    known.note_frame("lidar", "other")
    known.note_transforms(
        transforms(moved("base_link", "one", 1.0), moved("base_link", "other", 2.0))
    )
    assert known.refresh().ego_from["lidar"][0, 3] == 1.0


def test_the_setting_overrules_the_header():
    known = live(SensorConfig(name="lidar", kind="lidar", topic="p", frame="/mine"))
    known.note_frame("lidar", "theirs")
    known.note_transforms(
        transforms(moved("base_link", "mine", 3.0), moved("base_link", "theirs", 2.0))
    )
    assert known.refresh().ego_from["lidar"][0, 3] == 3.0


def test_a_leading_slash_means_nothing():
    known = live()
    known.note_frame("lidar", "lidar_link")
    known.note_transforms(transforms(moved("/base_link", "/lidar_link", 1.0)))
    assert known.refresh() is not None


def test_our_own_pose_is_not_taken_for_a_mounting():
    known = live()
    known.note_frame("lidar", "base_link")
    known.refresh()
    known.note_transforms(transforms(moved("map", "base_link", 500.0)))
    assert known.refresh() is None


def test_a_camera_needs_its_info_and_its_place():
    known = live(CAMERA)
    known.note_transforms(transforms(moved("base_link", "optical", 1.0)))
    assert known.refresh() is None
    assert known.troubles == {"front": "no CameraInfo"}
    known.note_info("front", info())
    camera = known.refresh().cameras["front"]
    assert camera.size_px == (64, 48)
    assert camera.image_from_camera[0, 0] == 100
    assert_allclose(camera.ego_from_camera[0, 3], 1.0)


def test_an_info_that_changes_makes_a_new_calibration_and_the_same_one_none():
    known = live(CAMERA)
    known.note_transforms(transforms(moved("base_link", "optical", 1.0)))
    known.note_info("front", info())
    known.refresh()
    known.note_info("front", info())
    assert known.refresh() is None
    known.note_info("front", info(focal=120.0))
    assert known.refresh().cameras["front"].image_from_camera[0, 0] == 120


def test_an_uncalibrated_camera_is_a_trouble_and_the_others_go_on():
    known = live(CAMERA, LIDAR)
    known.note_transforms(
        transforms(moved("base_link", "optical", 1.0), moved("base_link", "l", 1.0))
    )
    known.note_frame("lidar", "l")
    known.note_info("front", info(focal=0.0))
    found = known.refresh()
    assert "lidar" in found.ego_from
    assert "front" not in found.cameras
    assert "not calibrated" in known.troubles["front"]


def test_the_file_wins_over_messages():
    given = Calibration(
        cameras={
            "front": Camera(
                name="front",
                image_from_camera=np.array([[77.0, 0, 32], [0, 77, 24], [0, 0, 1]]),
                ego_from_camera=np.eye(4),
                size_px=(64, 48),
            )
        },
        ego_from={"lidar": compose(np.eye(3), np.array([9.0, 0, 0]))},
    )
    known = live(CAMERA, LIDAR, given=given)
    known.note_frame("lidar", "l")
    known.note_info("front", info())
    known.note_transforms(
        transforms(moved("base_link", "optical", 1.0), moved("base_link", "l", 1.0))
    )
    found = known.refresh()
    assert found.ego_from["lidar"][0, 3] == 9.0
    assert found.cameras["front"].image_from_camera[0, 0] == 77


def test_the_file_may_place_a_camera_whose_lens_only_its_info_knows():
    given = Calibration(ego_from={"front": compose(np.eye(3), np.array([1.5, 0, 1]))})
    known = live(CAMERA, given=given)
    known.note_info("front", info())
    camera = known.refresh().cameras["front"]
    assert camera.ego_from_camera[0, 3] == 1.5
    assert camera.image_from_camera[0, 0] == 100


@pytest.mark.parametrize(
    "broken",
    [
        moved("base_link", "lidar_link", float("nan")),
        moved("base_link", "lidar_link", 1.0, quaternion=(0.0, 0.0, 0.0, 0.0)),
        moved("base_link", "base_link", 1.0),
    ],
    ids=["nan", "no rotation", "in itself"],
)
def test_a_malformed_transform_is_counted_and_left_out(broken):
    known = live()
    known.note_frame("lidar", "lidar_link")
    known.note_transforms(transforms(broken))
    known.note_transforms(transforms(broken))
    assert sum(known.rejected.values()) == 2
    assert len(known.rejected) == 1
    assert known.refresh() is None


def test_a_malformed_transform_does_not_take_the_others_of_its_message_with_it():
    known = live()
    known.note_frame("lidar", "lidar_link")
    known.note_transforms(
        transforms(moved("base_link", "x", float("nan")), moved("base_link", "lidar_link", 1.0))
    )
    assert known.refresh().ego_from["lidar"][0, 3] == 1.0
    assert sum(known.rejected.values()) == 1


def test_what_speaks_of_the_vehicle_itself_needs_no_place():
    known = live(LIDAR, TWIST)
    known.refresh()
    assert list(known.troubles) == ["lidar"]


def test_calibrations_are_the_same_when_they_say_the_same():
    def one(x, focal=100.0):
        camera = Camera(
            name="front",
            image_from_camera=np.array([[focal, 0, 32], [0, focal, 24], [0, 0, 1]]),
            ego_from_camera=np.eye(4),
            size_px=(64, 48),
        )
        place = compose(np.eye(3), np.array([x, 0, 0]))
        return Calibration(cameras={"front": camera}, ego_from={"lidar": place})

    assert same_calibration(one(1.0), one(1.0))
    assert not same_calibration(one(1.0), one(1.1))
    assert not same_calibration(one(1.0), one(1.0, focal=101.0))
    assert not same_calibration(one(1.0), Calibration())
    assert not same_calibration(one(1.0), Calibration(cameras=one(1.0).cameras))
