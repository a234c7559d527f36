"""Widths stated of tensors and parameters, and how they run on."""

from __future__ import annotations

import pytest

from energysim.errors import GraphError
from energysim.graph import (
    Dequantize,
    Elementwise,
    GatherElements,
    GraphBuilder,
    LayerGraph,
    Quantize,
    Slice,
    TopK,
    Where,
)


def network() -> LayerGraph:
    b = GraphBuilder("net", (3, 8, 8))
    x = b.relu(b.conv(b.input, 4, 3, name="conv"), name="relu")
    (x,) = b.node(Quantize(4, False, (0.5,), (0,)), x, name="q")
    (x,) = b.node(Dequantize((0.5,), (0,)), x, name="dq")
    x = b.pool(x, 2, name="pool")
    (y,) = b.node(Slice((0,), (2,), (1,), (1,)), x, name="cut")
    z = b.concat(x, y, name="join")
    b.relu(z, name="again")
    return b.build(b.linear(b.flatten(z, name="flat"), 5, name="fc"), "again")


def widths(graph: LayerGraph) -> dict[str, int]:
    return {t.name: t.bits for t in graph.tensors.values() if t.bits is not None}


def test_a_quantisation_states_the_width_of_all_that_keeps_its_values() -> None:
    found = widths(network().with_widths())
    assert found == dict.fromkeys(("q", "dq", "pool", "cut", "join", "flat", "again"), 4)


def test_what_is_stated_goes_before_what_follows() -> None:
    graph = network().with_widths({"input": 8, "pool": 6})
    wide = {"pool": 6, "cut": 6, "join": 6, "flat": 6, "again": 6}
    assert widths(graph) == {"input": 8, "q": 4, "dq": 4, **wide}
    assert widths(graph.with_batch(3)) == widths(graph)
    assert widths(graph.with_widths({"join": 2}))["flat"] == 6  # it was known of this tensor already


def test_the_widest_of_several_if_all_are_known() -> None:
    b = GraphBuilder("net", (4, 8))
    (wide,) = b.node(Quantize(8, True, (0.5,), (0,)), b.input, name="wide")
    (slim,) = b.node(Quantize(3, True, (0.5,), (0,)), b.input, name="slim")
    (exp,) = b.node(Elementwise("exp"), wide, name="exp")
    b.concat(wide, slim, name="both")
    b.concat(wide, exp, name="unknown")
    (_, places) = b.node(TopK(2, 1), wide, name="top", outputs=2)
    b.node(GatherElements(1), slim, places, name="picked")
    b.node(Where(), exp, slim, wide, name="chosen")
    graph = b.build().with_widths()
    known = {"wide": 8, "slim": 3, "both": 8, "picked": 3, "chosen": 8}
    assert widths(graph) == known


def test_parameters() -> None:
    graph = network().with_widths(parameters={"conv.weight": 2})
    assert graph.parameter_bits == {"conv.weight": 2}
    for other in (graph.with_batch(2), graph.with_operators({}), graph.with_tensors({})):
        assert other.parameter_bits == {"conv.weight": 2}
    assert graph.with_widths(parameters={"fc.weight": 3}).parameter_bits == {"conv.weight": 2, "fc.weight": 3}


def test_bad_names_and_widths() -> None:
    with pytest.raises(GraphError, match=r"no tensor 'poll' in 'net'.*'pool'"):
        network().with_widths({"poll": 4})
    with pytest.raises(GraphError, match=r"no parameter 'conv.weights' in 'net'.*'conv.weight'"):
        network().with_widths(parameters={"conv.weights": 4})
    for width in (0, 65, 4.0, True):
        with pytest.raises(GraphError, match="'pool' must be a whole number from 1 to 64"):
            network().with_widths({"pool": width})  # type: ignore[dict-item]
