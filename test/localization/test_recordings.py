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

"""Real drives: the pose against the reference that came with them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from drives import heading, made, ns

from mm_fusion.calibration import Calibration
from mm_fusion.geometry.geodesy import LocalTangentPlane, geodetic_from_ecef
from mm_fusion.geometry.rigid import compose, invert, rotation_from_quaternion
from mm_fusion.recordings.kitti import KittiRaw
from mm_fusion.records import GpsFix, ImuSample, TwistSample

SETTLED_S = 5.0
CAMERA = np.array([1.6, 0.0, 1.2])  # m, about where comma2k19's device is behind the windscreen


def folder(data, name):
    if not (data / name).is_dir():
        pytest.skip(f"{data} holds no {name}")
    return data / name


@pytest.fixture(scope="module")
def highway(data):
    """comma2k19: log(name) -> stamps (s) and values, and the camera's reference (s, ECEF)."""
    root = folder(data, "comma2k19_example1_40")

    def log(name):
        return np.load(root / "processed_log" / name / "t"), np.load(
            root / "processed_log" / name / "value"
        )

    reference = [np.load(root / "global_pose" / f"frame_{n}") for n in ("times", "positions")]
    return log, reference


def fixes_of(log, every):
    """The receiver states no covariance."""
    stamps, rows = log("GNSS/live_gnss_ublox")
    for t, (latitude, longitude, _, _, altitude, _) in zip(
        stamps[::every], rows[::every], strict=True
    ):
        yield GpsFix(
            stamp_ns=ns(t),
            latitude_rad=math.radians(latitude),
            longitude_rad=math.radians(longitude),
            altitude_m=altitude,
            covariance_enu=np.zeros((3, 3)),
        )


def samples_of(log):
    """Every third of them: 33 Hz."""
    stamps, forces = log("IMU/accelerometer")
    turns = log("IMU/gyro")[1]
    for t, force, turn in zip(stamps[::3], forces[::3], turns[::3], strict=True):
        yield ImuSample(stamp_ns=ns(t), angular_velocity_radps=turn, linear_acceleration_mps2=force)


def speeds_of(log):
    """Every fourth of them: 20 Hz."""
    stamps, speeds = log("CAN/speed")
    for t, (mps,) in zip(stamps[::4], speeds[::4], strict=True):
        linear = np.array([mps, 0.0, 0.0])
        yield TwistSample(stamp_ns=ns(t), linear_ego=linear, angular_ego=np.full(3, np.nan))


def highway_records(log, sensors, every):
    """(stream, record) in order of stamps."""
    read = {"gps": fixes_of(log, every), "imu": samples_of(log), "twist": speeds_of(log)}
    rows = [(stream, record) for stream in sensors for record in read[stream]]
    return sorted(rows, key=lambda row: row[1].stamp_ns)


def highway_errors(highway, sensors, every=1):
    """How far the camera is from its reference, (N,) m across the map; once settled."""
    log, (times, places) = highway
    down = compose(np.diag([1.0, -1.0, -1.0]), CAMERA)  # axes forward, right, down
    localizer = made()
    localizer.calibrate(Calibration(ego_from={"gps": compose(np.eye(3), CAMERA), "imu": down}), ())
    records, at, found = highway_records(log, sensors, every), 0, []
    for t, place in zip(times, places, strict=True):
        while at < len(records) and records[at][1].stamp_ns <= ns(t):
            localizer.observe(*records[at])
            at += 1
        if t > times[0] + SETTLED_S:
            pose = localizer.pose_at(ns(t)).map_from_ego
            plane = LocalTangentPlane(*localizer.datum)
            found.append(
                pose[:3, :3] @ CAMERA + pose[:3, 3] - plane.enu(*geodetic_from_ecef(place))
            )
    return np.linalg.norm(np.array(found)[:, :2], axis=1)


@pytest.mark.parametrize(
    ("sensors", "every", "mean_m", "worst_m"),
    [
        ({"gps"}, 1, 1.7, 3.0),
        ({"gps", "imu", "twist"}, 1, 1.8, 2.6),
        ({"gps", "imu", "twist"}, 10, 1.9, 3.0),  # a fix a second
    ],
)
def test_on_the_highway_the_pose_is_as_good_as_the_receiver(
    highway, sensors, every, mean_m, worst_m
):
    # the receiver itself is 1.45 m off on average, 2.46 m at most: it lags, and is off to one side
    off_m = highway_errors(highway, sensors, every)
    assert off_m.mean() < mean_m
    assert off_m.max() < worst_m


