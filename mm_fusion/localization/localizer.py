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
from mm_fusion.localization.clock import Elsewhere, Told
from mm_fusion.localization.estimate import LocalizerStats, PoseEstimate, estimate_of, nowhere
from mm_fusion.localization.history import History
from mm_fusion.localization.intake import Intake
from mm_fusion.records import NS_PER_S, ImuSample, MotionRecord

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
        self._intake.rewind()
        self._elsewhere = Elsewhere(round(self._config.history_s * NS_PER_S))
        self._imu: Told | None = None  # the newest of the IMU listened to

    @property
    def datum(self) -> tuple[float, float, float] | None:
        """Latitude, longitude (rad) and altitude (m) of the map's origin; None before a fix."""
        return self._intake.datum

    def calibrate(self, calibration: Calibration, sensors: Sequence[SensorConfig]) -> None:
        """Use the antenna's and the IMU's place, and the sensors' time offsets, from now on."""
        self._sensors = calibration, sensors
        self._intake.calibrate(calibration, sensors)

    def retune(self, config: LocalizerConfig) -> None:
        """Take over changed settings; what was heard stays."""
        self._config = config
        self._intake.retune(config)
        self._history.retune(config)

    def reset(self) -> None:
        """Forget pose, datum and history; the calibration and the counters stay."""
        self.stats.resets += 1
        self._begin()

    def observe(self, stream: str, record: MotionRecord) -> None:
        """Take one fix, inertial sample, velocity or odometry; late ones find their place."""
        if record.stamp_ns <= 0:
            self.stats.bad_stamps += 1
            return
        told = Told(stream, record, self._intake.stamp_of(stream, record))
        newest = self._history.newest
        if newest is None or self._elsewhere.fits(told.stamp_ns, newest.stamp_ns):
            self._drop_strays(newest)
            self._hear(told)
        else:
            self._take_elsewhere(told, newest)

    def pose_at(self, stamp_ns: int) -> PoseEstimate:
        """Return the pose at a stamp: interpolated within the history, predicted after it."""
        newest = self._history.newest
        if newest is None:
            return nowhere(stamp_ns)
        latest_ns = newest.stamp_ns + round(PREDICT_S * NS_PER_S)
        state = self._history.state_at(min(stamp_ns, latest_ns))
        notes = self._notes(newest, stamp_ns)
        if state.stamp_ns > stamp_ns:
            early_s = (state.stamp_ns - stamp_ns) / NS_PER_S
            notes = (*notes, f"the pose is of {early_s:.1f} s later: older ones are forgotten")
        return estimate_of(state, notes)

    def _take_elsewhere(self, told: Told, newest: Belief) -> None:
        """Keep what is of another time until it is clear whether it is the new time."""
        if not self._elsewhere.follows(told, newest.stamp_ns):
            self._drop_strays(newest)
        self._elsewhere.run.append(told)
        if not self._elsewhere.believed(newest.stamp_ns):
            return
        run, self._elsewhere.run = self._elsewhere.run, []
        if told.stamp_ns < newest.stamp_ns:
            self.stats.resets += 1
            self._forget()
        for one in run:
            self._hear(one)

    def _drop_strays(self, newest: Belief | None) -> None:
        for told in self._elsewhere.run:
            if newest is None or told.stamp_ns > newest.stamp_ns:
                self.stats.bad_stamps += 1
            else:
                self.stats.too_old += 1
        self._elsewhere.run = []

    def _hear(self, told: Told) -> None:
        self._elsewhere.streams.add(told.stream)
        if isinstance(told.record, ImuSample) and not self._listens_to(told):
            self.stats.ignored += 1
            return
        event = self._intake.event_of(told.stream, told.record)
        if event is None:
            self.stats.invalid += 1
            return
        newest = self._history.newest
        if newest is not None and event.stamp_ns < newest.stamp_ns:
            self.stats.out_of_order += 1
        outcome = self._history.hear(event)
        setattr(self.stats, outcome, getattr(self.stats, outcome) + 1)

    def _listens_to(self, told: Told) -> bool:
        """Listen to one IMU; to another only once that has fallen silent."""
        if self._imu is None or told.stream == self._imu.stream:
            newer = self._imu is None or told.stamp_ns > self._imu.stamp_ns
            self._imu = told if newer else self._imu
        elif told.stamp_ns - self._imu.stamp_ns <= SILENCE_NS:
            return False
        else:
            self._imu = told
        return True

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
