"""Sparse linear layers in the fast plan: packed, counted as they run, whatever is folded into them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import plan, random_weights
from energysim.inference.fast import make_plan
from energysim.schemes import parse_scheme
from energysim.validate import validate

SCHEMES = ("nm:2:4,layers=all", "unstructured:density=0.3,layers=all", "csc:fan=4")


def classifier() -> LayerGraph:
    b = GraphBuilder("classifier", (3, 6, 5))
    x = b.flatten(b.conv(b.input, 4, 3, padding=1, name="conv"))
    x = b.relu(b.linear(x, 33, name="hidden"), name="relu")
    return b.build(b.linear(x, 7, bias=False, name="last"))


def sequence() -> LayerGraph:
    """A linear layer on rows of features, (N, 6, 20)."""
    b = GraphBuilder("sequence", (6, 20))
    return b.build(b.linear(b.input, 12, name="rows"))


@pytest.mark.parametrize("graph", [classifier(), sequence()], ids=["classifier", "sequence"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("threads", [1, 2])
def test_packed(graph: LayerGraph, scheme: str, threads: int) -> None:
    sparse = parse_scheme(scheme).apply(graph).graph
    kernels = {
        n.name: n.op.kernel
        for n in sparse.nodes
        if n.op.kind == "Linear" and n.op.kernel is not None  # type: ignore[attr-defined]
    }
    assert kernels
    weights: dict[str, Any] = dict(random_weights(sparse, 3))
    reference = plan(sparse, weights)
    for name, kernel in kernels.items():  # what does not exist is never read
        array = weights[f"{name}.weight"]
        weights[f"{name}.weight"] = np.where(kernel.mask().reshape(array.shape), array, np.float32(1e9))
    fast = make_plan(sparse, weights, threads=threads, compiled=False)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    rows = shape[0] if len(shape) == 2 else 1
    for batch in (1, 3):
        images = np.random.default_rng(batch).standard_normal((batch, *shape)).astype(np.float32)
        fast.counter.reset()
        np.testing.assert_allclose(fast.run(images), reference.run(images), atol=2e-5)
        for name, kernel in kernels.items():
            assert fast.counter.nodes[name].macs == batch * rows * kernel.nonzeros
    forms = {chosen.node: chosen for chosen in fast.chosen}
    assert all(forms[name].path == "packed" for name in kernels)
    assert all(forms[name].packed_bytes >= 4 * kernel.nonzeros for name, kernel in kernels.items())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_validate_on_the_fast_path(scheme: str) -> None:
    assert validate(classifier(), scheme, path="fast", inputs=3).passed
