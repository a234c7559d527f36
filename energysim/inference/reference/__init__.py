"""Slow, obviously correct execution of every operator; what all faster paths are checked against."""

from __future__ import annotations

from energysim.errors import UnknownOperatorError
from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GroupNorm,
    LayerNorm,
    LearnedAdd,
    LearnedToken,
    Linear,
    LocalResponseNorm,
    MatMul,
    Multiply,
    Node,
    Operator,
    Permute,
    Pool2d,
    Reshape,
    Softmax,
    SpatialShift,
    Split,
    Upsample,
)
from energysim.inference.reference import arrangement, convolution, elementwise, normalisation, pooling
from energysim.inference.reference.types import Array, OperatorFunction, Parameters

__all__ = ["OPERATORS", "Array", "OperatorFunction", "Parameters", "function_of", "run_operator"]

#: Operator type -> function (operator, inputs, parameters) -> outputs. New operators are added here.
OPERATORS: dict[type[Operator], OperatorFunction] = {
    Activation: elementwise.activation,
    AdaptivePool2d: pooling.adaptive_pool2d,
    Add: elementwise.add,
    BatchNorm: normalisation.batch_norm,
    ChannelShuffle: arrangement.channel_shuffle,
    Concat: arrangement.concat,
    Conv2d: convolution.conv2d,
    ConvTranspose2d: convolution.conv_transpose2d,
    Dropout: elementwise.dropout,
    Flatten: arrangement.flatten,
    GroupNorm: normalisation.group_norm,
    LayerNorm: normalisation.layer_norm,
    LearnedAdd: elementwise.learned_add,
    LearnedToken: arrangement.learned_token,
    Linear: convolution.linear,
    LocalResponseNorm: normalisation.local_response_norm,
    MatMul: convolution.matmul,
    Multiply: elementwise.multiply,
    Permute: arrangement.permute,
    Pool2d: pooling.pool2d,
    Reshape: arrangement.reshape,
    Softmax: normalisation.softmax,
    SpatialShift: arrangement.spatial_shift,
    Split: arrangement.split,
    Upsample: arrangement.upsample,
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
