"""What the operators of imported networks cost, on graphs drawn by hand."""

from __future__ import annotations

import pytest

from energysim.cost.hierarchy import HierarchyModel
from energysim.errors import UsageError
from energysim.fusion import fuse
from energysim.graph import (
    BinaryElementwise,
    Constant,
    DeformConv2d,
    Elementwise,
    Embedding,
    GatherElements,
    GraphBuilder,
    LayerGraph,
    Pad,
    Slice,
    TopK,
)
from energysim.hardware import load_hardware
from energysim.report import Report
from energysim.setting import read_setting
from energysim.walker import estimate
from energysim.workload import lower


def moved(report: Report, level: str = "dram") -> dict[tuple[str, str, str], int]:
    """(node, tensor, action) -> elements moved at a level."""
    return {
        (a.node, a.tensor, a.action): a.elements for a in report.run("dense").accesses if a.level == level
    }


def scaled(shape: tuple[int, ...], function: str = "prelu") -> LayerGraph:
    """A convolution to 4 x 8 x 8, and what a constant makes of it."""
    b = GraphBuilder("net", (3, 8, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    (scale,) = b.node(Constant(shape), name="scale")
    y = b.node(BinaryElementwise(function), x, scale, name="op")[0]
    return b.build(b.linear(b.flatten(y, name="flat"), 5, name="fc"))


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 1, 1), (1, 1, 8)])
def test_a_constant_per_channel_runs_in_place(shape: tuple[int, ...]) -> None:
    graph = scaled(shape)
    assert fuse(graph).folded == {"scale": "", "op": "conv", "flat": ""}
    assert {t.name for t in fuse(graph).stored.values()} == {"input", "scale", "op", "fc"}
    report = estimate(graph)
    assert {node for node, _, _ in moved(report)} == {"conv", "fc"}
    (row,) = (r for r in report.run("dense").layers if r.node == "op")
    assert (row.other_ops, row.weight_bits) == (256, 0)


def test_a_whole_map_of_constants_is_read_as_weights() -> None:
    graph = scaled((4, 8, 8), "subtract")
    assert "op" not in fuse(graph).folded
    report = estimate(graph, batch=None)
    assert {key: n for key, n in moved(report).items() if key[0] == "op"} == {
        ("op", "inputs", "read"): 256,
        ("op", "weights", "read"): 256,
        ("op", "outputs", "write"): 256,
    }
    (row,) = (r for r in report.run("dense").layers if r.node == "op")
    assert (row.other_ops, row.weight_bits) == (256, 256 * 8)
    whole = moved(estimate(graph.with_batch(3)))
    assert (whole["op", "inputs", "read"], whole["op", "weights", "read"]) == (768, 256)


