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

"""Prints what was found of a bag: a row a topic, then the findings, then the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mm_fusion.evaluation.check_findings import ERROR, REMARK, SEVERITIES, WARNING, duration
from mm_fusion.evaluation.check_topics import TopicFigures

if TYPE_CHECKING:
    from mm_fusion.evaluation.check import CheckReport

WIDTH = 100  # characters, where the output is no terminal
COLORS = {ERROR: "red", WARNING: "yellow", REMARK: "cyan"}


def print_check(report: CheckReport) -> None:
    """Print a report on the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    console.print(_table(report))
    for severity in SEVERITIES:
        for finding in report.findings:
            if finding.severity == severity:
                line = Text(f"{severity}: {finding.about}: {finding.text}")
                line.stylize(COLORS[severity], 0, len(severity))
                console.print(line)
    for path in report.files:
        console.print(Text(f"overlay: {path}"), soft_wrap=True)
    counts = Counter(finding.severity for finding in report.findings)
    console.print(", ".join(_counted(counts[severity], severity) for severity in SEVERITIES))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _table(report: CheckReport) -> Table:
    messages = sum(f.count for f in report.figures)
    table = Table(
        title=Text(f"{report.bag}: {messages} messages in {duration(report.seconds)}"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption="gap: longest interval; delay: from stamp to log time; MB: mean size of a message",
    )
    table.add_column("topic", overflow="fold")
    table.add_column("type", overflow="fold")
    for name in ("count", "Hz", "gap s", "delay s", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("frame", overflow="fold")
    table.add_column("TF")
    table.add_column("info")
    for f in report.figures:
        table.add_row(*_cells(f, report.placed, report.informed))
    return table


def _cells(f: TopicFigures, placed: Mapping[str, bool], informed: Mapping[str, bool]) -> list[Text]:
    cells = (
        f.topic,
        f.msgtype.rpartition("/")[2],
        str(f.count),
        _number(f.rate_hz, 1),
        _number(f.longest_s),
        _number(f.delay_s),
        _number(f.mean_mb),
        ", ".join(f.frames),
        _said(placed.get(f.topic)),
        _said(informed.get(f.topic)),
    )
    return [Text(cell) for cell in cells]


def _number(value: float, digits: int = 3) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.3g}" if abs(value) >= 10_000 else f"{value:.{digits}f}"


def _said(known: bool | None) -> str:
    return "" if known is None else "yes" if known else "NO"
