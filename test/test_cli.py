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

"""The command line's contract: exit codes and single sentences."""

import json

import cv2
import pytest

from mm_fusion.cli import main


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["sing"],
        ["play"],
        ["play", "x", "--rate=0"],
        ["play", "x", "--wait-for", "all"],
        ["run", "x"],
        ["run", "x", "--out", "r.json", "--from", "waymo"],
        ["convert", "x"],
        ["convert", "x", "y", "--storage", "zip"],
        ["convert", "x", "y", "--frames", "some"],
        ["evaluate", "r.json"],
        ["evaluate", "r.json", "--truth", "x", "--distance", "-1"],
        ["evaluate", "r.json", "--truth", "x", "--range", "nan"],
        ["check"],
        ["view"],
        ["demo", "--seconds", "0"],
        ["bench", "--rate", "inf"],
    ],
)
def test_wrong_usage_ends_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage: mm_fusion" in capsys.readouterr().err


@pytest.mark.parametrize(
    "verb", ["", "demo", "convert", "play", "run", "evaluate", "check", "view", "bench"]
)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"] if verb else ["--help"])
    assert stop.value.code == 0
    assert f"usage: mm_fusion {verb}".strip() in capsys.readouterr().out


def one_sentence(argv, capsys):
    """Run what cannot be done, and return the sentence."""
    code = main([str(word) for word in argv])
    out, err = capsys.readouterr()
    assert code == 1
    assert out == ""
    assert err.startswith(f"mm_fusion {argv[0]}: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["run", "{tmp}", "--out", "{tmp}/r.json"], "run: {tmp} is of no known layout"),
        (["run", "{tmp}/none", "--out", "{tmp}/r.json"], "{tmp}/none: there is no such file"),
        (["run", "{tmp}", "--out", "r.json", "--detector", "magic"], "detector is 'magic'; choose"),
        (["run", "{tmp}", "--out", "r.json", "--config", "{tmp}/c.yaml"], "c.yaml: No such file"),
        (["convert", "{tmp}/none", "{tmp}/bag"], "convert: recording {tmp}/none: there is no"),
        (["convert", "{tmp}", "{tmp}/bag", "--frames", "0"], "0 frames are none; ask for 1"),
        (["convert", "{tmp}", "{tmp}/bag", "--from", "rosbag2"], "{tmp}"),
        (["evaluate", "{tmp}/r.json", "--truth", "{tmp}"], "results file {tmp}/r.json: No such"),
        (["check", "{tmp}/none"], "check: bag {tmp}/none: there is no such file"),
        (["view", "{tmp}/none"], "{tmp}/none: there is no such file"),
        (["view", "{tmp}", "--from", "astyx"], "{tmp}"),
        (["bench"], "bench: give --bag BAG, or --transport"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_one_sentence(argv, sentence, tmp_path, capsys):
    said = one_sentence([word.format(tmp=tmp_path) for word in argv], capsys)
    assert sentence.format(tmp=tmp_path) in said


@pytest.mark.ros
@pytest.mark.parametrize("argv", [["play", "{tmp}/none"], ["bench", "--bag", "{tmp}/none"]])
def test_a_bag_that_is_not_there_cannot_be_played(argv, tmp_path, capfd):
    pytest.importorskip("rclpy", reason="ROS 2 is not there; `make setup` brings it")
    said = one_sentence([word.format(tmp=tmp_path) for word in argv], capfd)
    assert f"bag {tmp_path}/none: there is no such file or folder" in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[1, 2]", "lacks `results`; write it with `mm_fusion run`"),
        ('{"results": 5}', "lacks `results`"),
        ('{"results": {"000000": 7}}', "a result entry is malformed"),
        ('{"results": {"000000": ["car"]}}', "a result entry is malformed"),
        ('{"results": {"000000": [{"detection_name": "car"}]}}', "malformed: KeyError"),
    ],
)
def test_a_results_file_that_is_none_gets_its_sentence(content, sentence, astyx, tmp_path, capsys):
    (tmp_path / "r.json").write_text(content)
    assert sentence in one_sentence(["evaluate", tmp_path / "r.json", "--truth", astyx], capsys)


def test_bytes_that_are_no_text_get_their_sentence(astyx, tmp_path, capsys):
    noise = tmp_path / "noise"
    noise.write_bytes(b"\xff\xfe\x00\xd8" * 9)
    assert "is not JSON" in one_sentence(["evaluate", noise, "--truth", astyx], capsys)
    out = tmp_path / "r.json"
    said = one_sentence(["run", astyx, "--out", out, "--frames-file", noise], capsys)
    assert f"frames file {noise} is no text" in said
    said = one_sentence(["run", astyx, "--out", out, "--config", noise], capsys)
    assert f"parameter file {noise} is not YAML" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--without", "sonar"], "--without sonar: choose from lidar, camera, radar, gps"),
        (["--without", "lidar,camera,radar"], "leaves no sensor of astyx"),
        (["--frames-file", "{tmp}/none"], "frames file {tmp}/none: No such file"),
        (["--frames-file", "{tmp}/stranger"], "no frame '424242'"),
    ],
)
def test_a_run_that_cannot_be_writes_no_results(options, sentence, astyx, tmp_path, capsys):
    (tmp_path / "stranger").write_text("424242\n")
    out = tmp_path / "r.json"
    options = [word.format(tmp=tmp_path) for word in options]
    said = one_sentence(["run", astyx, "--out", out, *options], capsys)
    assert sentence.format(tmp=tmp_path) in said
    assert not out.exists()


