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

"""The synchroniser: matching, deadlines, order, and the books of every record."""

from itertools import pairwise

import numpy as np
import pytest

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.errors import ConfigError
from mm_fusion.records import NS_PER_S, GpsFix
from mm_fusion.sync.synchronizer import FrameSynchronizer

CAMERAS = {f"camera{i}": {} for i in range(6)}
PHASES = (0.009, 0.022, 0.035, 0.049, 0.062, 0.076)  # s, a rig of six at 12 Hz


def six_cameras(stream, **changes):
    rows = stream("lidar", hz=10, **changes)
    for i, phase in enumerate(PHASES):
        rows += stream(f"camera{i}", hz=12, phase=phase, **changes)
    return rows


def nearest(stamps, stamp_ns):
    return min(stamps, key=lambda t: (abs(t - stamp_ns), t))


def test_a_frame_goes_out_as_soon_as_every_living_stream_has_passed_its_stamp(rig):
    r = rig(lidar={}, camera={})
    assert r.add("camera", 0.98) == []
    assert r.add("lidar", 1.00) == []
    (frame,) = r.add("camera", 1.04)
    assert (frame.stamp_ns, frame.reference, frame.missing) == (NS_PER_S, "lidar", {})
    assert frame.records["camera"].stamp_ns == 980_000_000  # 20 ms before, not 40 ms after


def test_of_two_records_as_near_the_older_is_taken(rig):
    r = rig(lidar={}, camera={})
    r.add("camera", 0.98)
    r.add("lidar", 1.00)
    (frame,) = r.add("camera", 1.02)
    assert frame.records["camera"].stamp_ns == 980_000_000


def test_a_record_at_the_very_stamp_releases_the_frame_at_once(rig):
    r = rig(lidar={}, camera={})
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.0)
    assert set(frame.records) == {"lidar", "camera"}


def test_every_lidar_scan_becomes_a_frame_with_the_nearest_of_each_camera(rig, stream):
    r = rig(lidar={}, **CAMERAS)
    rows = six_cameras(stream)
    frames = r.play(rows) + r.flush(22.0)
    assert [f.stamp_ns for f in frames] == [
        round(t * NS_PER_S) for _, s, t in sorted(rows) if s == "lidar"
    ]
    stamps = {name: [round(t * NS_PER_S) for _, s, t in rows if s == name] for name in CAMERAS}
    for frame in frames[1:-1]:
        for name in CAMERAS:
            assert frame.records[name].stamp_ns == nearest(stamps[name], frame.stamp_ns)
    assert sum(not frame.missing for frame in frames) >= len(frames) - 1


@pytest.mark.parametrize("seed", range(12))
def test_matches_equal_the_brute_force_nearest_for_any_jittered_rig(rig, stream, seed):
    rng = np.random.default_rng(seed)
    r = rig({"deadline_s": 0.5}, lidar={}, radar={}, camera0={}, camera1={"tolerance_s": 0.03})
    tolerance = {"lidar": 60, "radar": 60, "camera0": 60, "camera1": 30}
    rows = [
        row
        for name in tolerance
        for row in stream(
            name, hz=rng.uniform(8, 30), end=8.0, phase=rng.uniform(0, 0.1), jitter=0.02, rng=rng
        )
    ]
    frames = r.play(rows) + r.flush(10.0)
    stamps = {name: [round(t * NS_PER_S) for _, s, t in rows if s == name] for name in tolerance}
    assert [f.stamp_ns for f in frames] == sorted(stamps["lidar"])
    for frame in frames:
        for name, all_stamps in stamps.items():
            best = nearest(all_stamps, frame.stamp_ns)
            if abs(best - frame.stamp_ns) <= tolerance[name] * 1e6:
                assert frame.records[name].stamp_ns == best
                assert name not in frame.missing
            else:
                assert name in frame.missing
                assert name not in frame.records
    assert r.books_balance()


@pytest.mark.parametrize("seed", range(8))
def test_no_record_is_lost_without_a_counted_reason_whatever_comes(rig, seed):
    rng = np.random.default_rng(seed)
    r = rig(lidar={"required": seed % 2 == 0}, radar={}, camera={"offset_s": 0.02})
    time = 100.0
    for _ in range(3000):
        time += rng.exponential(0.02)
        strange = rng.random()
        stamp = time + rng.normal(0, 0.05)
        if strange < 0.01:
            stamp = rng.choice([0.0, time + 3600, time - 50, 5.0])
        elif strange < 0.013:
            time = rng.choice([100.0, time + 4.0])
        r.add(rng.choice(["lidar", "radar", "camera"]), stamp)
        if strange > 0.95:
            r.flush(time + 0.1)
        assert r.books_balance()
    assert len(r.frames) > 300


