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

"""The covariance is honest: errors over many drives are as large as it says, no larger."""

import math
from dataclasses import replace

import numpy as np
import pytest
from drives import Drive, heading, made, ns, position
from scipy.stats import chi2

NOISE = {
    "gps": 0.5,
    "gyro": 0.01,
    "force": 0.3,
    "twist": 0.5,
    "gyro_bias": 0.02,
    "force_bias": 0.3,
    "wheel_scale": 0.02,
}
DRIVES, AT_S = 12, 7.0


def errors(seed, *, overstated=1.0, **hz):
    """Error squared over variance of position (3 numbers together) and heading (one)."""
    drive = Drive(noise=NOISE, rng=np.random.default_rng(seed))
    localizer = made(accelerometer_std_mps2=0.3)
    for stream, record in drive.records(AT_S, **hz):
        if stream == "gps":
            stated = record.covariance_enu / overstated**2
            localizer.observe(stream, replace(record, covariance_enu=stated))
        else:
            localizer.observe(stream, record)
    pose = localizer.pose_at(ns(AT_S))
    off = position(localizer, AT_S) - drive.pose(AT_S)[:3, 3]
    yaw = math.remainder(heading(pose.map_from_ego) - heading(drive.pose(AT_S)), math.tau)
    covariance = pose.covariance
    return off @ np.linalg.solve(covariance[:3, :3], off), yaw**2 / covariance[5, 5]


@pytest.mark.parametrize("rates", [{"imu": 25, "twist": 10}, {"imu": 25}])
def test_position_and_heading_err_as_much_as_the_covariance_says(rates):
    found = np.array([errors(seed, gps=5, **rates) for seed in range(DRIVES)])
    low, high = chi2.ppf([0.025, 0.975], 3 * DRIVES)  # 21.3 and 54.4 of 36
    assert low < found[:, 0].sum() < high
    low, high = chi2.ppf([0.025, 0.975], DRIVES)  # 4.4 and 23.3 of 12
    assert low < found[:, 1].sum() < high


def test_an_overconfident_covariance_would_be_seen():
    # the same drives, whose fixes are three times worse than they say
    found = [errors(seed, overstated=3.0, gps=5, imu=25, twist=10)[0] for seed in range(DRIVES)]
    assert sum(found) > chi2.ppf(0.975, 3 * DRIVES)
