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

"""Where each sensor is, what its camera info says, and what its scans hold."""

from dataclasses import replace

import numpy as np
import pytest
from bags import (
    CAMERA,
    FRONT,
    INFO,
    LIDAR,
    OPTICAL,
    RADAR,
    START_NS,
    changed,
    placed,
    returns,
    scan,
    sound,
)

from mm_fusion.geometry.rigid import compose
from mm_fusion.recordings.bag import STATIC_TRANSFORMS
from mm_fusion.recordings.encode import info_of, message_of
from mm_fusion.recordings.message_parts import header
from mm_fusion.records import CameraImage


def test_a_frame_id_that_changes(checked):
    topics = sound()
    for row in topics[LIDAR][7:]:
        row[2] = changed(row[2], header=header(row[0], "roof"))
    found = checked(topics)
    (text,) = found.said("warning", "lidar")
    assert "frame_id changes: 'lidar' 7 times, 'roof' 4 times; all are placed as the first" in text
    assert found.figures[LIDAR].frames == ("lidar", "roof")


def test_a_sensor_without_transform(checked):
    topics = sound()
    topics[STATIC_TRANSFORMS] = [[START_NS, *placed(radar=np.eye(4), front=OPTICAL)]]
    found = checked(topics)
    (text,) = found.said("error")
    assert text.startswith("no transform to 'base_link' from 'lidar': nothing is known of 'lidar'")
    assert "frames known: base_link, front, radar" in text
    assert found.report.placed == {CAMERA: True, LIDAR: False, RADAR: True}
    (drawn,) = found.said(about="front_lidar.png")
    assert drawn == "not drawn: lidar has no transform into the vehicle's frame"
    assert [path.name for path in found.report.files] == ["front_radar.png"]


def test_no_transform_at_all_is_one_error(checked):
    topics = sound()
    del topics[STATIC_TRANSFORMS]
    (text,) = checked(topics).said("error")
    assert "no transform speaks of 'base_link', so front, lidar, radar cannot be placed" in text
    assert "nothing was recorded of /tf_static" in text


def test_a_frame_that_nobody_names(checked):
    topics = sound()
    for row in topics[RADAR]:
        row[2] = changed(row[2], header=header(row[0], ""))
    (text,) = checked(topics).said("error", "radar")
    assert "header.frame_id is empty); set sensor.radar.frame" in text


def test_a_camera_without_info(checked):
    topics = sound()
    del topics[INFO]
    found = checked(topics)
    (text,) = found.said("error")
    assert "no CameraInfo: looked for a CameraInfo beside its images" in text
    assert found.report.informed == {CAMERA: False}
    assert found.said(about="front_lidar.png") == ["not drawn: front has no calibration yet"]


@pytest.mark.parametrize(
    ("size", "severity", "said"),
    [
        ((32, 24), "warning", "CameraInfo speaks of 32 x 24 pixels, the images have 64 x 48; the"),
        ((64, 36), "error", "64 x 36 pixels, the images have 64 x 48, of another shape"),
    ],
)
def test_info_of_another_size(checked, size, severity, said):
    topics = sound()
    topics[INFO] = [
        [row[0], *info_of(replace(FRONT, size_px=size), row[0], "front")] for row in topics[INFO]
    ]
    found = checked(topics)
    (text,) = found.said(severity, "front")
    assert said in text
    assert len(found.report.errors) == (severity == "error")


def test_info_of_zeros(checked):
    topics = sound()
    for row in topics[INFO]:
        row[2] = changed(row[2], k=np.zeros(9))
    (text,) = checked(topics).said("error", "front")
    assert "focal lengths [0.0, 0.0] px" in text


def test_info_of_another_frame(checked):
    topics = sound()
    for row in topics[INFO]:
        row[2] = changed(row[2], header=header(row[0], "lidar"))
    (text,) = checked(topics).said("warning", "front")
    assert "its images are of the frame 'front', its CameraInfo is of 'lidar'" in text


