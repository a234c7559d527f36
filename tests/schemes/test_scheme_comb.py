"""Comb convolution: unit rows, odd maps, phases, copies by hand, what crosses DRAM and the buffer."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, Unit, net, stored_bits, unit

from energysim.errors import EnergysimError, GraphError, SchemeError
from energysim.graph import CombConv2d, Conv2d, GraphBuilder, LayerGraph, Node
from energysim.inference import plan
from energysim.inference.reference import run_operator
from energysim.schemes import parse_scheme
from energysim.walker import estimate
from energysim.workload import MacWorkload, lower


def test_unit_rows():
    assert unit("comb", 64, 128) == Unit(28_901_376, 73_728, 0)
    assert unit("comb", 128, 128) == Unit(57_802_752, 147_456, 0)
    assert unit("comb:pattern=column", 128, 128) == Unit(57_802_752, 147_456, 0)


@pytest.mark.parametrize(("size", "dense"), [(224, 15_346_630_656), (32, 313_196_544)])
def test_vgg16_all_layers(size, dense):
    """All 13 convolutions: half of the multiply-adds, on maps of even sizes."""
    report = estimate("vgg16", "comb:layers=all", input=(3, size, size))
    sums = [sum(row.macs for row in run.layers if row.part == "convolution") for run in report.runs]
    assert sums == [dense, dense // 2]
    assert dense // 2 in (7_673_315_328, 156_598_272)
    assert stored_bits(report, "comb:layers=all") == stored_bits(report, "dense")


@pytest.mark.parametrize("pattern", ["checker", "column"])
@pytest.mark.parametrize("phase", [0, 1])
def test_positions_one_by_one(pattern, phase):
    for rows in range(1, 8):
        for cols in range(1, 8):
            op = CombConv2d(Conv2d(1, (1, 1)), pattern, phase)
            copied = sum(
                (j + phase + (i if pattern == "checker" else 0)) % 2 for i in range(rows) for j in range(cols)
            )
            assert op.copied(rows, cols) == copied


def test_an_odd_map():
    """7x7: 25 of 49 in phase 0, 24 in phase 1."""
    graph = net(16, 16, size=(7, 7))
    for phase, computed in (("0", 25), ("1", 24)):
        rows = estimate(graph, f"{LAYER}=comb:phase={phase}").runs[-1].layers
        (row,) = (row for row in rows if row.node == LAYER)
        assert row.macs == computed * 16 * 16 * 9
        assert row.dense_macs == 49 * 16 * 16 * 9
        assert row.gathers == (49 - computed) * 16
        assert row.other_ops == computed * 16  # biases of what is computed; ReLU is a row of its own


def test_phases_alternate_whatever_is_asked_for():
    graph = net(16, 16, size=(7, 7))
    whole = parse_scheme("comb").apply(graph).graph
    assert [whole.node(n).op.phase for n in (LAYER, "last")] == [0, 1]
    assert parse_scheme("comb").apply(graph, ["last"]).graph.node("last").op.phase == 1


def test_a_comb_by_hand():
    """One channel, two filters of weight 1 under the middle, doubled: computed 2x (+ bias), copied x."""
    x = np.arange(1.0, 13).reshape(1, 1, 3, 4)
    weight, bias = np.zeros((2, 1, 3, 3)), np.array([100.0, 0.0])
    weight[:, 0, 1, 1] = 2
    op = CombConv2d(Conv2d(2, (3, 3), (1, 1), (1, 1, 1, 1)))
    (y,) = run_operator(Node("c", op, ("x",), ("c",)), (x,), {"weight": weight, "bias": bias})
    assert y[0, 0].tolist() == [[102, 2, 106, 4], [5, 112, 7, 116], [118, 10, 122, 12]]
    assert y[0, 1].tolist() == [[2, 2, 6, 4], [5, 12, 7, 16], [18, 10, 22, 12]]
    op = CombConv2d(Conv2d(2, (3, 3), (1, 1), (1, 1, 1, 1)), "column", 1)
    (y,) = run_operator(Node("c", op, ("x",), ("c",)), (x,), {"weight": weight, "bias": bias})
    assert y[0, 1].tolist() == [[1, 4, 3, 8], [5, 12, 7, 16], [9, 20, 11, 24]]


def test_copies_where_filters_and_channels_differ_and_a_stride_skips():
    """Filter o copies channel o mod C of pixel (i*stride, j*stride)."""
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((2, 3, 6, 8)), rng.standard_normal((5, 3, 3, 3))
    conv = Conv2d(5, (3, 3), (2, 2), (1, 1, 1, 1), bias=False)
    (y,) = run_operator(Node("c", CombConv2d(conv), ("x",), ("c",)), (x,), {"weight": weight})
    (dense,) = run_operator(Node("c", conv, ("x",), ("c",)), (x,), {"weight": weight})
    for o, i, j in np.ndindex(5, 3, 4):
        expected = dense[:, o, i, j] if (i + j) % 2 == 0 else x[:, o % 3, 2 * i, 2 * j]
        np.testing.assert_allclose(y[:, o, i, j], expected, atol=1e-12)


@pytest.mark.parametrize("hardware", ["edge45", "teaching"])
def test_traffic_and_buffer(hardware):
    """DRAM as before; in the buffer half the input reads, one write for each copy and one read."""
    graph = net(16, 16, size=(8, 6), bias=False)
    report = estimate(graph, f"{LAYER}=comb", hardware)

    def moved(run: int) -> dict[tuple[str, str, str], int]:
        own = (a for a in report.runs[run].accesses if a.node == LAYER)
        return {(a.level, a.tensor, a.action): a.elements for a in own}

    dense, comb = moved(0), moved(1)
    assert {k: v for k, v in dense.items() if k[0] == "dram"} == {
        k: v for k, v in comb.items() if k[0] == "dram"
    }
    assert 2 * comb["buffer", "inputs", "read"] == dense["buffer", "inputs", "read"]
    assert comb["buffer", "inputs", "gather"] == 16 * 24
    each = dense["buffer", "partial_sums", "update"] // (16 * 48)
    assert comb["buffer", "partial_sums", "update"] == 16 * 24 * each + 16 * 24
    assert dense.get(("buffer", "partial_sums", "read"), 0) == 16 * 48 * (each - 1)
    assert comb.get(("buffer", "partial_sums", "read"), 0) == 16 * 24 * (each - 1)


def test_the_workload():
    graph = parse_scheme("comb").apply(net(16, 24, size=(7, 5))).graph.with_batch(3)
    work = lower(graph, graph.node(LAYER))
    assert isinstance(work, MacWorkload)
    assert work.nest.positions == 3 * 18
    assert work.nest.copies == work.extra.gathers == 3 * 24 * 17
    assert work.nest.output_elements == 3 * 24 * 35


def test_weights_stay_those_of_the_layer():
    graph = net(16, 16)
    rewrite = parse_scheme("comb").apply(graph)
    assert rewrite.graph.parameters() == graph.parameters()
    images = np.ones((1, 3, 9, 7), np.float32)
    weights = {n: np.ones(s, np.float32) for n, s in graph.parameters().items()}
    assert plan(rewrite.graph, weights).run(images).shape == (1, 4)


def test_what_is_left():
    def reasons(graph: LayerGraph, scheme: str) -> dict[str, str]:
        return {e.node: e.reason for e in parse_scheme(scheme).apply(graph).left}

    graph = net(16, 16, (1, 1))
    assert reasons(graph, "comb") == {"first": "first convolution", LAYER: "1x1 window", "fc": "linear layer"}
    assert reasons(graph, "comb:layers=all") == {"fc": "linear layer"}
    b = GraphBuilder("pixel", (3, 1, 1))
    x = b.conv(b.conv(b.input, 8, 1, name="first"), 8, 3, padding=1, name=LAYER)
    assert reasons(b.build(x), "comb")[LAYER] == "a 1x1 map has no two positions side by side"


def test_not_on_a_hierarchy():
    with pytest.raises(EnergysimError, match=r"^layer '\w+' on 'eyeriss168': .* knows no gathered reads"):
        estimate(net(8, 8), f"{LAYER}=comb", "eyeriss168")


def test_not_with_others():
    with pytest.raises(SchemeError, match="'comb' cannot be put together with others"):
        parse_scheme("comb+nm:2:4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("comb:pattern=cheker", "pattern of scheme 'comb' is checker or column, not 'cheker'; did you mean"),
        ("comb:phase=2", "phase of scheme 'comb' is alternate, 0 or 1, not '2'"),
        ("comb:patern=column", "scheme 'comb' has no parameter 'patern'; did you mean 'pattern'?"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_operators_that_cannot_be():
    with pytest.raises(GraphError, match="checker or column in phase 0 or 1, not 'row' in phase 0"):
        CombConv2d(Conv2d(1, (1, 1)), "row")  # type: ignore[arg-type]
