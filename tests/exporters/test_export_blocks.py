"""What rewriting schemes make of layers, written as ONNX and run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from energysim.exporters import write_onnx
from energysim.graph import GraphBuilder
from energysim.inference import plan, random_weights
from energysim.schemes import parse_scheme

SCHEMES = (
    "comb",
    "comb:pattern=column,layers=all",
    "comb:phase=1",
    "esp",
    "lean",
    "shift:block,expansion=2",
    "slim",
    "split",
)


@pytest.mark.oracle
@pytest.mark.parametrize("scheme", SCHEMES)
def test_onnxruntime_computes_the_same(scheme: str, tmp_path: Path) -> None:
    import onnxruntime

    b = GraphBuilder("net", (3, 9, 11))
    x = b.relu(b.conv(b.input, 32, 3, padding=1, name="first"))
    x = b.relu(b.conv(x, 32, 3, padding=1, name="same"))
    x = b.relu(b.conv(x, 40, 3, (2, 1), 1, bias=False, name="strided"))
    x = b.relu(b.conv(x, 24, 3, padding=1, name="fewer"))
    graph = parse_scheme(scheme).apply(b.build(b.linear(b.flatten(b.global_pool(x)), 5, name="fc"))).graph
    weights = random_weights(graph, 1)
    path = tmp_path / "net.onnx"
    write_onnx(graph, weights, path)
    images = np.random.default_rng(0).standard_normal((2, 3, 9, 11)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    expected = plan(graph, weights).run(images)
    np.testing.assert_allclose(found, expected, atol=2e-5 * float(np.std(expected)) + 1e-6)
