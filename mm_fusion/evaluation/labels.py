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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mm_fusion.geometry.boxes import wrap_angle
from mm_fusion.objects import Objects, Truth
from mm_fusion.recordings.recording import RecordedFrame
from mm_fusion.records import FramedRecord, LidarScan

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording
    from mm_fusion.recordings.recording import Recording

APART_NS = 300_000_000  # labels farther apart than this are not interpolated
SAME_NS = 1_000_000  # stamps this close are one moment


def labelled_frames(
    source: Recording | BagRecording, tokens: Sequence[str]
) -> Iterator[RecordedFrame]:
    """Yield the labelled frames among `tokens`; those of a bag are named by their stamps.

    A bag's labels stand at the LiDAR's stamps. Where another sensor anchored the frame, objects
    are interpolated between the labels before and after, by their ids.
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
    stamps = sorted(truths)
    wanted = sorted(int(token) for token in tokens if token.isdigit())
    found = {stamp_ns: at(truths, stamps, stamp_ns) for stamp_ns in wanted}
    scans = _nearest_scans(bag.records(), [s for s, truth in found.items() if truth is not None])
    for stamp_ns, truth in found.items():
        if truth is not None:
            yield RecordedFrame(
                token=str(stamp_ns),
                stamp_ns=stamp_ns,
                records=scans.get(stamp_ns, {}),
                motion=(),
                calibration=bag.calibration,
                truth=truth,
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
        ids=ids,
    )
    return replace(before, objects=objects, occlusion=before.occlusion[a])


def _nearest_scans(
    records: Iterable[tuple[str, object]], stamps: Sequence[int]
) -> dict[int, dict[str, FramedRecord]]:
    """Find each LiDAR's scan of the moment of each stamp, within half a revolution."""
    kept: dict[int, dict[str, FramedRecord]] = {s: {} for s in stamps}
    ordered = np.array(sorted(stamps), np.int64)
    for stream, record in records:
        if not isinstance(record, LidarScan) or not len(ordered):
            continue
        nearest = int(ordered[np.abs(ordered - record.stamp_ns).argmin()])
        if abs(nearest - record.stamp_ns) <= APART_NS // 4:
            held = kept[nearest].get(stream)
            if held is None or abs(held.stamp_ns - nearest) > abs(record.stamp_ns - nearest):
                kept[nearest][stream] = record
    return kept
