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

"""What a recording gives: frames of records, calibration and, where labelled, the truth.

Every reader of a data set gives the same records, so that whoever runs, scores or converts a
recording does not know which data set it is. A reader of a data set is a `Recording`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from mm_fusion.calibration import Calibration
from mm_fusion.config import SensorConfig
from mm_fusion.errors import RecordingError, RecordingWarning
from mm_fusion.objects import Truth
from mm_fusion.records import Float64, FramedRecord, MotionRecord, SensorRecord

T = TypeVar("T")

SENSORS = {  # the streams of a data set, named and published alike whatever the data set
    "lidar": SensorConfig(name="lidar", kind="lidar", topic="lidar/points", frame="lidar"),
    "radar": SensorConfig(name="radar", kind="radar", topic="radar/points", frame="radar"),
    "gps": SensorConfig(name="gps", kind="gps", topic="gps/fix", frame="gps"),
    "imu": SensorConfig(name="imu", kind="imu", topic="imu", frame="imu"),
    "twist": SensorConfig(name="twist", kind="twist", topic="twist", frame="base_link"),
}


def camera_sensor(name: str) -> SensorConfig:
    """Describe one camera of a data set."""
    return SensorConfig(
        name=name,
        kind="camera",
        topic=f"{name}/image/compressed",
        info_topic=f"{name}/camera_info",
        frame=name,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedFrame:
    """All that one recorded moment holds."""

    token: str  # the data set's own name of the frame
    stamp_ns: int
    records: Mapping[str, FramedRecord]  # stream -> record; a stream without one is not in it
    motion: tuple[tuple[str, MotionRecord], ...]  # stream, record since the last frame; in order
    calibration: Calibration
    truth: Truth | None  # None: the frame is not labelled
    result_from_ego: Float64  # (4, 4) into the recording's `result_frame`


class Recording(Protocol):
    """A data set on disk, read frame by frame."""

    @property
    def layout(self) -> str:
        """Name of the layout: kitti_raw, kitti_object, astyx, astyx_demo or nuscenes."""

    @property
    def result_frame(self) -> str:
        """Frame in which results of this data set are given."""

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams its frames may hold, the framed and the motion ones."""

    def frames(self, tokens: Collection[str] | None = None) -> Iterator[RecordedFrame]:
        """Read frame by frame in the order of the stamps; only those named, where names are given.

        A file that is broken is left out of its frame with a `RecordingWarning` that names it.

        Raises:
            RecordingError: a name is not in the recording, or a calibration is broken.
        """

    def __len__(self) -> int:
        """Return the number of frames, without reading them."""


@runtime_checkable
class Stream(Protocol):
    """What gives its records one by one, each in its turn: a bag, a simulated drive."""

    @property
    def sensors(self) -> tuple[SensorConfig, ...]:
        """The streams that records may come from."""

    @property
    def calibration(self) -> Calibration:
        """What is known of the sensors' places where `records` has come to."""

    def records(self) -> Iterator[tuple[str, SensorRecord]]:
        """Yield stream and record in the order of time."""

    def truths(self) -> Iterator[tuple[int, Truth]]:
        """Yield the stamp (ns) and the labels of each labelled moment."""


def chosen(known: Sequence[str], wanted: Collection[str] | None, source: Path) -> list[str]:
    """Return the known frame names that are wanted, all where `wanted` is None, in their order."""
    if wanted is None:
        return list(known)
    if strangers := sorted(set(wanted) - set(known)):
        raise RecordingError(
            f"{source} has no frame {strangers[0]!r} ({len(strangers)} of {len(wanted)} names are "
            f"not in it); its frames run from {known[0] if known else 'none'} "
            f"to {known[-1] if known else 'none'}"
        )
    return [token for token in known if token in set(wanted)]


def or_skipped(read: Callable[[], T]) -> T | None:
    """Return what `read` reads; where that file is broken, warn with its reason and return None."""
    try:
        return read()
    except RecordingError as error:
        warnings.warn(f"{error}; skipped", RecordingWarning, stacklevel=2)
        return None


def files_of(folder: Path, *suffixes: str) -> dict[str, Path]:
    """Return the files of a folder by name without suffix; none where the folder is not there."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in suffixes}
