"""Plans: the interface, memory, several outputs and inputs, threads, bad images."""

from __future__ import annotations

import sys
import tracemalloc
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from energysim.errors import DataError, GraphError, UnknownOperatorError, UsageError
from energysim.graph import Category, GraphBuilder, LayerGraph, Operator, Shape
from energysim.inference import blas, plan, random_images, random_weights
from energysim.inference.memory import dead_after
from energysim.inference.reference import OPERATORS
from energysim.zoo import load_model


def branched() -> LayerGraph:
    b = GraphBuilder("branched", (4, 6, 6))
    x = b.relu(b.conv(b.input, 8, 3, padding=1, name="stem"), name="act")
    left, right = b.split(x, (4, 4), name="split")
    y = b.add(b.conv(left, 4, 3, padding=1, name="left"), right, name="sum")
    z = b.linear(b.flatten(b.dropout(y, name="drop"), name="flat"), 3, name="fc")
    return b.build(z, y)


def weighted(graph: LayerGraph) -> Any:
    return graph, random_weights(graph, 1)


def test_several_outputs_come_by_name() -> None:
    graph, weights = weighted(branched())
    found = plan(graph, weights).run(random_images(graph, 2))
    assert isinstance(found, dict)
    assert {name: a.shape for name, a in found.items()} == {"fc": (2, 3), "sum": (2, 4, 6, 6)}
    assert all(a.dtype == np.float32 for a in found.values())


@pytest.mark.parametrize("path", ["reference", "compact"])
def test_trace_walk_and_run_node_agree(path: Any) -> None:
    graph, weights = weighted(branched())
    images: Any = random_images(graph, 2)
    made = plan(graph, weights, path=path)
    seen: dict[str, Any] = {"input": images}
    for name, outputs in made.trace(images):
        seen.update(zip(graph.node(name).outputs, outputs, strict=True))
    assert list(seen) == list(graph.tensors)
    whole = made.run(images)
    assert isinstance(whole, dict)
    assert all(np.array_equal(seen[t], whole[t]) for t in graph.outputs)
    for node, inputs, outputs in made.walk(images):
        assert all(np.array_equal(a, seen[t]) for a, t in zip(inputs, node.inputs, strict=True))
        again = made.run_node(node.name, inputs)
        assert all(np.array_equal(a, b) for a, b in zip(again, outputs, strict=True))


def test_a_trace_computes_nothing_ahead() -> None:
    graph, weights = weighted(branched())
    made = plan(graph, weights)
    steps = made.trace(random_images(graph, 1))
    assert next(steps)[0] == "stem"
    assert list(made.counter.nodes) == ["stem"]


def test_run_node_checks_its_inputs() -> None:
    graph, weights = weighted(branched())
    made = plan(graph, weights)
    with pytest.raises(GraphError, match="did you mean 'left'"):
        made.run_node("lefd", (np.zeros((1, 4, 6, 6)),))
    with pytest.raises(DataError, match=r"node 'left' reads 1x4x6x6 \(any batch\), not 1x4x6x5"):
        made.run_node("left", (np.zeros((1, 4, 6, 5)),))
    with pytest.raises(DataError, match="node 'sum' reads"):
        made.run_node("sum", (np.zeros((1, 4, 6, 6)),))


def test_threads_change_nothing() -> None:
    graph, weights = weighted(branched())
    images = random_images(graph, 5)
    one, three = plan(graph, weights), plan(graph, weights, threads=3)
    a, b = one.run(images), three.run(images)
    assert isinstance(a, dict)
    assert isinstance(b, dict)
    assert all(np.allclose(a[t], b[t], rtol=1e-6, atol=1e-6) for t in graph.outputs)
    assert one.counter.nodes == three.counter.nodes


def test_the_counter() -> None:
    graph, weights = weighted(branched())
    made = plan(graph, weights)
    made.run(random_images(graph, 3))
    wanted = {"stem": 3 * 36 * 8 * 4 * 9, "left": 3 * 36 * 4 * 4 * 9, "fc": 3 * 144 * 3}
    assert {name: n.macs for name, n in made.counter.nodes.items()} == wanted
    made.run(random_images(graph, 1))
    assert made.counter.total.macs == sum(wanted.values()) * 4 // 3
    assert made.counter.total.overhead == 0
    made.counter.reset()
    assert made.counter.nodes == {}


def test_outputs_share_nothing_with_images() -> None:
    b = GraphBuilder("thin", (2, 3))
    graph = b.build(b.dropout(b.flatten(b.input)))
    images = np.ones((1, 2, 3), np.float32)
    found = plan(graph, {}).run(images)
    assert isinstance(found, np.ndarray)
    assert not np.may_share_memory(found, images)


