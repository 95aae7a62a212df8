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


import math

import numpy as np
import pytest

pytest.importorskip("diagnostic_msgs")

from collections import Counter

from diagnostic_msgs.msg import DiagnosticStatus

from mm_fusion.config import FusionConfig, SensorConfig, SyncConfig
from mm_fusion.records import LidarScan, SensorFrame
from mm_fusion.ros.diagnostics import Arrivals, SensorHealth, Spread, StageClock
from mm_fusion.ros.statuses import SensorReport, stage_statuses
from mm_fusion.sync.stats import StreamState

S = 1_000_000_000


def spread_of(durations_ms):
    spread = Spread()
    for duration_ms in durations_ms:
        spread.note(duration_ms)
    return spread


def test_quantiles_of_a_spread_are_within_half_a_percent():
    durations = np.random.default_rng(0).lognormal(2.0, 1.0, 5000)
    spread = spread_of(durations)
    for share in (0.05, 0.5, 0.95, 0.99):
        exact = np.sort(durations)[math.ceil(share * len(durations)) - 1]
        assert spread.quantile_ms(share) == pytest.approx(exact, rel=0.005)
    assert spread.max_ms == durations.max()


def test_a_spread_of_one_is_that_one_and_of_none_is_nan():
    assert spread_of([20.0]).quantile_ms(0.95) == pytest.approx(20.0, rel=0.003)
    assert math.isnan(Spread().quantile_ms(0.5))
    assert Spread().values() == {"p50_ms": "nan", "p95_ms": "nan", "max_ms": "nan"}


def test_a_spread_takes_what_is_shorter_or_longer_than_its_bins():
    spread = spread_of([0.0, 1e9])
    assert spread.count == 2
    assert spread.max_ms == 1e9
    assert spread.quantile_ms(0.5) < 0.011


def test_the_stage_clock_counts_stages_by_name_also_when_they_raise():
    clock = StageClock()
    with clock("align"):
        pass
    with pytest.raises(ValueError, match="no"), clock("align"):
        raise ValueError("no")
    assert clock.spreads["align"].count == 2
    (status,) = stage_statuses("fusion", clock.spreads)
    assert status.name == "fusion: stage align"
    assert {v.key: v.value for v in status.values}["count"] == "2"


def scan(stamp_ns):
    none = np.zeros(0, np.float32)
    return LidarScan(
        stamp_ns=stamp_ns, points_lidar=np.zeros((0, 3), np.float32), intensity=none, offset_s=none
    )


def test_a_frame_arrived_when_the_last_of_its_records_did():
    arrivals = Arrivals()
    arrivals.note("lidar", 100, 1000)
    arrivals.note("roof", 90, 3000)
    arrivals.note("roof", 190, 9000)
    frame = SensorFrame(
        stamp_ns=100, reference="lidar", records={"lidar": scan(100), "roof": scan(90)}
    )
    assert arrivals.last_of(frame) == 3000
    assert arrivals.last_of(SensorFrame(stamp_ns=5, reference="x", records={"x": scan(5)})) is None


SENSOR = SensorConfig(name="lidar", kind="lidar", topic="lidar/points")
CONFIG = FusionConfig(sensors=(SENSOR,), sync=SyncConfig(silence_s=0.5))


def state_of(**changes):
    values = {
        "kind": "lidar",
        "alive": True,
        "is_reference": True,
        "stamp_ns": S,
        "age_s": 0.05,
        "rate_hz": 10.0,
        "jitter_s": 0.0,
        "received": 0,
        "used": 0,
        "waiting": 0,
        "dropped": {},
        "why": "",
    }
    return StreamState(**(values | changes))


def heard(count, period_s=0.1, **changes):
    """A sensor that was heard some times, the last time at one second."""
    health = SensorHealth(topic="/lidar/points", msgtype="sensor_msgs/msg/PointCloud2")
    for turn in range(count):
        health.note_message(round((1 - (count - 1 - turn) * period_s) * S))
        health.decoded += 1
    for name, value in changes.items():
        setattr(health, name, value)
    return health


def status_of(health, state=None, place="", now_s=1.05, report=None):
    report = report or SensorReport("fusion", SENSOR, CONFIG)
    return report.status(health, state or state_of(), place, round(now_s * S))


def test_a_sensor_that_is_well_is_ok_with_its_figures():
    state = state_of(received=11, used=10, dropped={"late": 1})
    status = status_of(heard(11, lost=Counter(unusable=2)), state)
    assert (status.name, status.level) == ("fusion: lidar", DiagnosticStatus.OK)
    values = {v.key: v.value for v in status.values}
    assert values["topic"] == "/lidar/points"
    assert float(values["rate_hz"]) == pytest.approx(10)
    assert float(values["age_s"]) == pytest.approx(0.05)
    assert (values["received"], values["used"], values["dropped"]) == ("11", "10", "3")
    assert (values["dropped: late"], values["dropped: unusable"]) == ("1", "2")


@pytest.mark.parametrize(
    ("health", "place", "now_s", "sentence"),
    [
        (heard(0, trouble="no publisher on /lidar/points"), "", 9, "no publisher on /lidar/points"),
        (heard(0), "", 9, "no message yet on /lidar/points"),
        (
            heard(0, lost=Counter({"publisher with incompatible durability": 1})),
            "",
            9,
            "publisher with incompatible durability on /lidar/points",
        ),
        (heard(5), "", 1.6, "silent for 0.6 s on /lidar/points"),
        (heard(5, trouble="no publisher on /lidar/points"), "", 3, "no publisher on /lidar/points"),
        (heard(5, last_error="no x"), "", 1.1, "the newest message cannot be used: no x"),
        (heard(5), "no transform from a to b", 1.1, "no transform from a to b"),
    ],
)
def test_a_sensor_in_trouble_says_which(health, place, now_s, sentence):
    status = status_of(health, place=place, now_s=now_s)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == sentence


def test_a_slow_sensor_is_not_silent_between_two_of_its_messages():
    assert status_of(heard(3, period_s=1.0), now_s=2.2).level == DiagnosticStatus.OK
    assert status_of(heard(3, period_s=1.0), now_s=3.6).level == DiagnosticStatus.ERROR


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("unmatched", "match no frame's within 0.06 s; check its clock, sensor.lidar.offset_s"),
        ("late", "raise sync.deadline_s"),
        ("clock differs", "far from those of the other sensors"),
    ],
)
def test_a_sensor_of_which_nothing_is_used_says_why(reason, sentence):
    report = SensorReport("fusion", SENSOR, CONFIG)
    good = state_of(received=10, used=10)
    assert status_of(heard(5), good, report=report).level == DiagnosticStatus.OK
    bad = state_of(received=15, used=10, dropped={reason: 5})
    status = status_of(heard(5), bad, report=report)
    assert status.level == DiagnosticStatus.ERROR
    assert sentence in status.message


def test_an_unplaced_gps_is_a_warning_only():
    gps = SensorConfig(name="gps", kind="gps", topic="gps/fix")
    report = SensorReport("fusion", gps, CONFIG)
    status = report.status(heard(5), None, "no transform from gps to base_link", round(1.05 * S))
    assert status.level == DiagnosticStatus.WARN
    assert {v.key: v.value for v in status.values}["used"] == "5"