@pytest.fixture(scope="module", params=["0009", "0104"])
def town(request, data):
    """The frames of a KITTI drive: what the unit said; its pose is the reference."""
    drive = folder(data, "kitti_raw") / f"2011_09_26_drive_{request.param}_sync"
    return list(KittiRaw(drive).frames())


class Town:
    """A drive's plane, true poses in it, and fixes with noise of our own."""

    def __init__(self, frames, std_m):
        fix = dict(frames[0].motion)["gps"]
        self.plane = LocalTangentPlane(fix.latitude_rad, fix.longitude_rad, fix.altitude_m)
        self._stds_m = std_m * np.array([1.0, 1.0, 2.0])
        self._rng = np.random.default_rng(0)

    def pose(self, frame):
        motion = dict(frame.motion)
        fix, wxyz = motion["gps"], motion["imu"].orientation_wxyz
        place = self.plane.enu(fix.latitude_rad, fix.longitude_rad, fix.altitude_m)
        map_from_imu = compose(rotation_from_quaternion(wxyz), place)
        return map_from_imu @ invert(frame.calibration.ego_from["imu"])

    def noised(self, fix):
        place = self.plane.enu(fix.latitude_rad, fix.longitude_rad, fix.altitude_m)
        noised = self.plane.geodetic(place + self._rng.normal(0, 1, 3) * self._stds_m)
        names = ("latitude_rad", "longitude_rad", "altitude_m")
        return replace(
            fix, covariance_enu=np.diag(self._stds_m**2), **dict(zip(names, noised, strict=True))
        )


def town_errors(frames, sensors, *, every, std_m, oriented=False):
    """How far pose and heading are off once settled: (N,) m across the map, (N,) rad."""
    town, localizer, found = Town(frames, std_m), made(), []
    localizer.calibrate(frames[0].calibration, ())
    for k, frame in enumerate(frames):
        given = dict(frame.motion)
        if not oriented:
            given["imu"] = replace(given["imu"], orientation_wxyz=None)
        given["gps"] = town.noised(given["gps"])
        given["twist"] = replace(given["twist"], angular_ego=np.full(3, np.nan))
        for stream in sensors:
            if stream != "gps" or k % every == 0:
                localizer.observe(stream, given[stream])
        truth, pose = town.pose(frame), localizer.pose_at(frame.stamp_ns).map_from_ego
        there = LocalTangentPlane(*localizer.datum).enu(*town.plane.geodetic(truth[:3, 3]))
        off_rad = abs(math.remainder(heading(pose) - heading(truth), math.tau))
        found.append((np.linalg.norm(pose[:2, 3] - there[:2]), off_rad))
    settled = [f.stamp_ns > frames[0].stamp_ns + ns(SETTLED_S) for f in frames]
    return np.array(found)[settled].T


@pytest.mark.parametrize(
    ("sensors", "oriented", "mean_m", "worst_m"),
    [
        (("imu", "gps"), False, 1.3, 5.0),
        (("imu", "gps"), True, 1.2, 4.0),
        (("imu", "twist", "gps"), False, 1.0, 3.0),
    ],
)
def test_in_town_a_fix_a_second_of_a_metre_is_enough(town, sensors, oriented, mean_m, worst_m):
    off_m, off_rad = town_errors(town, sensors, every=10, std_m=1.0, oriented=oriented)
    assert off_m.mean() < mean_m  # such a fix alone is 1.25 m off, and of up to 10 m ago
    assert off_m.max() < worst_m
    assert off_rad.mean() < 0.045


def test_in_town_good_fixes_make_a_good_pose(town):
    off_m, off_rad = town_errors(town, ("imu", "twist", "gps"), every=1, std_m=0.1)
    assert off_m.mean() < 0.12  # such a fix alone is 0.125 m off
    assert off_m.max() < 0.35
    assert off_rad.mean() < 0.03
