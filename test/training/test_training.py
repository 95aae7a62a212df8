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

"""`mm_fusion train` from settings to weights that detect, and on where it was interrupted."""

import json

import pytest

from mm_fusion.cli import main
from mm_fusion.model.checkpoint import load_checkpoint

SETTINGS = """
data: {folds: 3, fold: 0}
network:
  grid: {x_min_m: 0.0, x_max_m: 51.2, y_min_m: -25.6, y_max_m: 25.6, cell_m: 0.32}
  pillar_channels: 8
  channels: 8
  depths: [8, 8, 8]
  blocks: 1
  image_height: 64
  image_width: 160
  image_channels: 8
optimizer: {epochs: 1, batch: 2}
imagenet: false
licence: CC-BY-NC-SA-4.0
"""


@pytest.fixture(scope="module")
def trained(astyx, tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    settings = folder / "train.yaml"
    settings.write_text(SETTINGS)
    out = folder / "out"
    words = ["train", str(settings), "--source", str(astyx), "--out", str(out), "--threads", "2"]
    assert main(words) == 0
    return words, out


def test_what_is_kept_out_is_named_a_line_each(trained):
    _, out = trained
    assert (out / "held_out.txt").read_text() == "000000\n000002\n"


def test_the_card_says_what_was_learnt_from_and_under_which_licence(trained):
    _, out = trained
    _, card = load_checkpoint(out / "weights.safetensors")
    assert "4 of 6 labelled frames" in card.data
    assert (card.licence, card.layout) == ("CC-BY-NC-SA-4.0", "astyx")
    assert not card.velocity  # Astyx labels none


def test_every_step_is_in_the_log(trained):
    _, out = trained
    told = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [t["step"] for t in told] == [1, 2]
    assert all(t["loss"] > 0 for t in told)


def test_a_training_that_is_done_is_not_begun_anew(trained, capsys):
    words, out = trained
    before = (out / "weights.safetensors").read_bytes()
    assert main(words) == 0
    assert (out / "weights.safetensors").read_bytes() == before
    assert "2 kept out" in capsys.readouterr().out


def test_the_weights_detect_on_what_was_kept_out(trained, astyx, tmp_path):
    _, out = trained
    results = tmp_path / "results.json"
    words = ["run", str(astyx), "--checkpoint", str(out / "weights.safetensors")]
    kept = ["--frames-file", str(out / "held_out.txt"), "--out", str(results)]
    assert main([*words, *kept]) == 0
    assert list(json.loads(results.read_text())["results"]) == ["000000", "000002"]


def test_folds_are_scored_together_each_on_what_it_kept_out(trained, astyx, tmp_path, capsys):
    words, out = trained
    other, figures = tmp_path / "other", tmp_path / "figures.json"
    again = [w if w != str(out) else str(other) for w in words]
    assert main([*again, "--fold", "1"]) == 0
    assert (other / "held_out.txt").read_text() != (out / "held_out.txt").read_text()
    wanted = ["ablate", str(astyx), "--no-faults", "--json", str(figures), "--folds"]
    labels = []
    for folds in ([out], [other], [out, other]):
        assert main([*wanted, *map(str, folds)]) == 0
        tree = json.loads(figures.read_text())
        assert tree["faults"] == []
        labels.append(tree["subsets"][-1]["volume"]["hard"]["labels"])
    assert labels[2] == labels[0] + labels[1] > labels[0] > 0
    assert "one sensor faulty" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name no data; set data.source, or give --source"),
        (["--source", "/nowhere"], "/nowhere"),
        (["--fold", "7"], "data.fold is 7; of 3 folds the last is 2"),
    ],
)
def test_what_cannot_be_trained_is_said(astyx, tmp_path, capsys, words, sentence):
    settings = tmp_path / "train.yaml"
    settings.write_text(SETTINGS)
    source = [] if not words or "--source" in words else ["--source", str(astyx)]
    assert main(["train", str(settings), "--out", str(tmp_path / "o"), *words, *source]) == 1
    assert sentence in capsys.readouterr().err
