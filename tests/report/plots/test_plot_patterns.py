"""Support sets: the taps drawn are those of the kernel, slot by slot and over filters and channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from energysim.errors import UsageError
from energysim.kernels import PeriodicKernel
from energysim.report import Report
from energysim.report.plots.patterns import kernels_of, map_of, slot_grid


def relabelled(report: Report, scheme: str) -> Report:
    """The report with its sparse layers made by another scheme."""
    run = report.runs[1]
    layers = (replace(r, scheme=scheme if r.scheme != "dense" else "dense") for r in run.layers)
    return replace(report, runs=(report.runs[0], replace(run, layers=tuple(layers))))


def test_slots_by_hand(pair: Report) -> None:
    (kernel,) = kernels_of(pair).values()
    # PSD4_P8: all nine taps, then the four 2 x 2 blocks in row-major order, over and over.
    rows = ["###/###/###", "##./##./...", ".##/.##/...", ".../##./##.", ".../.##/.##"]
    expected = [*rows, *rows[1:4]]
    drawn = [
        "/".join("".join("#" if tap else "." for tap in line) for line in slot_grid(kernel, n))
        for n in range(8)
    ]
    assert drawn == expected


def test_the_map_says_where_weights_are(pair: Report) -> None:
    """Against the kernel's own support, which layers are counted and run with."""
    (kernel,) = kernels_of(pair).values()
    slots = map_of(kernel)
    mask = PeriodicKernel((8, 8, 3, 3), kernel.slots).mask()
    for f in range(8):
        for c in range(8):
            np.testing.assert_array_equal(slot_grid(kernel, int(slots[f, c])), mask[f, c])


def test_what_is_drawn_is_that(pair: Report) -> None:
    figure = pair.plot_patterns()
    (kernel,) = kernels_of(pair).values()
    *cells, whole = (axes for axes in figure.axes if axes.axison)
    assert [axes.get_xlabel() for axes in cells] == [str(n) for n in range(8)]
    for slot, axes in enumerate(cells):
        (mesh,) = (c for c in axes.collections if isinstance(c, QuadMesh))
        image = np.asarray(mesh.get_array())[::-1]  # rows go upwards in a window's axes
        np.testing.assert_array_equal(image > 0, slot_grid(kernel, slot))
        assert (image == 2).all() == (slot == 0)
    (mesh,) = (c for c in whole.collections if isinstance(c, QuadMesh))
    image = np.asarray(mesh.get_array())
    assert image.shape == (24, 24)
    assert (image > 0).sum() == PeriodicKernel((8, 8, 3, 3), kernel.slots).nonzeros
    assert whole.yaxis_inverted()


def test_every_periodic_scheme_has_its_kernel(triple: Report) -> None:
    assert list(kernels_of(triple)) == ["psconv:PSD4_P8", "psconv:PSD1_P16"]


@pytest.mark.slow
def test_every_periodic_scheme_is_drawn(triple: Report) -> None:
    assert len([axes for axes in triple.plot_patterns().axes if axes.axison]) == 8 + 1 + 16 + 1


def test_periods_of_more_than_one_line(pair: Report) -> None:
    report = relabelled(pair, "psconv:kss=2,period=40")
    (kernel,) = kernels_of(report).values()
    assert kernel.period == 40
    assert map_of(kernel).shape == (24, 24)


@pytest.mark.slow
def test_long_periods_are_drawn_slot_by_slot(pair: Report) -> None:
    report = relabelled(pair, "psconv:kss=2,period=40")
    assert len([axes for axes in report.plot_patterns().axes if axes.axison]) == 41


def test_other_windows(pair: Report) -> None:
    report = relabelled(pair, "psconv:PSD4_P8,windows=all")
    (kernel,) = kernels_of(report, (5, 5)).values()
    assert kernel.shape[2:] == (5, 5)
    with pytest.raises(
        UsageError, match=r"repeats in 5x5 windows, as psconv:PSD4_P8 has \(it has dense, psc"
    ):
        pair.plot_patterns((5, 5))


def test_no_periodic_scheme(pair: Report) -> None:
    with pytest.raises(UsageError, match="no scheme of this report has a support that repeats in 3x3"):
        replace(pair, runs=pair.runs[:1]).plot_patterns()
    with pytest.raises(UsageError, match="no scheme of this report"):
        relabelled(pair, "nm:2:4").plot_patterns()


def test_a_pattern_file_that_is_gone(pair: Report) -> None:
    with pytest.raises(UsageError, match=r"the patterns of 'psconv:patterns=gone.yaml' cannot be drawn"):
        relabelled(pair, "psconv:patterns=gone.yaml").plot_patterns()
