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

import pytest

from mm_fusion.cli import main


@pytest.mark.parametrize("argv", [[], ["sing"], ["play"], ["run", "x"], ["play", "x", "--rate=0"]])
def test_wrong_usage_ends_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage: mm_fusion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["run", "{tmp}", "--out", "{tmp}/r.json"], "mm_fusion run: {tmp}"),
        (["convert", "{tmp}/none", "{tmp}/bag"], "mm_fusion convert: {tmp}/none"),
        (["evaluate", "{tmp}/r.json", "--truth", "{tmp}"], "results file {tmp}/r.json: No such"),
        (["check", "{tmp}/none"], "mm_fusion check: {tmp}/none"),
        (["bench"], "bench: give --bag BAG, or --transport"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_one_sentence(argv, sentence, tmp_path, capsys):
    code = main([word.format(tmp=tmp_path) for word in argv])
    out, err = capsys.readouterr()
    assert code == 1
    assert sentence.format(tmp=tmp_path) in err
    assert err.count("\n") == 1
    assert "Traceback" not in err + out
