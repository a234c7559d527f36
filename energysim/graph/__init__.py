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
from energysim.graph.block_float import BlockFloat
from energysim.graph.builder import GraphBuilder
from energysim.graph.circular import CircularSolve
from energysim.graph.comb import CombConv2d
from energysim.graph.cutting import DepthToSpace, Expand, Pad, Slice, SpaceToDepth, Take, Tile
from energysim.graph.deformable import DeformConv2d
from energysim.graph.elementwise import (
    Activation,
    Add,
    BatchNorm,
    Dropout,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LearnedAdd,
    LocalResponseNorm,
    LogSoftmax,
    Multiply,
    Softmax,
)
from energysim.graph.layergraph import LayerGraph, Node, Tensor
from energysim.graph.lookup import Constant, Embedding, ExpandBatch, GatherElements
from energysim.graph.operators import Category, Conv2d, ConvTranspose2d, Linear, MatMul, Operator
from energysim.graph.pointwise import BinaryElementwise, Elementwise, Where
from energysim.graph.pooling import AdaptivePool2d, Pool2d
from energysim.graph.quantisation import Cast, Dequantize, Quantize
from energysim.graph.reduction import ArgReduce, CumulativeSum, Reduce, TopK
from energysim.graph.resize import Resize
from energysim.graph.shapes import Shape
from energysim.graph.shift import TapShift
from energysim.graph.winners import KWinners, MapWinners

__all__ = [
    "Activation",
    "AdaptivePool2d",
    "Add",
    "ArgReduce",
    "BatchNorm",
    "BinaryElementwise",
    "BlockFloat",
    "Cast",
    "Category",
    "ChannelShuffle",
    "CircularSolve",
    "CombConv2d",
    "Concat",
    "Constant",
    "Conv2d",
    "ConvTranspose2d",
    "CumulativeSum",
    "DeformConv2d",
    "DepthToSpace",
    "Dequantize",
    "Dropout",
    "Elementwise",
    "Embedding",
    "Expand",
    "ExpandBatch",
    "Flatten",
    "GatherElements",
    "GraphBuilder",
    "GroupNorm",
    "InstanceNorm",
    "KWinners",
    "LayerGraph",
    "LayerNorm",
    "LearnedAdd",
    "LearnedToken",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MapWinners",
    "MatMul",
    "Multiply",
    "Node",
    "Operator",
    "Pad",
    "Permute",
    "Pool2d",
    "Quantize",
    "Reduce",
    "Reshape",
    "Resize",
    "Shape",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "SpatialShift",
    "Split",
    "Take",
    "TapShift",
    "Tensor",
    "Tile",
    "TopK",
    "Upsample",
    "Where",
]
