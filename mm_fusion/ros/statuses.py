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

"""What /diagnostics says: one status for each sensor and stage, one for the pipeline.

A status that is not OK says why in one sentence, the weightiest reason first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from mm_fusion.config import FusionConfig, SensorConfig
from mm_fusion.records import FRAMED_KINDS
from mm_fusion.ros.diagnostics import PipelineHealth, SensorHealth, Spread
from mm_fusion.sync.stats import (
    BAD_STAMP,
    CLOCK_DIFFERS,
    DUPLICATE,
    EXPIRED,
    LATE,
    UNMATCHED,
    StreamState,
    SyncStats,
)

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MISSED_PERIODS = 2.5  # a slow sensor is silent only after this many of its periods
JUDGED = 5  # records after which it is judged whether any of them was used

REASONS = {  # the synchroniser's reasons, with what to do about them
    BAD_STAMP: "its stamps are zero; the driver must stamp its messages",
    UNMATCHED: "its stamps match no frame's within {tolerance_s:g} s; check its clock, "
    "sensor.{name}.offset_s and the tolerance",
    EXPIRED: "no frame came for its records; check the other sensors and sync.reference_priority",
    LATE: "its records come after their frames have gone; raise sync.deadline_s",
    CLOCK_DIFFERS: "its stamps are far from those of the other sensors; check its clock",
    DUPLICATE: "it sends the same stamp more than once",
}

Verdict = tuple[bytes, str]


@dataclass(slots=True)
class _Use:
    """Whether the last few records of a stream were of use."""

    received: int = 0
    used: int = 0
    useless: bool = False

    def follow(self, state: StreamState) -> None:
        """Judge once enough records have come since the last judgement."""
        if state.received - self.received >= JUDGED:
            self.useless = state.used == self.used
            self.received, self.used = state.received, state.used


class SensorReport:
    """Makes the status of one sensor."""

    def __init__(self, node: str, sensor: SensorConfig, config: FusionConfig) -> None:
        self._node = node
        self._sensor = sensor
        self._config = config
        self._use = _Use()

    def status(
        self, health: SensorHealth, state: StreamState | None, place: str, now_ns: int
    ) -> DiagnosticStatus:
        """Say how the sensor is.

        Args:
            health: what is known of its messages.
            state: what the synchroniser knows of it; None if it is never matched.
            place: why it is not known where the sensor is; empty if it is.
            now_ns: reading of the clock that stamped the health.
        """
        dropped = health.lost + type(health.lost)(state.dropped if state else {})
        level, message = self._verdict(health, state, place, now_ns)
        values = {
            "topic": health.topic,
            "type": health.msgtype,
            "rate_hz": f"{health.rate_hz:.2f}",
            "age_s": f"{health.age_s(now_ns):.3f}",
            "received": str(health.received),
            "used": str(state.used if state else health.decoded),
            "dropped": str(sum(dropped.values())),
            **{f"dropped: {reason}": str(count) for reason, count in sorted(dropped.items())},
        }
        return _status(
            f"{self._node}: {self._sensor.name}", self._sensor.kind, level, message, values
        )

    def _verdict(
        self, health: SensorHealth, state: StreamState | None, place: str, now_ns: int
    ) -> Verdict:
        if why := self._silent(health, now_ns):
            return ERROR, why
        if health.last_error:
            return ERROR, f"the newest message cannot be used: {health.last_error}"
        if place:
            return (ERROR if self._sensor.kind in FRAMED_KINDS else WARN), place
        if state is not None:
            self._use.follow(state)
            if self._use.useless:
                return ERROR, self._why_useless(state)
        if health.fault:
            return WARN, health.fault
        return OK, f"{health.rate_hz:.1f} Hz" + (f"; {health.remark}" if health.remark else "")

    def _silent(self, health: SensorHealth, now_ns: int) -> str:
        age_s = health.age_s(now_ns)
        limit_s = self._config.sync.silence_s
        if health.rate_hz > 0:
            limit_s = max(limit_s, MISSED_PERIODS / health.rate_hz)
        if age_s <= limit_s:
            return ""
        if health.trouble:
            return health.trouble
        if health.received:
            return f"silent for {age_s:.1f} s on {health.topic}"
        refused = [reason for reason in health.lost if "incompatible" in reason]
        return f"{', '.join(refused) or 'no message yet'} on {health.topic}"

    def _why_useless(self, state: StreamState) -> str:
        dropped = {reason: n for reason, n in state.dropped.items() if reason in REASONS}
        worst = max(dropped, key=lambda reason: dropped[reason], default=UNMATCHED)
        tolerance_s = self._sensor.tolerance_s or self._config.sync.tolerance_s
        return REASONS[worst].format(name=self._sensor.name, tolerance_s=tolerance_s)


def stage_statuses(node: str, stages: Mapping[str, Spread]) -> list[DiagnosticStatus]:
    """Say how long each stage takes."""
    return [
        _status(
            f"{node}: stage {name}",
            "",
            OK,
            f"{spread.quantile_ms(0.5):.1f} ms",
            {**spread.values(), "count": str(spread.count)},
        )
        for name, spread in stages.items()
    ]


def pipeline_status(
    node: str, health: PipelineHealth, sync: SyncStats, silence_s: float, now_ns: int
) -> DiagnosticStatus:
    """Say what came out, and what keeps it from being more."""
    level, message = _pipeline_verdict(health, silence_s, now_ns)
    latency = health.latency.values((0.5, 0.95, 0.99))
    values = {
        "frames_answered": str(health.answered),
        "frames_complete": str(health.complete),
        "frames_partial": str(health.answered - health.complete),
        "frames_dropped": str(health.dropped),
        "frames_failed": str(health.errors),
        "frames_withheld": str(sync.frames_withheld),
        "clock_resets": str(sync.resets),
        "reference": health.reference,
        "detector": health.detector,
        "reference_changes": str(len(sync.references)),
        **{f"latency_{name}": value for name, value in latency.items()},
        **{f"missing: {stream}": why for stream, why in health.missing.items()},
        "prediction_age_ms": f"{health.predicted_ms:.1f}",
        "notes": "; ".join(health.notes),
    }
    return _status(f"{node}: pipeline", "", level, message, values)


def _pipeline_verdict(health: PipelineHealth, silence_s: float, now_ns: int) -> Verdict:
    quiet_s = (now_ns - health.answered_ns) / 1e9
    if health.failing:
        return ERROR, f"the newest frame failed: {health.last_error}"
    if quiet_s > 2 * silence_s:
        since = f"for {quiet_s:.1f} s" if health.answered else "yet"
        return ERROR, f"no frame {since}: no camera, LiDAR or radar gives usable records"
    unpredicted = [health.unpredicted] if health.unpredicted else []
    reasons = [
        *unpredicted,
        *health.notes,
        *(f"{name} missing: {why}" for name, why in health.missing.items()),
    ]
    if reasons:
        return WARN, "; ".join(reasons)
    return OK, f"frames of {health.reference}, {health.latency.quantile_ms(0.95):.0f} ms (p95)"


def _status(
    name: str, hardware: str, level: bytes, message: str, values: Mapping[str, str]
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(
        level=level, name=name, message=message, hardware_id=hardware, values=pairs
    )
