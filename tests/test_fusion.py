"""What runs in place and what lies in memory, on graphs drawn by hand."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import pytest

from energysim.densities import apply_zeros, read_zeros
from energysim.fusion import FUSIONS, fuse
from energysim.graph import GraphBuilder, LayerGraph, Operator
from energysim.graph.operators import Category
from energysim.graph.shapes import Shape


def stored(graph: LayerGraph, mode: str = "epilogue") -> dict[str, str]:
    """Tensor -> the one that lies in memory for it, where that is another."""
    return {name: t.name for name, t in fuse(graph, mode).stored.items() if t.name != name}


def chain() -> LayerGraph:
    b = GraphBuilder("chain", input=(3, 8, 8))
    x = b.batch_norm(b.conv(b.input, 4, 3, name="conv"), name="bn")
    x = b.pool(b.relu(x, name="relu"), 2, name="pool")
    return b.build(b.linear(b.flatten(b.dropout(x, name="drop"), name="flat"), 5, name="fc"))


def test_a_chain_runs_in_its_convolution() -> None:
    fused = fuse(chain())
    assert fused.folded == {"bn": "conv", "relu": "conv", "drop": "pool", "flat": ""}
    assert stored(chain()) == {"conv": "relu", "bn": "relu", "pool": "drop", "flat": "drop"}


def test_pooling_runs_in_place_if_asked() -> None:
    fused = fuse(chain(), "pool")
    assert fused.folded == {"bn": "conv", "relu": "conv", "pool": "conv", "drop": "conv", "flat": ""}
    assert fused.stored["conv"].shape == (1, 4, 3, 3)


def test_nothing_runs_in_place_if_asked() -> None:
    assert fuse(chain(), "none").folded == {"drop": "", "flat": ""}
    assert stored(chain(), "none") == {"drop": "pool", "flat": "pool"}


def test_residual_block() -> None:
    b = GraphBuilder("residual", input=(4, 8, 8))
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="stem"), name="relu1")
    y = b.batch_norm(b.conv(x, 4, 3, padding=1, name="conv"), name="bn")
    graph = b.build(b.relu(b.add(y, x, name="add"), name="relu2"))
    for mode in ("epilogue", "pool"):
        assert fuse(graph, mode).folded == {"relu1": "stem", "bn": "conv", "relu2": "add"}
    assert stored(graph) == {"stem": "relu1", "conv": "bn", "add": "relu2"}


def test_an_epilogue_whose_input_others_read_is_applied_on_loading() -> None:
    """Pre-activation, as in DenseNet: the concatenation itself is what lies in memory."""
    b = GraphBuilder("dense", input=(4, 8, 8))
    x = b.concat(b.conv(b.input, 4, 1, name="a"), b.input, name="concat")
    y = b.relu(b.batch_norm(x, name="bn"), name="relu")
    y = b.conv(y, 4, 3, padding=1, name="conv")
    graph = b.build(b.concat(x, y, name="next"))
    assert fuse(graph).folded == {"bn": "", "relu": ""}
    assert stored(graph) == {"bn": "concat", "relu": "concat"}


def test_density_in_memory_is_that_of_what_is_stored() -> None:
    b = GraphBuilder("dense", input=(4, 8, 8))
    x = b.conv(b.input, 4, 1, name="a")
    graph = b.build(b.add(b.conv(b.relu(x, name="relu"), 4, 1, name="b"), x, name="add"))
    graph = apply_zeros(graph, read_zeros("relu=0.5"))
    assert fuse(graph).stored["relu"].density == 1
    assert graph.tensors["relu"].density == Fraction(1, 2)


def test_pooling_of_a_branch_is_a_row_of_its_own() -> None:
    b = GraphBuilder("branch", input=(4, 8, 8))
    x = b.relu(b.conv(b.input, 4, 3, padding=1, name="conv"), name="relu")
    graph = b.build(b.concat(b.pool(x, 3, 1, 1, name="pool"), x, name="concat"))
    assert fuse(graph, "pool").folded == {"relu": "conv"}


def test_only_pooling_behind_a_multiply_add_layer_runs_in_place() -> None:
    b = GraphBuilder("pools", input=(4, 8, 8))
    x = b.pool(b.input, 2, name="first")
    x = b.pool(b.add(x, x, name="add"), 2, name="second")
    graph = b.build(b.global_pool(b.conv(x, 4, 1, name="conv"), name="third"))
    assert fuse(graph, "pool").folded == {"third": "conv"}


def test_epilogues_behind_inputs_and_views_are_applied_on_loading() -> None:
    b = GraphBuilder("views", input=(4, 8, 8))
    x = b.conv(b.relu(b.input, name="relu1"), 4, 1, name="conv")
    x = b.relu(b.flatten(x, name="flat"), name="relu2")
    graph = b.build(b.linear(x, 5, name="fc"))
    assert fuse(graph).folded == {"relu1": "", "flat": "", "relu2": ""}
    assert stored(graph) == {"relu1": "input", "flat": "conv", "relu2": "conv"}


def test_a_result_of_the_network_is_written() -> None:
    """An activation applied on loading would be lost where nobody loads it."""
    b = GraphBuilder("result", input=(4, 8, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    y = b.relu(x, name="relu")
    graph = b.build(b.conv(x, 4, 1, name="other"), b.flatten(y, name="flat"))
    assert fuse(graph).folded == {"flat": ""}
    assert stored(graph) == {"flat": "relu"}


def test_a_tensor_the_network_returns_is_stored_as_it_is() -> None:
    b = GraphBuilder("tap", input=(4, 8, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    graph = b.build(x, b.conv(b.relu(x, name="relu"), 4, 1, name="next"))
    assert fuse(graph).folded == {"relu": ""}
    assert stored(graph) == {"relu": "conv"}


@dataclass(frozen=True)
class Mix(Operator):
    """An element-wise operator of a user with two inputs."""

    category: ClassVar[Category] = "epilogue"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (shapes[0],)


@dataclass(frozen=True)
class Table(Operator):
    """A constant of a user: no input at all."""

    category: ClassVar[Category] = "view"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((1, 4),)


def test_an_epilogue_of_two_inputs_is_a_row_of_its_own() -> None:
    b = GraphBuilder("mix", input=(4, 8, 8))
    x = b.conv(b.input, 4, 1, name="conv")
    graph = b.build(*b.node(Mix(), x, b.input, name="mix"))
    assert fuse(graph).folded == {}


def test_a_view_of_nothing() -> None:
    b = GraphBuilder("constant", input=(4,))
    (table,) = b.node(Table(), name="table")
    assert fuse(b.build(b.add(b.input, table, name="add"))).folded == {"table": ""}


@pytest.mark.parametrize("mode", FUSIONS)
def test_every_tensor_has_a_home(mode: str) -> None:
    graph = chain()
    fused = fuse(graph, mode)
    assert set(fused.stored) == set(graph.tensors)
    assert all(node in {n.name for n in graph.nodes} for node in fused.folded)
