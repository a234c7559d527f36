"""Lowering of reductions, normalisations, softmax, resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from energysim.errors import GraphError
from energysim.graph import (
    AdaptivePool2d,
    Add,
    ArgReduce,
    BatchNorm,
    CumulativeSum,
    Elementwise,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LogSoftmax,
    Multiply,
    Operator,
    Reduce,
    Resize,
    Softmax,
    TopK,
)
from energysim.graph.shapes import product, text
from energysim.importers.onnx_arrangement import axes_of, counted, to_shape
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError, Value
from energysim.importers.onnx_values import ELEMENTS, Array, Constant

__all__ = ["REDUCTIONS"]

_INT64 = ELEMENTS[7]


def _on(site: Site, x: Value, axes: tuple[int, ...]) -> tuple[str, tuple[int, ...], bool]:
    """Tensor and axes in the layer graph, and whether it is batched: the batch is never reduced."""
    if x.batched and 0 not in axes:
        return x.tensor, axes, True
    return site.sample(x), tuple(a + 1 for a in axes), False


def _reduce(function: str, since: int = 18) -> Lower:
    def lower(site: Site) -> list[Known]:
        x = site.value(0)
        given = axes_of(site, 1, since)
        if not given and site.call.integer("noop_with_empty_axes", 0):
            if function in ("l1", "l2", "sum_square", "log_sum", "log_sum_exp"):
                raise UnsupportedError("it reduces no axis")
            return [x]
        axes = counted(given, len(x.shape)) if given else tuple(range(len(x.shape)))
        keep = bool(site.call.integer("keepdims", 1))
        if not axes:
            return [x]
        image = x.batched and len(x.shape) == 4 and axes in ((2, 3), (3, 2))
        if image and function in ("mean", "max"):
            made = site.one(AdaptivePool2d("average" if function == "mean" else "max"), x.tensor)
            value = site.result(made, True)
            return [value if keep else to_shape(site, value, x.shape[:2])]
        tensor, own, batched = _on(site, x, axes)
        value = site.result(site.one(Reduce(function, own, True), tensor), batched)
        if keep:
            return [value]
        return [to_shape(site, value, tuple(s for i, s in enumerate(x.shape) if i not in axes))]

    return lower


def _arg(function: Any) -> Lower:
    def lower(site: Site) -> list[Known]:
        x = site.value(0)
        axis = site.call.axis("axis", len(x.shape), 0)
        tensor, (own,), batched = _on(site, x, (axis,))
        op = ArgReduce(function, own, True, bool(site.call.integer("select_last_index", 0)))
        value = site.result(site.one(op, tensor), batched, _INT64)
        if site.call.integer("keepdims", 1):
            return [value]
        return [to_shape(site, value, (*x.shape[:axis], *x.shape[axis + 1 :]))]

    return lower


def cumulative_sum(site: Site) -> list[Known]:
    """CumSum."""
    x = site.value(0)
    (axis,) = counted(site.constant(1, "axis").integers("axis"), len(x.shape))
    tensor, (own,), batched = _on(site, x, (axis,))
    op = CumulativeSum(own, bool(site.call.integer("exclusive", 0)), bool(site.call.integer("reverse", 0)))
    return [site.result(site.one(op, tensor), batched)]


def top_k(site: Site) -> list[Known]:
    """TopK: values and indices."""
    x = site.value(0)
    axis = site.call.axis("axis", len(x.shape), -1)
    count = site.call.integer("k") if site.call.opset < 10 else site.constant(1, "number").integers("k")[0]
    tensor, (own,), batched = _on(site, x, (axis,))
    values, indices = site.emit(TopK(count, own, bool(site.call.integer("largest", 1))), tensor)
    return [site.result(values, batched), site.result(indices, batched, _INT64)]


def _softmax(make: Any) -> Lower:
    """Before set 13 all axes from ``axis`` on are one, from then on it is a single axis."""

    def lower(site: Site) -> list[Known]:
        x = site.value(0)
        rank = len(x.shape)
        old = site.call.opset < 13
        axis = site.call.axis("axis", rank, 1 if old and rank > 1 else -1)
        if old and axis != rank - 1:
            joined = to_shape(site, x, (*x.shape[:axis], product(x.shape[axis:])))
            tensor, (own,), batched = _on(site, joined, (axis,))
            return [to_shape(site, site.result(site.one(make(own), tensor), batched), x.shape)]
        tensor, (own,), batched = _on(site, x, (axis,))
        return [site.result(site.one(make(own), tensor), batched)]

    return lower


# ---------------------------------------------------------------- normalisation


def _channels(site: Site, number: int, what: str, count: int) -> Constant:
    constant = site.constant(number, what)
    if constant.elements != count:
        raise GraphError(f"{what} of {constant.text} for {count} channels")
    return constant.derived((count,), lambda a: a.reshape(-1))


def _epsilon(site: Site) -> float:
    """As the file's 32-bit number was written down: 1e-5, not 9.99999974e-06."""
    return float(str(np.float32(site.call.real("epsilon", 1e-5))))


