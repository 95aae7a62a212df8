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

"""Open a recording, whatever its layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Union

from mm_fusion.errors import RecordingError
from mm_fusion.recordings.astyx import Astyx
from mm_fusion.recordings.kitti import KittiRaw
from mm_fusion.recordings.kitti_object import KittiObject
from mm_fusion.recordings.nuscenes import INFO, NuScenes
from mm_fusion.recordings.recording import Recording

if TYPE_CHECKING:
    from mm_fusion.recordings.bag import BagRecording

Opened = Union[Recording, "BagRecording"]


def open_recording(path: Path, layout: str | None = None, frames: int | None = None) -> Opened:
    """Open a bag or a data set.

    Args:
        path: a bag (its folder or its file), a KITTI raw drive, a folder of KITTI object, Astyx
            HiRes2019, Astyx demo or nuScenes frames.
        layout: which of `LAYOUTS` it is; None: recognised by what lies in the folder.
        frames: only the first so many frames of a data set; a bag is given whole.

    Raises:
        RecordingError: there is nothing at the path, or nothing of a known layout.
    """
    if not path.exists():
        raise RecordingError(f"recording {path}: there is no such file or folder")
    if frames is not None and frames < 1:
        raise RecordingError(f"recording {path}: {frames} frames are none; ask for 1 or more")
    if layout is not None and layout not in LAYOUTS:
        raise RecordingError(f"layout {layout!r} is unknown; known: {', '.join(LAYOUTS)}")
    for name, (recognised, _, opened) in LAYOUTS.items():
        if name == layout or (layout is None and recognised(path)):
            return opened(path, frames)
    looked_for = "; ".join(f"{name}: {signs}" for name, (_, signs, _) in LAYOUTS.items())
    raise RecordingError(f"{path} is of no known layout; looked for {looked_for}")


def _bag(path: Path, _: int | None) -> BagRecording:
    from mm_fusion.recordings.bag import BagRecording

    return BagRecording(path)


def _is_bag(path: Path) -> bool:
    if path.suffix in (".mcap", ".db3") or (path / "metadata.yaml").exists():
        return True
    return any(path.glob("*.mcap")) or any(path.glob("*.db3"))  # a recorder that was killed


def _is_kitti_raw(path: Path) -> bool:
    streams = ("velodyne_points", "image_02", "oxts")
    return any((path / stream / "data").is_dir() for stream in streams)


def _is_kitti_object(path: Path) -> bool:
    return any((root / "image_2").is_dir() for root in (path, path / "training"))


def _is_astyx(path: Path) -> bool:
    return (path / "calibration").is_dir() and any(path.glob("radar_*"))


def _is_astyx_demo(path: Path) -> bool:
    return _is_astyx(path) and (path / "canbus").is_dir()


def _is_nuscenes(path: Path) -> bool:
    return (path / INFO).exists() or any(path.glob(f"*/{INFO}"))


# layout -> whether a path is one, by which signs, and how to open it; the first that fits is taken
LAYOUTS: dict[str, tuple[Callable[[Path], bool], str, Callable[[Path, int | None], Opened]]] = {
    "rosbag2": (_is_bag, "metadata.yaml, *.mcap or *.db3", _bag),
    "kitti_raw": (_is_kitti_raw, "velodyne_points/data, image_02/data or oxts/data", KittiRaw),
    "kitti_object": (_is_kitti_object, "image_2 or training/image_2", KittiObject),
    "astyx_demo": (_is_astyx_demo, "calibration, radar_* and canbus", Astyx),
    "astyx": (_is_astyx, "calibration and radar_*", Astyx),
    "nuscenes": (_is_nuscenes, f"{INFO} or */{INFO}", NuScenes),
}
