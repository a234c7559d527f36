"""Slow, obviously correct execution of every operator; what all faster paths are checked against."""

from __future__ import annotations

from energysim.errors import UnknownOperatorError
from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    ArgReduce,
    BatchNorm,
    BinaryElementwise,
    BlockFloat,
    Cast,
    ChannelShuffle,
    CircularSolve,
    CombConv2d,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    CumulativeSum,
    DeformConv2d,
    DepthToSpace,
    Dequantize,
    Dropout,
    Elementwise,
    Embedding,
    Expand,
    ExpandBatch,
    Flatten,
    GatherElements,
    GroupNorm,
    InstanceNorm,
    KWinners,
    LayerNorm,
    LearnedAdd,
    LearnedToken,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    MapWinners,
    MatMul,
    Multiply,
    Node,
    Operator,
    Pad,
    Permute,
    Pool2d,
    Quantize,
    Reduce,
    Reshape,
    Resize,
    Slice,
    Softmax,
    SpaceToDepth,
    SpatialShift,
    Split,
    Take,
    TapShift,
    Tile,
    TopK,
    Upsample,
    Where,
)
from energysim.inference.reference import (
    arrangement,
    block_float,
    circular,
    comb,
    convolution,
    cutting,
    deformable,
    elementwise,
    lookup,
    normalisation,
    pointwise,
    pooling,
    quantisation,
    reduction,
    resize,
    shift,
    winners,
)
from energysim.inference.reference.types import Array, OperatorFunction, Parameters

__all__ = ["OPERATORS", "Array", "OperatorFunction", "Parameters", "function_of", "run_operator"]

#: Operator type -> function (operator, inputs, parameters) -> outputs. New operators are added here.
OPERATORS: dict[type[Operator], OperatorFunction] = {
    Activation: elementwise.activation,
    AdaptivePool2d: pooling.adaptive_pool2d,
    Add: elementwise.add,
    ArgReduce: reduction.arg_reduce,
    BatchNorm: normalisation.batch_norm,
    BlockFloat: block_float.block_float,
    BinaryElementwise: pointwise.binary_elementwise,
    Cast: quantisation.cast,
    ChannelShuffle: arrangement.channel_shuffle,
    CircularSolve: circular.circular_solve,
    CombConv2d: comb.comb_conv2d,
    Concat: arrangement.concat,
    Constant: lookup.constant,
    Conv2d: convolution.conv2d,
    ConvTranspose2d: convolution.conv_transpose2d,
    CumulativeSum: reduction.cumulative_sum,
    DeformConv2d: deformable.deform_conv2d,
    DepthToSpace: cutting.depth_to_space,
    Dequantize: quantisation.dequantize,
    Dropout: elementwise.dropout,
    Elementwise: pointwise.elementwise,
    Embedding: lookup.embedding,
    Expand: cutting.expand,
    ExpandBatch: lookup.expand_batch,
    Flatten: arrangement.flatten,
    GatherElements: lookup.gather_elements,
    GroupNorm: normalisation.group_norm,
    InstanceNorm: normalisation.instance_norm,
    KWinners: winners.k_winners,
    LayerNorm: normalisation.layer_norm,
    LearnedAdd: elementwise.learned_add,
    LearnedToken: arrangement.learned_token,
    Linear: convolution.linear,
    LocalResponseNorm: normalisation.local_response_norm,
    LogSoftmax: normalisation.log_softmax,
    MapWinners: winners.k_winners,
    MatMul: convolution.matmul,
    Multiply: elementwise.multiply,
    Pad: cutting.pad,
    Permute: arrangement.permute,
    Pool2d: pooling.pool2d,
    Quantize: quantisation.quantize,
    Reduce: reduction.reduce,
    Reshape: arrangement.reshape,
    Resize: resize.resize,
    Slice: cutting.slice_,
    Softmax: normalisation.softmax,
    SpaceToDepth: cutting.space_to_depth,
    SpatialShift: arrangement.spatial_shift,
    Split: arrangement.split,
    TapShift: shift.tap_shift,
    Take: cutting.take,
    Tile: cutting.tile,
    TopK: reduction.top_k,
    Upsample: arrangement.upsample,
    Where: pointwise.where,
}


def function_of(node: Node) -> OperatorFunction:
    """Return what runs a node.

    Raises
    ------
    UnknownOperatorError
        If nothing does; names the node and its operator.
    """
    found = OPERATORS.get(type(node.op))
    if found is None:
        raise UnknownOperatorError(
            f"node {node.name!r}: operator {node.op.kind} cannot be run; add a function for it to "
            "energysim.inference.reference.OPERATORS"
        )
    return found


def run_operator(node: Node, inputs: tuple[Array, ...], parameters: Parameters) -> tuple[Array, ...]:
    """Return the outputs of one node.

    Parameters
    ----------
    node : Node
    inputs : tuple of arrays
        Batch first; they are not changed, but outputs may be views of them.
    parameters : mapping of str to array
        The node's parameters and statistics by suffix.

    Raises
    ------
    UnknownOperatorError
        If nothing runs this operator.
    """
    return function_of(node)(node.op, inputs, parameters)
