"""The whole page: its sections in order, with style and script inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from energysim.report.page.bound import bound_section
from energysim.report.page.cases import gathered
from energysim.report.page.constants import assumed_section, constant_section, rule_section
from energysim.report.page.elements import Html, element, join, void
from energysim.report.page.energy import energy_section, level_styles
from energysim.report.page.layer_cells import lines_of
from energysim.report.page.layers import layer_table
from energysim.report.page.mappings import mapping_section
from energysim.report.page.summary import headline, title_of
from energysim.report.report import Report

__all__ = ["render_page"]

_SECTIONS = (
    ("assumed", "assumed"),
    ("energy", "energy"),
    ("bound", "bound"),
    ("by-layer", "layers"),
    ("mappings", "mappings"),
    ("constants", "constants"),
    ("rules", "rules"),
)


def render_page(reports: Sequence[Report]) -> str:
    """Return one HTML page of finished reports of one network.

    Parameters
    ----------
    reports : sequence of Report
        Reports with the same setup stand together; equal runs, such as the dense reference, stand once.

    Returns
    -------
    str
        A whole document that loads nothing from anywhere: the same bytes for the same reports.

    Raises
    ------
    UsageError
        If there is no report, they are of different networks, or two contradict each other.
    """
    from energysim import __version__

    cases = gathered(reports)
    layers, sums = lines_of(cases)
    names = [line.label for line in layers[0]]
    mappings, places = mapping_section(cases, names)
    table = layer_table(cases, layers, sums, places)
    contents = element(
        "nav", *(element("a", text, href=f"#{place}") for place, text in _SECTIONS), aria_label="Contents"
    )
    body = [
        element("header", headline(cases)),
        contents,
        element(
            "main",
            assumed_section(cases),
            energy_section(cases, layers),
            bound_section(cases),
            table.section,
            mappings,
            constant_section(cases),
            rule_section(cases),
        ),
        element(
            "footer",
            f"energysim {__version__}. Figures are rounded for reading; the JSON form of the report has them "
            "all, exact.",
        ),
    ]
    ranks = json.dumps(table.ranks, separators=(",", ":"))
    style = f"{_own('page.css')}\n{level_styles(cases)}\n{table.styles}\n"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            str(element("head", *_head(title_of(cases)), Html(f"<style>\n{style}</style>"))),
            "<body>",
            str(join(body, Html("\n"))),
            f'<script type="application/json" id="ranks">{ranks}</script>',
            f"<script>\n{_own('page.js')}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _head(title: str) -> list[Html]:
    return [
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Browsers ask the server for a picture of the site unless they are given one.
        void("link", rel="icon", href="data:,"),
        element("title", f"{title} - energysim"),
    ]


def _own(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")