def _affine(site: Site, node: str, weight: Constant, bias: Constant) -> None:
    site.parameter(node, "weight", weight)
    site.parameter(node, "bias", bias)


def _normalised(site: Site, op: Operator, x: Value) -> tuple[str, Value]:
    """Normalise (N, C, ...) as a map: image axes may be one, two or more."""
    tensor = site.batched(x)
    if len(x.shape) not in (2, 4):
        tensor = site.view(tensor, (x.shape[1], 1, product(x.shape[2:])))
    node = site.one(op, tensor)
    return node, site.valued(site.view(node, x.shape[1:]), x.shape, True)


def batch_norm(site: Site) -> list[Known | None]:
    """BatchNormalization with stored statistics."""
    x = site.value(0)
    if site.call.integer("training_mode", 0) or not site.call.integer("spatial", 1):
        raise UnsupportedError("it takes its statistics from the batch, or has them for each pixel")
    names = ("scales", "shifts", "means", "variances")
    values = [_channels(site, i + 1, name, x.shape[1]) for i, name in enumerate(names)]
    node, value = _normalised(site, BatchNorm(epsilon=_epsilon(site)), x)
    _affine(site, node, values[0], values[1])
    site.parameter(node, "running_mean", values[2])
    site.parameter(node, "running_var", values[3])
    return [value, None, None, None, None]


def instance_norm(site: Site) -> list[Known]:
    """InstanceNormalization."""
    x = site.value(0)
    weight, bias = (_channels(site, i, what, x.shape[1]) for i, what in ((1, "scales"), (2, "shifts")))
    node = site.one(InstanceNorm(epsilon=_epsilon(site)), site.batched(x))
    _affine(site, node, weight, bias)
    return [site.result(node, True)]