def test_a_place_that_cannot_be_written_to_is_named(astyx, tmp_path, capsys):
    said = one_sentence(["run", astyx, "--frames", 1, "--out", tmp_path], capsys)
    assert f"{tmp_path}: Is a directory" in said
    said = one_sentence(["view", astyx, "--png", tmp_path], capsys)
    assert f"{tmp_path}: Is a directory" in said


def test_a_bag_is_not_written_over(kitti_raw, tmp_path, capsys):
    (tmp_path / "bag").mkdir()
    said = one_sentence(["convert", kitti_raw, tmp_path / "bag"], capsys)
    assert "exists already" in said


def test_a_frame_that_is_not_there_cannot_be_viewed(kitti_raw, tmp_path, capsys):
    png = tmp_path / "v.png"
    said = one_sentence(["view", kitti_raw, "--frame", "77", "--png", png], capsys)
    assert "no frame is named '77'" in said
    assert not png.exists()


def test_results_of_another_recording_are_not_scored(kitti_raw, tmp_path, capsys):
    (tmp_path / "r.json").write_text('{"meta": {}, "results": {"0000000000": []}}')
    said = one_sentence(["evaluate", tmp_path / "r.json", "--truth", kitti_raw], capsys)
    assert "holds no labels, or is not the source they were made from" in said


def test_a_run_is_scored_plotted_and_seen(astyx, tmp_path, capsys):
    results, figures, plot, png = (
        tmp_path / n for n in ("r.json", "figures.json", "plot.png", "v.png")
    )
    assert main(["run", str(astyx), "--out", str(results), "--without", "camera"]) == 0
    assert f"{results}: 6 frames, " in capsys.readouterr().out
    assert json.loads(results.read_text())["meta"]["use_camera"] is False
    options = ["--range", "40", "--json", str(figures), "--plot", str(plot)]
    assert main(["evaluate", str(results), "--truth", str(astyx), *options]) == 0
    assert "recall" in capsys.readouterr().out
    tree = json.loads(figures.read_text())
    assert (tree["frames"], tree["range_m"]) == (6, 40.0)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(["view", str(astyx), "--results", str(results), "--png", str(png)]) == 0
    assert cv2.imread(str(png)).shape[0] == 900


def test_frames_are_those_of_the_file_or_the_first_so_many(astyx, tmp_path, capsys):
    out, names = tmp_path / "r.json", tmp_path / "names"
    assert main(["run", str(astyx), "--out", str(out), "--frames", "3"]) == 0
    first = list(json.loads(out.read_text())["results"])
    names.write_text(f"{first[2]}\n{first[0]}\n")
    assert main(["run", str(astyx), "--out", str(out), "--frames-file", str(names)]) == 0
    assert list(json.loads(out.read_text())["results"]) == [first[0], first[2]]
    assert "2 frames" in capsys.readouterr().out


def test_a_data_set_becomes_a_bag_that_runs(kitti_raw, tmp_path, capsys):
    bag, out = tmp_path / "bag", tmp_path / "r.json"
    assert main(["convert", str(kitti_raw), str(bag), "--frames", "3"]) == 0
    assert f"mm_fusion play {bag}" in capsys.readouterr().out
    assert main(["run", str(bag), "--out", str(out)]) == 0
    tree = json.loads(out.read_text())
    assert tree["meta"]["layout"] == "rosbag2"
    assert len(tree["results"]) == 3


def test_settings_come_from_the_file(astyx, tmp_path):
    config, out = tmp_path / "c.yaml", tmp_path / "r.json"
    config.write_text(
        "/**: {ros__parameters: {detector: geometric, geometric: {score_threshold: 1.0}}}"
    )
    argv = ["run", str(astyx), "--out", str(out), "--frames", "2", "--config", str(config)]
    assert main(argv) == 0
    assert list(json.loads(out.read_text())["results"].values()) == [[], []]


def test_without_a_terminal_no_bar_is_drawn(astyx, tmp_path, capsys):
    assert main(["run", str(astyx), "--out", str(tmp_path / "r.json"), "--frames", "1"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("seconds", ["x", "-1", "0", "nan", "inf"])
def test_a_length_that_is_no_positive_number_is_wrong_usage(seconds, capsys):
    with pytest.raises(SystemExit) as left:
        main(["demo", "--seconds", seconds])
    assert left.value.code == 2
    assert f"'{seconds}' is not a positive number" in capsys.readouterr().err
