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

"""Follows the vehicle by whatever says how it moves: GPS, IMU, wheels, odometry, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from mm_fusion.calibration import Calibration
from mm_fusion.config import LocalizerConfig, SensorConfig
from mm_fusion.localization.belief import SILENCE_NS, Belief
from mm_fusion.localization.estimate import LocalizerStats, PoseEstimate, estimate_of, nowhere
from mm_fusion.localization.history import History
from mm_fusion.localization.intake import Intake
from mm_fusion.records import NS_PER_S, ImuSample, MotionRecord

STALE_RUN = 5  # records in a row older than the history: the clock went back
OLD_FIX_S = 5.0  # from here on a user should know that the last fix is old
PREDICT_S = 10.0  # farther ahead than this the pose is not moved


class Localizer:
    """An error-state Kalman filter over what the motion sensors said, at their own rates.

    The map is east, north, up at the first fix. Before there is one the pose is dead reckoned
    from the origin; with a fix but no heading yet the position is the fixes' and the heading's
    variance says that it may be any; with nothing at all the pose stays the origin and
    `motion.known` is False. The heading comes from an IMU that states one, else from the first
    clear way between two fixes. `notes` of each pose say which of these it is. Call from one
    thread.
    """

    def __init__(self, config: LocalizerConfig) -> None:
        self._config = config
        self._sensors: tuple[Calibration, Sequence[SensorConfig]] | None = None
        self.stats = LocalizerStats()
        self._begin()

    def _begin(self) -> None:
        self._intake = Intake(self._config)
        if self._sensors:
            self._intake.calibrate(*self._sensors)
        self._forget()

    def _forget(self) -> None:
        self._history = History(self._config)
        self._ahead: tuple[str, MotionRecord] | None = None  # far ahead of all, to be confirmed
        self._stale = 0
        self._imu: tuple[str, int] | None = None  # the IMU listened to, and its newest stamp

    @property
    def datum(self) -> tuple[float, float, float] | None:
        """Latitude, longitude (rad) and altitude (m) of the map's origin; None before a fix."""
        return self._intake.datum

    def calibrate(self, calibration: Calibration, sensors: Sequence[SensorConfig]) -> None:
        """Use the antenna's and the IMU's place, and the sensors' time offsets, from now on."""
        self._sensors = calibration, sensors
        self._intake.calibrate(calibration, sensors)

    def reset(self) -> None:
        """Forget pose, datum and history; the calibration and the counters stay."""
        self.stats.resets += 1
        self._begin()

    def observe(self, stream: str, record: MotionRecord) -> None:
        """Take one fix, inertial sample, velocity or odometry; late ones find their place."""
        stamp_ns = self._intake.stamp_of(stream, record)
        if record.stamp_ns <= 0:
            self.stats.bad_stamps += 1
            return
        newest = self._history.newest
        reach_ns = round(self._config.history_s * NS_PER_S)
        if newest is not None and stamp_ns > newest.stamp_ns + reach_ns:
            self._take_ahead(stream, record, stamp_ns)
            return
        if newest is not None and stamp_ns < newest.stamp_ns - reach_ns:
            self._take_stale(stream, record)
            return
        self._stale = 0
        if self._ahead is not None:
            self.stats.bad_stamps += 1
            self._ahead = None
        self._hear(stream, record, stamp_ns)

    def pose_at(self, stamp_ns: int) -> PoseEstimate:
        """Return the pose at a stamp: interpolated within the history, predicted after it."""
        newest = self._history.newest
        if newest is None:
            return nowhere(stamp_ns)
        latest_ns = newest.stamp_ns + round(PREDICT_S * NS_PER_S)
        state = self._history.state_at(min(stamp_ns, latest_ns))
        if state is None:
            return nowhere(stamp_ns)
        return estimate_of(state, self._notes(newest, stamp_ns))

    def _take_ahead(self, stream: str, record: MotionRecord, stamp_ns: int) -> None:
        """Believe in a leap ahead when the next record makes it, too: a gap, not a stray."""
        held, self._ahead = self._ahead, (stream, record)
        if held is None:
            return
        if stamp_ns < self._intake.stamp_of(*held) - round(self._config.history_s * NS_PER_S):
            self.stats.bad_stamps += 1
            return
        self._ahead = None
        self._hear(*held, self._intake.stamp_of(*held))
        self.observe(stream, record)

    def _take_stale(self, stream: str, record: MotionRecord) -> None:
        """Drop what is too old; when nothing else comes the clock has gone back: begin anew."""
        self._stale += 1
        if self._stale < STALE_RUN:
            self.stats.too_old += 1
            return
        self.stats.resets += 1
        self._forget()
        self.observe(stream, record)

    def _hear(self, stream: str, record: MotionRecord, stamp_ns: int) -> None:
        if isinstance(record, ImuSample) and not self._listens_to(stream, stamp_ns):
            self.stats.ignored += 1
            return
        event = self._intake.event_of(stream, record)
        if event is None:
            self.stats.invalid += 1
            return
        newest = self._history.newest
        if newest is not None and event.stamp_ns < newest.stamp_ns:
            self.stats.out_of_order += 1
        self._count(self._history.hear(event))

    def _listens_to(self, stream: str, stamp_ns: int) -> bool:
        """Listen to one IMU; to another only once that has fallen silent."""
        if self._imu is not None and stream != self._imu[0]:
            if stamp_ns - self._imu[1] <= SILENCE_NS:
                return False
            self._imu = None
        newest_ns = stamp_ns if self._imu is None else max(stamp_ns, self._imu[1])
        self._imu = stream, newest_ns
        return True

    def _count(self, outcome: str) -> None:
        stats = self.stats
        if outcome == "fix used":
            stats.fixes_used += 1
        elif outcome == "fix rejected":
            stats.fixes_rejected += 1
        elif outcome == "relocated":
            stats.relocations += 1
        elif outcome == "imu":
            stats.imu_samples += 1
        elif outcome == "velocity":
            stats.velocities += 1
        elif outcome == "too old":
            stats.too_old += 1

    def _notes(self, newest: Belief, stamp_ns: int) -> tuple[str, ...]:
        notes = [*self._intake.unplaced.values()]
        if newest.fix_ns is None:
            notes.append("no GPS fix yet: the pose is dead reckoned from where it began")
        elif newest.state.held:
            notes.append(
                "heading unknown: drive faster than "
                f"{self._config.heading_speed_mps:g} m/s for a few metres with GPS"
            )
        if newest.fix_ns is not None and stamp_ns - newest.fix_ns > OLD_FIX_S * NS_PER_S:
            notes.append(
                f"the last GPS fix used is {(stamp_ns - newest.fix_ns) / NS_PER_S:.0f} s old"
            )
        if stamp_ns - newest.stamp_ns > NS_PER_S:
            silent_s = (stamp_ns - newest.stamp_ns) / NS_PER_S
            notes.append(f"nothing heard of the vehicle's motion for {silent_s:.1f} s")
        return tuple(notes)
