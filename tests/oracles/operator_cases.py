"""Cases of every operator, with all its attributes: what the oracles and the golden arrays run."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    ArgReduce,
    BatchNorm,
    BinaryElementwise,
    Cast,
    ChannelShuffle,
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
    LayerNorm,
    LearnedAdd,
    LearnedToken,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    MatMul,
    Multiply,
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
    Tile,
    TopK,
    Upsample,
    Where,
)
from energysim.graph.elementwise import ACTIVATIONS
from energysim.graph.pointwise import COMBINATIONS, FUNCTIONS
from energysim.graph.reduction import REDUCTIONS
from energysim.graph.resize import Coordinates, Rounding

Array = np.ndarray[Any, Any]
MAP = (2, 6, 7, 5)

#: Constants of element-wise functions that are not 0.75 each.
ARGUMENTS = {"selu": (1.5, 0.75), "clip": (-0.5, 0.75), "shrink": (0.25, 0.5), "hard_sigmoid": (0.2, 0.5)}
#: Functions of positive numbers, of numbers beyond 1, and of numbers up to 1 only.
POSITIVE, BEYOND, WITHIN = ("log", "sqrt", "power", "log_sum"), ("acosh",), ("asin", "acos", "atanh")
#: Name -> (operator, shapes of its inputs).
CASES: dict[str, tuple[Operator, tuple[tuple[int, ...], ...]]] = {
    "conv": (Conv2d(4, (3, 3)), (MAP,)),
    "conv_rectangular": (Conv2d(4, (3, 2), (2, 1), (1, 1, 2, 2), (2, 1)), (MAP,)),
    "conv_asymmetric": (Conv2d(4, (2, 3), (1, 2), (0, 1, 2, 0), (1, 2), bias=False), (MAP,)),
    "conv_grouped": (Conv2d(9, (3, 1), padding=(1, 1, 0, 0), groups=3), (MAP,)),
    "conv_depthwise": (Conv2d(6, (3, 3), (2, 2), (1, 1, 1, 1), groups=6), (MAP,)),
    "conv_wide": (Conv2d(3, (7, 7), (2, 3), (3, 3, 3, 3)), ((1, 5, 13, 11),)),
    "deconv": (ConvTranspose2d(4, (3, 3)), (MAP,)),
    "deconv_stride": (ConvTranspose2d(4, (3, 2), (2, 3), (1, 1, 0, 0), (1, 2)), (MAP,)),
    "deconv_grouped": (ConvTranspose2d(9, (2, 3), (2, 1), (0, 0, 1, 1), (0, 1), (1, 2), 3, False), (MAP,)),
    "deconv_asymmetric": (ConvTranspose2d(4, (4, 3), (3, 2), (0, 2, 1, 0), (2, 1), groups=2), (MAP,)),
    "linear": (Linear(5), ((3, 8),)),
    "linear_sequence": (Linear(5, bias=False), ((2, 4, 8),)),
    "matmul": (MatMul(), ((2, 3, 4, 5), (2, 3, 5, 6))),
    "max_pool": (Pool2d("max", (3, 2), (2, 1), (1, 1, 0, 0), (1, 2)), (MAP,)),
    "max_pool_ceil": (Pool2d("max", (2, 3), (2, 2), (1, 1, 1, 1), ceil_mode=True), (MAP,)),
    "average_pool": (Pool2d("average", (3, 2), (2, 1), (1, 1, 1, 1)), (MAP,)),
    "average_pool_valid": (Pool2d("average", (3, 3), (2, 2), (1, 1, 1, 1), count_include_pad=False), (MAP,)),
    "average_pool_ceil": (Pool2d("average", (3, 2), (2, 2), (1, 1, 0, 0), ceil_mode=True), (MAP,)),
    "average_pool_ceil_valid": (
        Pool2d("average", (2, 2), (3, 3), (1, 1, 1, 1), ceil_mode=True, count_include_pad=False),
        (MAP,),
    ),
    "adaptive_average": (AdaptivePool2d("average", (3, 4)), (MAP,)),
    "adaptive_max": (AdaptivePool2d("max", (2, 3)), (MAP,)),
    "global": (AdaptivePool2d("average"), (MAP,)),
    **{name: (Activation(name), (MAP,)) for name in ACTIVATIONS},
    "batch_norm": (BatchNorm(), (MAP,)),
    "batch_norm_bare": (BatchNorm(affine=False), ((4, 6),)),
    "layer_norm": (LayerNorm(), ((2, 5, 8),)),
    "layer_norm_bare": (LayerNorm(affine=False), ((3, 8),)),
    "group_norm": (GroupNorm(3), (MAP,)),
    "group_norm_bare": (GroupNorm(1, affine=False), (MAP,)),
    "local_response_norm": (LocalResponseNorm(5), (MAP,)),
    "local_response_norm_even": (LocalResponseNorm(4), (MAP,)),
    "softmax": (Softmax(), ((2, 3, 9),)),
    "softmax_channels": (Softmax(1), (MAP,)),
    "add": (Add(), (MAP, (2, 6, 1, 1), MAP)),
    "multiply": (Multiply(), (MAP, (2, 6, 1, 1))),
    "concat": (Concat(1), (MAP, (2, 3, 7, 5))),
    "concat_last": (Concat(-1), (MAP, MAP)),
    "split": (Split((1, 3, 2)), (MAP,)),
    "flatten": (Flatten(), (MAP,)),
    "flatten_rows": (Flatten(2), (MAP,)),
    "reshape": (Reshape((5, -1)), (MAP,)),
    "permute": (Permute((0, 2, 3, 1)), (MAP,)),
    "shuffle": (ChannelShuffle(3), (MAP,)),
    "shift": (SpatialShift((3, 3)), ((2, 20, 4, 5),)),
    "shift_even": (SpatialShift((2, 1)), (MAP,)),
    "nearest": (Upsample((2, 3)), (MAP,)),
    "bilinear": (Upsample((3, 2), "bilinear"), (MAP,)),
    "learned_add": (LearnedAdd(), ((2, 5, 8),)),
    "learned_token": (LearnedToken(), ((2, 5, 8),)),
    "dropout": (Dropout(), (MAP,)),
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
    "expand_batch": (ExpandBatch(), ((1, 4, 5), (2, 3))),
    "constant": (Constant((2, 3)), ()),
    **{
        f"function_{name}": (Elementwise(name, ARGUMENTS.get(name, (0.75,) * count)), (MAP,))
        for name, (count, _) in FUNCTIONS.items()
    },
    "clip_below": (Elementwise("clip", (-0.25, float("inf"))), (MAP,)),
    "clip_above": (Elementwise("clip", (float("-inf"), 0.25)), (MAP,)),
    **{f"pair_{name}": (BinaryElementwise(name), (MAP, (2, 6, 1, 5))) for name in COMBINATIONS},
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


def arrays(name: str, seed: int = 0) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Inputs and parameters of a case, float32."""
    op, shapes = CASES[name]
    random = np.random.default_rng([seed, *name.encode()])
    wide = 40.0 if isinstance(op, LocalResponseNorm) else 2.0
    inputs = tuple((wide * random.standard_normal(shape)).astype(np.float32) for shape in shapes)
    inputs = _within_domain(op, inputs)
    sizes = dict(op.parameters(shapes))
    if isinstance(op, BatchNorm):
        sizes |= {"running_mean": (shapes[0][1],), "running_var": (shapes[0][1],)}
    parameters = {key: random.standard_normal(size).astype(np.float32) for key, size in sizes.items()}
    if "running_var" in parameters:
        parameters["running_var"] = np.abs(parameters["running_var"]) + np.float32(0.1)
    return inputs, parameters


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
