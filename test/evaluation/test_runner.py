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

"""Real recordings through the pipeline: the same every time, with and without each sensor."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mm_fusion.config import FusionConfig, GeometricConfig
from mm_fusion.errors import ConfigError, RecordingError
from mm_fusion.evaluation.results import boxes_of, objects_of, save_results
from mm_fusion.evaluation.runner import collect, run
from mm_fusion.geometry.rigid import invert
from mm_fusion.objects import SEEN_BY, Objects
from mm_fusion.recordings.convert import convert
from mm_fusion.recordings.open import open_recording

CONFIG = FusionConfig()


def results_of(path, without=(), tokens=None, frames=None, config=CONFIG):
    recording = open_recording(path, frames=frames)
    run_frames = run(recording, config, without=without, tokens=tokens)
    return collect(run_frames, recording, config, without=without)


@pytest.fixture(scope="module")
def kitti_bag(kitti_raw, tmp_path_factory):
    """The first KITTI frames as a bag."""
    bag = tmp_path_factory.mktemp("bags") / "kitti"
    convert(open_recording(kitti_raw), bag)
    return bag


@pytest.mark.parametrize("source", ["astyx", "kitti_raw", "kitti_bag"])
def test_two_runs_write_the_same_bytes(source, request, tmp_path):
    path = request.getfixturevalue(source)
    for name in ("one", "two"):
        save_results(tmp_path / name, results_of(path))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_every_frame_has_an_entry_and_the_meta_says_what_was_used(astyx):
    results = results_of(astyx)
    assert len(results.frames) == 6
    assert sum(map(len, results.frames.values())) > 6
    assert results.meta["frame"] == "radar"  # the data set's own reference
    assert results.meta["layout"] == "astyx"
    used = {kind: results.meta[f"use_{kind}"] for kind in ("camera", "lidar", "radar")}
    assert used == {"camera": True, "lidar": True, "radar": True}


def test_a_data_set_without_radar_says_so(kitti_raw):
    meta = results_of(kitti_raw, frames=1).meta
    assert (meta["frame"], meta["use_radar"], meta["use_lidar"]) == ("velodyne", False, True)


@pytest.mark.parametrize(
    ("without", "seen"),
    [((), {1, 2, 3}), (("lidar",), {SEEN_BY["radar"]}), (("radar",), {SEEN_BY["lidar"]})],
)
def test_what_was_left_out_has_seen_nothing(astyx, without, seen):
    evidence = set()
    for frame in run(open_recording(astyx), CONFIG, without=without):
        evidence |= set(frame.result.detections.evidence.tolist())
        assert not frame.result.frame.present_kinds & set(without)
    assert evidence
    assert evidence <= seen


def test_without_lidar_and_radar_every_frame_is_empty_and_says_why(astyx):
    frames = list(run(open_recording(astyx), CONFIG, without=("lidar", "radar")))
    assert len(frames) == 6
    for frame in frames:
        assert len(frame.result.detections) == 0
        assert any("needs a lidar or radar" in note for note in frame.result.notes)


def test_without_gps_nothing_measures_the_vehicles_motion(kitti_raw):
    known = [f.result.frame.motion.known for f in run(open_recording(kitti_raw), CONFIG)]
    blind = [
        f.result.frame.motion.known
        for f in run(open_recording(kitti_raw), CONFIG, without=("gps",))
    ]
    assert any(known)
    assert not any(blind)


def test_the_meta_names_what_was_left_out(astyx):
    meta = results_of(astyx, without=("radar", "camera")).meta
    assert meta["without"] == ["camera", "radar"]
    assert (meta["use_camera"], meta["use_lidar"], meta["use_radar"]) == (False, True, False)


def test_only_the_frames_named_are_run(astyx):
    tokens = list(results_of(astyx).frames)
    assert list(results_of(astyx, tokens=tokens[3:1:-1]).frames) == tokens[2:4]


def test_a_frame_that_is_not_there_is_named(astyx):
    with pytest.raises(RecordingError, match="'999999'"):
        results_of(astyx, tokens=["999999"])


def test_a_sensor_nobody_knows_cannot_be_left_out(astyx):
    with pytest.raises(ConfigError, match="--without sonar: choose from lidar, camera, radar, gps"):
        results_of(astyx, without=("sonar",))


def test_something_must_be_left(kitti_raw):
    with pytest.raises(ConfigError, match="--without lidar,camera leaves no sensor of kitti_raw"):
        results_of(kitti_raw, without=("lidar", "camera"))


def test_boxes_are_written_in_the_data_sets_frame(kitti_raw):
    # KITTI's Velodyne sits 1.73 m above the ground, where the vehicle's frame is
    for frame in run(open_recording(kitti_raw, frames=2), CONFIG):
        entries = boxes_of(frame.token, frame.result.detections, frame.result_from_ego)
        back = objects_of(entries, invert(frame.result_from_ego))
        order = np.argsort(-frame.result.detections.scores, kind="stable")
        assert_allclose(back.boxes, frame.result.detections.boxes[order], atol=1e-3)
        heights = [entry["translation"][2] for entry in entries]
        assert_allclose(np.array(heights) + 1.73, back.centers_ego[:, 2], atol=1e-3)


def test_a_bag_gives_a_frame_for_each_scan_named_by_its_stamp(kitti_bag):
    results = results_of(kitti_bag)
    scans = {
        record.stamp_ns
        for stream, record in open_recording(kitti_bag).records()
        if stream == "lidar"
    }
    assert {int(token) for token in results.frames} == scans
    assert len(scans) == 8
    assert results.meta["frame"] == "base_link"


def test_a_bag_sees_what_its_data_set_saw(kitti_raw, kitti_bag):
    first = next(run(open_recording(kitti_raw), CONFIG)).result.detections
    again = next(run(open_recording(kitti_bag), CONFIG)).result.detections
    assert len(first) == len(again) > 0
    assert_allclose(np.sort(again.scores), np.sort(first.scores), atol=0.02)


def test_a_setting_reaches_the_detector(astyx):
    strict = FusionConfig(geometric=GeometricConfig(score_threshold=0.6))
    results = results_of(astyx, config=strict)
    scores = [box["detection_score"] for boxes in results.frames.values() for box in boxes]
    assert scores
    assert min(scores) >= 0.6


def test_each_frame_is_told_as_it_is_done(astyx):
    recording, told = open_recording(astyx), []
    collect(run(recording, CONFIG), recording, CONFIG, progress=told.append)
    assert told == [1] * 6


def test_the_file_is_what_a_stock_reader_reads(astyx, tmp_path):
    results = results_of(astyx, frames=2)
    save_results(tmp_path / "new" / "r.json", results)
    tree = json.loads((tmp_path / "new" / "r.json").read_text())
    assert set(tree) == {"meta", "results"}
    for token, boxes in tree["results"].items():
        for box in boxes:
            assert box["sample_token"] == token
            assert len(box["translation"]) == len(box["size"]) == 3
            assert_allclose(np.linalg.norm(box["rotation"]), 1, atol=1e-5)
            assert 0 <= box["detection_score"] <= 1
        scores = [box["detection_score"] for box in boxes]
        assert scores == sorted(scores, reverse=True)


def test_a_frame_without_objects_is_an_empty_list(tmp_path):
    assert boxes_of("7", Objects.none(), np.eye(4)) == []
