"""The layer graph: operators, tensors, shapes, and a builder."""

from energysim.graph.arrangement import (
    ChannelShuffle,
    Concat,
    Flatten,
    LearnedToken,
    Permute,
    Reshape,
    SpatialShift,
    Split,
    Upsample,
)
from energysim.graph.builder import GraphBuilder
from energysim.graph.elementwise import (
    Activation,
    Add,
    BatchNorm,
    Dropout,
    GroupNorm,
    LayerNorm,
    LearnedAdd,
    LocalResponseNorm,
    Multiply,
    Softmax,
)
from energysim.graph.layergraph import LayerGraph, Node, Tensor
from energysim.graph.operators import Category, Conv2d, ConvTranspose2d, Linear, MatMul, Operator
from energysim.graph.pooling import AdaptivePool2d, Pool2d
from energysim.graph.shapes import Shape

__all__ = [
    "Activation",
    "AdaptivePool2d",
    "Add",
    "BatchNorm",
    "Category",
    "ChannelShuffle",
    "Concat",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "GraphBuilder",
    "GroupNorm",
    "LayerGraph",
    "LayerNorm",
    "LearnedAdd",
    "LearnedToken",
    "Linear",
    "LocalResponseNorm",
    "MatMul",
    "Multiply",
    "Node",
    "Operator",
    "Permute",
    "Pool2d",
    "Reshape",
    "Shape",
    "Softmax",
    "SpatialShift",
    "Split",
    "Tensor",
    "Upsample",
]
