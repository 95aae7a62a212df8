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

"""Findings on time: gaps, the order of the stamps, clocks, and which stamps meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mm_fusion.config import SensorConfig, SyncConfig
from mm_fusion.evaluation.check_findings import Finding, duration, error, warning
from mm_fusion.evaluation.check_reading import Reading
from mm_fusion.evaluation.check_topics import GAP_FACTOR, TopicFigures
from mm_fusion.records import FRAMED_KINDS, NS_PER_S, Float64, Int64

SILENCE_S = 1.0  # a topic may begin so much after the bag does, and end so much before it
LATE_S = 0.5  # a message that is logged later after its stamp was stamped by a wrong clock
EARLY_S = 0.05  # a message cannot be logged before its stamp but for the clocks' small differences
MATCHED = 0.9  # share of a stream's records that should meet one of the reference stream


def time_findings(reading: Reading, figures: Mapping[str, TopicFigures]) -> Iterator[Finding]:
    """Yield what is wrong with the times of every sensor."""
    of_sensors = [figures[f"/{s.topic}"] for s in reading.sensors]
    for f in of_sensors:
        yield from _stamps(f)
        yield from _gaps(f, reading)
        yield from _silence(f, reading)
    yield from _clocks(of_sensors)
    yield from _matches(reading)


def _stamps(f: TopicFigures) -> Iterator[Finding]:
    if f.unstamped:
        yield error(
            f.topic,
            f"header.stamp is zero in {f.unstamped} of {f.count} messages, which are not used; the "
            "driver must stamp its messages",
        )
    if f.back or f.repeated:
        found = [f"{f.back} {'goes' if f.back == 1 else 'go'} back"] if f.back else []
        repeat = "repeats" if f.repeated == 1 else "repeat"
        found += [f"{f.repeated} {repeat} the one before"] if f.repeated else []
        yield warning(
            f.topic,
            f"of {f.count} stamps {' and '.join(found)}; look for two publishers on this topic, a "
            "clock that was set while recording, or a driver that stamps late",
        )


def _gaps(f: TopicFigures, reading: Reading) -> Iterator[Finding]:
    if not f.gaps:
        return
    after_s = (f.longest_at_ns - reading.start_ns) / NS_PER_S + float(np.nan_to_num(f.delay_s))
    intervals = "interval is" if f.gaps == 1 else "intervals are"
    yield warning(
        f.topic,
        f"{f.gaps} {intervals} longer than {GAP_FACTOR:g} times the usual "
        f"{duration(f.interval_s)}, the longest {duration(f.longest_s)}, {duration(after_s)} after "
        "the start; messages were lost: look at the driver, the network and the recorder's "
        "--max-cache-size",
    )


def _silence(f: TopicFigures, reading: Reading) -> Iterator[Finding]:
    """Compare when a topic begins and ends with when the bag does, by the log times."""
    log_ns = reading.logs[f.topic].log_ns
    limit_s = max(SILENCE_S, GAP_FACTOR * f.interval_s if f.count > 2 else 0.0)
    begins_s = (min(log_ns) - reading.start_ns) / NS_PER_S
    ends_s = (reading.end_ns - max(log_ns)) / NS_PER_S
    if begins_s > limit_s:
        yield warning(
            f.topic,
            f"it begins {duration(begins_s)} after the bag; start the sensor before the recorder",
        )
    if ends_s > limit_s:
        yield warning(
            f.topic,
            f"it ends {duration(ends_s)} before the bag does; find out why the sensor fell silent",
        )


def _clocks(of_sensors: Sequence[TopicFigures]) -> Iterator[Finding]:
    """Compare stamps with log times; a difference that all share does no harm."""
    delays = {f.topic: f.delay_s for f in of_sensors if np.isfinite(f.delay_s)}
    wrong = {topic: d for topic, d in delays.items() if not -EARLY_S <= d <= LATE_S}
    if not wrong:
        return
    if len(delays) > 1 and len(wrong) == len(delays) and np.ptp([*delays.values()]) <= LATE_S:
        middle_s = float(np.median([*delays.values()]))
        yield warning(
            "the bag",
            f"the stamps of all sensors lie {_apart(middle_s)} the log times; if it was recorded "
            "from a replay that is as it should be, else set the recorder's clock",
        )
        return
    for topic, delay_s in wrong.items():
        yield warning(
            topic,
            f"its stamps lie {_apart(delay_s)} the log times; synchronise the sensor's clock with "
            "the vehicle's computer (PTP or NTP), or give the difference as its offset_s",
        )


def _apart(delay_s: float) -> str:
    return f"{duration(abs(delay_s))} {'before' if delay_s > 0 else 'after'}"


def _matches(reading: Reading) -> Iterator[Finding]:
    """See whether the stamps of each stream meet those of the reference stream."""
    sync = SyncConfig()
    stamps = {s.name: _stamps_of(reading, s) for s in reading.sensors if s.kind in FRAMED_KINDS}
    by_priority = [
        s
        for kind in sync.reference_priority
        for s in reading.sensors
        if s.kind == kind and len(stamps[s.name])
    ]
    for sensor in by_priority[1:]:
        reference = by_priority[0]
        tolerance_s = sensor.tolerance_s or sync.tolerance_s
        apart_s = _nearest_s(stamps[reference.name], stamps[sensor.name])
        met = float((np.abs(apart_s) <= tolerance_s).mean())
        if met < MATCHED:
            yield warning(
                sensor.name,
                f"{met:.0%} of its records meet one of {reference.name} within {tolerance_s:g} s; "
                f"half of them are farther than {duration(float(np.median(np.abs(apart_s))))} "
                "away: trigger the sensors together, or set offset_s or tolerance_s",
            )


def _stamps_of(reading: Reading, sensor: SensorConfig) -> Int64:
    stamps_ns = np.array(reading.log_of(sensor).stamp_ns, np.int64)
    return np.unique(stamps_ns) - round(sensor.offset_s * NS_PER_S)


def _nearest_s(one_ns: Int64, other_ns: Int64) -> Float64:
    """Return how far each stamp of the rarer stream lies from the nearest of the other."""
    few, many = sorted((one_ns, other_ns), key=len)
    after = np.clip(np.searchsorted(many, few), 1, max(len(many) - 1, 1))
    around = np.stack([many[after - 1], many[np.minimum(after, len(many) - 1)]])
    return np.asarray(np.abs(around - few).min(axis=0) / NS_PER_S)
