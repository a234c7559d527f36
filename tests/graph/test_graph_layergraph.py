"""The layer graph: order, look-up, copies, errors."""

from __future__ import annotations

import pickle
from dataclasses import replace
from fractions import Fraction

import pytest

from energysim.errors import GraphError, ShapeError
from energysim.graph import (
    Add,
    Conv2d,
    Flatten,
    GraphBuilder,
    LayerGraph,
    Linear,
    Node,
    Operator,
    Tensor,
)
from energysim.graph.shapes import Shape

INPUT = {"input": (1, 3, 8, 8)}


def conv(name: str, *inputs: str, channels: int = 4) -> Node:
    return Node(name, Conv2d(channels, (3, 3), padding=(1, 1, 1, 1)), inputs, (name,))


def diamond() -> LayerGraph:
    """a -> (b, c) -> sum, given in a scrambled order."""
    nodes = [
        Node("sum", Add(), ("c", "b"), ("sum",)),
        conv("c", "a"),
        conv("b", "a"),
        conv("a", "input"),
    ]
    return LayerGraph("diamond", INPUT, nodes)


def test_the_walk_is_topological_and_keeps_the_given_order() -> None:
    graph = diamond()
    assert [node.name for node in graph] == ["a", "c", "b", "sum"]
    assert len(graph) == 4
    assert repr(graph) == "LayerGraph('diamond', 4 nodes, batch 1)"
    assert sorted(graph.digraph().edges) == [("a", "b"), ("a", "c"), ("b", "sum"), ("c", "sum")]


def test_the_networkx_graph_is_a_copy() -> None:
    graph = diamond()
    graph.digraph().remove_node("a")
    assert "a" in graph.digraph()


def test_look_up() -> None:
    graph = diamond()
    assert graph.outputs == ("sum",)
    assert graph.node("a").inputs == ("input",)
    assert [n.name for n in graph.consumers("a")] == ["c", "b"]
    assert graph.consumers("sum") == ()
    assert graph.input_shapes(graph.node("sum")) == ((1, 4, 8, 8), (1, 4, 8, 8))
    assert graph.output_shapes(graph.node("a")) == ((1, 4, 8, 8),)
    assert graph.tensor("a") == Tensor("a", (1, 4, 8, 8), "a")
    assert graph.tensor("input").producer is None
    assert graph.tensor("a").elements == 256


def test_parameters_are_named_by_node() -> None:
    graph = diamond()
    assert list(graph.parameters()) == [
        f"{name}.{suffix}" for name in ("a", "c", "b") for suffix in ("weight", "bias")
    ]
    assert graph.parameters()["c.weight"] == (4, 4, 3, 3)
    assert graph.parameter_count() == 4 * 27 + 4 + 2 * (4 * 36 + 4)


def test_reading_a_tensor_twice_counts_twice() -> None:
    nodes = [conv("a", "input"), Node("double", Add(), ("a", "a"), ("double",))]
    graph = LayerGraph("twice", INPUT, nodes)
    assert [n.name for n in graph.consumers("a")] == ["double", "double"]


def test_outputs_can_be_chosen() -> None:
    graph = LayerGraph("two", INPUT, [conv("a", "input"), conv("b", "a")], ("a", "b"))
    assert graph.outputs == ("a", "b")
    assert graph.with_batch(2).outputs == ("a", "b")


def test_with_batch() -> None:
    graph = diamond()
    bigger = graph.with_batch(7)
    assert bigger.batch == 7
    assert graph.batch == 1
    assert {t: bigger.tensors[t].shape for t in bigger.tensors} == {
        t: (7, *graph.tensors[t].shape[1:]) for t in graph.tensors
    }
    assert bigger.parameter_count() == graph.parameter_count()
    assert [n.name for n in bigger] == [n.name for n in graph]


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2", None, True])
def test_no_batch(batch: object) -> None:
    with pytest.raises(GraphError, match="the batch must be a whole number from 1 to 1048576, not"):
        diamond().with_batch(batch)  # type: ignore[arg-type]


def test_facts_of_tensors_are_kept() -> None:
    graph = diamond()
    known = replace(graph.tensor("a"), bits=8, density=Fraction(1, 4), channel_density=(Fraction(1, 4),) * 4)
    facts = graph.with_tensors({"a": known})
    assert graph.tensor("a").bits is None
    assert facts.tensor("a") == known
    for copy in (facts.with_batch(3), facts.with_operators({"c": Conv2d(4, (1, 1))})):
        assert copy.tensor("a").bits == 8
        assert copy.tensor("a").density == Fraction(1, 4)
        assert len(copy.tensor("a").channel_density) == 4


def test_channel_facts_do_not_outlive_their_channels() -> None:
    graph = LayerGraph("one", INPUT, [conv("a", "input")])
    known = replace(graph.tensor("a"), density=Fraction(1, 2), channel_density=(Fraction(1, 2),) * 4)
    wider = graph.with_tensors({"a": known}).with_operators({"a": Conv2d(6, (3, 3))})
    assert wider.tensor("a").shape == (1, 6, 6, 6)
    assert wider.tensor("a").channel_density == ()


def test_facts_must_be_of_the_tensor() -> None:
    graph = diamond()
    with pytest.raises(GraphError, match=r"no tensor 'sun' in 'diamond'; did you mean 'sum'\?"):
        graph.with_tensors({"sun": graph.tensor("sum")})
    with pytest.raises(GraphError, match="facts of tensor 'a'"):
        graph.with_tensors({"a": graph.tensor("b")})
    with pytest.raises(GraphError, match=r"1x4x8x8 from 'a'.* 'a' \(1x5x8x8"):
        graph.with_tensors({"a": replace(graph.tensor("a"), shape=(1, 5, 8, 8))})


