"""ESP modules: the unit rows, the published networks, uneven filters, sums and residual by hand."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from published_networks import espnet, slopes
from schemes_family import LAYER, Unit, net, unit

from energysim.errors import SchemeError
from energysim.graph import Conv2d, LayerGraph
from energysim.inference import plan
from energysim.schemes import parse_scheme
from energysim.walker import estimate


def test_unit_rows():
    assert unit("esp", 64, 128) == Unit(23_833_600, 30_400, 0)
    assert unit("esp", 128, 128) == Unit(25_088_000, 32_000, 0)


def test_unit_row_with_a_stride():
    assert unit("esp", 128, 128, stride=2) == Unit(11_289_600, 57_600, 0)


def test_four_branches_against_dense():
    """K_b*n*C/(C + n*M) = 3.6 for 128 channels in 4 branches."""
    assert unit("esp:branches=4", 128, 128).weights * 36 == 147_456 * 10


def parameters(graph: LayerGraph) -> int:
    return sum(map(prod, graph.parameters().values()))


@pytest.mark.parametrize(
    ("q", "decoder", "expected"),
    [
        (3, False, 187_529),
        (5, False, 252_297),
        (8, False, 349_449),
        (3, True, 203_189),
        (5, True, 267_957),
        (8, True, 365_109),
    ],
)
def test_parameters_of_espnet(q, decoder, expected):
    graph = espnet(q, decoder=decoder)
    changed = parse_scheme("esp_*=esp").apply(graph)
    assert {e.node for e in changed.left}.isdisjoint(n.name for n in graph if n.name.startswith("esp_"))
    assert parameters(changed.graph) + slopes(changed.graph) == expected


@pytest.mark.parametrize(("decoder", "expected"), [(False, 3_470_155_776), (True, 4_780_220_416)])
def test_multiply_adds_of_espnet(decoder, expected):
    report = estimate(espnet(8, decoder=decoder), "esp_*=esp")
    assert report.totals(report.schemes[-1]).macs == expected


def test_uneven_filters_and_branch_dilations():
    """13 filters in 5 branches: d = 2, the first branch has 5."""
    graph = parse_scheme("esp").apply(net(20, 13, size=(40, 40))).graph
    branches = [graph.node(f"{LAYER}.branch{i}").op for i in range(5)]
    assert all(isinstance(op, Conv2d) for op in branches)
    assert [op.out_channels for op in branches] == [5, 2, 2, 2, 2]
    assert [op.dilation for op in branches] == [(d, d) for d in (1, 2, 4, 8, 16)]
    assert [op.padding for op in branches] == [(d, d, d, d) for d in (1, 2, 4, 8, 16)]
    assert graph.node(f"{LAYER}.reduce").op.out_channels == 2
    assert graph.node(LAYER).op.kind == "Concat"


def test_sums_by_hand():
    """All weights 1 at the middle tap: the reduced map is s; pieces s, s, 2s, 3s, 4s, and x on top."""
    graph = net(5, 5, size=(6, 5), bias=False)
    rewrite = parse_scheme("esp").apply(graph, [LAYER])
    weights = {}
    for name, shape in rewrite.graph.parameters().items():
        weights[name] = np.zeros(shape, np.float32)
        if name.startswith(f"{LAYER}."):
            weights[name][:, :, shape[2] // 2, shape[3] // 2] = 1
        elif name == "first.weight":
            weights[name][np.arange(5), 0, 1, 1] = np.arange(1, 6)
    image = np.abs(np.random.default_rng(0).standard_normal((1, 3, 6, 5))).astype(np.float32)
    traced = {name: np.array(out[0]) for name, out in plan(rewrite.graph, weights).trace(image)}
    reduced = 15 * image[0, 0]
    for piece, times in enumerate((1, 1, 2, 3, 4)):
        np.testing.assert_allclose(
            traced[LAYER][0, piece], times * reduced + (piece + 1) * image[0, 0], rtol=1e-6
        )


def test_other_operations():
    """3*d*P*Q additions of the sums, M*P*Q of the residual."""
    rows = {
        row.node: row.other_ops
        for row in estimate(net(40, 40, size=(9, 7), bias=False), f"{LAYER}=esp").runs[-1].layers
    }
    assert sum(rows[f"{LAYER}.sum{i}"] for i in (2, 3, 4)) == 3 * 8 * 63
    assert rows[LAYER] == 40 * 63


def test_residual_only_where_shapes_agree():
    for graph, scheme, kind in (
        (net(20, 20), "esp", "Add"),
        (net(20, 20), "esp:residual=no", "Concat"),
        (net(20, 25), "esp", "Concat"),
        (net(20, 20, stride=(2, 2)), "esp", "Concat"),
    ):
        assert parse_scheme(scheme).apply(graph).graph.node(LAYER).op.kind == kind


def test_traffic_fused_and_unfused():
    """Fused, nothing between the parts crosses DRAM: input and residual are one tensor, read once."""
    graph = net(40, 40, size=(9, 7), bias=False)
    report = estimate(graph, f"{LAYER}=esp")
    rows = {row.node: row for row in report.runs[-1].layers if row.origin == LAYER}
    moved = [a for a in report.runs[-1].accesses if a.node in rows and a.level == "dram"]
    sums = {t: sum(a.bits for a in moved if a.tensor == t) for t in ("inputs", "outputs")}
    assert sums == {"inputs": 8 * 40 * 63, "outputs": 8 * 40 * 63}
    # The reduced map (8 channels) is written once and read by 5 branches, their 5 maps and 3 sums are
    # written and read by 2 additions each (twice) or once; the joined map and x cross once more.
    d = 8 * 8 * 63
    written = d * (1 + 5 + 3) + 5 * d
    read = d * (5 + 3 * 2 + 5) + 5 * d + 5 * d
    unfused = sum(row.unfused_dram_bits for row in rows.values())
    assert unfused - sum(a.bits for a in moved) == written + read


def test_what_is_left():
    def reason(graph: LayerGraph, scheme: str = "esp") -> str:
        return {e.node: e.reason for e in parse_scheme(scheme).apply(graph).left}[LAYER]

    assert reason(net(20, 4)) == "4 filters are fewer than the 5 branches"
    assert reason(net(20, 10, groups=2)) == "has 2 groups already"
    assert reason(net(20, 10, (1, 1))) == "1x1 window"
    assert reason(net(20, 10, (2, 3), (6, 6))) == "windows at dilation 16 would lie beside a 6x6 map"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("esp:branches=1", "branches of scheme 'esp' is a whole number from 2 to 8, not 1"),
        ("esp:residual=yse", "residual of scheme 'esp' is yes or no, not 'yse'; did you mean 'yes'?"),
        ("esp:branch=5", "scheme 'esp' has no parameter 'branch'; did you mean 'branches'?"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
