"""The roofline: points by hand, none above a roof, and only under the roofs of their own hardware."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from energysim.errors import UsageError
from energysim.graph import GraphBuilder
from energysim.hardware import load_hardware
from energysim.report import Report
from energysim.report.colours import LEVEL_COLOURS
from energysim.report.plots.roofline import points_of
from energysim.resources import data_folder
from energysim.walker import estimate


@pytest.fixture(scope="module")
def figure(pair: Report) -> Figure:
    return pair.plot_roofline()


def test_a_point_by_hand(pair: Report) -> None:
    frame = pair.per_layer("dense")
    row = frame.loc["features.conv1_2"]
    (point,) = (one for one in points_of(pair, "dense") if one.layer == "features.conv1_2")
    assert point.intensity == Fraction(int(row["effective_macs"]) * 8, int(row["dram_bits"]))
    assert point.speed == Fraction(int(row["effective_macs"]), int(row["cycles"]))


def test_what_multiplies_has_a_point(pair: Report) -> None:
    multiplying = [row.origin for row in pair.runs[0].layers if row.macs]
    assert [one.layer for one in points_of(pair, "dense")] == multiplying


def test_points_drawn_are_those(pair: Report, figure: Figure) -> None:
    (axes,) = figure.axes
    drawn = [c for c in axes.collections if isinstance(c, PathCollection)]
    for scheme, collection in zip(pair.schemes, drawn, strict=True):
        expected = [(float(one.intensity), float(one.speed)) for one in points_of(pair, scheme)]
        np.testing.assert_array_equal(np.asarray(collection.get_offsets()), expected)


def test_roofs_are_those_of_the_hardware(figure: Figure) -> None:
    (axes,) = figure.axes
    memory, compute = axes.lines
    # edge45: 256 multipliers, 256 bit per cycle from DRAM.
    assert list(compute.get_ydata()) == [256, 256]
    assert list(np.divide(memory.get_ydata(), memory.get_xdata())) == [32, 32]
    assert memory.get_xdata()[1] == compute.get_xdata()[0] == 8
    assert to_hex(memory.get_color()).upper() == LEVEL_COLOURS["dram"]
    assert to_hex(compute.get_color()).upper() == LEVEL_COLOURS["mac"]


def test_a_network_without_multiply_adds_says_so(figure: Figure) -> None:
    b = GraphBuilder("no_macs", (3, 8, 8))
    (axes,) = estimate(b.build(b.relu(b.input))).plot_roofline().axes
    assert [text.get_text() for text in axes.texts] == ["no layer has multiply-adds"]
    assert not figure.axes[0].texts


@pytest.mark.parametrize("name", ["pair", "triple"])
def test_no_layer_is_above_a_roof(name: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(name)
    for scheme in report.schemes:
        for one in points_of(report, scheme):
            assert one.speed <= min(Fraction(256), one.intensity * 32), one


def test_only_the_hardware_of_the_report_has_its_roofs(pair: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was made with another 'edge45' than 'eyeriss' as it is now"):
        pair.plot_roofline("eyeriss")
    elsewhere = replace(pair, setup=replace(pair.setup, hardware="my_soc"))
    with pytest.raises(UsageError, match=r"the roofs need the hardware of the report: .*'my_soc'"):
        elsewhere.plot_roofline()
    text = (data_folder("hwspecs") / "edge45.yaml").read_text()
    (tmp_path / "copy.yaml").write_text(text)
    assert elsewhere.plot_roofline(load_hardware("edge45")).axes
    assert elsewhere.plot_roofline(tmp_path / "copy.yaml").axes


def test_the_same_constants_are_the_same_hardware(pair: Report) -> None:
    """A later version may digest a specification otherwise: what the roofs are made of is the same."""
    later = replace(pair, setup=replace(pair.setup, hardware_digest="0" * 64))
    assert later.plot_roofline().axes
    fewer = replace(later, setup=replace(later.setup, constants=later.setup.constants[1:]))
    with pytest.raises(UsageError, match="as it is now"):
        fewer.plot_roofline()


def test_no_bandwidth_one_roof(pair: Report) -> None:
    spec = load_hardware("edge45")
    spec = replace(spec, dram=replace(spec.dram, bandwidth=None))
    report = replace(pair, setup=replace(pair.setup, hardware_digest=spec.digest))
    (line,) = report.plot_roofline(spec).axes[0].lines
    assert list(line.get_ydata()) == [256, 256]


def test_a_network_that_does_not_multiply(pair: Report) -> None:
    run = replace(pair.runs[0], layers=(), accesses=())
    (axes,) = replace(pair, runs=(run,)).plot_roofline().axes
    assert all(not len(c.get_offsets()) for c in axes.collections)
