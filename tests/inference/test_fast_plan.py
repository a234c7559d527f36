"""The fast plan: whole networks against the reference plan, buffers, choices, memory."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from support import needs_numba

from energysim.errors import GraphError, UsageError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import plan, random_weights
from energysim.inference.fast import FastPlan, make_plan
from energysim.schemes import parse_scheme
from energysim.zoo import load_model, model_names

KINDS = [False, pytest.param(True, marks=needs_numba)]


def weights_of(graph: LayerGraph) -> dict[str, np.ndarray]:
    """Random weights with batch norms that do something."""
    found = dict(random_weights(graph, 0))
    rng = np.random.default_rng(1)
    for name, values in found.items():
        if name.endswith("running_mean"):
            found[name] = (0.1 * rng.standard_normal(values.shape)).astype(np.float32)
        if name.endswith("running_var"):
            found[name] = (0.5 + rng.random(values.shape)).astype(np.float32)
    return found


def images_of(graph: LayerGraph, batch: int = 1, seed: int = 0) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(seed).standard_normal((batch, *shape)).astype(np.float32)


def error(found: Any, expected: Any) -> float:
    """Largest difference over the standard deviation of what is expected."""
    return float(np.abs(found - expected).max() / expected.std())


def everything() -> LayerGraph:
    """A small network with an operator of nearly every kind."""
    b = GraphBuilder("everything", (3, 19, 17))
    x = b.conv_bn(b.input, 12, 5, 2, 2, name="stem")
    x = b.pool(x, 3, 2, 1, name="pool")
    y = b.conv_bn(x, 12, 3, padding=1, name="a")
    y = b.conv_bn(y, 12, 3, padding=1, function=None, name="b")
    x = b.relu(b.add(y, b.conv_bn(x, 12, 1, function=None, name="down"), name="add"))
    y = b.conv(x, 12, 3, padding=1, groups=12, name="depthwise")
    z = b.conv(x, 8, (1, 3), padding=(0, 1), name="row")
    x = b.concat(x, y, z, name="concat")
    x = b.batch_norm(x, name="norm")
    x = b.channel_shuffle(b.relu(x), 4)
    left, right = b.split(x, (16, 16))
    right = b.conv(right, 16, 3, padding=1, dilation=1, groups=2, name="grouped")
    x = b.add(left, right, name="sum")
    x = b.activation(x, "hardswish")
    x = b.pool(x, 2, mode="average", padding=1, name="average")
    x = b.dropout(x)
    return b.build(b.linear(b.relu(b.linear(b.flatten(x), 30)), 10))


@pytest.mark.parametrize("compiled", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("winograd", [False, True])
def test_all_operators(compiled: bool, threads: int, winograd: bool) -> None:
    graph = everything()
    weights = weights_of(graph)
    reference = plan(graph, weights)
    fast = make_plan(graph, weights, compiled=compiled, threads=threads, winograd=winograd)
    for batch, seed in ((1, 0), (1, 1), (3, 2), (1, 3), (2, 4)):
        images = images_of(graph, batch, seed)
        assert error(fast.run(images), reference.run(images)) < 2e-5


@pytest.mark.parametrize("compiled", KINDS)
@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        *(
            (name, scheme)
            for name in ("vgg16-cifar10", "resnet18-cifar10")
            for scheme in ("dense", "psconv:PSD4_P8", "psconv:PS2_P6", "psconv:PS1_P9")
        ),
        ("mobilenet_v2-cifar10", "dense"),
        ("vgg16-cifar10", "psc:kss=2"),
    ],
)
def test_small_networks(name: str, compiled: bool, scheme: str) -> None:
    graph = parse_scheme(scheme).apply(load_model(name)).graph
    weights = weights_of(graph)
    fast = make_plan(graph, weights, compiled=compiled, winograd=False)
    images = images_of(graph)
    expected = plan(graph, weights).run(images)
    assert error(fast.run(images), expected) < 2e-5
    fast.run(images[:, :, ::-1])
    assert error(fast.run(images), expected) < 2e-5
    assert not any(c.transform for c in fast.chosen)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", KINDS)
@pytest.mark.parametrize("name", model_names())
def test_every_network_of_the_zoo(name: str, compiled: bool) -> None:
    graph = load_model(name)
    weights = weights_of(graph)
    images = images_of(graph)
    expected = plan(graph, weights).run(images)
    for winograd in (False, True):
        fast = make_plan(graph, weights, compiled=compiled, winograd=winograd)
        fast.run(images[:, :, :, ::-1])
        assert error(fast.run(images), expected) < 1e-4


def residual_net() -> LayerGraph:
    b = GraphBuilder("residual", (16, 24, 24))
    x = b.relu(b.conv(b.input, 16, 3, padding=1, name="first"))
    y = b.relu(b.conv(x, 16, 3, padding=1, name="second"))
    return b.build(b.relu(b.add(x, b.conv(y, 16, 3, padding=1, name="third"), name="add")))


@pytest.mark.parametrize("compiled", KINDS)
def test_one_node_at_a_time_equals_the_reference(compiled: bool) -> None:
    graph = parse_scheme("psconv:PSD2_P8").apply(everything()).graph
    weights = weights_of(graph)
    reference, fast = plan(graph, weights), make_plan(graph, weights, compiled=compiled, winograd=False)
    for node, inputs, outputs in reference.walk(images_of(graph, 2)):
        for found, expected in zip(fast.run_node(node.name, inputs), outputs, strict=True):
            assert error(found, expected) < 2e-5, node.name
    assert fast.counter.nodes == {
        n: e for n, e in fast.counter.nodes.items() if e.macs == _macs(graph, n) * 2
    }


def _macs(graph: LayerGraph, node: str) -> int:
    """Multiply-adds of a node for one image, weights that exist."""
    found = graph.node(node)
    (shape,) = graph.output_shapes(found)
    if found.op.kind == "Conv2d":
        return found.op.layout(graph.input_shapes(found)).nonzeros * shape[2] * shape[3]  # type: ignore[attr-defined]
    return graph.input_shapes(found)[0][-1] * shape[-1]


@pytest.mark.parametrize("compiled", KINDS)
def test_counts_of_a_run_are_those_of_the_kernels(compiled: bool) -> None:
    graph = parse_scheme("psconv:PSD4_P8").apply(everything()).graph
    fast = make_plan(graph, weights_of(graph), compiled=compiled, winograd=False)
    fast.run(images_of(graph, 3))
    assert fast.counter.nodes
    for name, executed in fast.counter.nodes.items():
        assert executed.counted
        assert executed.macs == 3 * _macs(graph, name), name
        assert executed.overhead >= 0
    fast = make_plan(residual_net(), weights_of(residual_net()), compiled=compiled)
    fast.run(images_of(residual_net()))
    named = {c.node for c in fast.chosen if c.transform}
    assert named == {n for n, e in fast.counter.nodes.items() if not e.counted}
    assert named


@pytest.mark.parametrize("compiled", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "pooling",
    [
        {"window": 2},
        {"window": 3, "stride": 2, "padding": 1},
        {"window": 3, "stride": 1, "padding": 1},
        {"window": (1, 3), "stride": (2, 1)},
        {"window": (3, 1), "stride": (1, 3)},
        {"window": 2, "stride": 3},
        {"window": 3, "stride": 2, "dilation": 2, "padding": 1},
        {"window": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"window": (7, 5), "padding": (3, 2), "stride": 1},
    ],
    ids=str,
)
def test_maximum_of_windows(pooling: dict[str, Any], threads: int, compiled: bool) -> None:
    """Below zero throughout, so that padding or a neighbouring row, were it read, would show."""
    b = GraphBuilder("pooling", (33, 10, 13))
    graph = b.build(b.pool(b.input, **pooling))
    images = -1 - np.abs(images_of(graph, 2))
    fast = make_plan(graph, {}, compiled=compiled, threads=threads)
    assert np.array_equal(fast.run(images), plan(graph, {}).run(images))
    assert fast.chosen[0].path == "flat"


def test_an_addition_and_its_activation_join_the_convolution() -> None:
    graph = residual_net()
    chosen = make_plan(graph, weights_of(graph), compiled=False).chosen
    assert [c.nodes for c in chosen] == [("first", "act1"), ("second", "act2"), ("third", "add", "act3")]


def test_paths_can_be_told() -> None:
    graph = parse_scheme("psconv:PS2_P8").apply(residual_net()).graph
    weights = weights_of(graph)
    told = {"first": "taps", "second": "scatter", "third": "pair"}
    fast = make_plan(graph, weights, choose=told, compiled=False)
    assert {c.node: c.path for c in fast.chosen} == told
    images = images_of(graph)
    assert error(fast.run(images), plan(graph, weights).run(images)) < 2e-5
    for wrong, message in (
        ({"second": "scater"}, "did you mean 'scatter'"),
        ({"second": "winograd4", "first": "pair"}, "does not fit"),
        ({"act1": "taps"}, "no convolution"),
        ("fastest", "auto, time"),
    ):
        with pytest.raises(UsageError, match=message):
            make_plan(graph, weights, choose=wrong, compiled=False)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="secnd"):
        make_plan(graph, weights, choose={"secnd": "taps"}, compiled=False)


@pytest.mark.parametrize("compiled", KINDS)
def test_timing_chooses_a_path_that_is_right(compiled: bool) -> None:
    graph = parse_scheme("psconv:PS2_P8").apply(residual_net()).graph
    weights = weights_of(graph)
    fast = make_plan(graph, weights, choose="time", compiled=compiled, winograd=False)
    images = images_of(graph)
    assert error(fast.run(images), plan(graph, weights).run(images)) < 2e-5


def test_memory_is_stated_and_reused() -> None:
    graph = load_model("vgg16-cifar10")
    fast = make_plan(graph, weights_of(graph), compiled=False, direct=True)
    sizes = sorted((4 * t.elements for t in graph.tensors.values()), reverse=True)
    assert fast.arena_bytes < 4.5 * (sizes[0] + sizes[1])
    assert all(c.path in ("im2col", "flat") for c in fast.chosen)
    held = sum(a.nbytes for a in weights_of(graph).values())
    assert fast.memory_bytes >= held + fast.arena_bytes
    several = make_plan(graph.with_batch(4), weights_of(graph), compiled=False, direct=True)
    assert several.arena_bytes > fast.arena_bytes


def test_numba_is_never_imported_unless_it_is_used() -> None:
    code = (
        "import sys, numpy as np\n"
        "from energysim.graph import GraphBuilder\n"
        "from energysim.inference import random_weights\n"
        "from energysim.inference.fast import make_plan\n"
        "b = GraphBuilder('n', (3, 8, 8))\n"
        "g = b.build(b.conv(b.input, 4, 3, padding=1))\n"
        "make_plan(g, random_weights(g, 0), compiled=False).run(np.zeros((1, 3, 8, 8), np.float32))\n"
        "assert 'numba' not in sys.modules and 'llvmlite' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_compiled_without_numba_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.inference.fast.plan.numba_present", lambda: False)
    graph = residual_net()
    with pytest.raises(UsageError, match=r"energysim\[fast\]"):
        make_plan(graph, weights_of(graph), compiled=True)
    assert not make_plan(graph, weights_of(graph)).compiled
    with pytest.raises(UsageError, match="needs numba"):
        make_plan(graph, weights_of(graph), choose={"first": "compiled-px"})


def test_without_the_bundled_blas_matmul_and_addition_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.inference.fast.blas._sgemm", lambda: None)
    graph = parse_scheme("psconv:PS2_P8").apply(residual_net()).graph
    weights, images = weights_of(graph), images_of(graph)
    expected = plan(graph, weights).run(images)
    for told in ({"second": "run"}, {"second": "pair"}, {"first": "taps"}):
        fast = make_plan(graph, weights, choose=told, compiled=False)
        assert error(fast.run(images), expected) < 2e-5


def test_outputs_are_not_overwritten_by_the_next_run() -> None:
    graph = residual_net()
    fast: FastPlan = make_plan(graph, weights_of(graph), compiled=False)
    first = fast.run(images_of(graph))
    kept = first.copy()  # type: ignore[union-attr]
    fast.run(images_of(graph, seed=5))
    assert np.array_equal(first, kept)  # type: ignore[arg-type]
