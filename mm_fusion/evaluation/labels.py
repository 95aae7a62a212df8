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

"""The labelled frames of any recording, by the tokens that a results file names."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.calibration import Calibration
from mm_fusion.config import LocalizerConfig, SensorConfig
from mm_fusion.evaluation.truth_motion import with_velocities
from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.localization.localizer import Localizer
from mm_fusion.objects import Objects, Truth
from mm_fusion.recordings.recording import RecordedFrame
from mm_fusion.records import EgoMotion, FramedRecord, LidarScan, MotionRecord

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

APART_NS = 300_000_000  # labels farther apart than this are not interpolated
SAME_NS = 1_000_000  # stamps this close are one moment
LATE_NS = 500_000_000  # what measures the vehicle's motion comes no later than this


def labelled_frames(
    source: Recording | BagRecording, tokens: Sequence[str]
) -> Iterator[RecordedFrame]:
    """Yield the labelled frames among `tokens`; those of a bag are named by their stamps.

    A bag's labels stand at the LiDAR's stamps. Where another sensor anchored the frame, objects
    are interpolated between the labels before and after, by their ids. Velocities come from the
    ways of the objects by their ids, and from the vehicle's own motion where the bag tells it.
    """
    if source.layout == "rosbag2":
        yield from _of_bag(source, tokens)  # type: ignore[arg-type]
        return
    wanted = set(tokens)
    for frame in source.frames(tokens):  # type: ignore[union-attr]
        if frame.truth is not None and frame.token in wanted:
            yield frame


def _of_bag(bag: BagRecording, tokens: Sequence[str]) -> Iterator[RecordedFrame]:
    truths = dict(bag.truths())
    wanted = sorted(int(token) for token in tokens if token.isdigit())
    stamps = sorted(truths)
    near = [stamp_ns for stamp_ns in wanted if at(truths, stamps, stamp_ns) is not None]
    scans, motions = _read(bag, near, stamps)
    truths = with_velocities(truths, motions)
    for stamp_ns in near:
        yield RecordedFrame(
            token=str(stamp_ns),
            stamp_ns=stamp_ns,
            records=scans.get(stamp_ns, {}),
            motion=(),
            calibration=bag.calibration,
            truth=at(truths, stamps, stamp_ns),
            result_from_ego=np.eye(4),
        )


def at(truths: dict[int, Truth], stamps: Sequence[int], stamp_ns: int) -> Truth | None:
    """Return the labels at a stamp, interpolated where it lies between two; None far from any."""
    after = bisect_right(stamps, stamp_ns)
    around = stamps[max(after - 1, 0) : after + 1]
    exact = [s for s in around if abs(s - stamp_ns) <= SAME_NS]
    if exact:
        return truths[exact[0]]
    if len(around) < 2 or around[1] - around[0] > APART_NS or not around[0] < stamp_ns < around[1]:
        return None
    fraction = (stamp_ns - around[0]) / (around[1] - around[0])
    return between(truths[around[0]], truths[around[1]], fraction)


def between(before: Truth, after: Truth, fraction: float) -> Truth:
    """Interpolate the objects that both have."""
    ids, a, b = np.intersect1d(before.objects.ids, after.objects.ids, return_indices=True)
    first, second = before.objects[a], after.objects[b]
    turned = wrap_angle(second.yaws_rad - first.yaws_rad)
    centers = (1 - fraction) * first.centers_ego + fraction * second.centers_ego
    objects: Objects = replace(
        first,
        centers_ego=centers,
        yaws_rad=wrap_angle(first.yaws_rad + fraction * turned),
        velocities_ego=(1 - fraction) * first.velocities_ego + fraction * second.velocities_ego,
        ids=ids,
    )
    return replace(before, objects=objects, occlusion=before.occlusion[a])


def _read(
    bag: BagRecording, scanned: Sequence[int], moved: Sequence[int]
) -> tuple[dict[int, dict[str, FramedRecord]], dict[int, EgoMotion]]:
    """Find the scans of the moments of some stamps, and the vehicle's motion at others."""
    scans, ways = NearestScans(scanned), Ways(moved, bag.sensors)
    for stream, record in bag.records():
        if isinstance(record, LidarScan):
            scans.note(stream, record)
        elif not isinstance(record, FramedRecord):
            ways.note(stream, record, bag.calibration)
    return scans.found, ways.motions()


class NearestScans:
    """Keeps each LiDAR's scan of the moment of each stamp, within half a revolution."""

    def __init__(self, stamps: Sequence[int]) -> None:
        self.found: dict[int, dict[str, FramedRecord]] = {s: {} for s in stamps}
        self._ordered = np.array(sorted(stamps), np.int64)

    def note(self, stream: str, scan: LidarScan) -> None:
        """Take one scan of any LiDAR."""
        if not len(self._ordered):
            return
        nearest = int(self._ordered[np.abs(self._ordered - scan.stamp_ns).argmin()])
        if abs(nearest - scan.stamp_ns) <= APART_NS // 4:
            held = self.found[nearest].get(stream)
            if held is None or abs(held.stamp_ns - nearest) > abs(scan.stamp_ns - nearest):
                self.found[nearest][stream] = scan


class Ways:
    """Asks the localizer how the vehicle moved at each of some stamps, once all before is heard."""

    def __init__(self, stamps: Sequence[int], sensors: Sequence[SensorConfig]) -> None:
        self._left = deque(sorted(stamps))
        self._sensors = tuple(sensors)
        self._localizer = Localizer(LocalizerConfig())
        self._calibration: Calibration | None = None
        self._motions: dict[int, EgoMotion] = {}

    def note(self, stream: str, record: MotionRecord, calibration: Calibration) -> None:
        """Take one record of the vehicle's motion, in the order of the log."""
        if calibration is not self._calibration:
            self._calibration = calibration
            self._localizer.calibrate(calibration, self._sensors)
        self._localizer.observe(stream, record)
        while self._left and record.stamp_ns - self._left[0] > LATE_NS:
            self._ask()

    def motions(self) -> dict[int, EgoMotion]:
        """Return what is known of every stamp, at the end."""
        while self._left:
            self._ask()
        return self._motions

    def _ask(self) -> None:
        stamp_ns = self._left.popleft()
        self._motions[stamp_ns] = self._localizer.pose_at(stamp_ns).motion