@pytest.mark.parametrize(
    ("rotation", "said"),
    [
        (np.eye(3), "has the z axis up, but images want an optical frame"),
        (np.diag([1.0, -1, -1]), "has the z axis down"),
        ([[0, 0, 1], [1, 0, 0], [0, 1, 0]], "has the y axis up, so the camera hangs upside down"),
    ],
)
def test_a_camera_whose_axes_are_not_optical(checked, rotation, said):
    topics = sound()
    wrong = compose(np.array(rotation, float), np.array([0.0, 0, 1.5]))
    topics[STATIC_TRANSFORMS] = [[START_NS, *placed(lidar=np.eye(4), radar=np.eye(4), front=wrong)]]
    (text,) = checked(topics).said("warning", "front")
    assert said in text


def test_a_camera_that_looks_back_and_down_is_sound(checked):
    topics = sound()
    tilt = np.radians(40)  # z backwards and 40 degrees down: its z is -0.64
    down, forward = (
        np.array([np.sin(tilt), 0, -np.cos(tilt)]),
        np.array([-np.cos(tilt), 0, -np.sin(tilt)]),
    )
    rotation = np.column_stack([np.cross(down, forward), down, forward])
    back = compose(rotation, np.array([-1.0, 0, 1]))
    topics[STATIC_TRANSFORMS] = [[START_NS, *placed(lidar=np.eye(4), radar=np.eye(4), front=back)]]
    found = checked(topics)
    assert found.said(about="front") == []
    (text,) = found.said("warning")  # all points lie ahead
    assert "no LiDAR points fall into the image of front" in text


@pytest.mark.parametrize(("blank", "severity"), [(2, "warning"), (11, "error")])
def test_scans_of_nothing_but_nan(checked, blank, severity):
    topics = sound()
    for row in topics[LIDAR][:blank]:
        row[1:] = message_of(scan(row[0], [[np.nan] * 3] * 4), "lidar")
    found = checked(topics)
    (text,) = found.said(severity, "lidar")
    wanted = {
        "warning": "2 of 11 scans hold nothing but NaN or infinity",
        "error": "none of 11 scans holds a point that is a number",
    }
    assert wanted[severity] in text


def test_empty_scans(checked):
    topics = sound()
    for row in topics[LIDAR][:3]:
        row[1:] = message_of(scan(row[0], []), "lidar")
    for row in topics[RADAR]:
        row[1:] = message_of(returns(row[0], 0), "radar")
    found = checked(topics)
    assert found.said("warning", "lidar") == ["3 of 11 scans are empty; see its driver"]
    assert found.said("warning", "radar") == ["none of 11 scans holds a return; see its driver"]


def test_clouds_without_fields_are_remarked_upon(checked):
    topics = sound()
    for row in topics[LIDAR]:
        renamed = {"intensity": "weight", "time": "age"}
        fields = [changed(f, name=renamed.get(f.name, f.name)) for f in row[2].fields]
        row[2] = changed(row[2], fields=fields)
    found = checked(topics)
    texts = found.said("remark", "lidar")
    assert [text[: text.index(";")] for text in texts] == [
        "no field for the intensity of points, so it is zero",
        "no field for the time of points, so scans cannot be deskewed",
    ]
    assert "its cloud has age, weight, x, y, z" in texts[0]
    assert len(found.report.findings) == 2


def test_times_that_fit_no_unit(checked):
    topics = sound()
    for row in topics[LIDAR]:
        whole = replace(scan(row[0]), offset_s=np.float32([0, 1e12, 2e12, 3e12]))
        row[1:] = message_of(whole, "lidar")
    (text,) = checked(topics).said()
    assert "the times of its points fit no unit" in text


def test_a_picture_that_is_none(checked):
    topics = sound()
    for row in topics[CAMERA]:
        data = np.frombuffer(b"\xff\xd8\xff\xe0 bytes", np.uint8)
        row[1:] = message_of(CameraImage(stamp_ns=row[0], data=data, encoding="jpeg"), "front")
    topics["/front/image/compressed"] = topics.pop(CAMERA)
    found = checked(topics)
    (text,) = found.said("error")
    assert "its first image: jpeg image of 10 bytes cannot be decoded" in text
    assert found.said(about="front_radar.png") == [
        "not drawn: jpeg image of 10 bytes cannot be decoded"
    ]
