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

"""A training: it learns, it is repeatable, and an interruption changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from mm_fusion.errors import CheckpointError, ConfigError
from mm_fusion.evaluation.kitti_ap import average_precision, overlap_frame
from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.model.decode import DecodeConfig, decode
from mm_fusion.objects import CLASSES, Objects
from mm_fusion.training.augment import Augmentation
from mm_fusion.training.batches import batch_of_samples, window_of
from mm_fusion.training.samples import parts
from mm_fusion.training.train_config import (
    DropConfig,
    OptimizerConfig,
    TrainConfig,
    load_train_config,
)
from mm_fusion.training.trainer import Trainer

from .conftest import SMALL, street

QUICK = TrainConfig(
    network=SMALL,
    optimizer=OptimizerConfig(epochs=3, batch=2),
    imagenet=False,
    paste=1,
)
STILL = Augmentation(
    flip=0, turn_rad=0, tilt_rad=0, scale=0, shift_m=0, drop_points=0, drop_returns=0, color=0
)


@pytest.fixture(autouse=True)
def two_threads():
    torch.set_num_threads(2)


def weights(trainer):
    return torch.cat([p.flatten() for p in trainer.average.parameters()])


class Unplugged(Exception):  # noqa: N818  # it is no error
    """Somebody pulls the plug."""


def test_interrupted_and_gone_on_with_ends_as_trained_through(samples, tmp_path):
    through = Trainer(QUICK, samples, tmp_path / "through")
    through.run()
    assert through.step == through.steps == 6

    def stop(step, _steps, _told):
        if step == 3:
            raise Unplugged

    with pytest.raises(Unplugged):
        Trainer(QUICK, samples, tmp_path / "halted").run(stop)
    again = Trainer(QUICK, samples, tmp_path / "halted")
    assert again.step == 3
    again.run()
    torch.testing.assert_close(weights(again), weights(through), atol=1e-6, rtol=1e-5)


def test_a_folder_with_another_network_is_refused(samples, tmp_path):
    Trainer(QUICK, samples, tmp_path).run()
    other = replace(QUICK, network=replace(SMALL, channels=16))
    with pytest.raises(CheckpointError, match="is of another network than the settings"):
        Trainer(other, samples, tmp_path)


def test_too_few_frames_for_a_batch_are_refused(samples, tmp_path):
    with pytest.raises(ConfigError, match="1 labelled frames are fewer than one batch of 2"):
        Trainer(QUICK, samples[:1], tmp_path)


def test_a_small_network_learns_two_frames_by_heart(samples, tmp_path):
    config = replace(
        QUICK,
        optimizer=OptimizerConfig(epochs=250, batch=2, learning_rate=3e-3, average=0.9),
        drop=DropConfig(camera=1.0, lidar=0.0, radar=0.0),
        paste=0,
    )
    two = samples[:2]
    trainer = Trainer(config, two, tmp_path)
    trainer._augmentation = STILL
    trainer.run()
    batch = batch_of_samples(two, SMALL.classes, np.tile([True, False, False], (2, 1)), SMALL.grid)
    with torch.inference_mode():
        maps = trainer.average(batch.inputs).fused
    found = decode(maps, SMALL.map_grid, SMALL.classes, batch.inputs.planes, DecodeConfig())
    car = CLASSES.index("car")
    frames = [
        overlap_frame(
            ScoredFrame(
                token=sample.token,
                stamp_ns=0,
                detections=objects,
                truth=sample.truth.objects,
                counted=np.ones(len(sample.truth.objects), bool),
                ignored=Objects.none(),
                excused=np.zeros(len(objects), bool),
            ),
            sample.truth.occlusion,
            car,
            "3d",
        )
        for sample, objects in zip(two, found, strict=True)
    ]
    # 20 copies, since KITTI's recall has 40 positions
    assert average_precision(frames * 20, 0.5).r40 > 95


def test_objects_nothing_can_have_seen_are_not_learnt():
    hidden = street([[12.0, 3.0, 0.8, 4.2, 1.8, 1.6, 0.4], [20.0, -3.0, 0.8, 4.2, 1.8, 1.6, 0.0]])
    frame = hidden.frame
    far = frame.points_ego[:, 0] > 16
    bare = replace(
        hidden,
        frame=replace(frame, points_ego=frame.points_ego[~far], intensity=frame.intensity[~far]),
    )
    none, no_camera_no_radar = np.zeros((1, 3), bool), np.array([[True, False, True]])
    assert (
        batch_of_samples([bare], SMALL.classes, none, SMALL.grid).labelled.ignored.tolist()
        == [False] * 2
    )
    blind = batch_of_samples([bare], SMALL.classes, no_camera_no_radar, SMALL.grid)
    assert blind.labelled.ignored.tolist() == [False, True]
    assert blind.inputs.present.tolist() == [[False, True, False]]


def test_without_a_lidar_the_ground_is_not_known(samples):
    hidden = np.array([[False, True, False]])
    batch = batch_of_samples(samples[:1], SMALL.classes, hidden, SMALL.grid)
    assert np.isnan(batch.inputs.planes).all()
    assert torch.isnan(batch.labelled.ground).all()
    seen = batch_of_samples(samples[:1], SMALL.classes, ~hidden, SMALL.grid)
    assert np.isnan(seen.inputs.planes).sum() == 0
    assert seen.labelled.ground.abs().max() < 0.1


def test_windows_are_parts_of_the_grid_of_the_size_asked_for_and_everything_is_in_some():
    rng = np.random.default_rng(0)
    grid = SMALL.grid
    drawn = [window_of(grid, (2.6, 0.0), 4, rng) for _ in range(200)]  # steps of 4 x 0.32 m
    assert {w.shape for w in drawn} == {(8, grid.shape[1])}  # 2.56 m
    assert min(w.x_min_m for w in drawn) == grid.x_min_m
    assert max(w.x_max_m for w in drawn) == pytest.approx(grid.x_max_m)
    assert_allclose([(w.x_min_m - grid.x_min_m) / 1.28 % 1 for w in drawn], 0, atol=1e-9)
    assert window_of(grid, (0.0, 1000.0), 4, rng) == grid


def test_parts_are_runs_of_frames_or_drawn_and_none_is_lost():
    tokens = [f"{k}" for k in range(10)]
    learnt, held = parts(tokens, 5, 1)
    assert held == ["2", "3"]
    assert sorted(learnt + held) == tokens
    assert parts(tokens, 5, -1) == (tokens, [])
    drawn = [parts(tokens, 5, k, seed=3)[1] for k in range(5)]
    assert sorted(t for part in drawn for t in part) == tokens
    assert drawn[0] != ["0", "1"]
    with pytest.raises(ConfigError, match="data.fold is 5; of 5 folds the last is 4"):
        parts(tokens, 5, 5)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("optimizer: {epochs: 0}", "optimizer.epochs is 0; it must lie in"),
        ("optimizer: {momentum: 0.9}", "unknown setting optimizer.momentum"),
        ("network: {classes: [car, boat]}", "classes: 'boat' is not known"),
    ],
)
def test_absurd_settings_are_refused(tmp_path, text, sentence):
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_train_config(path)


def test_single_settings_are_changed_from_outside(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("optimizer: {epochs: 9}")
    changes = ["network.fuser=concat", "network.early=[paint]", "optimizer.batch=8", "seed=3"]
    config = load_train_config(path, changes)
    assert (config.network.fuser, config.network.early) == ("concat", ("paint",))
    assert (config.optimizer.epochs, config.optimizer.batch, config.seed) == (9, 8, 3)
    for change, sentence in (
        ("seed", "--set seed: give a setting and its value"),
        ("seed.more=1", "seed is no group of settings"),
        ("network.colour=1", "unknown setting network.colour"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            load_train_config(path, ["seed=3", change])