def test_output_stamps_rise_strictly_without_a_reset(rig, stream):
    rng = np.random.default_rng(3)
    r = rig(lidar={}, radar={}, camera={})
    rows = []
    for name, hz in (("lidar", 10), ("radar", 13), ("camera", 30)):
        found = stream(name, hz=hz, end=15.0, jitter=0.01, rng=rng)
        dead = sorted(rng.uniform(2, 14, 4))  # two outages each
        found = [
            (a, s, t) for a, s, t in found if not (dead[0] < t < dead[1] or dead[2] < t < dead[3])
        ]
        rows += [(a + rng.uniform(0, 0.15), s, t) for a, s, t in found]
    stamps = [f.stamp_ns for f in r.play(rows)]
    assert r.sync.stats.resets == 0
    assert all(b > a for a, b in pairwise(stamps))
    assert len(stamps) > 100


def test_a_stream_out_of_tolerance_is_missing_and_says_how_far(rig):
    r = rig(lidar={}, camera={})
    r.add("camera", 0.915)
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.2)
    assert frame.missing == {"camera": "nearest record 85 ms away, tolerance 60 ms"}


def test_a_sensor_has_its_own_tolerance(rig):
    r = rig(lidar={}, camera={"tolerance_s": 0.1})
    r.add("camera", 0.915)
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.2)
    assert frame.records["camera"].stamp_ns == 915_000_000


def test_a_streams_offset_is_taken_from_its_stamps_and_from_the_records_of_the_frame(rig):
    r = rig(lidar={}, camera={"offset_s": 0.11})
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.115)
    assert frame.records["camera"].stamp_ns == 1_005_000_000


def test_the_references_offset_is_taken_from_the_frames_stamp(rig):
    r = rig(lidar={"offset_s": -0.05}, camera={})
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.06)
    assert frame.stamp_ns == frame.records["lidar"].stamp_ns == 1_050_000_000


def test_a_slow_streams_record_may_serve_two_frames_and_is_used_once(rig):
    r = rig({"tolerance_s": 0.06}, lidar={}, camera={})
    for stream, t in (("camera", 1.05), ("lidar", 1.0), ("lidar", 1.1), ("camera", 1.3)):
        r.add(stream, t)
    assert [f.records["camera"].stamp_ns for f in r.frames] == [1_050_000_000] * 2
    assert r.sync.stats.streams["camera"].used == 1
    assert r.books_balance()


def test_a_frame_waits_for_a_living_stream_until_the_deadline_in_stream_time(rig):
    r = rig({"deadline_s": 0.12}, lidar={}, radar={}, camera={})
    r.add("camera", 0.99)
    r.add("radar", 0.99)
    r.add("lidar", 1.0)
    assert r.add("radar", 1.07) == []
    (frame,) = r.add("radar", 1.12)  # 1.00 + 0.12: the camera is alive, but waits no longer
    assert frame.records["camera"].stamp_ns == 990_000_000


def test_flush_releases_what_is_past_its_deadline_and_nothing_before(rig):
    r = rig({"deadline_s": 0.12}, lidar={}, camera={})
    r.add("camera", 0.95)
    r.add("lidar", 1.0)
    assert r.flush(1.119) == []
    (frame,) = r.flush(1.12)
    assert frame.records["camera"].stamp_ns == 950_000_000
    assert r.flush(5.0) == []


def test_an_older_now_is_no_harm(rig):
    r = rig(lidar={}, camera={})
    r.add("camera", 0.95)
    r.add("lidar", 1.0)
    assert r.flush(0.0) == []
    assert r.flush(-5.0) == []
    assert len(r.add("camera", 1.01)) == 1


def test_records_swapped_on_their_way_are_put_in_order(rig):
    r = rig(lidar={}, camera={})
    for stream, t in (
        ("lidar", 1.0),
        ("camera", 0.9),
        ("camera", 0.8),
        ("lidar", 1.2),
        ("lidar", 1.1),
    ):
        r.add(stream, t)
    r.add("camera", 1.11)
    r.add("camera", 1.3)
    assert [f.stamp_ns for f in r.frames] == [1_000_000_000, 1_100_000_000, 1_200_000_000]
    assert r.frames[1].records["camera"].stamp_ns == 1_110_000_000


def test_a_record_the_frames_have_passed_is_late(rig):
    r = rig(lidar={}, camera={})
    for stream, t in (("camera", 1.0), ("lidar", 1.0), ("camera", 1.1), ("lidar", 1.1)):
        r.add(stream, t)
    r.add("camera", 1.05)  # both frames it lies between are out
    assert r.sync.stats.streams["camera"].dropped == {"late": 1}
    assert r.books_balance()


