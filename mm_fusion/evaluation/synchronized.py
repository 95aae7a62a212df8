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

"""A bag's records gathered into frames as the node gathers them, without the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mm_fusion.calibration import Calibration
from mm_fusion.config import FusionConfig
from mm_fusion.records import FRAMED_KINDS, NS_PER_S, MotionRecord, SensorFrame
from mm_fusion.sync.synchronizer import FrameSynchronizer

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording


def synchronized(
    bag: BagRecording,
    config: FusionConfig,
    *,
    calibrate: Callable[[Calibration], Any],
    observe: Callable[[str, MotionRecord], Any],
) -> Iterator[tuple[SensorFrame, Calibration]]:
    """Yield every frame with the calibration it came under; the last ones at the bag's end.

    Args:
        bag: the records.
        config: which of its sensors take part, and how they are matched.
        calibrate: told of each calibration before what comes under it.
        observe: told of each record that moves the vehicle, in its turn.
    """
    synchronizer = FrameSynchronizer(config.sync, config.sensors)
    framed = {s.name for s in config.sensors if s.kind in FRAMED_KINDS}
    motion = {s.name for s in config.sensors} - framed
    calibration = Calibration()
    for stream, record in bag.records():
        if bag.calibration is not calibration:
            calibration = bag.calibration
            calibrate(calibration)
        if stream in motion:
            observe(stream, record)  # type: ignore[arg-type]
        elif stream in framed:
            for frame in synchronizer.add(stream, record):  # type: ignore[arg-type]
                yield frame, calibration
    if synchronizer.newest_ns is not None:
        end_ns = synchronizer.newest_ns + round(NS_PER_S * (config.sync.deadline_s + 1))
        for frame in synchronizer.flush(end_ns):
            yield frame, calibration
