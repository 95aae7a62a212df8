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

"""Checks a bag: rates, stamps, calibration; says what is wrong and what to do, and draws it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mm_fusion.errors import RecordingWarning
from mm_fusion.evaluation.check_findings import ERROR, Finding, error, remark, warning
from mm_fusion.evaluation.check_overlays import draw_overlays
from mm_fusion.evaluation.check_reading import Reading, read
from mm_fusion.evaluation.check_sensors import place_of, sensor_findings
from mm_fusion.evaluation.check_table import print_check
from mm_fusion.evaluation.check_times import time_findings
from mm_fusion.evaluation.check_topics import TopicFigures, TopicLog, figures_of
from mm_fusion.recordings.bag import BagRecording
from mm_fusion.recordings.interfaces import typestore
from mm_fusion.recordings.live_calibration import PLACED_KINDS
from mm_fusion.recordings.messages import DECODERS
from mm_fusion.records import NS_PER_S

__all__ = ["CheckReport", "check", "print_check"]

REASONS = 3  # told of what cannot be read of one topic
_TYPES = frozenset(msgtype for types in DECODERS.values() for msgtype in types)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What was found of a bag."""

    bag: Path
    seconds: float  # from the first log time to the last
    figures: tuple[TopicFigures, ...]  # a topic each, the sensors' first
    placed: Mapping[str, bool]  # topic of a sensor -> whether a transform leads to the vehicle
    informed: Mapping[str, bool]  # topic of a camera -> whether there is its CameraInfo
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]  # the overlays

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the bag, or a sensor of it, from being fused."""
        return tuple(finding for finding in self.findings if finding.severity == ERROR)


def check(path: Path, out: Path) -> CheckReport:
    """Read a bag from end to end and draw its sensors into its images.

    Args:
        path: the bag's folder or its file; it need not be whole.
        out: folder of the overlays.

    Raises:
        RecordingError: there is no bag, it is empty, or nothing can be read from it.
    """
    findings: list[Finding] = []
    with _noticed(findings):
        bag = BagRecording(path)
        reading = read(bag)
    figures = {topic: figures_of(topic, log) for topic, log in _sorted(reading)}
    findings += _topics(reading, figures)
    findings += sensor_findings(reading)
    findings += time_findings(reading, figures)
    with _noticed(findings):
        files, of_overlays = draw_overlays(bag, reading, out)
    cameras = [s for s in reading.sensors if s.kind == "camera"]
    return CheckReport(
        bag=path,
        seconds=(reading.end_ns - reading.start_ns) / NS_PER_S,
        figures=tuple(figures.values()),
        placed={
            f"/{s.topic}": not isinstance(place_of(reading, s), str)
            for s in reading.sensors
            if s.kind in PLACED_KINDS
        },
        informed={f"/{s.topic}": s.name in reading.infos for s in cameras},
        findings=tuple(dict.fromkeys([*findings, *of_overlays])),
        files=files,
    )


@contextmanager
def _noticed(findings: list[Finding]) -> Iterator[None]:
    """Turn the warnings of the readers into findings; others stay warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for notice in caught:
        if issubclass(notice.category, RecordingWarning):
            findings.append(warning("the bag", f"{notice.message}; record again if that matters"))
        else:
            warnings.warn_explicit(notice.message, notice.category, notice.filename, notice.lineno)


def _sorted(reading: Reading) -> Iterator[tuple[str, TopicLog]]:
    """Yield the topics, the sensors' first."""
    first = [f"/{s.topic}" for s in reading.sensors]
    for topic in [*first, *sorted(reading.logs.keys() - set(first))]:
        yield topic, reading.logs[topic]


def _topics(reading: Reading, figures: Mapping[str, TopicFigures]) -> Iterator[Finding]:
    """Yield what cannot be read of the topics, and what is empty or not known."""
    known = typestore().types
    for topic, log in reading.logs.items():
        if log.errors:
            yield _unread(figures[topic], log)
        if lost := log.lost_transforms:
            count = f"{lost.total()} transform{'s' if lost.total() > 1 else ''}"
            yield warning(topic, f"{count} cannot be used, see to it: {_reasons(lost)}")
        if not figures[topic].count and log.msgtype in _TYPES:
            yield warning(topic, "no message was recorded; is its sensor on?")
    if unknown := sorted(t for t, log in reading.logs.items() if log.msgtype not in known):
        types = ", ".join(f"{topic} ({reading.logs[topic].msgtype})" for topic in unknown)
        yield remark("the bag", f"types that are not known here are not looked into: {types}")


def _unread(f: TopicFigures, log: TopicLog) -> Finding:
    """Say why messages cannot be read; a topic of which none can is an error."""
    reasons = _reasons(log.errors)
    say = error if f.unread + f.unstamped == f.count else warning
    return say(f.topic, f"{f.unread} of {f.count} messages cannot be used, see to it: {reasons}")


def _reasons(counted: Counter[str]) -> str:
    reasons = "; ".join(f"{text} ({count} times)" for text, count in counted.most_common(REASONS))
    more = len(counted) - REASONS
    return f"{reasons}; and {more} other reasons" if more > 0 else reasons