def test_several_inputs_by_name() -> None:
    b = GraphBuilder("two", (3, 4, 4))
    other = b.extra_input("other", (3, 4, 4))
    graph = b.build(b.add(b.input, other))
    made = plan(graph, {})
    ones = np.ones((2, 3, 4, 4))
    found = made.run({"input": ones, "other": 2 * ones})
    assert (found == 3).all()  # type: ignore[union-attr]
    for images, message in (
        (ones, "takes several inputs by name: input, other"),
        ({"input": ones}, "input 'other' of 'two' is missing"),
        ({"input": ones, "othr": ones}, "has no input 'othr'; did you mean 'other'"),
        ({"input": ones, "other": ones[:1]}, "differ in their batch: 'input' 2, 'other' 1"),
    ):
        with pytest.raises(DataError, match=message):
            made.run(images)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 4, 6, 7)), "input 'input' of 'branched' takes Nx4x6x6, not 1x4x6x7"),
        (np.zeros((4, 6, 6)), "takes Nx4x6x6, not 4x6x6"),
        (np.zeros((0, 4, 6, 6)), "takes Nx4x6x6, not 0x4x6x6"),
        (np.full((1, 4, 6, 6), np.nan), "holds NaN or infinity"),
        (np.full((1, 4, 6, 6), 1e300), "holds NaN or infinity"),
        (np.zeros((1, 4, 6, 6), dtype=complex), "holds complex128, not real numbers"),
        (np.full((1, 4, 6, 6), "a"), "not real numbers"),
        (None, "not real numbers"),
    ],
)
def test_bad_images(images: Any, message: str) -> None:
    graph, weights = weighted(branched())
    with pytest.raises(DataError, match=message):
        plan(graph, weights).run(images)


def test_any_real_type_will_do() -> None:
    graph, weights = weighted(branched())
    made = plan(graph, weights)
    whole = np.arange(144).reshape(1, 4, 6, 6)
    found: Any = made.run(whole.astype(np.uint8))
    same: Any = made.run(whole.astype(np.float64))
    assert np.array_equal(found["fc"], same["fc"])


def test_bad_options() -> None:
    graph, weights = weighted(branched())
    options: list[tuple[dict[str, Any], str]] = [
        ({"mode": "int4"}, "unknown mode 'int4'; did you mean 'int"),
        ({"path": "compct"}, "unknown path 'compct'; did you mean 'compact'"),
        ({"path": "fast", "mode": "int8"}, "the fast path runs float32 only"),
        ({"threads": 0}, "threads must be a whole number of at least 1, not 0"),
        ({"calibration": np.zeros((1, 4, 6, 6))}, "calibration images are for the integer modes"),
    ]
    for given, message in options:
        with pytest.raises(UsageError, match=message):
            plan(graph, weights, **given)


@dataclass(frozen=True)
class Twice(Operator):
    """An operator of a user's own."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return shapes


def test_an_operator_nobody_runs_and_one_that_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    b = GraphBuilder("own", (2, 3))
    (made,) = b.node(Twice(), b.input, name="twice")
    graph = b.build(made)
    for path in ("reference", "compact"):
        with pytest.raises(UnknownOperatorError, match="node 'twice': operator Twice cannot be run"):
            plan(graph, {}, path=path)  # type: ignore[arg-type]
    monkeypatch.setitem(OPERATORS, Twice, lambda op, inputs, parameters: (2 * inputs[0],))
    for path in ("reference", "compact"):
        found = plan(graph, {}, path=path).run(np.ones((1, 2, 3)))  # type: ignore[arg-type]
        assert (found == 2).all()  # type: ignore[union-attr]


def test_tensors_die_after_their_last_reader() -> None:
    graph = branched()
    assert dead_after(graph) == {
        "stem": ("input",),
        "act": ("stem",),
        "split": ("act",),
        "left": ("split",),
        "sum": ("split:1", "left"),
        "drop": (),
        "flat": ("drop",),
        "fc": ("flat",),
    } | {"sum": ("split:1", "left")}


@pytest.mark.parametrize("name", ["vgg16-cifar10", "mobilenet_v2-cifar10", "shufflenet_v2_x1_5-cifar10"])
@pytest.mark.parametrize("path", ["reference", "compact"])
@pytest.mark.parametrize("mode", ["float32", "int8"])
def test_memory_is_bounded_by_what_is_stated(name: str, path: Any, mode: Any) -> None:
    graph = load_model(name, batch=4)
    made = plan(graph, random_weights(graph), path=path, mode=mode)
    images = random_images(graph, 4)
    made.run(images)
    held = made.memory_bytes - plan_bytes(made)
    tracemalloc.start()
    made.run(images)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most <= held + 200_000  # Python's own objects
    assert held < 12 * most


def plan_bytes(made: Any) -> int:
    """Bytes of weights a plan holds."""
    total = sum(a.nbytes for arrays in made._parameters.values() for a in arrays.values())
    for conv in getattr(made, "_packed", {}).values():
        total += conv.nbytes
    for layer in getattr(made, "_layers", {}).values():
        total += layer.nbytes
    return int(total)


def test_two_activations_and_little_more_are_held() -> None:
    """The bar of the direct plan: 1.5 times the two largest activations."""
    b = GraphBuilder("deep", (3, 160, 160))
    x = b.relu(b.conv(b.input, 32, 3, padding=1))
    graph = b.build(b.pool(b.relu(b.conv(x, 32, 3, padding=1)), 2))
    made = plan(graph, random_weights(graph))
    images = random_images(graph, 1)
    largest = sorted((t.elements * 4 for t in graph.tensors.values()), reverse=True)[:2]
    tracemalloc.start()
    made.run(images)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.5 * sum(largest)


def test_one_blas_thread_with_and_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    blas._controller.cache_clear()
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with blas.one_blas_thread():
        assert blas._controller() is None
    calls: list[dict[str, Any]] = []

    class Controller:
        def limit(self, **options: Any) -> Any:
            calls.append(options)
            return nullcontext()

    monkeypatch.setitem(sys.modules, "threadpoolctl", SimpleNamespace(ThreadpoolController=Controller))
    blas._controller.cache_clear()
    with blas.one_blas_thread():
        assert calls == [{"limits": 1, "user_api": "blas"}]
    blas._controller.cache_clear()
