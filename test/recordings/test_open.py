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

"""Every layout is recognised by what lies in its folder."""

import numpy as np
import pytest

from mm_fusion.errors import RecordingError
from mm_fusion.recordings.open import open_recording


@pytest.mark.parametrize(
    ("folder", "layout", "frames"),
    [
        ("kitti_object", "kitti_object", 3),
        ("astyx_demo", "astyx_demo", 5),
        ("nuscenes", "nuscenes", 1),
    ],
)
def test_a_real_folder_is_recognised(data, folder, layout, frames):
    recording = open_recording(data / folder)
    assert (recording.layout, len(recording)) == (layout, frames)


def test_an_unpacked_folder_is_recognised(astyx, kitti_raw):
    assert open_recording(astyx).layout == "astyx"
    assert open_recording(kitti_raw, frames=3).layout == "kitti_raw"
    assert len(open_recording(kitti_raw, frames=3)) == 3


def test_every_reader_gives_names_in_the_order_of_growing_stamps(astyx, kitti_raw, data):
    for path in (astyx, kitti_raw, data / "kitti_object", data / "astyx_demo", data / "nuscenes"):
        recording = open_recording(path)
        frames = list(recording.frames())
        assert len(frames) == len(recording)
        stamps = [frame.stamp_ns for frame in frames]
        assert (np.diff(stamps) > 0).all()
        assert stamps[0] > 0
        names = {sensor.name for sensor in recording.sensors}
        for frame in frames:
            streams = set(frame.records) | {stream for stream, _ in frame.motion}
            assert streams <= names
            placed = {*frame.calibration.cameras, *frame.calibration.ego_from}
            assert set(frame.records) <= placed
        (again,) = recording.frames([frames[-1].token])
        assert again.stamp_ns == stamps[-1]


def test_nothing_at_the_path(tmp_path):
    with pytest.raises(RecordingError, match="there is no such file or folder"):
        open_recording(tmp_path / "nowhere")


def test_an_unknown_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(RecordingError, match=r"no known layout; looked for rosbag2: metadata.yaml"):
        open_recording(tmp_path)


def test_an_unknown_layout_lists_the_known_ones(tmp_path):
    with pytest.raises(RecordingError, match="layout 'waymo' is unknown; known: rosbag2"):
        open_recording(tmp_path, layout="waymo")


def test_a_layout_that_is_not_there_says_what_it_needs(tmp_path):
    with pytest.raises(RecordingError, match=r"holds no frame: looked for lidar_\*"):
        open_recording(tmp_path, layout="astyx")


def test_no_frames_cannot_be_asked_for(tmp_path):
    with pytest.raises(RecordingError, match="0 frames are none"):
        open_recording(tmp_path, frames=0)
