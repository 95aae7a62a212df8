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

"""Messages of this directory's tests: clouds of any layout, bags of a few records."""

from types import SimpleNamespace as Values

import numpy as np
import pytest

from mm_fusion.calibration import Calibration, Camera
from mm_fusion.geometry.rigid import compose, rotation_from_rpy
from mm_fusion.objects import CLASSES, Objects, Truth
from mm_fusion.recordings.recording import SENSORS, RecordedFrame, camera_sensor
from mm_fusion.recordings.vehicle import DEFAULT_STD_MPS
from mm_fusion.records import CameraImage, GpsFix, ImuSample, LidarScan, RadarScan, TwistSample

STAMP_NS = 1_700_000_000_123_456_789
CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def stamped(stamp_ns=STAMP_NS, frame="lidar"):
    sec, nanosec = divmod(stamp_ns, 10**9)
    return Values(stamp=Values(sec=sec, nanosec=nanosec), frame_id=frame)


def cloud(columns, *, kinds=None, order="<", gap=0, rows=1, row_gap=0, stamp_ns=STAMP_NS):
    """Lay columns out as a driver might: any types, byte order, gaps in points and in rows."""
    kinds = kinds or {}
    count = len(next(iter(columns.values())))
    offsets, at = [], gap
    for name in columns:
        offsets.append(at)
        at += np.dtype(kinds.get(name, "f4")).itemsize + gap
    formats = [order + kinds.get(name, "f4") for name in columns]
    layout = {"names": list(columns), "formats": formats, "offsets": offsets, "itemsize": at}
    table = np.zeros(count, np.dtype(layout))
    for name, values in columns.items():
        table[name] = values
    width = count // rows
    lines = np.frombuffer(table.tobytes(), np.uint8).reshape(rows, width * at)
    lines = np.pad(lines, ((0, 0), (0, row_gap)), constant_values=0xFF)
    return Values(
        header=stamped(stamp_ns),
        height=rows,
        width=width,
        fields=[
            Values(name=n, offset=o, datatype=CODES[kinds.get(n, "f4")], count=1)
            for n, o in zip(columns, offsets, strict=True)
        ],
        is_bigendian=order == ">",
        point_step=at,
        row_step=width * at + row_gap,
        data=lines.tobytes(),
        is_dense=True,
    )


class Drive:
    """Three moments of every kind of sensor, the radar moved after the first."""

    layout = "drive"
    result_frame = "base_link"
    sensors = (
        *(SENSORS[k] for k in ("lidar", "radar", "gps", "imu", "twist")),
        camera_sensor("camera"),
    )

    def __init__(self, count=3, image=None):
        self._count = count
        self._image = image or (
            lambda stamp_ns: CameraImage(
                stamp_ns=stamp_ns,
                data=np.frombuffer(b"\xff\xd8\xff\xe0 bytes", np.uint8),
                encoding="jpeg",
            )
        )

    def __len__(self):
        return self._count

    def frames(self, tokens=None):
        for k in range(self._count):
            yield self._frame(k)

    def _frame(self, k):
        stamp_ns = STAMP_NS + k * 100_000_000
        rng = np.random.default_rng(k)
        lidar = LidarScan(
            stamp_ns=stamp_ns,
            points_lidar=rng.normal(0, 20, (50, 3)).astype(np.float32),
            intensity=rng.random(50).astype(np.float32),
            offset_s=np.linspace(-0.05, 0.05, 50).astype(np.float32),
            ring=np.arange(50).astype(np.uint16),
        )
        radar = RadarScan(
            stamp_ns=stamp_ns + 7_000_000,
            points_radar=rng.normal(0, 20, (9, 3)).astype(np.float32),
            range_rate_mps=rng.normal(0, 5, 9).astype(np.float32),
            rcs_dbsm=rng.normal(0, 9, 9).astype(np.float32),
        )
        fix = GpsFix(
            stamp_ns=stamp_ns - 40_000_000,
            latitude_rad=0.8,
            longitude_rad=0.2,
            altitude_m=100.0 + k,
            covariance_enu=np.diag([1.0, 2.0, 4.0]),
        )
        imu = ImuSample(
            stamp_ns=stamp_ns - 30_000_000,
            angular_velocity_radps=np.array([0.0, 0.1, 0.2]),
            linear_acceleration_mps2=np.array([0.5, 0.0, 9.81]),
            orientation_wxyz=None if k else np.array([0.8, 0, 0, 0.6]),
        )
        twist = TwistSample(
            stamp_ns=stamp_ns - 20_000_000,
            linear_ego=np.array([8.0, 0, 0]),
            angular_ego=np.full(3, np.nan),
            linear_std_mps=DEFAULT_STD_MPS,
        )
        return RecordedFrame(
            token=f"{k:06d}",
            stamp_ns=stamp_ns,
            records={"lidar": lidar, "radar": radar, "camera": self._image(stamp_ns + 5_000_000)},
            motion=(("gps", fix), ("imu", imu), ("twist", twist)),
            calibration=rig(radar_x_m=3.5 if k == 0 else 3.6),
            truth=labels(k),
            result_from_ego=np.eye(4),
        )


def rig(radar_x_m=3.5):
    optical = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    camera = Camera(
        name="camera",
        image_from_camera=np.array([[700.0, 0, 320], [0, 710, 240], [0, 0, 1]]),
        ego_from_camera=compose(optical, np.array([1.6, 0.1, 1.5])),
        size_px=(640, 480),
        distortion_model="plumb_bob",
        distortion=(0.1, -0.05, 0.001, 0.002, 0.0),
    )
    return Calibration(
        cameras={"camera": camera},
        ego_from={
            "lidar": compose(rotation_from_rpy(0.01, 0.02, 0.3), np.array([1.0, 0, 1.9])),
            "radar": compose(np.eye(3), np.array([radar_x_m, 0, 0.5])),
            "gps": compose(np.eye(3), np.array([-0.5, 0, 1.6])),
            "imu": compose(np.eye(3), np.array([0.0, 0, 0.8])),
        },
    )


def labels(k):
    boxes = np.array([[10.0 + k, 2, 0.8, 4.5, 1.8, 1.6, 0.3], [20, -3, 0.9, 0.8, 0.7, 1.8, -3.0]])
    classes = np.array([CLASSES.index("car"), CLASSES.index("pedestrian")])
    return Truth(
        objects=Objects.of_boxes(boxes, labels=classes, ids=np.array([7, -1])),
        occlusion=np.array([1, -1]),
        azimuth_limit_rad=0.9,
        ignored=Objects.of_boxes([[40.0, 0, 1, 4, 2, 2, 0]]),
    )


@pytest.fixture
def make_cloud():
    return cloud


@pytest.fixture
def make_drive():
    return Drive


@pytest.fixture
def drive():
    return Drive()


@pytest.fixture
def header_at():
    return stamped
