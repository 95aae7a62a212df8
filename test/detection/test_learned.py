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

"""The learned detector: weights on disk to objects, in the pipeline and by the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mm_fusion.calibration import Calibration
from mm_fusion.cli import main
from mm_fusion.config import FusionConfig, LateConfig, LearnedConfig, SensorConfig
from mm_fusion.detection import shipped as shipped_weights
from mm_fusion.detection.learned import learned_detector
from mm_fusion.detection.shipped import chosen, runs_network, weights_of
from mm_fusion.errors import CheckpointError, ConfigError
from mm_fusion.geometry.grid import BevGrid
from mm_fusion.model.checkpoint import Card, save_checkpoint
from mm_fusion.model.network import FusionNetwork
from mm_fusion.model.network_config import NetworkConfig
from mm_fusion.objects import SEEN_BY
from mm_fusion.pipeline import build_pipeline
from mm_fusion.records import EgoFrame, EgoMotion, LidarScan, SensorFrame

SMALL = NetworkConfig(
    grid=BevGrid(x_min_m=0.0, x_max_m=51.2, y_min_m=-25.6, y_max_m=25.6, cell_m=0.32),
    pillar_channels=8,
    channels=8,
    depths=(8, 8, 8),
    blocks=1,
    image_height=64,
    image_width=160,
    image_channels=8,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Weights as drawn, of a head that finds something everywhere."""
    torch.manual_seed(0)
    network = FusionNetwork(SMALL)
    torch.nn.init.constant_(network.trunk.head.heat.bias, 1.0)
    path = tmp_path_factory.mktemp("learned") / "weights.safetensors"
    save_checkpoint(path, network, Card(data="drawn", licence="Apache-2.0"))
    return path


def frame(kinds=("lidar",)):
    rng = np.random.default_rng(0)
    points = rng.uniform([1, -20, -1.8], [50, 20, -1.6], (3000, 3)).astype(np.float32)
    count = len(points) if "lidar" in kinds else 0
    nothing = np.zeros((0, 3), np.float32)
    return EgoFrame(
        stamp_ns=1,
        points_ego=points[:count],
        intensity=np.zeros(count, np.float32),
        radar_ego=nothing,
        radar_ray_ego=nothing,
        radial_speed_mps=np.zeros(0, np.float32),
        rcs_dbsm=np.zeros(0, np.float32),
        images={},
        image_stamp_from_frame={},
        motion=EgoMotion(linear_ego=np.zeros(3), angular_ego=np.zeros(3)),
        map_from_ego=np.eye(4),
        present=frozenset(kinds),
        present_kinds=frozenset(kinds),
        missing={},
    )


def test_a_frame_gives_objects_within_the_grid_and_the_same_again(checkpoint):
    detector = learned_detector(LearnedConfig(checkpoint=str(checkpoint)))
    found = detector.detect(frame())
    assert len(found) > 0
    assert (found.centers_ego[:, 0] > -1).all()
    assert (found.centers_ego[:, 0] < 52.2).all()
    assert np.isnan(found.velocities_ego).all()
    assert (np.diff(found.scores) <= 0).all()
    again = detector.detect(frame())
    assert np.array_equal(found.boxes, again.boxes)
    assert np.isin(found.evidence, [0, SEEN_BY["lidar"]]).all()


def test_a_higher_threshold_leaves_fewer(checkpoint):
    found = [
        len(
            learned_detector(LearnedConfig(checkpoint=str(checkpoint), score_threshold=t)).detect(
                frame()
            )
        )
        for t in (0.1, 0.99)
    ]
    assert found[0] > found[1]


def test_without_a_sensor_it_knows_there_is_nothing(checkpoint):
    detector = learned_detector(LearnedConfig(checkpoint=str(checkpoint)))
    assert len(detector.detect(frame(()))) == 0
    assert detector.needs_any_of == {"camera", "lidar", "radar"}


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({}, ConfigError, "learned.checkpoint is empty; name a file of weights or one of"),
        ({"checkpoint": "/nowhere.safetensors"}, CheckpointError, "No such file"),
    ],
)
def test_weights_that_are_not_there_are_told(settings, error, sentence):
    with pytest.raises(error, match=sentence):
        learned_detector(LearnedConfig(**settings))


def test_auto_is_the_guarded_one_where_there_are_weights(checkpoint, monkeypatch):
    auto = FusionConfig(detector="auto")
    assert chosen(auto).detector == "geometric"
    assert chosen(auto, "no_such_layout").detector == "geometric"
    named = replace(auto, learned=LearnedConfig(checkpoint=str(checkpoint)))
    assert chosen(named).detector == "guarded"
    assert chosen(replace(named, detector="late")).detector == "late"
    monkeypatch.setattr(shipped_weights, "FOLDER", checkpoint.parent)
    assert chosen(auto, "weights").learned.checkpoint == "weights"
    assert weights_of("weights") == checkpoint
    monkeypatch.setattr(shipped_weights, "find_spec", lambda name: None)
    assert chosen(named).detector == "geometric"  # what would run it is not installed


