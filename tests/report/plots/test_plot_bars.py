"""Bars of layers: what is drawn is what the report holds, in the colours of its levels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from support import toy_graph

from energysim.errors import UsageError
from energysim.report import Report
from energysim.report.colours import LEVEL_COLOURS, colours
from energysim.walker import estimate

Bars = dict[str, dict[str, tuple[float, float]]]


def bars(axes: Axes) -> Bars:
    """Piece -> row -> where its bar begins and how long it is."""
    assert axes.figure is not None
    rows = [label.get_text() for label in axes.figure.axes[0].get_yticklabels()]
    found: Bars = {}
    for container in axes.containers:
        assert isinstance(container, BarContainer)
        spans = [(patch.get_x(), patch.get_width()) for patch in container.patches]
        found[str(container.get_label())] = dict(zip(rows, spans, strict=True))
    return found


def divisor(axes: Axes) -> int:
    """How many attojoules, or bits, one shown unit is."""
    unit = axes.get_xlabel().partition("[")[2].rstrip("]")
    return {"nJ": 10**9, "uJ": 10**12, "mJ": 10**15, "bit": 1, "kbit": 10**3, "Mbit": 10**6}[unit]


def panel(figure: Figure, report: Report, scheme: str) -> Axes:
    """The panel of a scheme; only the first one writes the names of the rows."""
    return figure.axes[report.schemes.index(scheme)]


def near(exact: Fraction) -> object:
    """What a bar's length, the difference of its two ends, is compared with."""
    return pytest.approx(float(exact), rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def energy(pair: Report) -> Figure:
    return pair.plot_energy()


@pytest.fixture(scope="module")
def traffic(pair: Report) -> Figure:
    return pair.plot_traffic()


def test_energy_bars_are_the_energies_by_hand(pair: Report, energy: Figure) -> None:
    rows = bars(energy.axes[0])["MAC"]
    assert list(rows)[:2] == ["features.conv1_1", "features.conv1_2"]
    assert list(rows)[-1] == f"({sum(r.folded_into is not None for r in pair.runs[0].layers)} folded nodes)"
    for scheme in pair.schemes:
        axes = panel(energy, pair, scheme)
        drawn = bars(axes)
        own: Counter[tuple[str, str]] = Counter()
        origins = {row.node: row.origin for row in pair.run(scheme).layers if row.folded_into is None}
        for access in pair.run(scheme).accesses:
            if access.node in origins:
                own[access.level, origins[access.node]] += access.energy_aj
        titles = {"MAC": "mac", "other operations": "vector", "DRAM": "dram"}
        for title, spans in drawn.items():
            for row, (_, length) in spans.items():
                if not row.startswith("("):
                    exact = Fraction(own[titles.get(title, title), row], divisor(axes))
                    assert length == near(exact)


def test_pieces_stand_end_to_end_and_reach_the_total(pair: Report, energy: Figure) -> None:
    for scheme in pair.schemes:
        axes = panel(energy, pair, scheme)
        ends: dict[str, float] = {}
        for spans in bars(axes).values():
            for row, (begin, length) in spans.items():
                assert begin == pytest.approx(ends.get(row, 0), rel=1e-12, abs=1e-12)
                ends[row] = begin + length
        total = pair.totals(scheme).total_energy_aj / divisor(axes)
        assert sum(ends.values()) == pytest.approx(total, rel=1e-12)
        assert axes.get_xlim()[1] >= max(ends.values())


def test_pieces_have_the_colours_of_their_levels(energy: Figure) -> None:
    drawn = {
        str(c.get_label()): {to_hex(patch.get_facecolor()).upper() for patch in c.patches}
        for c in energy.axes[0].containers
        if isinstance(c, BarContainer)
    }
    assert drawn == {
        "MAC": {LEVEL_COLOURS["mac"]},
        "other operations": {LEVEL_COLOURS["vector"]},
        "register": {LEVEL_COLOURS["register"]},
        "buffer": {LEVEL_COLOURS["buffer"]},
        "DRAM": {LEVEL_COLOURS["dram"]},
    }
    legend = energy.legends[0]
    keys = [to_hex(handle.get_facecolor()).upper() for handle in legend.get_patches()]
    assert dict(zip((t.get_text() for t in legend.get_texts()), keys, strict=True)) == {
        name: next(iter(one)) for name, one in drawn.items()
    }


def test_panels_are_the_schemes_on_one_scale(triple: Report) -> None:
    figure = triple.plot_energy()
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(triple.schemes)
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert "resnet18-cifar10 3x32x32, batch 2, on edge45" in figure.legends[0].get_title().get_text()


def test_traffic_bars_are_the_bits_by_tensor(pair: Report, traffic: Figure) -> None:
    for scheme in pair.schemes:
        axes = panel(traffic, pair, scheme)
        frame = pair.per_layer(scheme)
        for tensor in ("weights", "inputs", "outputs"):
            for row, (_, length) in bars(axes)[tensor].items():
                bits = frame.loc[row, f"dram_{tensor.rstrip('s')}_bits"]
                assert length == near(Fraction(int(bits), divisor(axes)))


def test_marks_are_the_lower_bounds(pair: Report, traffic: Figure) -> None:
    rows = [label.get_text() for label in traffic.axes[0].get_yticklabels()]
    for scheme in pair.schemes:
        axes = panel(traffic, pair, scheme)
        (marks,) = axes.lines
        frame = pair.per_layer(scheme)
        for x, y in zip(marks.get_xdata(), marks.get_ydata(), strict=True):
            assert x == float(Fraction(int(frame.loc[rows[int(y)], "dram_bound_bits"]), divisor(axes)))
    assert [t.get_text() for t in traffic.legends[0].get_texts()][-1] == "least any mapping needs"


def test_traffic_has_tints_of_the_level(traffic: Figure) -> None:
    first, *others = (c.patches[0] for c in traffic.axes[0].containers if isinstance(c, BarContainer))
    assert to_hex(first.get_facecolor()).upper() == LEVEL_COLOURS["dram"]
    lightness = [sum(one.get_facecolor()[:3]) for one in (first, *others)]
    assert lightness == sorted(lightness)


def test_no_bounds_no_marks(pair: Report) -> None:
    runs = tuple(
        replace(run, layers=tuple(replace(row, dram_bound_bits=0) for row in run.layers)) for run in pair.runs
    )
    figure = replace(pair, runs=runs).plot_traffic()
    assert not any(axes.lines for axes in figure.axes)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["weights", "inputs", "outputs"]


def test_traffic_of_another_level(pair: Report) -> None:
    figure = pair.plot_traffic("buffer", by="network")
    (axes,) = figure.axes
    drawn = bars(axes)
    for scheme in pair.schemes:
        length = sum(spans[scheme][1] for spans in drawn.values())
        assert length == pytest.approx(pair.totals(scheme).buffer_bits / divisor(axes), rel=1e-12)
        moved = Counter[str]()
        for access in pair.run(scheme).accesses:
            if access.level == "buffer":
                moved[access.tensor] += access.bits
        assert moved["partial_sums"] > 0
        sums = moved["outputs"] + moved["partial_sums"]
        assert drawn["outputs"][scheme][1] == near(Fraction(sums, divisor(axes)))
    assert set(drawn) == {"weights", "inputs", "outputs"}
    assert not axes.lines
    with pytest.raises(UsageError, match="no traffic of 'bufer'; did you mean 'buffer'"):
        pair.plot_traffic("bufer")


def test_storage_is_weights_and_side_information(pair: Report) -> None:
    run = pair.runs[1]
    layers = tuple(replace(row, side_bits=row.weight_bits // 7 + 3) for row in run.layers if row.weight_bits)
    report = replace(pair, runs=(pair.runs[0], replace(run, layers=layers, accesses=())))
    figure = report.plot_storage()
    axes = panel(figure, report, run.scheme)
    frame = report.per_layer(run.scheme)
    for piece, column in (("weights", "weight_bits"), ("side information", "side_bits")):
        spans = bars(axes)[piece]
        assert set(spans) == set(frame.index[frame["weight_bits"] > 0])
        for row, (_, length) in spans.items():
            assert length == near(Fraction(int(frame.loc[row, column]), divisor(axes)))


def test_by_part_and_by_network(pair: Report) -> None:
    axes = panel(pair.plot_storage(by="part"), pair, "psconv:PSD4_P8")
    drawn = bars(axes)["weights"]
    assert drawn["convolutions"][1] == float(
        Fraction(pair.totals(part="convolution").weight_bits, divisor(axes))
    )
    (axes,) = pair.plot_energy(by="network").axes
    ends = {scheme: sum(spans[scheme][1] for spans in bars(axes).values()) for scheme in pair.schemes}
    for scheme, length in ends.items():
        assert length == pytest.approx(pair.totals(scheme).total_energy_aj / divisor(axes), rel=1e-12)
    with pytest.raises(
        UsageError, match=r"plot by 'layers'; did you mean 'layer'\? \(layer, part, network\)"
    ):
        pair.plot_energy(by="layers")


def test_more_than_six_schemes_are_rows(pair: Report) -> None:
    runs = [replace(pair.runs[1], scheme=f"scheme {n}") for n in range(6)]
    (axes,) = replace(pair, runs=(pair.runs[0], *runs)).plot_storage().axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["dense", *(f"scheme {n}" for n in range(6))]
    assert len(replace(pair, runs=(pair.runs[0], *runs[:5])).plot_storage().axes) == 6


def test_levels_of_other_hardware_have_their_colours() -> None:
    report = estimate(toy_graph(), hardware="eyeriss168")
    (axes,) = report.plot_energy().axes
    drawn = {str(c.get_label()): c.patches[0] for c in axes.containers if isinstance(c, BarContainer)}
    expected = colours(["mac", "vector", "register", "psum_rf", "weight_rf", "input_rf", "buffer", "dram"])
    for level in ("psum_rf", "weight_rf", "input_rf", "buffer"):
        assert to_hex(drawn[level].get_facecolor()).upper() == expected[level]


def test_a_level_that_nobody_knows(pair: Report) -> None:
    run = pair.runs[0]
    accesses = tuple(replace(a, level="attic") if a.level == "buffer" else a for a in run.accesses)
    (axes,) = replace(pair, runs=(replace(run, accesses=accesses),)).plot_energy().axes
    names = [str(c.get_label()) for c in axes.containers]
    assert "attic" in names
    assert "buffer" not in names


def test_one_layer_and_none(pair: Report) -> None:
    run = pair.runs[0]
    node = run.layers[0].node
    one = replace(run, layers=run.layers[:1], accesses=tuple(a for a in run.accesses if a.node == node))
    for report in (replace(pair, runs=(one,)), replace(pair, runs=(replace(run, layers=(), accesses=()),))):
        for figure in (report.plot_energy(), report.plot_traffic(), report.plot_storage()):
            (axes,) = figure.axes
            rows = [t.get_text() for t in axes.get_yticklabels() if t.get_text()]
            assert len(rows) == len(report.runs[0].layers)
            assert [t.get_text() for t in axes.texts] == ([] if rows else ["nothing to draw"])


def test_folded_nodes_stand_last_even_if_only_a_scheme_has_them(pair: Report) -> None:
    plain = tuple(row for row in pair.runs[0].layers if row.folded_into is None)
    kept = {row.node for row in plain}
    first = replace(
        pair.runs[0], layers=plain, accesses=tuple(a for a in pair.runs[0].accesses if a.node in kept)
    )
    (axes, _) = replace(pair, runs=(first, pair.runs[1])).plot_energy().axes
    count = sum(row.folded_into is not None for row in pair.runs[1].layers)
    assert [t.get_text() for t in axes.get_yticklabels()].index(f"({count} folded nodes)") == len(
        axes.get_yticklabels()
    ) - 1


def test_long_names_are_cut_in_the_middle(pair: Report) -> None:
    run = pair.runs[0]
    layers = (replace(run.layers[0], origin="a" * 30 + "b" * 30), *run.layers[1:])
    (axes,) = replace(pair, runs=(replace(run, layers=layers),)).plot_storage().axes
    shown = axes.get_yticklabels()[0].get_text()
    assert len(shown) <= 40
    assert shown.startswith("aaaaa")
    assert shown.endswith("bbbbb")


def test_a_hundred_layers_do_not_touch(pair: Report) -> None:
    """Rows are as far apart as their letters are high, however many there are."""
    run = pair.runs[0]
    layers = [replace(r, node=f"{r.node}.{n}", origin=f"{r.node}.{n}") for n in range(12) for r in run.layers]
    figure = replace(pair, runs=(replace(run, layers=tuple(layers), accesses=()),)).plot_storage()
    (axes,) = figure.axes
    count = len(axes.get_yticklabels())
    assert count > 100
    row = figure.get_figheight() * 72 / count  # at most what is left for one row [pt]
    assert row > axes.get_yticklabels()[0].get_fontsize()


def test_drawn_from_json_it_is_the_same(pair: Report, energy: Figure) -> None:
    again = Report.from_json(pair.to_json()).plot_energy()
    for first, second in zip(energy.axes, again.axes, strict=True):
        assert bars(first) == bars(second)
