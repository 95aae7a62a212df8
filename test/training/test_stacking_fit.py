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

"""Stacking is fitted to real frames, and what it learns serves late fusion."""

import json

import pytest

from mm_fusion.cli import main
from mm_fusion.config import FusionConfig
from mm_fusion.errors import RecordingError
from mm_fusion.recordings.open import open_recording
from mm_fusion.training.stacking_fit import fit_to


def test_a_score_speaks_for_an_object_and_the_weights_serve_a_run(astyx, tmp_path, capsys):
    weights, settings = tmp_path / "stacking.json", tmp_path / "late.yaml"
    assert main(["stack", str(astyx), "--out", str(weights)]) == 0
    learnt = json.loads(weights.read_text())["weights"]
    assert learnt["lidar.score"] > 0
    assert "real" in capsys.readouterr().out
    settings.write_text(
        f"/**: {{ros__parameters: {{late: {{method: stacked, stacking_file: {weights}}}}}}}\n"
    )
    out = tmp_path / "results.json"
    words = ["run", str(astyx), "--out", str(out), "--detector", "late"]
    assert main([*words, "--config", str(settings)]) == 0
    scores = [
        b["detection_score"]
        for boxes in json.loads(out.read_text())["results"].values()
        for b in boxes
    ]
    assert 0 <= min(scores) < 0.5 < max(scores) <= 1


def test_frames_without_labels_teach_nothing(kitti_raw):
    source = open_recording(kitti_raw, frames=2)
    with pytest.raises(RecordingError, match="none of the 2 frames of kitti_raw is labelled"):
        fit_to(source, FusionConfig(), distance_m=1.0, range_m=30.0)