def group_norm(site: Site) -> list[Known]:
    """GroupNormalization: scales per group before set 21, per channel from then on."""
    x = site.value(0)
    channels, groups = x.shape[1], site.call.integer("num_groups")
    if groups < 1 or channels % groups:
        raise GraphError(f"{groups} groups do not divide {channels} channels")
    each = 1 if site.call.opset >= 21 else channels // groups

    def spread(array: Array) -> Array:
        return np.repeat(array, each)

    weight, bias = (
        _channels(site, i, what, channels // each).derived((channels,), spread)
        for i, what in ((1, "scales"), (2, "shifts"))
    )
    tensor = (
        site.view(site.batched(x), (channels, 1, product(x.shape[2:])))
        if len(x.shape) != 4
        else site.batched(x)
    )
    node = site.one(GroupNorm(groups, epsilon=_epsilon(site)), tensor)
    _affine(site, node, weight, bias)
    return [site.valued(site.view(node, x.shape[1:]), x.shape, True)]


def layer_norm(site: Site) -> list[Known | None]:
    """LayerNormalization over all axes from one on, seen as a single axis."""
    x = site.value(0)
    axis = site.call.axis("axis", len(x.shape), -1)
    tail = x.shape[axis:]
    size = product(tail)
    batched = x.batched and axis > 0
    tensor = x.tensor if batched else site.sample(x)
    body = x.shape[1:axis] if batched else x.shape[:axis]
    tensor = site.view(tensor, (*body, size))
    node = site.one(LayerNorm(epsilon=_epsilon(site)), tensor)
    weight = _over(site.constant(1, "scales"), tail, size)
    if site.given(2):
        bias = _over(site.constant(2, "shifts"), tail, size)
    else:
        bias = Constant.of(np.zeros(size, np.float32))
    _affine(site, node, weight, bias)
    own = site.view(node, (*body, *tail))
    return [site.result(own, batched), *_statistics(site, tensor, batched, body, len(tail))]


def _over(constant: Constant, tail: tuple[int, ...], size: int) -> Constant:
    """A parameter that broadcasts over the normalised axes, written out for each element."""
    return constant.derived((size,), lambda a: np.ascontiguousarray(np.broadcast_to(a, tail)).reshape(-1))


def _statistics(
    site: Site, tensor: str, batched: bool, body: tuple[int, ...], tail: int
) -> list[Known | None]:
    """Mean and 1 / deviation, the further outputs of LayerNormalization, if anybody is given them."""
    if not any(site.call.outputs[1:]):
        return [None, None]
    mean = site.one(Reduce("mean", (-1,)), tensor, part="mean")
    squares = site.one(
        Reduce("mean", (-1,)), site.one(Multiply(), tensor, tensor, part="squares"), part="square"
    )
    other = site.one(
        Elementwise("negate"), site.one(Multiply(), mean, mean, part="mean_square"), part="minus"
    )
    variance = site.one(Add(), squares, other, part="variance")
    shifted = site.one(Elementwise("add", (_epsilon(site),)), variance, part="shifted")
    inverse = site.one(Elementwise("power", (-0.5,)), shifted, part="inverse")
    shape = (*body, *(1 for _ in range(tail)))
    return [site.result(site.view(t, shape), batched, ELEMENTS[1]) for t in (mean, inverse)]


def local_response_norm(site: Site) -> list[Known]:
    """LRN: alpha is divided by the size here, not in our operator."""
    size = site.call.integer("size")
    if size % 2 == 0:
        raise UnsupportedError(f"it is centred on {size} channels, an even number")
    alpha, beta = site.call.real("alpha", 1e-4), site.call.real("beta", 0.75)
    values = [float(str(np.float32(v))) for v in (alpha, beta, site.call.real("bias", 1.0))]
    # Single precision: what was written as n * a is read as a.
    op = LocalResponseNorm(size, float(str(np.float32(values[0] / size))), values[1], values[2])
    return [site.result(site.one(op, site.batched(site.value(0))), True)]


# ---------------------------------------------------------------- resizing


def resize(site: Site) -> list[Known]:
    """Resize and Upsample of rows and columns."""
    x, call = site.value(0), site.call
    if len(x.shape) not in (3, 4):
        raise UnsupportedError(f"it resizes {len(x.shape)} dimensions; 3 and 4 are known")
    mode = call.string("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic") or call.integer("antialias", 0):
        raise UnsupportedError(
            f"its mode is {mode}{', with antialiasing' * bool(call.integer('antialias', 0))}"
        )
    scales, sizes = _targets(site, x)
    old = call.opset < 11
    form = call.string("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    known = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric")
    if form not in known:
        raise UnsupportedError(f"its coordinates are {form}")
    if sizes[:2] != x.shape[:2]:
        raise UnsupportedError(
            f"it changes axes that are no rows or columns: {text(x.shape)} to {text(sizes)}"
        )
    axes = len(x.shape) - 2
    tensor = site.batched(x)
    tensor = tensor if axes == 2 else site.view(tensor, (x.shape[1], 1, x.shape[2]))
    op = Resize(
        (sizes[2], sizes[3]) if axes == 2 else (1, sizes[2]),
        mode,  # type: ignore[arg-type]
        form,  # type: ignore[arg-type]
        call.string("nearest_mode", "floor" if old else "round_prefer_floor"),  # type: ignore[arg-type]
        call.real("cubic_coeff_a", -0.75),
        bool(call.integer("exclude_outside", 0)),
        None if scales is None else ((scales[2], scales[3]) if axes == 2 else (1.0, scales[2])),
    )
    made = site.one(op, tensor)
    return [site.result(made if axes == 2 else site.view(made, (x.shape[1], sizes[2])), True)]


def _targets(site: Site, x: Value) -> tuple[tuple[float, ...] | None, tuple[int, ...]]:
    """Scales (if the file gives them) and sizes of all axes."""
    call, rank = site.call, len(x.shape)
    if "scales" in call.attributes:
        scales: Constant | None = Constant.of(np.array(call.attributes["scales"], np.float32))
        sizes = None
    elif call.opset < 11:
        scales, sizes = site.constant(1, "scales"), None
    else:
        scales, sizes = site.maybe(2, "scales"), site.maybe(3, "sizes")
    axes = counted(call.integers("axes", tuple(range(rank))), rank)
    if scales is not None and scales.elements:
        values = [1.0] * rank
        if scales.elements != len(axes) or not scales.small:
            raise GraphError(f"{scales.elements} scales for {len(axes)} axes")
        for axis, scale in zip(axes, scales.values().reshape(-1), strict=True):
            values[axis] = float(scale)
        if not all(0 < v < 1e6 for v in values):
            raise GraphError(f"scales {values}")
        return tuple(values), tuple(int(np.floor(s * v)) for s, v in zip(x.shape, values, strict=True))
    if sizes is None:
        raise GraphError("neither scales nor sizes are given")
    found = list(x.shape)
    wanted = sizes.integers("sizes")
    if len(wanted) != len(axes):
        raise GraphError(f"{len(wanted)} sizes for {len(axes)} axes")
    for axis, size in zip(axes, wanted, strict=True):
        found[axis] = size
    return _kept_ratio(site, x, axes, found)


def _kept_ratio(
    site: Site, x: Value, axes: tuple[int, ...], sizes: list[int]
) -> tuple[tuple[float, ...] | None, tuple[int, ...]]:
    """Sizes by ``keep_aspect_ratio_policy``."""
    policy = site.call.string("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return None, tuple(sizes)
    if policy not in ("not_larger", "not_smaller"):
        raise GraphError(f"a policy is stretch, not_larger or not_smaller, not {policy!r}")
    ratios = [sizes[a] / x.shape[a] for a in axes]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    values = [1.0] * len(sizes)
    for axis in axes:
        values[axis] = scale
        sizes[axis] = int(np.floor(x.shape[axis] * scale + 0.5))
    return tuple(values), tuple(sizes)


REDUCTIONS: dict[tuple[str, int], Lower] = {
    ("ArgMax", 1): _arg("max"),
    ("ArgMin", 1): _arg("min"),
    ("BatchNormalization", 1): batch_norm,
    ("CumSum", 11): cumulative_sum,
    ("GroupNormalization", 18): group_norm,
    ("InstanceNormalization", 1): instance_norm,
    ("LRN", 1): local_response_norm,
    ("LayerNormalization", 17): layer_norm,
    ("LogSoftmax", 1): _softmax(LogSoftmax),
    ("ReduceL1", 1): _reduce("l1"),
    ("ReduceL2", 1): _reduce("l2"),
    ("ReduceLogSum", 1): _reduce("log_sum"),
    ("ReduceLogSumExp", 1): _reduce("log_sum_exp"),
    ("ReduceMax", 1): _reduce("max"),
    ("ReduceMean", 1): _reduce("mean"),
    ("ReduceMin", 1): _reduce("min"),
    ("ReduceProd", 1): _reduce("prod"),
    ("ReduceSum", 1): _reduce("sum", 13),
    ("ReduceSumSquare", 1): _reduce("sum_square"),
    ("Resize", 10): resize,
    ("Softmax", 1): _softmax(Softmax),
    ("TopK", 1): top_k,
    ("Upsample", 7): resize,
}