def test_the_same_stamp_twice_is_a_duplicate(rig):
    r = rig(lidar={}, camera={})
    r.add("lidar", 1.0)
    r.add("lidar", 1.0)
    assert r.sync.stats.streams["lidar"].dropped == {"duplicate": 1}
    assert len(r.add("camera", 1.0)) == 1


def test_a_stamp_of_zero_is_dropped_and_counted(rig):
    r = rig(lidar={}, camera={})
    r.add("lidar", 0.0)
    assert r.sync.stats.streams["lidar"].dropped == {"stamp is zero": 1}
    assert r.sync.newest_ns is None


def test_no_frame_goes_out_without_a_required_stream_and_it_is_counted(rig, stream):
    r = rig(lidar={}, camera={"required": True})
    frames = r.play(
        stream("lidar", hz=10, end=3.0)
        + stream("camera", hz=10, begin=1.01, end=2.0)
        + stream("camera", hz=10, begin=2.51, end=3.0)
    )
    assert all("camera" in f.records for f in frames)
    assert len(frames) >= 13
    assert r.sync.stats.frames_withheld >= 4
    assert r.books_balance()


def test_faster_streams_leave_unmatched_records_behind_and_buffers_stay_small(rig, stream):
    r = rig(lidar={}, camera={})
    r.play(stream("lidar", hz=10) + stream("camera", hz=30, phase=0.001))
    states = r.sync.stream_states(0)
    assert states["camera"].dropped["unmatched"] == pytest.approx(400, abs=3)  # 600 less 200
    assert states["camera"].waiting <= 6


def test_buffers_are_bounded_in_seconds_where_no_frame_comes(rig, stream):
    r = rig({"reference_priority": ("lidar",), "buffer_s": 1.0}, lidar={}, camera={})
    assert r.play(stream("camera", hz=20)) == []
    state = r.sync.stream_states(0)["camera"]
    assert state.waiting <= 21
    assert state.dropped["expired"] == state.received - state.waiting


def test_gps_and_the_like_are_not_matched():
    sensors = [SensorConfig(name="lidar"), SensorConfig(name="gps", kind="gps")]
    sync = FrameSynchronizer(SyncConfig(), sensors)
    fix = GpsFix(
        stamp_ns=1, latitude_rad=0.0, longitude_rad=0.0, altitude_m=0.0, covariance_enu=np.eye(3)
    )
    with pytest.raises(ConfigError, match="no camera, lidar or radar is named 'gps'"):
        sync.add("gps", fix)


def test_two_lidars_the_first_listed_is_the_reference(rig):
    r = rig(lidar2={}, lidar1={}, camera={})
    for stream in ("camera", "lidar1", "lidar2"):
        r.add(stream, 1.0)
    assert r.frames[0].reference == "lidar2"
    assert set(r.frames[0].records) == {"lidar1", "lidar2", "camera"}


def test_settings_may_change_while_it_runs(rig):
    r = rig(lidar={}, camera={})
    r.sync.retune(SyncConfig(tolerance_s=0.2))
    r.add("camera", 0.85)
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.2)
    assert frame.records["camera"].stamp_ns == 850_000_000


def test_states_tell_rate_jitter_age_and_counts(rig, stream):
    rng = np.random.default_rng(0)
    r = rig(lidar={}, camera={}, radar={})
    r.play(
        stream("lidar", hz=10, end=6.0) + stream("camera", hz=12.5, end=6.0, jitter=0.01, rng=rng)
    )
    states = r.sync.stream_states(round(6.2 * NS_PER_S))
    assert states["lidar"].rate_hz == pytest.approx(10.0, rel=1e-6)
    assert states["lidar"].jitter_s < 1e-6
    assert states["camera"].rate_hz == pytest.approx(12.5, rel=0.05)
    assert 0.002 < states["camera"].jitter_s < 0.02
    assert states["lidar"].age_s == pytest.approx(0.3)
    assert states["lidar"].is_reference
    assert states["lidar"].alive
    assert states["radar"].why == "no record yet"
    assert states["radar"].age_s == float("inf")
    assert r.sync.stream_states(round(8.0 * NS_PER_S))["lidar"].why == "silent for 2.1 s"


def test_reset_forgets_all_but_the_counters(rig):
    r = rig(lidar={}, camera={})
    r.add("lidar", 100.0)
    r.sync.reset()
    assert (r.sync.newest_ns, r.sync.reference, r.sync.stats.resets) == (None, None, 1)
    assert r.sync.stats.streams["lidar"].dropped == {"clock reset": 1}
    r.add("lidar", 1.0)
    (frame,) = r.add("camera", 1.0)
    assert frame.stamp_ns == NS_PER_S
    assert r.books_balance()
