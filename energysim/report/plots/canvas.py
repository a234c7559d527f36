"""Figures that look alike and are the same bytes every time: style, creation, saving."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from energysim.errors import UsageError, near_miss

__all__ = [
    "FORMS",
    "INK",
    "PALE",
    "figure_bytes",
    "form_of_figure",
    "head",
    "new_figure",
    "plain_axes",
    "settled",
    "styled",
    "wrapped",
]

#: Formats of a saved figure, with the metadata that would change from run to run left out.
FORMS: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
#: Colours of text and lines, and of the lines behind the data.
INK, PALE = "#222222", "#DDDDDD"

_POINTS = 150  # of a picture of points [1/inch]
_LONGEST = 65_000  # points of a side; matplotlib takes less than 2**16
#: Widths of a letter of a title and of a legend, height of a line of a legend [inch].
_LETTER, _NARROW, _LINE = 0.085, 0.068, 0.17
_KEY = 6  # letters of a legend's key

_STYLE: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # travels with matplotlib: widths do not depend on the machine
    "font.size": 8,
    "hatch.linewidth": 0.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, and found by a search
    "svg.hashsalt": "energysim",  # identifiers do not depend on the run
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a layer's name is a dollar
    "xtick.color": INK,
    "xtick.labelsize": 7,
    "ytick.color": INK,
    "ytick.labelsize": 7,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the style of all plots here, whatever the user's own is."""
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a name in another script
        yield


class _Shown(Figure):
    """A figure that a notebook shows without any configuration."""

    def _repr_png_(self) -> bytes:
        return figure_bytes(self, "png")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size [inch]; call inside :func:`styled`."""
    # Letters are a little wider in one format than in another: room for that at the edges.
    return _Shown(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06))


def head(
    figure: Figure,
    title: str,
    handles: Sequence[Artist] = (),
    labels: Sequence[str] = (),
    share: float = 1.0,
) -> None:
    """Put the title at the top left and the legend under it, outside the axes and never over the data.

    ``share`` is the part of the figure's width that they may take.
    """
    letters = int(share * figure.get_figwidth() / _LETTER)
    room = int(letters * _LETTER / _NARROW)
    names = [wrapped(label, room - _KEY) for label in labels]
    longest = max((len(line) for name in names for line in name.splitlines()), default=1)
    columns = max(1, min(len(names), room // (longest + _KEY)))
    lines = sum(name.count("\n") + 1 for name in names) / columns
    figure.set_figheight(figure.get_figheight() + _LINE * max(0, lines - 2))
    legend = figure.legend(
        handles,
        names,
        loc="outside upper left",
        ncols=columns,
        title=wrapped(title, letters),
        title_fontproperties={"weight": "bold", "size": 9},
        alignment="left",
        borderpad=0.2,
    )
    legend.get_title().set_multialignment("left")


def wrapped(text: str, letters: int) -> str:
    """Return a text in lines of so many letters at most."""
    return "\n".join(textwrap.wrap(text, letters))


def settled(figure: Figure) -> Figure:
    """Return a figure whose parts have found their places: saved again, it is the same bytes again.

    A layout that is made anew at every drawing begins where the last one ended.
    """
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def plain_axes(axes: Axes, grid: str) -> None:
    """Leave the frame's upper and right line out, and put pale lines across an axis behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=PALE, linewidth=0.6)  # type: ignore[arg-type]


def form_of_figure(path: Path) -> str:
    """Return the format that a file's suffix asks for; raise UsageError for an unknown one."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMS:
        hint = near_miss(form, FORMS)
        raise UsageError(f"{path}: a plot is saved as {', '.join(f'.{name}' for name in FORMS)}{hint}")
    return form


def figure_bytes(figure: Figure, form: str) -> bytes:
    """Return a figure as ``svg``, ``png`` or ``pdf``: the same bytes every time.

    Raises
    ------
    UsageError
        For any other format.
    """
    if form not in FORMS:
        raise UsageError(f"unknown format {form!r} of a plot{near_miss(form, FORMS)} ({', '.join(FORMS)})")
    file = io.BytesIO()
    # As many points as matplotlib draws at most, for thousands of layers.
    points = min(_POINTS, int(_LONGEST / max(figure.get_size_inches())))
    with styled():
        figure.savefig(file, format=form, metadata=FORMS[form], dpi=points)
    return file.getvalue()