def test_late_fusion_asks_the_network_sensor_by_sensor_and_needs_its_weights(checkpoint):
    heads = ("learned_lidar", "learned_radar", "geometric")
    named = LearnedConfig(checkpoint=str(checkpoint), score_threshold=0.3)
    config = FusionConfig(
        detector="late", learned=named, late=LateConfig(heads=heads, score_threshold=0.0)
    )
    detector = build_pipeline(config).detector
    assert detector.features[:3] == tuple(f"{head}.score" for head in heads)
    opinions = detector.opinions(frame())  # of a LiDAR alone
    reported = opinions.reported.any(axis=0)
    assert reported[0]
    assert not reported[1]
    alone = learned_detector(named).detect(frame())
    assert opinions.reported[:, 0].sum() == len(alone)
    with pytest.raises(ConfigError, match=r"learned\.checkpoint is empty"):
        build_pipeline(FusionConfig(detector="late", late=LateConfig(heads=heads)))
    of_astyx = chosen(FusionConfig(detector="late", late=LateConfig(heads=heads)), "astyx")
    assert of_astyx.learned.checkpoint == "astyx"
    assert not runs_network(FusionConfig(detector="late"))


@pytest.mark.parametrize("heads", [(), ("lidar", "lidar")])
def test_heads_that_cannot_be_are_refused(heads):
    with pytest.raises(ConfigError, match="name at least one detector, and none twice"):
        LateConfig(heads=heads)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told(checkpoint):
    with pytest.raises(ConfigError, match="device is 'cuda' but no GPU is to be had"):
        learned_detector(LearnedConfig(checkpoint=str(checkpoint), device="cuda"))


def test_the_pipeline_runs_it_and_tracks_what_it_finds(checkpoint):
    config = FusionConfig(
        detector="learned",
        learned=LearnedConfig(checkpoint=str(checkpoint)),
        sensors=(SensorConfig(name="lidar", kind="lidar", topic="points"),),
    )
    pipeline = build_pipeline(config)
    pipeline.calibrate(Calibration(ego_from={"lidar": np.eye(4)}))
    points = frame().points_ego
    for k in range(3):
        scan = LidarScan(
            stamp_ns=(k + 1) * 100_000_000,
            points_lidar=points,
            intensity=np.zeros(len(points), np.float32),
            offset_s=np.zeros(len(points), np.float32),
        )
        result = pipeline.process(
            SensorFrame(stamp_ns=scan.stamp_ns, reference="lidar", records={"lidar": scan})
        )
    assert len(result.detections) > 0
    assert len(result.tracks) > 0
    pipeline.retune(replace(config, learned=replace(config.learned, score_threshold=1.0)))
    last = replace(scan, stamp_ns=400_000_000)
    result = pipeline.process(
        SensorFrame(stamp_ns=last.stamp_ns, reference="lidar", records={"lidar": last})
    )
    assert len(result.detections) == 0


@pytest.mark.parametrize("without", ["", "camera", "lidar", "radar", "lidar,radar"])
def test_a_data_set_is_run_with_whatever_sensors_are_left(checkpoint, astyx, tmp_path, without):
    out = tmp_path / "results.json"
    words = ["run", str(astyx), "--out", str(out), "--checkpoint", str(checkpoint)]
    assert main([*words, "--frames", "2", "--without", without]) == 0
    results = json.loads(out.read_text())
    assert results["meta"]["detector"] == "guarded"
    assert all(len(boxes) > 0 for boxes in results["results"].values())
    values = [box["translation"] + box["size"] for b in results["results"].values() for box in b]
    assert np.isfinite(values).all()


def test_the_packages_own_weights_run_on_what_they_were_made_for(astyx, tmp_path, capsys):
    out = tmp_path / "results.json"
    assert main(["run", str(astyx), "--out", str(out), "--frames", "4"]) == 0
    said = capsys.readouterr().out
    assert "detector guarded" in said
    assert "CC-BY-NC-SA-4.0" in said
    assert main(["evaluate", str(out), "--truth", str(astyx), "--distance", "2"]) == 0
    table = capsys.readouterr().out
    (row,) = (line.split() for line in table.splitlines() if line.split()[:1] == ["car"])
    assert float(row[4]) > 0.6  # recall of cars within 30 m, which it has learnt from