def test_with_operators() -> None:
    graph = diamond()
    changed = graph.with_operators({"b": Conv2d(4, (1, 1)), "c": Conv2d(4, (1, 1))})
    assert changed.parameters()["b.weight"] == (4, 4, 1, 1)
    with pytest.raises(ShapeError, match=r"node 'sum'.*'c' gives 1x4x8x8, 'b' gives 1x4x6x6"):
        graph.with_operators({"b": Conv2d(4, (3, 3))})
    with pytest.raises(GraphError, match=r"no node 'summ' in 'diamond'; did you mean 'sum'\?"):
        graph.with_operators({"summ": Add()})


def test_pickling() -> None:
    graph = diamond().with_batch(3)
    copy = pickle.loads(pickle.dumps(graph))
    assert copy.nodes == graph.nodes
    assert copy.tensors == graph.tensors
    assert copy.outputs == graph.outputs


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "the graph 'net' is empty: it needs at least one layer"),
        ([conv("a", "input"), conv("a", "input")], "two nodes of 'net' are called 'a'"),
        (
            [conv("a", "input"), Node("b", Flatten(), ("input",), ("a",))],
            "two producers of tensor 'a' in 'net'",
        ),
        ([Node("a", Flatten(), ("a",), ("input",))], "two producers of tensor 'input'"),
        (
            [conv("stem", "input"), conv("next", "stam")],
            r"node 'next' reads tensor 'stam', which nobody writes; did you mean 'stem'\?",
        ),
        ([conv("a", "c"), conv("b", "a"), conv("c", "b")], "the graph 'net' has a cycle: "),
        ([conv("a", "a")], "the graph 'net' has a cycle: a"),
    ],
)
def test_graphs_that_are_not_well_formed(nodes: list[Node], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        LayerGraph("net", INPUT, nodes)


def test_a_cycle_names_all_its_nodes() -> None:
    with pytest.raises(GraphError) as caught:
        LayerGraph("net", INPUT, [conv("x", "z"), conv("y", "x"), conv("z", "y"), conv("free", "input")])
    assert set("xyz") <= set(str(caught.value).split(": ")[1])
    assert "free" not in str(caught.value)


def test_shape_mismatch_names_both_nodes() -> None:
    nodes = [conv("stem", "input", channels=8), Node("head", Linear(10), ("stem",), ("head",))]
    with pytest.raises(ShapeError) as caught:
        LayerGraph("net", INPUT, nodes)
    assert str(caught.value) == (
        "node 'head' (Linear): a linear layer needs an input of 2 or 3 dimensions, not 1x8x8x8; "
        "'stem' gives 1x8x8x8"
    )


def test_an_output_that_nobody_writes() -> None:
    with pytest.raises(GraphError, match=r"no tensor 'aa' to return; did you mean 'a'\?"):
        LayerGraph("net", INPUT, [conv("a", "input")], ("aa",))


def test_unknown_names() -> None:
    graph = diamond()
    for call in (graph.node, graph.tensor, graph.consumers):
        with pytest.raises(GraphError, match=r"no (node|tensor) 'summ' in 'diamond'; did you mean 'sum'\?"):
            call("summ")


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 0, 8), (1,), (1, 3.0, 8, 8), (True, 3, 8, 8)])
def test_inputs_are_checked(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ShapeError, match=r"input 'input' of 'net' has shape .* positive lengths, batch first"
    ):
        LayerGraph("net", {"input": shape}, [conv("a", "input")])


def test_inputs_share_the_batch() -> None:
    nodes = [Node("sum", Add(), ("left", "right"), ("sum",))]
    with pytest.raises(ShapeError, match=r"differ in their batch .*'left' 2x3, 'right' 1x3"):
        LayerGraph("net", {"left": (2, 3), "right": (1, 3)}, nodes)


def test_outputs_must_be_named() -> None:
    class Twins(Operator):
        def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
            return shapes * 2

    with pytest.raises(GraphError, match=r"node 'a' \(Twins\) makes 2 tensors, 1 are named"):
        LayerGraph("net", INPUT, [Node("a", Twins(), ("input",), ("a",))])


def test_an_unknown_operator_is_refused_by_name() -> None:
    class Mystery(Operator):
        pass

    with pytest.raises(ShapeError, match=r"node 'a' \(Mystery\): Mystery does not say its output shape"):
        LayerGraph("net", INPUT, [Node("a", Mystery(), ("input",), ("a",))])


def test_order_does_not_depend_on_how_the_graph_was_made() -> None:
    b = GraphBuilder("net", (3, 8, 8))
    x = b.conv(b.input, 4, 3, name="z")
    y = b.relu(x, name="y")
    b.add(y, b.relu(x, name="a"), name="sum")
    graph = b.build()
    assert [n.name for n in graph] == ["z", "y", "a", "sum"]
    again = LayerGraph("net", {"input": (1, 3, 8, 8)}, graph.nodes)
    assert again.nodes == graph.nodes


@pytest.mark.parametrize("shape", [(1, 3, 1 << 16, 4), (1, 1 << 41), (1, 1, 1, 1 << 15, 1 << 30)])
def test_tensors_larger_than_any_network_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="too large"):
        LayerGraph("huge", {"input": shape}, [Node("a", Flatten(), ("input",), ("a",))])
