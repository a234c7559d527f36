"""Every network of the zoo at its own input against onnxruntime, on the same random weights.

Weights are He-scaled with calibrated batch norms. Compared are the last outputs (logits), by the
largest difference in standard deviations of the output. Two correct float32 programs differ by
rounding that grows with depth and differs between CPUs: 2e-6 for ResNet-18, 6e-5 for GoogLeNet, whose
logits vary least against their inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnxruntime_run import run_onnxruntime
from support import networks

from energysim.inference import calibrate, plan, random_images, random_weights
from energysim.schemes import parse_scheme
from energysim.zoo import load_model, model_names

pytestmark = pytest.mark.oracle

#: Largest difference, in standard deviations of the output.
CLOSE = 2e-4


def compare(name: str, scheme: str, *paths: str) -> None:
    graph = parse_scheme(scheme).apply(load_model(name)).graph
    weights = calibrate(graph, random_weights(graph, 1), random_images(graph, 2, 1))
    images: Any = random_images(graph, 1, 7)
    (wanted,) = run_onnxruntime(graph, weights, {"input": images})
    assert wanted.shape == graph.tensor(graph.outputs[0]).shape
    assert 0.01 < wanted.std() < 100
    for path in paths:
        found: Any = plan(graph, weights, path=path).run(images)  # type: ignore[arg-type]
        assert np.abs(found - wanted).max() < CLOSE * wanted.std(), path


@pytest.mark.parametrize("name", networks(model_names(), but=["vit_b_16"]))
def test_networks(name: str) -> None:
    compare(name, "dense", "reference", "fast")


@pytest.mark.parametrize("scheme", ["psconv:PSD4_P8", "psconv:PS1_P9", "psc:kss=2"])
@pytest.mark.parametrize("name", ["vgg16-cifar10", "resnet18", "googlenet", "squeezenet1_1", "digits_cnn"])
def test_sparse_networks(name: str, scheme: str) -> None:
    """onnxruntime knows nothing of kernels: it runs dense convolutions with zeros in their weights."""
    compare(name, scheme, "reference", "compact", "fast")