def test_the_constant_may_stand_first() -> None:
    b = GraphBuilder("net", (3, 8, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    (one,) = b.node(Constant((1, 1, 1)), name="one")
    graph = b.build(b.linear(b.flatten(b.node(BinaryElementwise("subtract"), one, x, name="op")[0]), 5))
    fused = fuse(graph)
    assert fused.folded["op"] == "conv"
    assert fused.stored["conv"].name == "op"


def test_a_constant_that_widens_its_tensor_does_not() -> None:
    b = GraphBuilder("net", (4, 1, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    (mask,) = b.node(Constant((1, 6, 1)), name="mask")
    graph = b.build(b.add(x, mask, name="sum"))
    assert graph.tensor("sum").shape == (1, 4, 6, 8)
    assert "sum" not in fuse(graph).folded
    assert moved(estimate(graph))["sum", "weights", "read"] == 6


def test_functions_run_in_place() -> None:
    b = GraphBuilder("net", (3, 8, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    x = b.node(Elementwise("clip", (0.0, 1.0)), b.node(Elementwise("exp"), x, name="exp")[0], name="clip")[0]
    graph = b.build(b.linear(b.flatten(x, name="flat"), 5, name="fc"))
    assert fuse(graph).folded == {"exp": "conv", "clip": "conv", "flat": ""}
    other = {r.node: r.other_ops for r in estimate(graph).run("dense").layers}
    assert other == {"conv": 256, "exp": 256, "clip": 256, "flat": 0, "fc": 5}


@pytest.mark.parametrize(("length", "rows"), [(7, 7), (200, 100)])
def test_an_embedding_fetches_the_rows_it_needs(length: int, rows: int) -> None:
    b = GraphBuilder("text", (length,))
    (x,) = b.node(Embedding(100, 16), b.input, name="table")
    report = estimate(b.build(b.linear(x, 4, name="fc")))
    found = {key[1:]: n for key, n in moved(report).items() if key[0] == "table"}
    assert found == {
        ("inputs", "read"): length,
        ("weights", "read"): rows * 16,
        ("outputs", "write"): length * 16,
    }
    (row,) = (r for r in report.run("dense").layers if r.node == "table")
    assert row.weight_bits == 100 * 16 * 8


def test_gathering_reads_an_element_per_index() -> None:
    b = GraphBuilder("net", (6, 50))
    (_, places) = b.node(TopK(4), b.input, name="top", outputs=2)
    b.node(GatherElements(2), b.input, places, name="pick")
    report = estimate(b.build("pick", "top"))
    found = {key[1:]: n for key, n in moved(report).items() if key[0] == "pick"}
    assert found == {("inputs", "read"): 24, ("inputs_2", "read"): 24, ("outputs", "write"): 24}
    other = {r.node: r.other_ops for r in report.run("dense").layers}
    assert other == {"top": 300 * 3, "pick": 0}


def test_a_slice_is_a_view_and_a_padding_is_not() -> None:
    b = GraphBuilder("net", (4, 8, 8))
    (cut,) = b.node(Slice((0,), (8,), (2,), (2,)), b.input, name="cut")
    (wide,) = b.node(Pad((0, 0, 1, 1), (0, 0, 1, 1), "reflect"), cut, name="pad")
    report = estimate(b.build(b.conv(wide, 4, 3, name="conv")))
    found = moved(report)
    assert found["pad", "inputs", "read"] == 4 * 4 * 8
    assert found["pad", "outputs", "write"] == found["conv", "inputs", "read"] == 4 * 6 * 10
    assert not any(node == "cut" for node, _, _ in found)


def test_deformable_convolution() -> None:
    b = GraphBuilder("net", (8, 6, 6))
    offsets = b.conv(b.input, 18, 3, padding=1, name="offsets")
    op = DeformConv2d(4, (3, 3), padding=(1, 1, 1, 1), bias=False)
    report = estimate(b.build(b.node(op, b.input, offsets, name="deform")[0]))
    plain = GraphBuilder("plain", (8, 6, 6))
    ordinary = estimate(plain.build(plain.conv(plain.input, 4, 3, padding=1, bias=False, name="deform")))
    (row,), (same,) = (
        [r for r in one.run("dense").layers if r.node == "deform"] for one in (report, ordinary)
    )
    assert row.part == "convolution"
    assert row.macs == same.macs == 4 * 8 * 9 * 36
    assert row.other_ops == 4 * 8 * 9 * 36 + 4 * 9 * 36
    assert row.compulsory_bits == same.compulsory_bits + 18 * 36 * 8
    for level in ("dram", "buffer"):
        found = {key: n for key, n in moved(report, level).items() if key[0] == "deform"}
        known = moved(ordinary, level)
        assert {key: n for key, n in found.items() if key in known} == known
        more = {key[1:]: n for key, n in found.items() if key not in known}
        if level == "dram":
            assert more == {("inputs_2", "read"): 18 * 36}
        else:
            gathered = {("inputs", "gather"): 4 * 8 * 9 * 36}
            assert more == {("inputs_2", "fill"): 18 * 36, ("inputs_2", "read"): 18 * 36, **gathered}


def test_a_hierarchy_does_not_know_offsets() -> None:
    op = DeformConv2d(4, (3, 3), padding=(1, 1, 1, 1), bias=False)
    b = GraphBuilder("net", (8, 6, 6))
    offsets = b.conv(b.input, 18, 3, padding=1, name="offsets")
    graph = b.build(b.node(op, b.input, offsets, name="deform")[0])
    work = lower(graph, graph.node("deform"))
    assert work is not None
    with pytest.raises(UsageError, match="hierarchy does not know layers that read further tensors"):
        HierarchyModel().evaluate((work,), read_setting(load_hardware("edge45")))
