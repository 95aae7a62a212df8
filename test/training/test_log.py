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

"""What a training tells."""

import json

import pytest

from mm_fusion.training.log import CURVES, LOG, TrainingLog


def test_lines_go_on_where_they_ended(tmp_path):
    for step in (1, 2):
        log = TrainingLog(tmp_path)
        log.note({"step": step, "loss": 1.23456789})
        log.close()
    told = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert told == [{"step": 1, "loss": 1.23457}, {"step": 2, "loss": 1.23457}]


def test_the_curves_are_tensorboards(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TrainingLog(tmp_path)
    log.note({"step": 7, "loss": 2.5, "lidar heat": 0.5})
    log.close()
    curves = EventAccumulator(str(tmp_path / CURVES)).Reload()
    assert set(curves.Tags()["scalars"]) == {"loss", "lidar/heat"}
    (event,) = curves.Scalars("loss")
    assert (event.step, event.value) == (7, 2.5)
