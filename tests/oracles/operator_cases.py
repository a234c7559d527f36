"""Cases of every operator, with all its attributes: what the oracles and the golden arrays run."""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.graph import (
    Activation,
    AdaptivePool2d,
    Add,
    BatchNorm,
    BlockFloat,
    ChannelShuffle,
    CircularSolve,
    CombConv2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GroupNorm,
    KWinners,
    LayerNorm,
    LearnedAdd,
    LearnedToken,
    Linear,
    LocalResponseNorm,
    MapWinners,
    MatMul,
    Multiply,
    Operator,
    Permute,
    Pool2d,
    Reshape,
    Softmax,
    SpatialShift,
    Split,
    TapShift,
    Upsample,
)
from energysim.graph.elementwise import ACTIVATIONS

Array = np.ndarray[Any, Any]
MAP = (2, 6, 7, 5)

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
    "tap_shift": (TapShift((0, 5, 3, 3, 1, 4), (2, 3), (1, 0, 2, 1), (1, 2)), (MAP,)),
    "circular_solve": (CircularSolve(0.3), (MAP,)),
    "circular_solve_even": (CircularSolve(0.1, (2, 5)), ((2, 3, 4, 4),)),
    "winners_of_locations": (KWinners(2), (MAP,)),
    "winners_of_features": (KWinners(3), ((4, 6),)),
    "winners_of_channels": (MapWinners(5, "channel"), (MAP,)),
    "winners_of_maps": (MapWinners(40, "global"), (MAP,)),
    "block_float": (BlockFloat(4, 6, 8), (MAP,)),
    "block_float_rows": (BlockFloat(5, 3, 2), ((4, 6),)),
    "comb": (CombConv2d(Conv2d(8, (3, 3), (1, 1), (1, 1, 1, 1))), (MAP,)),
    "comb_columns": (
        CombConv2d(Conv2d(9, (3, 2), (2, 1), (1, 2, 0, 1), (1, 2), 3, False), "column", 1),
        (MAP,),
    ),
    "nearest": (Upsample((2, 3)), (MAP,)),
    "bilinear": (Upsample((3, 2), "bilinear"), (MAP,)),
    "learned_add": (LearnedAdd(), ((2, 5, 8),)),
    "learned_token": (LearnedToken(), ((2, 5, 8),)),
    "dropout": (Dropout(), (MAP,)),
}


def arrays(name: str, seed: int = 0) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """Inputs and parameters of a case, float32."""
    op, shapes = CASES[name]
    random = np.random.default_rng([seed, *name.encode()])
    wide = 40.0 if isinstance(op, LocalResponseNorm) else 2.0
    inputs = tuple((wide * random.standard_normal(shape)).astype(np.float32) for shape in shapes)
    sizes = dict(op.parameters(shapes))
    if isinstance(op, BatchNorm):
        sizes |= {"running_mean": (shapes[0][1],), "running_var": (shapes[0][1],)}
    parameters = {key: random.standard_normal(size).astype(np.float32) for key, size in sizes.items()}
    if "running_var" in parameters:
        parameters["running_var"] = np.abs(parameters["running_var"]) + np.float32(0.1)
    return inputs, parameters
