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

"""A recording becomes a Rerun recording: real frames, their images, their labels."""

import sys

import numpy as np
import pytest

from mm_fusion.cli import main
from mm_fusion.config import FusionConfig
from mm_fusion.errors import ConfigError, MessageError, RecordingError
from mm_fusion.evaluation.rerun_recording import compressed, record
from mm_fusion.preprocess.image import decode
from mm_fusion.recordings.open import open_recording
from mm_fusion.records import CameraImage
from mm_fusion.view.rerun_stream import open_file


@pytest.fixture
def chunks():
    """Read the chunks of a .rrd file, by entity."""
    pytest.importorskip("rerun", reason='Rerun is not there; pip install "mm_fusion[rerun]"')
    from rerun.chunk import RrdReader

    def read(path):
        found = {}
        for chunk in RrdReader(path).stream():
            found.setdefault(chunk.entity_path, []).append(chunk)
        return found

    return read


def test_every_frame_of_a_drive_is_written(kitti_raw, tmp_path, chunks):
    path, counted = tmp_path / "new" / "drive.rrd", []
    frames = record(
        open_recording(kitti_raw), path, config=FusionConfig(), frames=3, progress=counted.append
    )
    assert (frames, counted) == (3, [1, 1, 1])
    written = chunks(path)
    for entity in ("/map/ego", "/map/ego/lidar", "/map/ego/tracks", "/plots/counts/tracks"):
        assert sum(chunk.num_rows for chunk in written[entity]) == 3
    images = [entity for entity in written if entity.endswith("/image")]
    assert images
    for stage in ("localize", "align", "detect", "track"):
        told = [
            value
            for chunk in written[f"/plots/latencies_ms/{stage}"]
            for (value,) in chunk.to_record_batch().column("Scalars:scalars").to_pylist()
        ]
        assert len(told) == 3
        assert min(told) > 0


def test_labels_stand_where_the_data_set_has_them(astyx, tmp_path, chunks):
    source, path = open_recording(astyx, frames=2), tmp_path / "astyx.rrd"
    record(source, path, config=FusionConfig())
    drawn = [
        len(boxes)
        for chunk in chunks(path)["/map/ego/truth"]
        for boxes in chunk.to_record_batch().to_pydict()["Boxes3D:centers"]
    ]
    labelled = [len(frame.truth.objects) for frame in source.frames()]
    assert min(labelled) > 0
    assert sorted(drawn) == sorted([0, 0, *labelled])  # each frame's are cleared, then filled in


def test_an_image_that_is_a_file_stays_as_it_is():
    data = np.frombuffer(b"\xff\xd8 bytes", np.uint8)
    image = CameraImage(stamp_ns=1, data=data, encoding="jpeg")
    assert compressed(image) == b"\xff\xd8 bytes"


def test_raw_pixels_become_a_jpeg_of_the_same_picture():
    rows = np.zeros((64, 96, 3), np.uint8)
    rows[:, 48:] = (200, 40, 90)
    image = CameraImage(
        stamp_ns=1, data=rows.ravel(), encoding="rgb8", width=96, height=64, step=288
    )
    coded = compressed(image)
    assert coded.startswith(b"\xff\xd8")
    again = decode(CameraImage(stamp_ns=1, data=np.frombuffer(coded, np.uint8), encoding="jpeg"))
    assert np.abs(again.astype(int) - rows).mean() < 4


def test_pixels_that_are_none_are_refused():
    image = CameraImage(stamp_ns=1, data=np.zeros(3, np.uint8), encoding="rgb8")
    with pytest.raises(MessageError, match="image of 0 x 0"):
        compressed(image)


def test_no_frames_are_none(kitti_raw, tmp_path):
    with pytest.raises(RecordingError, match="0 frames are none; ask for 1 or more"):
        record(open_recording(kitti_raw), tmp_path / "x.rrd", config=FusionConfig(), frames=0)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("rerun", reason='Rerun is not there; pip install "mm_fusion[rerun]"')
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--rrd .*/file/x\.rrd cannot be written"):
        open_file(tmp_path / "file" / "x.rrd")


def test_the_command_says_how_to_look(kitti_raw, tmp_path, capsys):
    pytest.importorskip("rerun", reason='Rerun is not there; pip install "mm_fusion[rerun]"')
    path = tmp_path / "drive.rrd"
    assert main(["view", str(kitti_raw), "--rrd", str(path), "--frames", "1"]) == 0
    assert capsys.readouterr().out == f"{path}: 1 frames, see them with `rerun {path}`\n"


def test_without_rerun_the_command_says_how_to_get_it(kitti_raw, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)  # as if it were not installed
    assert main(["view", str(kitti_raw), "--rrd", str(tmp_path / "x.rrd")]) == 1
    assert 'not installed: pip install "mm_fusion[rerun]"' in capsys.readouterr().err
    assert not (tmp_path / "x.rrd").exists()


@pytest.mark.parametrize("option", [["--web"], ["--clouds", "/points"]])
def test_options_of_the_live_view_need_it(option, tmp_path, capsys):
    assert main(["view", str(tmp_path), *option]) == 1
    assert "view: --web and --clouds go with --live" in capsys.readouterr().err
