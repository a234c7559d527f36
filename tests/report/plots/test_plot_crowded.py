"""Many schemes and very long names: nothing collapses, nothing lies over the title."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from energysim.curves import BufferPoint
from energysim.report import Report

LONG = (
    "features.*=psconv:PSD4_P8,windows=all; classifier.*=dense; layer4.*=unstructured:density=0.1,balance=4"
)
NAMES = [LONG, *(f"csg:s={n},c=16,expand=load,generator=binary" for n in range(20))]


@pytest.fixture(scope="module")
def crowd(pair: Report) -> Report:
    """Twenty-two schemes, one of them with rules for layers."""
    return replace(pair, runs=(pair.runs[0], *(replace(pair.runs[1], scheme=name) for name in NAMES)))


def tradeoff(report: Report) -> Figure:
    return report.plot_tradeoff({scheme: float(n) for n, scheme in enumerate(report.schemes)})


def curve(report: Report) -> Figure:
    return report.plot_buffer_curve(BufferPoint(s, 8192, 1, 2, n + 3) for n, s in enumerate(report.schemes))


PLOTS: dict[str, Callable[[Report], Figure]] = {
    "roofline": Report.plot_roofline,
    "tradeoff": tradeoff,
    "curve": curve,
    "storage": Report.plot_storage,
    "storage by layer": lambda report: replace(report, runs=report.runs[:6]).plot_storage("layer"),
}


@pytest.mark.parametrize("name", PLOTS)
def test_everything_has_its_place(crowd: Report, name: str) -> None:
    """Warnings are errors here, so that a layout that collapses fails too."""
    figure = PLOTS[name](crowd)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    whole = figure.bbox
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    axes = [one.get_window_extent(renderer) for one in figure.axes]
    for box in (*legends, *axes):
        assert box.x0 >= whole.x0 - 1
        assert box.y0 >= whole.y0 - 1
        assert box.x1 <= whole.x1 + 1
        assert box.y1 <= whole.y1 + 1
    for box in axes:
        assert box.height > 100
        assert not any(box.overlaps(legend) for legend in legends)
    for number, legend in enumerate(legends):
        assert not any(legend.overlaps(other) for other in legends[number + 1 :])
