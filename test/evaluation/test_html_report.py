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

"""The report of a run: whole in itself, honest without labels, the same again."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mm_fusion.cli import main
from mm_fusion.evaluation.html_worst import Mistakes, mistakes_of, worst
from mm_fusion.evaluation.matching import ScoredFrame
from mm_fusion.objects import CLASSES, Objects

CAR = CLASSES.index("car")
EMPTY_TAGS = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Reads a page: its tags in balance, its addresses, its words."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.anchors, self.words, self.images = [], [], set(), [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in EMPTY_TAGS:
            self.open.append(tag)
        known = dict(attrs)
        self.images += tag == "img"
        self.addresses += [known[k] for k in ("src", "href", "xlink:href") if k in known]
        self.anchors |= {f"#{known['id']}"} if "id" in known else set()

    def handle_startendtag(self, tag, attrs):
        known = dict(attrs)
        self.addresses += [known[k] for k in ("src", "href", "xlink:href") if k in known]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def results(astyx, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "results.json"
    assert main(["run", str(astyx), "--out", str(path)]) == 0
    return path


def written(results, source, path, *words):
    assert main(["report", str(results), "--truth", str(source), "--out", str(path), *words]) == 0
    return path.read_text()


def test_the_page_is_whole_and_needs_nothing_beside_it(results, astyx, tmp_path):
    text = written(results, astyx, tmp_path / "report.html", "--worst", "2")
    page = Page(text)
    links = [a for a in page.addresses if a.startswith("#") and not re.match(r"#(m|p|C|D)\w+", a)]
    assert set(links) <= page.anchors
    assert all(a.startswith(("#", "data:image/jpeg;base64,")) for a in page.addresses)
    assert page.images == 2
    assert "<script" not in text
    said = " ".join(page.words)
    for title in ("By class", "Precision and recall", "Over time", "The 2 worst frames"):
        assert title in said
    assert "car" in said


def test_the_same_results_give_the_same_bytes(results, astyx, tmp_path):
    pages = [written(results, astyx, tmp_path / f"{k}.html", "--worst", "1") for k in range(2)]
    assert pages[0] == pages[1]


def test_a_source_without_labels_is_shown_and_not_scored(kitti_raw, tmp_path, capsys):
    results = tmp_path / "results.json"
    assert main(["run", str(kitti_raw), "--out", str(results), "--frames", "3"]) == 0
    text = written(results, kitti_raw, tmp_path / "report.html", "--worst", "2")
    assert "the source holds no labels to score against" in capsys.readouterr().out
    page = Page(text)
    assert page.images == 2
    assert "nothing could be scored" in " ".join(page.words)


def test_what_the_results_say_is_text_and_nothing_more(results, astyx, tmp_path):
    tree = json.loads(results.read_text())
    tree["meta"]["detector"] = "<script>alert(1)</script>"
    evil = tmp_path / "evil.json"
    evil.write_text(json.dumps(tree))
    text = written(evil, astyx, tmp_path / "report.html", "--worst", "1")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_results_without_a_frame_are_refused(astyx, tmp_path, capsys):
    path = tmp_path / "none.json"
    path.write_text('{"meta": {}, "results": {}}')
    words = ["report", str(path), "--truth", str(astyx), "--out", str(tmp_path / "r.html")]
    assert main(words) == 1
    assert "the results hold no frame" in capsys.readouterr().err


def test_mistakes_are_what_was_missed_and_what_was_confidently_false():
    def cars(*rows):
        boxes = np.array([[x, y, 0, 4, 2, 1.5, 0] for x, y, _ in rows]).reshape(-1, 7)
        scores = np.array([score for *_, score in rows])
        return Objects.of_boxes(boxes, scores=scores, labels=np.full(len(rows), CAR))

    frame = ScoredFrame(
        token="a",
        stamp_ns=0,
        detections=cars((10, 0, 0.9), (0, 20, 0.7), (30, 0, 0.4)),
        truth=cars((10, 0.5, 1), (5, -5, 1)),
        counted=np.ones(2, bool),
        ignored=Objects.none(),
        excused=np.zeros(3, bool),
    )
    mistakes = mistakes_of(frame, 1.0)
    assert mistakes.missed == ("car at 7 m, 45 degrees right",)
    assert mistakes.false == ("car at 20 m, 90 degrees left, score 0.70",)
    assert mistakes.count == 2


def test_of_frames_alike_the_first_by_name_is_worse():
    made = [
        Mistakes(token=name, missed=("x",) * count, false=())
        for name, count in (("c", 1), ("b", 2), ("a", 1))
    ]
    assert [m.token for m in worst(made, 2)] == ["b", "a"]
    many = Mistakes(token="m", missed=("x",) * 12, false=())
    assert len(many.lines()) == 9
    assert many.lines()[-1] == "and 4 more"
