"""A result for people: title, heading, tables and notes, as plain text or as the same in markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from energysim.report.tables import Column, cell_text, github, markdown_text, plain

__all__ = ["Page", "Table"]

_WIDTH = 100


@dataclass(frozen=True)
class Table:
    """Columns under a title, which may be empty; before the rows numbered in ``rules`` stands a line."""

    title: str
    columns: list[Column]
    rules: tuple[int, ...] = ()


@dataclass(frozen=True)
class Page:
    """What is printed.

    Attributes
    ----------
    title : str
    heading : list of (str, str)
        Lines under the title: a name, and what it is.
    tables : list of Table
    notes : list of str
    """

    title: str
    heading: list[tuple[str, str]]
    tables: list[Table]
    notes: list[str]

    def render(self, markdown: bool = False) -> str:
        """Return the whole page."""
        return "\n".join(self._markdown() if markdown else self._plain()) + "\n"

    def _plain(self) -> Iterator[str]:
        yield from _wrapped(self.title)
        yield ""
        indent = 2 + max((len(name) for name, _ in self.heading), default=0)
        for name, text in self.heading:
            yield from _wrapped(f"{name:{indent}}{text}", indent)
        for table in self.tables:
            yield from ("", table.title, "") if table.title else ("",)
            yield plain(table.columns, table.rules)
        yield ""
        for note in self.notes:
            yield from _wrapped(note)

    def _markdown(self) -> Iterator[str]:
        yield from (f"## {markdown_text(self.title)}", "")
        yield from (f"- {name}: {markdown_text(text)}" for name, text in self.heading)
        for table in self.tables:
            yield from ("", f"### {markdown_text(table.title)}", "") if table.title else ("",)
            yield github(table.columns)
        yield ""
        yield from (f"- {markdown_text(note)}" for note in self.notes)


def _wrapped(text: str, indent: int = 2) -> list[str]:
    """The lines of a text, all but the first indented; words are never cut."""
    return textwrap.wrap(
        cell_text(text),
        _WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
