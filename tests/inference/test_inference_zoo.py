"""Whole networks of the zoo: finite, not constant, and counted as they are executed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from energysim.inference import calibrate, plan, random_images, random_weights
from energysim.schemes import parse_scheme
from energysim.workload import MacWorkload, lower
from energysim.zoo import load_model, model_names

SMALL = [n for n in model_names() if n.endswith("-cifar10")]


def meaningful(found: Any, shape: tuple[int, ...]) -> None:
    assert found.shape == shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert 0.01 < found.std() < 100
    assert np.abs(found[0] - found[1]).max() > 0.01 * found.std()


@pytest.mark.parametrize(
    ("name", "scheme"),
    [(n, "dense") for n in SMALL] + [("vgg16-cifar10", "psconv"), ("resnet18-cifar10", "psconv:PSD1_P8")],
)
def test_small_networks(name: str, scheme: str) -> None:
    graph = parse_scheme(scheme).apply(load_model(name)).graph
    weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
    images = random_images(graph, 2, seed=1)
    dense, packed = plan(graph, weights), plan(graph, weights, path="compact")
    wanted: Any = dense.run(images)
    found: Any = packed.run(images)
    meaningful(wanted, (2, 10))
    assert np.abs(found - wanted).max() < 2e-4 * wanted.std()
    for node in graph.with_batch(2):
        work = lower(graph.with_batch(2), node)
        if isinstance(work, MacWorkload):
            assert packed.counter.nodes[node.name].macs == work.nest.macs, node.name
            assert dense.counter.nodes[node.name].macs == work.nest.dense_macs, node.name
    assert set(packed.counter.nodes) == {n.name for n in graph if n.op.category == "mac"}


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_in_integers(name: str) -> None:
    graph = load_model(name)
    weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
    images = random_images(graph, 2, seed=1)
    exact: Any = plan(graph, weights).run(images)
    found: Any = plan(graph, weights, mode="int16").run(images)
    meaningful(found, (2, 10))
    assert np.abs(found - exact).max() < 0.1 * exact.std()


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in model_names() if n not in SMALL])
def test_every_network_at_its_own_input(name: str) -> None:
    graph = load_model(name)
    weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
    images = random_images(graph, 2, seed=1)
    wanted: Any = plan(graph, weights).run(images)
    meaningful(wanted, (2, graph.tensor(graph.outputs[0]).shape[1]))
    found: Any = plan(graph, weights, path="compact").run(images)
    assert np.abs(found - wanted).max() < 2e-4 * wanted.std()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["psconv:PS4_P4", "psconv:PS2_P6", "psconv:PS1_P9", "psconv:PSD4_P16"])
@pytest.mark.parametrize(
    "name", ["vgg16-cifar10", "vgg16-tiny", "vgg16", "resnet18-cifar10", "resnet18-tiny", "resnet18"]
)
def test_each_layer_fed_the_dense_activations(name: str, scheme: str) -> None:
    graph = parse_scheme(scheme).apply(load_model(name)).graph
    weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
    packed = plan(graph, weights, path="compact")
    for node, inputs, (wanted,) in plan(graph, weights).walk(random_images(graph, 1, seed=1)):
        if node.op.category == "mac":
            (found,) = packed.run_node(node.name, inputs)
            assert np.abs(found - wanted).max() < 2e-5 * wanted.std(), node.name
