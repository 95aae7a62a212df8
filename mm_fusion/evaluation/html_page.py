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

"""One page of HTML that needs nothing beside it: its style, tables, figures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

Row = TypeVar("Row")

STYLE = """
:root { --ink: #1c2026; --dim: #5d6673; --paper: #ffffff; --card: #f4f6f9; --line: #dde2e9;
  --accent: #1769c2; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #9aa4b2; --paper: #14171c;
  --card: #1e232b; --line: #313845; --accent: #6cb1ff; }
  figure svg { filter: invert(0.88) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 74rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0.2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 0.6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 0.4rem; overflow-wrap: anywhere; }
p, figcaption, .about { color: var(--dim); }
nav a { color: var(--accent); margin-right: 1rem; white-space: nowrap; }
.tiles { display: grid; gap: 0.7rem;
  grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
.tile { background: var(--card); border-radius: 0.5rem; padding: 0.6rem 0.8rem; }
.tile b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.8rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.figures { display: grid; gap: 1.2rem;
  grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
figure { margin: 0.6rem 0; max-width: 44rem; }
figure svg { width: 100%; height: auto; }
img { max-width: 100%; height: auto; border-radius: 0.4rem; }
ul { margin: 0.4rem 0; padding-left: 1.2rem; }
@media print { h3, figure, img { break-inside: avoid; } nav { display: none; } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page."""

    title: str
    body: str  # HTML

    @property
    def anchor(self) -> str:
        """What links to it name."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def page(title: str, about: str, sections: Sequence[Section]) -> str:
    """Return the page; title and about are text, sections are HTML already."""
    links = " ".join(f'<a href="#{s.anchor}">{escape(s.title)}</a>' for s in sections)
    parts = "\n".join(f'<h2 id="{s.anchor}">{escape(s.title)}</h2>\n{s.body}' for s in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="about">{escape(about)}</p>\n'
        f"<nav>{links}</nav>\n{parts}\n</body>\n</html>\n"
    )


def tiles(values: Mapping[str, str]) -> str:
    """Return figures large, each with its name below."""
    parts = (f'<div class="tile"><b>{escape(v)}</b>{escape(k)}</div>' for k, v in values.items())
    return f'<div class="tiles">{"".join(parts)}</div>'


def table(columns: Mapping[str, Callable[[Row], str]], rows: Sequence[Row]) -> str:
    """Return a table; what is wider than the page scrolls."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell(row))}</td>" for cell in columns.values()) + "</tr>"
        for row in rows
    )
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{whole}</div>'


def captioned(drawing: str, caption: str) -> str:
    """Return a drawing (SVG) with a sentence on how to read it."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def beside(*figures: str) -> str:
    """Put figures beside each other where there is room."""
    return f'<div class="figures">{"".join(figures)}</div>'


def data_uri(picture: bytes, kind: str) -> str:
    """Return a picture as an address that holds it whole."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
