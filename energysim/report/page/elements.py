"""HTML from small pieces: whatever is not marked as HTML already is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from energysim.report.tables import cell_text

__all__ = ["Html", "as_html", "breakable", "cells", "element", "group", "join", "table", "void"]


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def as_html(value: object) -> Html:
    """Return HTML as it is, and of anything else its text, escaped; what cannot be printed is a ``?``."""
    return value if isinstance(value, Html) else Html(escape(cell_text(str(value))))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return pieces one behind the other."""
    return Html(as_html(between).join(as_html(part) for part in parts))


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element with its children.

    Attributes are keywords: ``class_`` is the attribute ``class``, ``aria_label`` is ``aria-label``, True
    an attribute without a value; None and False are left out.
    """
    return Html(f"{void(name, **attributes)}{join(children)}</{name}>")


def void(name: str, /, **attributes: object) -> Html:
    """Return the start of an element: the whole of one that has no end, such as ``input``."""
    given = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            text = "" if value is True else f'="{as_html(str(value))}"'
            given += f" {key.strip('_').replace('_', '-')}{text}"
    return Html(f"<{name}{given}>")


def cells(values: Iterable[object]) -> Html:
    """Return a row of a table, the first cell its heading; ends are left out, as HTML allows."""
    first, *others = values
    return Html(f"<tr><th scope=row>{as_html(first)}{''.join(f'<td>{as_html(value)}' for value in others)}\n")


def group(title: str, columns: int) -> Html:
    """Return a row that says what the rows below it belong to."""
    return element("tr", element("th", title, scope="rowgroup", colspan=columns), class_="group")


def table(caption: str, titles: Iterable[object], rows: Iterable[Html], **attributes: object) -> Html:
    """Return a table that scrolls sideways where the page is narrow; rows come from :func:`cells`.

    Without a caption (what stands around it says what it is) it is not a region of its own.
    """
    head = element("thead", element("tr", *(element("th", title, scope="col") for title in titles)))
    above = [element("caption", element("span", caption))] if caption else []
    whole = element("table", *above, head, element("tbody", *rows), **attributes)
    if not caption:
        return element("div", whole, class_="wide", tabindex="0")
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def breakable(name: str) -> Html:
    """Return a name that a narrow column may break behind its punctuation."""
    return join(re.split(r"(?<=[.:,;+/_])", name), Html("<wbr>"))
