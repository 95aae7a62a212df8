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

"""Frames out of records: nearest, partial, on time, whatever is silent or jumps."""

import numpy as np
import pytest

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.records import LidarScan
from mm_fusion.sync.synchronizer import FrameSynchronizer

MS = 1_000_000
START = 1_000_000 * MS  # no stamp is zero


def record(ms):
    empty = np.zeros(0, np.float32)
    return LidarScan(
        stamp_ns=START + round(ms * MS),
        points_lidar=np.zeros((0, 3), np.float32),
        intensity=empty,
        offset_s=empty,
    )


def sensor(name, kind, **settings):
    return SensorConfig(name=name, kind=kind, topic=name, **settings)


LIDAR, FRONT, RADAR = sensor("lidar", "lidar"), sensor("front", "camera"), sensor("radar", "radar")


def make(*sensors, **settings):
    return FrameSynchronizer(SyncConfig(**settings), sensors)


def ms(frame):
    return (frame.stamp_ns - START) / MS


def matched(frame, stream):
    return (frame.records[stream].stamp_ns - START) / MS


def feed(sync, events):
    """Events are (ms, stream) in the order of arrival."""
    return [frame for stamp, stream in events for frame in sync.add(stream, record(stamp))]


def periodic(stream, period, until, phase=0.0, start=0.0):
    return [(t + phase, stream) for t in np.arange(start, until, period)]


def merged(*streams):
    return sorted((event for stream in streams for event in stream), key=lambda e: e[0])


def balanced(sync):
    """Every record received is used, dropped for a reason, or still held."""
    for name, stats in sync.stats.streams.items():
        held = sync._streams[name].buffered + (name in sync._guard.held)
        if stats.received != stats.used + sum(stats.dropped.values()) + held:
            return False
    return True


def test_picks_the_nearer_of_two_images():
    sync = make(LIDAR, FRONT)
    assert sync.add("front", record(80)) == []
    assert sync.add("lidar", record(100)) == []  # an image nearer than 80 may still come
    (frame,) = sync.add("front", record(110))
    assert matched(frame, "front") == 110
    assert frame.reference == "lidar"
    assert frame.missing == {}


def test_an_image_of_the_very_stamp_is_not_waited_past():
    sync = make(LIDAR, FRONT)
    sync.add("front", record(100))
    (frame,) = sync.add("lidar", record(100))
    assert matched(frame, "front") == 100


@pytest.mark.parametrize(("off", "found"), [(60, True), (61, False)])
def test_the_tolerance_is_inclusive(off, found):
    sync = make(LIDAR, FRONT, tolerance_s=0.06)
    sync.add("lidar", record(100))
    (frame,) = sync.add("front", record(100 + off))
    assert ("front" in frame.records) is found
    if not found:
        assert frame.missing == {"front": "nearest record 61 ms away, tolerance 60 ms"}


def test_a_sensor_may_have_its_own_tolerance_and_offset():
    late = sensor("front", "camera", tolerance_s=0.01, offset_s=0.1)
    sync = make(LIDAR, late)
    sync.add("lidar", record(100))
    (frame,) = sync.add("front", record(205))  # its clock is 100 ms ahead: taken at 105
    assert matched(frame, "front") == 105


def test_a_silent_camera_delays_a_scan_no_longer_than_the_deadline():
    sync = make(LIDAR, FRONT, deadline_s=0.12)
    sync.add("front", record(0))
    sync.add("lidar", record(10))
    assert sync.add("lidar", record(110)) == []  # 100 ms past: a camera may still come
    (frame,) = sync.add("lidar", record(130))
    assert ms(frame) == 10
    assert matched(frame, "front") == 0


def test_a_camera_that_died_is_not_waited_for_at_all():
    sync = make(LIDAR, FRONT)
    feed(sync, merged(periodic("lidar", 100, 300), periodic("front", 100, 300)))
    frames = feed(sync, periodic("lidar", 100, 2000, start=300))
    assert [ms(f) for f in frames[-3:]] == [1700, 1800, 1900]
    assert frames[-1].missing["front"].startswith("silent for 1.")
    (frame,) = sync.add("lidar", record(2000))
    assert ms(frame) == 2000  # at once


