"""The networks whose outputs are committed: their weights and images, exact on every machine.

Batch-norm statistics are set by formula, not by a run, so that nothing depends on a matrix product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.graph import GraphBuilder, LayerGraph
from energysim.inference import random_images, random_weights
from energysim.schemes import parse_scheme
from energysim.zoo import load_model


def _mixed() -> LayerGraph:
    """One network with what the zoo's small networks lack."""
    b = GraphBuilder("mixed", (3, 12, 10))
    x = b.activation(b.group_norm(b.conv(b.input, 8, (3, 5), (1, 1), (0, 2, 2, 2)), 4), "silu")
    y = b.conv_transpose(b.pool(x, 2, ceil_mode=True), 8, 3, 2, 1, (1, 1), groups=2)
    y = b.activation(b.add(b.local_response_norm(y), x), "hardswish")
    gate = b.activation(b.conv(b.global_pool(y), 8, 1), "sigmoid")
    y = b.spatial_shift(b.channel_shuffle(b.multiply(y, gate), 2), (2, 2))
    y = b.concat(b.upsample(b.pool(y, 2, mode="average"), 2, "bilinear"), y)
    z = b.permute(b.reshape(y, (16, -1)), (0, 2, 1))
    z = b.layer_norm(b.learned_add(b.learned_token(z)))
    z = b.activation(b.attention(z, 4), "gelu")
    return b.build(b.softmax(b.linear(z, 6), axis=1))


#: Name -> (network, scheme).
NETWORKS = {
    "mixed": ("mixed", "dense"),
    "resnet18-cifar10": ("resnet18-cifar10", "dense"),
    "mobilenet_v2-cifar10": ("mobilenet_v2-cifar10", "dense"),
    "shufflenet": ("shufflenet_v2_x1_5-cifar10", "dense"),
    "vgg16-cifar10": ("vgg16-cifar10", "dense"),
    "vgg16-sparse": ("vgg16-cifar10", "psconv:PSD2_P8"),
}


def prepared(name: str) -> tuple[LayerGraph, dict[str, Any], Any]:
    """Graph, weights and two images of a golden network."""
    network, scheme = NETWORKS[name]
    graph = _mixed() if network == "mixed" else load_model(network)
    graph = parse_scheme(scheme).apply(graph).graph
    weights = random_weights(graph, 11)
    for key, array in weights.items():
        if key.endswith("running_var"):
            weights[key] = array + np.float32(0.25) * (np.arange(len(array)) % 4).astype(np.float32)
    return graph, weights, random_images(graph, 2, seed=12)
