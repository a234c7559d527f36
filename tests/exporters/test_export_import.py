"""Out and in again: an exported network imports to the same layers, counts and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import counted, networks

import energysim as es
from energysim.exporters import export, to_onnx
from energysim.graph import BatchNorm, Conv2d, GraphBuilder, LayerGraph
from energysim.importers import import_onnx
from energysim.inference import (
    expected_weights,
    load_weights,
    plan,
    random_images,
    random_weights,
    save_weights,
)
from energysim.schemes import parse_scheme
from energysim.zoo import load_model, model_names

pytestmark = pytest.mark.oracle


def through(graph: LayerGraph, weights: dict[str, Any], batch: int | None = None) -> Any:
    return import_onnx(to_onnx(graph, weights, batch).SerializeToString())


def named(graph: LayerGraph) -> list[str]:
    return [n.name for n in graph if n.op.category in ("mac", "stream")]


@pytest.mark.parametrize("model", networks(model_names()))
def test_counts_go_round(model: str) -> None:
    """Dense and sparse, other operations too; batch norms stay norms."""
    graph = load_model(model)
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_weights(graph).items()}
    found = through(graph, weights).graph
    assert named(found) == named(graph)
    assert found.parameters() == graph.parameters()
    norms = [[n.name for n in g if isinstance(n.op, BatchNorm)] for g in (graph, found)]
    assert norms[0] == norms[1]
    for mine, theirs in zip(
        es.estimate(graph, "psconv,psc").runs, es.estimate(found, "psconv,psc").runs, strict=True
    ):
        assert counted(theirs) == counted(mine)


@pytest.mark.parametrize("scheme", ["psconv:PSD4_P8", "psconv:PS1_P9", "psc:kss=2"])
@pytest.mark.parametrize("model", ["digits_cnn", "resnet18-cifar10", "shufflenet_v2_x1_5-cifar10"])
def test_weights_go_round(model: str, scheme: str, tmp_path: Path) -> None:
    """The masked weights of the file are those of the graph, to the bit, and run to the same outputs."""
    path = tmp_path / "net.onnx"
    export(model, scheme, path, weights="random", seed=7)
    graph = parse_scheme(scheme).apply(load_model(model)).graph
    weights = random_weights(graph, 7)
    imported = import_onnx(path)
    assert set(imported.weights) == set(weights)
    for name, array in weights.items():
        assert np.array_equal(imported.weights[name], array), name
    images: Any = random_images(graph, 2, seed=1)
    wanted: Any = plan(graph, weights, path="compact").run(images)
    found: Any = plan(imported.graph, dict(imported.weights)).run(images)
    assert np.abs(found - wanted).max() <= 1e-5 * wanted.std()


def test_weights_of_a_file_go_through_three_formats(tmp_path: Path) -> None:
    graph = load_model("digits_cnn")
    save_weights(tmp_path / "a.npz", random_weights(graph, 1))
    export("digits_cnn", "dense", tmp_path / "b.onnx", weights=tmp_path / "a.npz")
    export(tmp_path / "b.onnx", "dense", tmp_path / "c.onnx")
    save_weights(tmp_path / "d.npz", dict(import_onnx(tmp_path / "c.onnx").weights))
    first, last = (load_weights(tmp_path / f"{name}.npz", graph) for name in "ad")
    assert all(np.array_equal(first[name], last[name]) for name in first)


def norm_network(fold: bool) -> tuple[LayerGraph, dict[str, Any]]:
    """A convolution and its batch norm, or one convolution that has taken the norm in.

    y = g * (conv(x) - m) / sqrt(v + e) + b: weights times s = g / sqrt(v + e), bias b - m * s.
    """
    b = GraphBuilder("norm", (4, 9, 7))
    x = b.conv(b.input, 6, 3, (2, 1), padding=1, bias=fold, name="conv")
    graph = b.build(x if fold else b.batch_norm(x, name="bn"))
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((6, 4, 3, 3))
    scale, shift, mean = rng.standard_normal((3, 6))
    variance = rng.uniform(0.5, 2, 6)
    s = scale / np.sqrt(variance + 1e-5)
    made = (
        {"conv.weight": weight * s[:, None, None, None], "conv.bias": shift - mean * s}
        if fold
        else {
            "conv.weight": weight,
            "bn.weight": scale,
            "bn.bias": shift,
            "bn.running_mean": mean,
            "bn.running_var": variance,
        }
    )
    return graph, {name: array.astype(np.float32) for name, array in made.items()}


def test_batch_norms_are_written_unfolded_and_folded_ones_compute_the_same() -> None:
    import onnxruntime

    outputs = []
    images: Any = random_images(norm_network(False)[0], 2)
    for fold in (False, True):
        graph, weights = norm_network(fold)
        model = to_onnx(graph, weights)
        kinds = [node.op_type for node in model.graph.node]
        assert kinds == (["Conv"] if fold else ["Conv", "BatchNormalization"])
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        outputs.append(session.run(None, {"input": images})[0])
        own: Any = plan(graph, weights).run(images)
        assert np.abs(own - outputs[-1]).max() < 1e-5 * own.std()
        back = through(graph, weights)
        assert [n.op.kind for n in back.graph] == ["Conv2d", "BatchNorm"][: 2 - fold]
        assert isinstance(back.graph.node("conv").op, Conv2d)
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-5 * outputs[0].std()
