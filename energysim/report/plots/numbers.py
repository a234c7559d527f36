"""Logarithmic axes with numbers written as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

if TYPE_CHECKING:
    from matplotlib.axis import Axis

__all__ = ["log_axis"]


def log_axis(axis: Axis, subs: tuple[float, ...] = (1.0,)) -> None:
    """Number a logarithmic axis plainly: 0.1, 1, 10, 1000, 10 000; ``subs`` times each power of ten."""
    axis.set_major_locator(LogLocator(10, subs=subs, numticks=20))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _: object = None) -> str:
    if value >= 10_000:
        return f"{value:,.0f}".replace(",", " ") if value < 1e9 else f"{value:.0e}"
    return f"{value:g}"