def test_flush_releases_the_last_frame_and_remembers_nothing():
    sync = make(LIDAR, FRONT, deadline_s=0.12)
    feed(sync, [(0, "front"), (1, "lidar")])
    assert sync.flush(START + 100 * MS) == []
    (frame,) = sync.flush(START + 122 * MS)
    assert ms(frame) == 1
    assert sync.flush(START + 3_600_000 * MS) == []  # a paused bag, an hour long
    sync.add("front", record(100))
    (frame,) = sync.add("lidar", record(100))
    assert ms(frame) == 100


def test_the_radar_takes_over_when_the_lidar_dies_and_hands_back():
    sync = make(LIDAR, RADAR, silence_s=0.5)
    events = merged(
        periodic("radar", 70, 6000, phase=13),
        periodic("lidar", 100, 2000),
        periodic("lidar", 100, 6000, start=4000),
    )
    frames = feed(sync, events)
    stamps = [ms(f) for f in frames]
    assert stamps == sorted(set(stamps))
    reference = {ms(f): f.reference for f in frames}
    dark = [t for t, name in reference.items() if name == "radar"]
    assert 2000 + 500 - 120 - 70 <= min(dark) <= 1900 + 500 + 120
    assert max(dark) <= 4000
    after = [t for t in stamps if t >= 4000]
    assert after[:3] == [4000, 4100, 4200]
    assert max(np.diff(stamps)) <= 500 + 70  # never longer silent than silence_s and a period
    assert sync.stats.takeovers == 2
    assert sync.reference == "lidar"


@pytest.mark.parametrize("alone", [LIDAR, FRONT, RADAR])
def test_any_single_sensor_gives_every_one_of_its_frames(alone):
    sync = make(LIDAR, FRONT, RADAR)
    frames = feed(sync, periodic(alone.name, 100, 3000))
    frames += sync.flush(START + 4000 * MS)
    assert [ms(f) for f in frames] == list(np.arange(0, 3000, 100))
    assert set(frames[-1].missing) == {"lidar", "front", "radar"} - {alone.name}


@pytest.mark.parametrize("dead", ["front", "left", "radar"])
def test_no_silent_stream_costs_a_frame(dead):
    sync = make(LIDAR, FRONT, sensor("left", "camera"), RADAR)
    streams = {
        "lidar": periodic("lidar", 100, 20000),
        "front": periodic("front", 83.3, 20000, 9),
        "left": periodic("left", 83.3, 20000, 41),
        "radar": periodic("radar", 77, 20000, 5),
    }
    del streams[dead]
    frames = feed(sync, merged(*streams.values())) + sync.flush(START + 30000 * MS)
    assert len(frames) == 200


def test_every_match_is_the_nearest_there_was():
    rng = np.random.default_rng(0)
    sync = make(LIDAR, FRONT, RADAR, tolerance_s=0.06, deadline_s=0.5)
    stamps = {
        "lidar": 100.0 * np.arange(100) + rng.uniform(0, 5, 100),
        "front": 83.0 * np.arange(120) + rng.uniform(0, 9, 120),
        "radar": 71.0 * np.arange(140) + rng.uniform(0, 7, 140),
    }
    stamps = {n: np.round(s * MS) / MS for n, s in stamps.items()}
    frames = feed(sync, merged(*([(t, n) for t in s] for n, s in stamps.items())))
    assert len(frames) >= 98
    for frame in frames:
        for name in ("front", "radar"):
            distance = np.abs(stamps[name] - ms(frame)).min()
            if distance <= 60:
                assert abs(matched(frame, name) - ms(frame)) == pytest.approx(distance, abs=1e-5)
            else:
                assert name in frame.missing
    assert balanced(sync)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_without_a_reason(seed):
    rng = np.random.default_rng(seed)
    sync = make(LIDAR, FRONT, RADAR)
    events = merged(
        periodic("lidar", 100, 9000), periodic("front", 33, 9000, 4), periodic("radar", 77, 9000)
    )
    events = [e for e in events if rng.random() > 0.2]  # lost on the way
    order = np.argsort([t + rng.exponential(60) for t, _ in events])  # late and out of order
    frames = feed(sync, [events[k] for k in order])
    stamps = [ms(f) for f in frames]
    assert stamps == sorted(set(stamps))
    assert len(frames) > 60
    assert balanced(sync)


def test_records_out_of_order_are_matched_if_they_can_still_matter():
    sync = make(LIDAR, FRONT)
    sync.add("lidar", record(100))
    sync.add("front", record(60))
    sync.add("front", record(30))  # older than the one before, kept in its place
    (frame,) = sync.add("front", record(160))
    assert matched(frame, "front") == 60
    sync.add("front", record(20))
    assert sync.stats.streams["front"].dropped["late"] == 1


