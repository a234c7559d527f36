"""Tables for people: columns under common headings, as plain text or as a GitHub table."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

__all__ = ["Column", "cell_text", "github", "markdown_text", "plain"]

_GAP = "  "


@dataclass(frozen=True)
class Column:
    """One column of texts.

    Attributes
    ----------
    title : str
    cells : tuple of str
    group : str
        Heading over this column and its neighbours with the same one.
    left : bool
        Whether the texts begin at the left edge; numbers end at the right one.
    """

    title: str
    cells: tuple[str, ...]
    group: str = ""
    left: bool = False

    def line_up(self, text: str, width: int) -> str:
        """Return a text of this column in a given width."""
        return text.ljust(width) if self.left else text.rjust(width)


def plain(columns: Sequence[Column], rules: Collection[int] = ()) -> str:
    """Return a plain text table; before the rows numbered in ``rules`` stands a line."""
    widths = [max(map(len, (column.title, *column.cells))) for column in columns]
    heads: list[str] = []
    start = 0
    for group, members in groupby(columns, key=lambda column: column.group):
        size = len(list(members))
        span = sum(widths[start : start + size]) + len(_GAP) * (size - 1)
        if len(group) > span:
            widths[start] += len(group) - span
            span = len(group)
        heads.append(group.center(span) if size > 1 else group.rjust(span))
        start += size
    line = "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    lines = [_GAP.join(heads)] if any(column.group for column in columns) else []
    lines.append(_GAP.join(c.line_up(c.title, w) for c, w in zip(columns, widths, strict=True)))
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number == 0 or number in rules:
            lines.append(line)
        cells = zip(columns, row, widths, strict=True)
        lines.append(_GAP.join(column.line_up(cell, width) for column, cell, width in cells))
    return "\n".join(text.rstrip() for text in lines)


def github(columns: Sequence[Column]) -> str:
    """Return a GitHub table; a group's heading stands before the title of each of its columns."""
    heads = [f"{c.group} {c.title}".strip() for c in columns]
    marks = [":---" if c.left else "---:" for c in columns]
    rows = zip(*(column.cells for column in columns), strict=True)
    lines = [[markdown_text(t) for t in heads], marks, *([markdown_text(t) for t in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    """Return a text that markdown shows as it is."""
    return re.sub(r"([\\`*\[\]<>|~])", r"\\\1", text)


def cell_text(name: str) -> str:
    """Return a name on one line, whatever characters it holds."""
    return "".join(character if character.isprintable() else "?" for character in name)
