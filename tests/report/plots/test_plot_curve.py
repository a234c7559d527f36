"""The curve of traffic against the buffer: points, bounds, and gaps where nothing fits."""

from __future__ import annotations

import numpy as np
import pytest

from energysim.curves import BufferPoint
from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.plots.buffer_curve import plot_curve, title_of_curve

KIB = 8 * 1024
POINTS = [
    BufferPoint("dense", 4 * KIB, None, None, None),
    BufferPoint("dense", 16 * KIB, 8_000_000, 8_000_000, 9_000_000),
    BufferPoint("dense", 8 * KIB, 8_000_000, 9_000_000, 12_000_000),
    BufferPoint("psconv:PSD4_P8", 4 * KIB, 4_000_000, 6_000_000, 7_000_000),
]


def test_lines_are_the_points_in_order_of_size() -> None:
    (axes,) = plot_curve(POINTS, "a title").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert len(lines) == 6
    dense = lines["dram_bits dense"]
    assert list(dense.get_xdata()) == [4, 8, 16]
    np.testing.assert_array_equal(dense.get_ydata(), [np.nan, 12, 9])
    np.testing.assert_array_equal(lines["dram_bound_bits dense"].get_ydata(), [np.nan, 9, 8])
    np.testing.assert_array_equal(lines["compulsory_bits dense"].get_ydata(), [np.nan, 8, 8])
    assert list(lines["dram_bits psconv:PSD4_P8"].get_ydata()) == [7]
    assert axes.get_ylabel() == "DRAM traffic [Mbit]"
    assert axes.get_ylim()[0] == 0
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["4", "8", "16"]


def test_schemes_and_kinds_of_lines_are_told_apart() -> None:
    figure = plot_curve(POINTS, "a title")
    lines = figure.axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 6
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["dense", "psconv:PSD4_P8"]
    assert "lower bound for any mapping" in names
    assert figure.legends[0].get_title().get_text() == "a title"


def test_wide_ranges_are_logarithmic() -> None:
    points = [*POINTS, BufferPoint("lean", 8 * KIB, 100, 100, 100)]
    assert plot_curve(points, "").axes[0].get_yscale() == "log"
    assert plot_curve(POINTS, "").axes[0].get_yscale() == "linear"


def test_a_bound_that_is_missing_has_no_line_to_draw() -> None:
    points = [BufferPoint("dense", size * KIB, None, None, size) for size in (1, 2)]
    (axes,) = plot_curve(points, "").axes
    drawn = [line for line in axes.lines if np.isfinite(line.get_ydata()).any()]
    assert [line.get_label() for line in drawn] == ["dram_bits dense"]


def test_a_network_without_multiply_adds_says_so() -> None:
    with pytest.raises(UsageError, match="there is no curve: no layer has multiply-adds"):
        plot_curve([BufferPoint("dense", 8192, 0, 0, 0)], "x")


@pytest.mark.parametrize("points", [[], POINTS[:1]])
def test_nothing_to_draw(points: list[BufferPoint]) -> None:
    with pytest.raises(UsageError, match="no size of the buffer that a mapping of every layer fits"):
        plot_curve(points, "")


def test_of_a_report_it_has_its_title(pair: Report) -> None:
    title = pair.plot_buffer_curve(POINTS).legends[0].get_title().get_text().replace("\n", " ")
    assert title == "Least DRAM traffic against the size of the buffer: vgg16-cifar10 3x32x32"
    assert title_of_curve("net", "conv1").endswith(": conv1 of net")