def test_a_second_record_of_the_same_stamp_is_counted():
    sync = make(LIDAR, FRONT)
    sync.add("front", record(10))
    sync.add("front", record(10))
    assert sync.stats.streams["front"].dropped == {"duplicate": 1}


def test_a_stamp_of_zero_is_dropped_with_its_reason():
    sync = make(LIDAR, FRONT)
    assert sync.add("lidar", record(-START / MS)) == []
    assert sync.stats.streams["lidar"].dropped == {"no stamp": 1}


def test_without_a_required_sensor_there_is_no_frame():
    sync = make(LIDAR, sensor("front", "camera", required=True))
    feed(sync, periodic("front", 100, 300))
    frames = feed(sync, periodic("lidar", 100, 3000))
    assert all("front" in f.records for f in frames)
    assert sync.stats.frames_withheld > 20


def test_a_bag_played_three_times_gives_as_many_frames_each_time():
    sync = make(LIDAR, FRONT, RADAR)
    loop = merged(
        periodic("lidar", 100, 20000),
        periodic("front", 33, 20000, 4),
        periodic("radar", 77, 20000, 50),
    )
    counts = [len(feed(sync, loop)) for _ in range(3)]
    assert min(counts) >= 198
    assert max(counts) - min(counts) <= 1
    assert sync.stats.resets == 2
    assert balanced(sync)


def test_a_single_stream_may_loop_too():
    sync = make(LIDAR)
    loop = periodic("lidar", 100, 5000)
    counts = [len(feed(sync, loop)) for _ in range(3)]
    assert counts == [50, 50, 50]


def test_one_broken_stamp_resets_nothing():
    sync = make(LIDAR, FRONT)
    events = merged(periodic("lidar", 100, 3000), periodic("front", 100, 3000, 10))
    events.insert(20, (3_600_000, "front"))  # an hour ahead
    events.insert(31, (-600_000, "lidar"))  # ten minutes back
    frames = feed(sync, events)
    assert len(frames) >= 29
    assert sync.stats.resets == 0
    assert sync.stats.streams["front"].dropped["clock off"] == 1
    assert sync.stats.streams["lidar"].dropped["clock off"] == 1


def test_a_driver_that_restarts_with_a_wrong_clock_loses_only_itself():
    sync = make(LIDAR, FRONT)
    feed(sync, merged(periodic("lidar", 100, 1000), periodic("front", 100, 1000, 10)))
    lidar = periodic("lidar", 100, 5000, start=1000)
    wrong = [(t, ("front", t - 500_000)) for t, _ in periodic("front", 100, 5000, 10, 1000)]
    frames = []
    for _, what in merged([(t, ("lidar", t)) for t, _ in lidar], wrong):
        frames += sync.add(what[0], record(what[1]))
    assert sync.stats.resets == 0
    assert len(frames) >= 39
    assert sync.stats.streams["front"].dropped["clock off"] >= 39


def test_a_recording_with_gaps_has_no_dead_sensors():
    sync = make(LIDAR, FRONT, RADAR)
    moments = [0, 1800, 3600, 4200, 30_000, 31_800]  # ms; every sensor speaks at each
    events = [(t + 1e-3 * k, n) for t in moments for k, n in enumerate(("front", "radar", "lidar"))]
    frames = feed(sync, events) + sync.flush(START + 40_000 * MS)
    assert len([f for f in frames if f.reference == "lidar" and not f.missing]) == len(moments)


def test_states_tell_who_is_alive_and_how_fast():
    sync = make(LIDAR, FRONT, RADAR)
    feed(sync, merged(periodic("lidar", 100, 3000), periodic("front", 50, 1000)))
    states = sync.stream_states()
    assert states["lidar"].alive
    assert states["lidar"].is_reference
    assert states["lidar"].rate_hz == pytest.approx(10)
    assert not states["front"].alive
    assert states["front"].rate_hz == pytest.approx(20)
    assert states["radar"].newest_ns is None


def test_reset_forgets_records_and_keeps_counters():
    sync = make(LIDAR, FRONT)
    feed(sync, [(0, "front"), (10, "front")])
    sync.reset()
    assert sync.stats.streams["front"].dropped == {"reset": 2}
    assert sync.newest_ns is None
    (frame,) = feed(sync, [(5, "front"), (5, "lidar")])
    assert ms(frame) == 5
