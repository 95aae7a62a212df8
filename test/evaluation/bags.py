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

"""Small bags for `check`: eleven moments of a vehicle without a fault, for tests to break."""

from dataclasses import replace

import numpy as np

from mm_fusion.calibration import Camera
from mm_fusion.geometry.rigid import compose
from mm_fusion.recordings.bag import STATIC_TRANSFORMS, TRANSFORMS
from mm_fusion.recordings.encode import info_of, message_of
from mm_fusion.recordings.message_parts import header, part, transform
from mm_fusion.records import CameraImage, LidarScan, RadarScan, TwistSample

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
LIDAR, CAMERA, INFO = "/lidar/points", "/front/image", "/front/camera_info"
RADAR, TWIST = "/radar/points", "/twist"
OPTICAL = compose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0, 1.5]))
FRONT = Camera(
    name="front",
    image_from_camera=np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]),
    ego_from_camera=OPTICAL,
    size_px=(64, 48),
)


def scan(stamp_ns, points=((10.0, 1, 1.5),) * 4):
    count = len(points)
    return LidarScan(
        stamp_ns=stamp_ns,
        points_lidar=np.array(points, np.float32).reshape(-1, 3),
        intensity=np.full(count, 0.5, np.float32),
        offset_s=np.linspace(0, 0.05, count, dtype=np.float32),
    )


def image(stamp_ns, width=64, height=48):
    pixels = np.full(width * height, 90, np.uint8)
    return CameraImage(
        stamp_ns=stamp_ns, data=pixels, encoding="mono8", width=width, height=height, step=width
    )


def returns(stamp_ns, count=3):
    return RadarScan(
        stamp_ns=stamp_ns,
        points_radar=np.tile(np.float32([20, 2, 1.5]), (count, 1)),
        range_rate_mps=np.zeros(count, np.float32),
        rcs_dbsm=np.zeros(count, np.float32),
    )


def placed(**places):
    edges = [transform("base_link", frame, at, START_NS) for frame, at in places.items()]
    return TRANSFORMS, part(TRANSFORMS, transforms=edges)


def sound(period_ms=100):
    """Topic -> [log time, message type, message]: eleven moments of a vehicle without a fault."""
    times = [START_NS + k * period_ms * MS for k in range(11)]
    twist = {
        t: TwistSample(stamp_ns=t, linear_ego=np.zeros(3), angular_ego=np.zeros(3)) for t in times
    }
    return {
        STATIC_TRANSFORMS: [[START_NS, *placed(lidar=np.eye(4), radar=np.eye(4), front=OPTICAL)]],
        LIDAR: [[t, *message_of(scan(t), "lidar")] for t in times],
        RADAR: [[t, *message_of(returns(t), "radar")] for t in times],
        CAMERA: [[t, *message_of(image(t), "front")] for t in times],
        INFO: [[t, *info_of(FRONT, t, "front")] for t in times],
        TWIST: [[t, *message_of(twist[t], "base_link")] for t in times],
    }


def changed(message, **values):
    """Return a message with some of its fields replaced."""
    return replace(message, **values)


def stamped_at(row, stamp_ns):
    row[2] = changed(row[2], header=header(stamp_ns, row[2].header.frame_id))


def write(writer, topics):
    """Write the rows of every topic, in the order of the log."""
    rows = [(row[0], topic, *row[1:]) for topic, rows in topics.items() for row in rows]
    for log_ns, topic, kind, message in sorted(rows, key=lambda row: row[0]):
        writer.write(topic, kind, message, log_ns)


class Checked:
    """The report of a bag, and its sentences by severity and by what they are about."""

    def __init__(self, report):
        self.report = report
        self.figures = {f.topic: f for f in report.figures}

    def said(self, severity=None, about=None):
        return [
            f.text
            for f in self.report.findings
            if severity in (None, f.severity) and about in (None, f.about)
        ]
