"""Shift + 1x1: published counts, hand-made taps, fused and unfused traffic, quantities in the report."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, net

from energysim.errors import SchemeError
from energysim.graph import Conv2d, Node, TapShift
from energysim.inference.reference import run_operator
from energysim.report import Report
from energysim.schemes import derived_weights, parse_scheme
from energysim.schemes.shift_taps import channel_taps
from energysim.walker import estimate


def test_taps_by_hand():
    """20 channels on 9 taps: two each in row-major order, the last two in the middle."""
    assert channel_taps(20, (3, 3)) == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 4, 4)
    assert channel_taps(7, (1, 3)) == (0, 0, 1, 1, 2, 2, 1)


def test_a_shift_by_hand():
    x = np.arange(1.0, 13).reshape(1, 1, 3, 4).repeat(2, axis=1)
    op = TapShift((0, 5), (3, 3))
    (y,) = run_operator(Node("s", op, ("x",), ("s",)), (x,), {})
    assert y[0, 0].tolist() == [[0, 0, 0, 0], [0, 1, 2, 3], [0, 5, 6, 7]]  # down and to the right
    assert y[0, 1].tolist() == [[2, 3, 4, 0], [6, 7, 8, 0], [10, 11, 12, 0]]  # to the left
    op = TapShift((1, 3), (2, 2), (0, 1, 2, 0), (1, 2))
    (y,) = run_operator(Node("s", op, ("x",), ("s",)), (x,), {})
    assert y.shape == (1, 2, 3, 4)
    assert y[0, 0].tolist() == x[0, 0].tolist()  # column 2 of the window less a padding of 2
    assert y[0, 1].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 0]]


def test_derived_weights_keep_one_tap_a_channel():
    graph = net(24, 16, groups=2, size=(8, 6), bias=False)
    rewrite = parse_scheme("shift").apply(graph)
    dense = np.random.default_rng(0).standard_normal((16, 12, 3, 3))
    weights = {name: np.zeros(shape) for name, shape in graph.parameters().items()}
    made = derived_weights(rewrite, {**weights, f"{LAYER}.weight": dense})[f"{LAYER}.weight"]
    assert made.shape == (16, 12, 1, 1)
    taps = channel_taps(24, (3, 3))
    for f in range(16):
        for c in range(12):
            tap = taps[f // 8 * 12 + c]
            assert made[f, c, 0, 0] == dense[f, c, tap // 3, tap % 3]


def test_fewer_channels_than_taps():
    left = {e.node: e.reason for e in parse_scheme("shift").apply(net(5, 8)).left}
    assert left[LAYER] == "5 channels are fewer than the 9 taps"


def test_traffic_fused_and_unfused():
    """64 channels on 28x28, 8 bits: unfused the shift reads and writes 64*784 words."""
    graph = net(64, 128, size=(28, 28))
    words = 64 * 784 * 8
    fused = estimate(graph, f"{LAYER}=shift")
    split = estimate(graph, f"{LAYER}=shift", fusion="split")
    rows = {row.node: row for row in fused.runs[-1].layers}
    assert rows[f"{LAYER}.shift"].folded_into == ""
    assert rows[f"{LAYER}.shift"].unfused_dram_bits == 2 * words
    assert rows[f"{LAYER}.shift"].unfused_energy_aj > 0
    whole, apart = fused.totals(), split.totals()
    assert whole.unfused_dram_bits == apart.total_dram_bits
    assert whole.unfused_energy_aj == apart.total_energy_aj
    # Both read 64*784 words in the 1x1 itself: from the map, or from the shifted map.
    assert apart.total_dram_bits - whole.total_dram_bits == 2 * words
    assert split.totals().unfused_dram_bits == apart.total_dram_bits


def test_rows_count_with_their_origin():
    report = estimate(net(64, 128, size=(28, 28)), "shift")
    rows = [row for row in report.runs[-1].layers if row.origin == LAYER]
    assert [(row.node, row.kind, row.part, row.scheme) for row in rows] == [
        (f"{LAYER}.shift", "TapShift", "convolution", "shift"),
        (LAYER, "Conv2d", "convolution", "shift"),
    ]
    assert [row.dense_macs for row in rows] == [0, 64 * 128 * 9 * 784]
    assert rows[1].macs == 64 * 128 * 784
    assert Report.from_json(report.to_json()) == report
    frame = report.to_frame()
    assert frame["unfused_dram_bits"].sum() == sum(report.totals(s).unfused_dram_bits for s in report.schemes)


def test_multiply_adds_of_a_network_are_a_ninth():
    """Every 3x3 layer but the first becomes 1x1."""
    report = estimate("resnet18-cifar10", "shift")
    for row in report.runs[-1].layers:
        if row.scheme == "shift" and row.kind == "Conv2d":
            assert row.macs * 9 == row.dense_macs
            assert row.weight_bits % 8 == 0


def test_dilation_and_uneven_padding_survive():
    for graph in NETS:
        rewrite = parse_scheme("shift").apply(graph)
        if LAYER not in rewrite.changed:
            continue
        old, new = graph.node(LAYER).op, rewrite.graph.node(LAYER).op
        assert isinstance(new, Conv2d) and isinstance(old, Conv2d)
        assert (new.stride, new.groups, new.bias, new.window) == (old.stride, old.groups, old.bias, (1, 1))
        assert rewrite.graph.tensors[LAYER] == graph.tensors[LAYER]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "shift:map=sotred",
            "map of scheme 'shift' is fixed or stored, not 'sotred'; did you mean 'stored'?",
        ),
        ("shift:mpa=fixed", "scheme 'shift' has no parameter 'mpa'; did you mean 'map'?"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
