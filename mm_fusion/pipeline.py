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

"""The way of one frame: localize, align, detect, track. Start reading here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig
from mm_fusion.detection.detector import Detector
from mm_fusion.detection.geometric import GeometricDetector
from mm_fusion.detection.guarded import GuardedDetector
from mm_fusion.detection.late import late_fusion
from mm_fusion.detection.shipped import LEARNED, chosen, require_weights
from mm_fusion.localization.dead_reckoning import DeadReckoning
from mm_fusion.localization.localizer import Localizer
from mm_fusion.objects import FusionResult
from mm_fusion.preprocess.align import align
from mm_fusion.records import EgoFrame, MotionRecord, SensorFrame
from mm_fusion.tracking.range_rates import Returns
from mm_fusion.tracking.tracker import Tracker
from mm_fusion.tracking.visibility import Visibility

Stage = Callable[[str], AbstractContextManager[None]]


def untimed(_: str) -> AbstractContextManager[None]:
    """Time nothing: the stage clock of those who do not ask."""
    return nullcontext()


class FusionPipeline:
    """Localizes, aligns, detects, tracks. Holds all the state there is; knows nothing of ROS.

    Call from one thread. `stage` is entered around each stage by its name, for whoever times them.
    """

    def __init__(
        self,
        config: FusionConfig,
        *,
        localizer: Localizer,
        detector: Detector,
        tracker: Tracker,
        stage: Stage = untimed,
    ) -> None:
        self.localizer = localizer
        self.detector = detector
        self.tracker = tracker
        self._sensors = {sensor.name: sensor for sensor in config.sensors}
        self._odometry = DeadReckoning()
        self._calibration = Calibration()
        self._stage = stage

    def calibrate(self, calibration: Calibration) -> None:
        """Use this calibration from the next frame on."""
        self._calibration = calibration
        self.localizer.calibrate(calibration, tuple(self._sensors.values()))
        self.detector.calibrate(calibration)

    def observe(self, stream: str, record: MotionRecord) -> None:
        """Take one fix, inertial sample or velocity at its own rate; it waits for no frame."""
        self.localizer.observe(stream, record)

    def process(self, frame: SensorFrame) -> FusionResult:
        """Run one frame through every stage, in order."""
        with self._stage("localize"):
            pose = self.localizer.pose_at(frame.stamp_ns)
            odom_from_ego = self._odometry.advance(pose)
        with self._stage("align"):
            ego = align(
                frame,
                self._calibration,
                self._sensors,
                map_from_ego=pose.map_from_ego,
                motion=pose.motion,
            )
        with self._stage("detect"):
            detections = self.detector.detect(ego)
        with self._stage("track"):
            tracks = self.tracker.update(
                detections,
                odom_from_ego,
                frame.stamp_ns,
                visibility=self._visibility(ego),
                returns=Returns.of(ego, odom_from_ego),
            )
        return FusionResult(
            stamp_ns=frame.stamp_ns,
            reference=frame.reference,
            detector=self.detector.name,
            frame=ego,
            pose_covariance=pose.covariance,
            detections=detections,
            tracks=tracks,
            missing=ego.missing,
            odom_from_ego=odom_from_ego,
            notes=(*pose.notes, *ego.notes, *self._blind(ego)),
        )

    def retune(self, config: FusionConfig) -> None:
        """Take over changed live settings from the next frame on; pose and tracks stay."""
        self.detector = build_detector(config)
        self.detector.calibrate(self._calibration)
        self.tracker.retune(config.tracker)
        self.localizer.retune(config.localizer)

    def reset(self) -> None:
        """Forget pose and tracks; the calibration stays."""
        self.localizer.reset()
        self._odometry.reset()
        self.tracker.reset()

    def _visibility(self, ego: EgoFrame) -> Visibility:
        cameras = [self._calibration.cameras[name] for name in ego.images]
        return Visibility.of(ego, self.detector.needs_any_of, cameras)

    def _blind(self, ego: EgoFrame) -> tuple[str, ...]:
        """Say when nothing the detector can use is there: the objects are then none, not zero."""
        if self.detector.needs_any_of & ego.present_kinds:
            return ()
        needed = " or ".join(sorted(self.detector.needs_any_of))
        present = ", ".join(sorted(ego.present)) or "nothing"
        return (
            f"the {self.detector.name} detector needs a {needed}; only {present} present: "
            "no objects can be seen",
        )


def build_detector(config: FusionConfig) -> Detector:
    """Build the detector that the settings name."""
    config = chosen(config)
    require_weights(config)
    if config.detector in LEARNED:
        from mm_fusion.detection.learned import learned_detector  # torch is heavy

        learned = learned_detector(config.learned)
        if config.detector == "learned":
            return learned
        return GuardedDetector(learned, GeometricDetector(config.geometric))
    if config.detector == "late":
        return late_fusion(config)
    return GeometricDetector(config.geometric)


def build_pipeline(config: FusionConfig, stage: Stage = untimed) -> FusionPipeline:
    """Build every stage from the settings."""
    return FusionPipeline(
        config,
        localizer=Localizer(config.localizer),
        detector=build_detector(config),
        tracker=Tracker(config.tracker),
        stage=stage,
    )
