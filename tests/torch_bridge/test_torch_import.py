"""Zoo networks written in PyTorch, exported by both exporters, imported: counts and outputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import counted, networks
from zoo_modules import ZooModule

import energysim as es
from energysim.graph import BatchNorm, Conv2d, LayerGraph
from energysim.graph.shapes import product
from energysim.importers import import_onnx
from energysim.inference import calibrate, plan, random_images, random_weights

pytestmark = pytest.mark.torch

#: Ten networks and more, one or two of each family, at the sizes of the zoo.
NETWORKS = (
    "alexnet",
    "densenet121",
    "googlenet",
    "mobilenet_v1",
    "mobilenet_v2",
    "resnet18",
    "resnet50",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "vgg16-cifar10",
    "vit_b_16",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def zoo(name: str) -> tuple[LayerGraph, dict[str, Any]]:
    graph = es.load_model(name)
    return graph, calibrate(graph, random_weights(graph), random_images(graph, 4))


@pytest.fixture(scope="module", params=networks(NETWORKS))
def network(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param
    zoo.cache_clear()


def exported(name: str, dynamo: bool, folder: Path) -> Path:
    graph, weights = zoo(name)
    path = folder / f"{name}.onnx"
    example = torch.zeros(graph.tensor(graph.inputs[0]).shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporters
        module = ZooModule(graph, weights).eval()
        torch.onnx.export(module, (example,), path, dynamo=dynamo, verbose=False)
    return path


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "torchscript"])
def test_counts_are_those_of_the_zoo_and_outputs_those_of_onnxruntime(
    network: str, dynamo: bool, tmp_path: Path
) -> None:
    import onnxruntime

    graph, _ = zoo(network)
    path = exported(network, dynamo, tmp_path)
    mine, theirs = es.estimate(graph).runs[0], es.estimate(path).runs[0]
    assert counted(theirs, operations=False) == counted(mine, operations=False)
    assert _other_ops(theirs) - _other_ops(mine) == _biases_of_folded_norms(graph)

    imported = import_onnx(path)
    images: Any = random_images(graph, 1, seed=1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {session.get_inputs()[0].name: images})
    found: Any = plan(imported.graph, dict(imported.weights)).run(images)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-4 * wanted.std()


def _other_ops(run: Any) -> int:
    return sum(row.other_ops for row in run.layers)


def _biases_of_folded_norms(graph: LayerGraph) -> int:
    """A norm that the exporters fold leaves a bias: an addition for each output of its convolution.

    The zoo's convolutions before a norm have no bias, and a folded norm counts nothing.
    """
    found = 0
    for node in graph:
        if isinstance(node.op, BatchNorm):
            made = graph.tensor(node.inputs[0]).producer
            before = None if made is None else graph.node(made).op
            alone = len(graph.consumers(node.inputs[0])) == 1
            if isinstance(before, Conv2d) and alone and not before.bias:
                found += product(graph.output_shapes(node)[0])
    return found


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "shufflenet_v2_x1_0"])
def test_names_of_the_newer_exporter_are_those_of_the_modules(name: str, tmp_path: Path) -> None:
    graph, _ = zoo(name)
    found = es.load_model(exported(name, True, tmp_path))
    layers = [[n.name for n in g if n.op.category == "mac"] for g in (graph, found)]
    assert layers[0] == layers[1]
    (sparse,) = (r for r in es.estimate(graph, "psc:kss=2").runs if r.scheme != "dense")
    (other,) = (r for r in es.estimate(found, "psc:kss=2").runs if r.scheme != "dense")
    assert counted(other, operations=False) == counted(sparse, operations=False)
    assert other.left_dense == sparse.left_dense
