"""Whole networks against PyTorch, at their own inputs, on the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch_network
from support import networks

from energysim.inference import calibrate, plan, random_images, random_weights
from energysim.schemes import parse_scheme
from energysim.zoo import load_model, model_names

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", networks(model_names()))
def test_networks(name: str) -> None:
    graph = load_model(name)
    weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
    images: Any = random_images(graph, 2, seed=1)
    wanted = torch_network.run_network(graph, weights, images)
    for path in ("reference", "compact"):
        found: Any = plan(graph, weights, path=path).run(images)  # type: ignore[arg-type]
        assert np.abs(found - wanted).max() < 1e-4 * wanted.std(), path


@pytest.mark.parametrize("name", ["vgg16-cifar10", "resnet18", "mobilenet_v2-tiny"])
def test_sparse_networks_equal_masked_dense_ones(name: str) -> None:
    """PyTorch knows nothing of kernels: it runs a dense convolution on masked weights."""
    graph = parse_scheme("psconv:PSD2_P8").apply(load_model(name)).graph
    weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
    images: Any = random_images(graph, 2, seed=1)
    wanted = torch_network.run_network(graph, weights, images)
    found: Any = plan(graph, weights, path="compact").run(images)
    assert np.abs(found - wanted).max() < 1e-4 * wanted.std()
