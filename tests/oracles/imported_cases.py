"""Cases of the operators that imported networks bring along: run by onnxruntime, here or once and for all."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from energysim.graph import (
    ArgReduce,
    BatchNorm,
    BinaryElementwise,
    Cast,
    Constant,
    CumulativeSum,
    DeformConv2d,
    DepthToSpace,
    Dequantize,
    Elementwise,
    Embedding,
    Expand,
    ExpandBatch,
    GatherElements,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LogSoftmax,
    Operator,
    Pad,
    Quantize,
    Reduce,
    Resize,
    Slice,
    SpaceToDepth,
    Take,
    Tile,
    TopK,
    Where,
)
from energysim.graph.pointwise import COMBINATIONS, FUNCTIONS
from energysim.graph.reduction import REDUCTIONS
from energysim.graph.resize import Coordinates, Rounding
from energysim.inference.weights import bell

Array = np.ndarray[Any, Any]
MAP, SMALL = (2, 6, 7, 5), (2, 3, 5)

#: Constants of element-wise functions that are not 0.75 each.
ARGUMENTS = {"selu": (1.5, 0.75), "clip": (-0.5, 0.75), "shrink": (0.25, 0.5), "hard_sigmoid": (0.2, 0.5)}
#: Functions of positive numbers, of numbers beyond 1, and of numbers up to 1 only.
POSITIVE, BEYOND, WITHIN = ("log", "sqrt", "power", "log_sum"), ("acosh",), ("asin", "acos", "atanh")
#: Name -> (operator, shapes of its inputs).
IMPORTED: dict[str, tuple[Operator, tuple[tuple[int, ...], ...]]] = {
    "batch_norm_epsilon": (BatchNorm(epsilon=1e-2), (MAP,)),
    "layer_norm_epsilon": (LayerNorm(epsilon=1e-1), ((2, 5, 8),)),
    "group_norm_epsilon": (GroupNorm(2, epsilon=1e-1), (MAP,)),
    "instance_norm": (InstanceNorm(), (MAP,)),
    "instance_norm_bare": (InstanceNorm(affine=False, epsilon=1e-1), ((2, 3, 8),)),
    "local_response_norm_other": (LocalResponseNorm(3, 1e-2, 0.5, 1.0), (MAP,)),
    "log_softmax": (LogSoftmax(), ((2, 3, 9),)),
    "log_softmax_channels": (LogSoftmax(1), (MAP,)),
    "slice": (Slice((1, -3), (5, 100), (2, 1), (1, -1)), (MAP,)),
    "slice_backwards": (Slice((100, 4), (-100, 1), (-1, -2), (2, 1)), (MAP,)),
    "take": (Take(1, (3, 0, -1, 3)), (MAP,)),
    "pad": (Pad((0, 1, 2, 0), (0, 0, 1, 3), value=1.5), (MAP,)),
    "pad_crop": (Pad((0, 0, -2, 1), (0, 0, 1, -3)), (MAP,)),
    "pad_reflect": (Pad((0, 0, 2, 4), (0, 0, 3, 1), "reflect"), (MAP,)),
    "pad_edge": (Pad((0, 0, 2, 0), (0, 0, 9, 1), "edge"), (MAP,)),
    "pad_wrap": (Pad((0, 0, 2, 4), (0, 0, 3, 1), "wrap"), (MAP,)),
    "tile": (Tile((1, 2, 1, 3)), (MAP,)),
    "expand": (Expand((6, 3, 5)), ((2, 6, 1, 5),)),
    "depth_to_space": (DepthToSpace(2), ((2, 12, 3, 5),)),
    "depth_to_space_crd": (DepthToSpace(2, "CRD"), ((2, 12, 3, 5),)),
    "space_to_depth": (SpaceToDepth(2), ((2, 3, 4, 6),)),
    "embedding": (Embedding(7, 3), ((2, 5),)),
    "gather_elements": (GatherElements(-1), (MAP, (2, 6, 7, 3))),
    "gather_elements_short": (GatherElements(1), (MAP, (2, 9, 4, 5))),
    **{
        f"function_{name}": (Elementwise(name, ARGUMENTS.get(name, (0.75,) * count)), (SMALL,))
        for name, (count, _) in FUNCTIONS.items()
    },
    "clip_below": (Elementwise("clip", (-0.25, float("inf"))), (MAP,)),
    "clip_above": (Elementwise("clip", (float("-inf"), 0.25)), (MAP,)),
    **{f"pair_{name}": (BinaryElementwise(name), (SMALL, (2, 1, 5))) for name in COMBINATIONS},
    "mean_of_three": (BinaryElementwise("mean"), (MAP, MAP, (2, 1, 7, 1))),
    "largest_of_three": (BinaryElementwise("maximum"), (MAP, MAP, (2, 1, 7, 1))),
    "where": (Where(), (MAP, (2, 6, 1, 1), MAP)),
    **{f"reduce_{name}": (Reduce(name, (1, -1)), (MAP,)) for name in REDUCTIONS},
    "reduce_away": (Reduce("mean", (2, 3), keepdims=False), (MAP,)),
    "reduce_all": (Reduce("sum", (1, 2, 3), keepdims=False), (MAP,)),
    "arg_max": (ArgReduce("max", 1), (MAP,)),
    "arg_min": (ArgReduce("min", -1, keepdims=False), (MAP,)),
    "arg_max_last": (ArgReduce("max", 2, last=True), (MAP,)),
    "running_sum": (CumulativeSum(1), (MAP,)),
    "running_sum_exclusive": (CumulativeSum(2, exclusive=True), (MAP,)),
    "running_sum_reverse": (CumulativeSum(-1, exclusive=True, reverse=True), (MAP,)),
    "top_k": (TopK(3, 1), (MAP,)),
    "bottom_k": (TopK(2, largest=False), (MAP,)),
    **{
        f"resize_{mode}_{coordinates}": (Resize((9, 3), mode, coordinates), (MAP,))  # type: ignore[arg-type]
        for mode in ("nearest", "linear", "cubic")
        for coordinates in get_args(Coordinates)
    },
    **{
        f"resize_{rounding}": (Resize((14, 10), "nearest", "half_pixel", rounding), (MAP,))
        for rounding in get_args(Rounding)
    },
    "resize_scales": (Resize((9, 13), "linear", "half_pixel", scales=(1.3, 2.7)), (MAP,)),
    "resize_excluded": (Resize((9, 13), "cubic", cubic=-0.5, exclude_outside=True), (MAP,)),
    "quantize": (Quantize(8, True, (0.02,), (3,)), (MAP,)),
    "quantize_channels": (
        Quantize(8, False, (0.01, 0.02, 0.5, 0.25, 0.1, 0.03), (0, 128, 7, 1, 2, 3), 1),
        (MAP,),
    ),
    "quantize_wide": (Quantize(16, True, (0.02,), (0,)), (MAP,)),
    "quantize_odd": (Quantize(6, True, (0.02,), (0,)), (MAP,)),
    "dequantize": (Dequantize((0.02,), (3,)), (MAP,)),
    "dequantize_channels": (Dequantize((0.01, 0.02, 0.5, 0.25, 0.1, 0.03), (0, 128, 7, 1, 2, 3), 1), (MAP,)),
    "cast_integer": (Cast("integer"), (MAP,)),
    "cast_bool": (Cast("bool"), (MAP,)),
    "cast_float": (Cast("float"), (MAP,)),
    "deform": (DeformConv2d(4, (3, 3)), ((2, 6, 7, 5), (2, 18, 5, 3))),
    "deform_all": (
        DeformConv2d(4, (3, 2), (2, 1), (1, 1, 2, 2), (2, 1), 2, False, 3, True),
        (MAP, (2, 36, 3, 8), (2, 18, 3, 8)),
    ),
}
#: Operators of which a graph of one node cannot be made; they have tests of their own.
NOT_ALONE = (Constant, ExpandBatch)


def arrays(name: str) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Inputs and parameters of a case, float32, the same on every machine."""
    op, shapes = IMPORTED[name]
    wide = np.float32(40 if isinstance(op, LocalResponseNorm) else 2)
    inputs = tuple(wide * _bell(shape, f"{name} {i}") for i, shape in enumerate(shapes))
    inputs = _within_domain(op, inputs)
    sizes = dict(op.parameters(shapes))
    if isinstance(op, BatchNorm):
        sizes |= {"running_mean": (shapes[0][1],), "running_var": (shapes[0][1],)}
    parameters = {key: _bell(size, f"{name} {key}") for key, size in sizes.items()}
    if "running_var" in parameters:
        parameters["running_var"] = np.abs(parameters["running_var"]) + np.float32(0.1)
    return inputs, parameters


def _bell(shape: tuple[int, ...], name: str) -> Array:
    return bell(int(np.prod(shape)), 0, name).reshape(shape)


def _within_domain(op: Operator, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Inputs moved to where an operator is defined; indices are whole numbers in range."""
    function = getattr(op, "function", "")
    if function in POSITIVE:
        return tuple(np.abs(x) + np.float32(0.1) for x in inputs)
    if function in BEYOND:
        return tuple(np.abs(x) + np.float32(1.1) for x in inputs)
    if function in WITHIN:
        return tuple(np.tanh(x) for x in inputs)
    if function in ("equal", "less_or_equal", "greater_or_equal", "and", "or", "xor", "logical_not"):
        return tuple(np.round(x) * np.float32(0.75) for x in inputs)
    if isinstance(op, Embedding):
        return (np.abs(np.round(3 * inputs[0])) % op.entries,)
    if isinstance(op, GatherElements):
        size = inputs[0].shape[op.axis]
        return inputs[0], np.round(3 * inputs[1]) % (2 * size) - np.float32(size)
    if isinstance(op, Dequantize):
        return (np.round(40 * inputs[0]),)
    if isinstance(op, Where):
        return (inputs[0] > 0).astype(np.float32), *inputs[1:]
    return inputs
