"""Lowering of what multiplies and accumulates: convolutions, Gemm, MatMul.

Weights are parameters of the layer, turned to (M, C/G, R, S) and (M, F), where they follow from the file
alone; else they are a computed tensor, as in attention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from energysim.errors import GraphError
from energysim.graph import (
    Add,
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    Elementwise,
    Expand,
    Linear,
    MatMul,
    Pad,
)
from energysim.graph.shapes import Pads, Pair, product, text
from energysim.importers.onnx_calls import Call
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError, Value
from energysim.importers.onnx_values import Array, Constant
from energysim.importers.onnx_windows import (
    Window,
    as_map,
    axes_of_image,
    from_map,
    read_pads,
    read_window,
)

__all__ = ["PRODUCTS", "add_bias", "linear", "padded"]


def _filters(site: Site, weight: Constant, axes: int) -> Constant:
    """Weights over one image axis as weights over two, (., ., 1, S)."""
    if len(weight.shape) != axes + 2 or min(weight.shape) < 1:
        raise GraphError(f"weights of {weight.text} for an input of {axes + 2} dimensions")
    if axes == 2:
        return weight
    shape = (weight.shape[0], weight.shape[1], 1, weight.shape[2])
    return weight.derived(shape, lambda a: a.reshape(shape))


def _bias(site: Site, number: int, count: int) -> Constant | None:
    bias = site.maybe(number, "biases")
    if bias is not None and bias.elements != count:
        raise GraphError(f"a bias of {bias.text} for {count} outputs")
    return None if bias is None else bias.derived((count,), lambda a: a.reshape(-1))


def _set(site: Site, node: str, weight: Constant, bias: Constant | None) -> None:
    site.parameter(node, "weight", weight)
    if bias is not None:
        site.parameter(node, "bias", bias)


def padded(site: Site, tensor: str, window: Window, value: float = 0.0) -> tuple[str, Pads]:
    """Return the map and the pads; negative pads, which crop, become a layer of their own."""
    if window.plain:
        return tensor, window.pads
    top, bottom, left, right = window.pads
    op = Pad((0, 0, top, left), (0, 0, bottom, right), "constant", value)
    return site.one(op, tensor, part="pad"), (0, 0, 0, 0)


def conv(site: Site) -> list[Known]:
    """Conv: (N, C, H, W) or (N, C, L), any groups, strides, dilations and pads."""
    x = site.value(0)
    axes = axes_of_image(x)
    weight = _filters(site, site.constant(1, "weights"), axes)
    kernel = site.call.integers("kernel_shape", weight.shape[4 - axes :])
    if kernel != weight.shape[4 - axes :]:
        raise GraphError(f"kernel_shape {kernel} for weights of {text(weight.shape)}")
    window, groups = read_window(site.call, kernel, x.shape[2:]), site.call.integer("group", 1)
    bias = _bias(site, 2, weight.shape[0])
    tensor, pads = padded(site, as_map(site, x), window)
    if weight.shape[1] * groups != x.shape[1]:
        raise GraphError(
            f"weights of {text(weight.shape)} in {groups} groups take {weight.shape[1] * groups} channels, "
            f"the input has {x.shape[1]}"
        )
    op = Conv2d(
        weight.shape[0],
        window.size,
        window.stride,
        pads,
        window.dilation,
        groups,
        bias is not None,
    )
    made = site.one(op, tensor)
    _set(site, made, weight, bias)
    return [from_map(site, made, axes)]


def deform_conv(site: Site) -> list[Known]:
    """DeformConv: inputs, weights, offsets, biases, mask."""
    x = site.value(0)
    if axes_of_image(x) != 2:
        raise UnsupportedError("it has one image axis; 2 are known")
    weight = _filters(site, site.constant(1, "weights"), 2)
    window = read_window(site.call, weight.shape[2:], x.shape[2:])
    if not window.plain:
        raise UnsupportedError("its pads are negative")
    bias = _bias(site, 3, weight.shape[0])
    masked = site.given(4)
    op = DeformConv2d(
        weight.shape[0],
        window.size,
        window.stride,
        window.pads,
        window.dilation,
        site.call.integer("group", 1),
        bias is not None,
        site.call.integer("offset_group", 1),
        masked,
    )
    tensors = [site.batched(x), site.batched(site.value(2))]
    if masked:
        tensors.append(site.batched(site.value(4)))
    made = site.one(op, *tensors)
    _set(site, made, weight, bias)
    return [site.result(made, True)]


def conv_transpose(site: Site) -> list[Known]:
    """ConvTranspose: weights turned from (C, M/G, R, S) to (M, C/G, R, S)."""
    x = site.value(0)
    axes = axes_of_image(x)
    weight = _filters(site, site.constant(1, "weights"), axes)
    groups = site.call.integer("group", 1)
    channels, each, rows, cols = weight.shape
    if groups < 1 or channels % groups or channels != x.shape[1]:
        raise GraphError(f"weights of {text(weight.shape)} in {groups} groups for {x.shape[1]} channels")
    bias = _bias(site, 2, each * groups)
    window, extra = _transposed(site, weight.shape[4 - axes :], x.shape[2:])
    crop = Window(window.size, window.stride, window.dilation, tuple(max(0, p) for p in window.pads))  # type: ignore[arg-type]
    op = ConvTranspose2d(
        each * groups,
        window.size,
        window.stride,
        crop.pads,
        extra,
        window.dilation,
        groups,
        bias is not None,
    )
    made = site.one(op, as_map(site, x))
    _set(site, made, weight.derived((each * groups, channels // groups, rows, cols), _turn(groups)), bias)
    if not window.plain:
        top, bottom, left, right = (max(0, -p) for p in window.pads)
        made = site.one(Pad((0, 0, top, left), (0, 0, bottom, right)), made, part="grown")
    return [from_map(site, made, axes)]


def _turn(groups: int) -> Callable[[Array], Array]:
    def turned(array: Array) -> Array:
        c, m, r, s = array.shape
        blocks = array.reshape(groups, c // groups, m, r, s).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(blocks.reshape(groups * m, c // groups, r, s))

    return turned


def _transposed(site: Site, kernel: tuple[int, ...], image: tuple[int, ...]) -> tuple[Window, Pair]:
    """Return the window of a transposed convolution and its output padding.

    ``output_shape`` and ``auto_pad`` fix the size of the output; the padding follows (onnx/defs, text of
    ConvTranspose): total = stride (H - 1) + output_padding + span - output, split in halves.
    """
    call, axes = site.call, len(image)
    plain = call.string("auto_pad", "NOTSET")
    base = read_window(_without_pads(call), kernel, image)
    added = call.integers("output_padding", (0,) * axes)
    if len(added) != axes:
        raise GraphError(f"output_padding must be {axes} numbers, not {added}")
    extra: Pair = (0, added[0]) if axes == 1 else (added[0], added[1])
    wanted = call.integers("output_shape", ())
    sizes: Pair = (1, image[0]) if axes == 1 else (image[0], image[1])
    if wanted:
        goal = wanted[-axes:]
    elif plain.startswith("SAME"):
        goal = tuple(s * t for s, t in zip(sizes, base.stride, strict=True))[-axes:]
    else:
        pads = (0, 0, 0, 0) if plain == "VALID" else read_pads(call.integers("pads", (0,) * (2 * axes)), axes)
        return Window(base.size, base.stride, base.dilation, pads), extra
    if len(goal) != axes:
        raise GraphError(f"output_shape must be {axes} numbers, not {wanted}")
    target: Pair = (1, goal[0]) if axes == 1 else (goal[0], goal[1])
    found: list[int] = []
    for axis in (0, 1):
        span = base.dilation[axis] * (base.size[axis] - 1) + 1
        total = base.stride[axis] * (sizes[axis] - 1) + extra[axis] + span - target[axis]
        small, large = total // 2, total - total // 2
        found += [small, large] if plain == "SAME_UPPER" else [large, small]
    return Window(base.size, base.stride, base.dilation, (found[0], found[1], found[2], found[3])), extra


def _without_pads(call: Call) -> Call:
    return replace(
        call, attributes={k: v for k, v in call.attributes.items() if k not in ("auto_pad", "pads")}
    )


def linear(site: Site, tensor: str, weight: Constant, bias: Constant | None) -> str:
    """Add a fully connected layer with weights (F, M), as MatMul has them, on the last axis."""
    features, outputs = weight.shape
    shape = site.shape(tensor)
    if shape[-1] != features:
        raise GraphError(f"weights of {weight.text} for {shape[-1]} features")
    # A layer takes vectors or one sequence of them: several axes are one, seen through views.
    flat = tensor if len(shape) <= 3 else site.view(tensor, (product(shape[1:-1]), features))
    made = site.one(Linear(outputs, bias is not None), flat)
    _set(site, made, weight.derived((outputs, features), np.transpose), bias)
    return site.view(made, (*shape[1:-1], outputs))


def matmul(site: Site) -> list[Known]:
    """MatMul: with constant weights a linear layer, else a product of two tensors."""
    a, b = site.known(0), site.known(1)
    if not a.shape or not b.shape:
        raise GraphError("a product of matrices takes no numbers")
    if isinstance(a, Value) and isinstance(b, Constant):
        flat = _flat(b)
        if flat is not None:
            return [_times(site, a, flat, len(b.shape))]
    if isinstance(b, Value) and isinstance(a, Constant) and len(a.shape) == 2 and len(b.shape) >= 2:
        return [_from_left(site, a, b)]
    return [product_of(site, a, b)]


def _flat(weight: Constant) -> Constant | None:
    """Weights as one matrix (F, M), if they are one."""
    if len(weight.shape) == 1:
        shape = (weight.shape[0], 1)
    elif all(s == 1 for s in weight.shape[:-2]):
        shape = (weight.shape[-2], weight.shape[-1])
    else:
        return None
    return weight.derived(shape, lambda a: a.reshape(shape))


def _times(site: Site, x: Value, weight: Constant, rank: int) -> Value:
    if len(x.shape) == 1:
        made = linear(site, site.sample(x), weight, None)
        return site.result(made, False) if rank > 1 else site.valued(made, (), False)
    batched = x.batched
    tensor = x.tensor if len(site.shape(x.tensor)) >= 2 else site.sample(x)
    made = linear(site, tensor, weight, None)
    if rank == 1:
        made = site.view(made, site.shape(made)[1:-1]) if len(site.shape(made)) > 2 else made
        return site.valued(made, x.shape[:-1], batched)
    if rank > len(x.shape):
        made = site.view(
            site.sample(site.result(made, batched)),
            (1,) * (rank - len(x.shape)) + x.shape[:-1] + weight.shape[1:],
        )
        return site.result(made, False)
    return site.result(made, batched)


def _from_left(site: Site, weight: Constant, x: Value) -> Value:
    """W x = (x^T W^T)^T: the same products, with turned views around them."""
    tensor, batched = x.tensor, x.batched
    if len(site.shape(tensor)) < 3:
        tensor, batched = site.sample(x), False
    rank = len(site.shape(tensor))
    turned = (*range(rank - 2), rank - 1, rank - 2)
    made = linear(
        site,
        site.permuted(tensor, turned),
        weight.derived((weight.shape[1], weight.shape[0]), np.transpose),
        None,
    )
    return site.result(site.permuted(made, turned), batched, x.element)


def product_of(site: Site, a: Known, b: Known) -> Value:
    """A product of two computed tensors (or one that is constant per group)."""
    left, right = _matrix(site, a, -2), _matrix(site, b, -1)
    tensors, batched = _common(site, left, right)
    shapes = [site.shape(t) for t in tensors]
    body = tuple(np.broadcast_shapes(shapes[0][1:-2], shapes[1][1:-2]))
    tensors = [_grown(site, t, body) for t in tensors]
    shapes = [site.shape(t) for t in tensors]
    if shapes[0][0] != shapes[1][0]:
        short = 0 if shapes[0][0] == 1 else 1
        tensors[short] = site.repeated(tensors[short], tensors[1 - short])
    made = site.one(MatMul(), *tensors)
    shape = site.shape(made)
    sample = (
        *shape[1:-2],
        *(shape[-2:-1] if len(a.shape) > 1 else ()),
        *(shape[-1:] if len(b.shape) > 1 else ()),
    )
    if sample != shape[1:]:
        if not sample:
            return site.valued(site.view(made, (1,)), (), False)
        made = site.view(made, sample)
    return site.result(made, batched)


def _matrix(site: Site, known: Known, where: int) -> Known:
    """A vector as a matrix of one row (left) or one column (right)."""
    if len(known.shape) > 1:
        return known
    shape = (1, known.shape[0]) if where == -2 else (known.shape[0], 1)
    if isinstance(known, Constant):
        return known.derived(shape, lambda a: a.reshape(shape))
    return site.result(site.view(site.sample(known), shape), False, known.element)


def _common(site: Site, a: Known, b: Known) -> tuple[list[str], bool]:
    """Both operands with a batch axis before at least two others, of one rank."""
    rank = max(len(a.shape), len(b.shape))
    if rank > 2:
        return site.aligned((a, b))
    return [site.within(k, rank) for k in (a, b)], False


def _grown(site: Site, tensor: str, body: tuple[int, ...]) -> str:
    shape = site.shape(tensor)
    if shape[1:-2] == body:
        return tensor
    return site.one(Expand((*body, *shape[-2:])), tensor, part="expand")


def gemm(site: Site) -> list[Known]:
    """Gemm: alpha and beta go into the weights and biases."""
    call, a, b = site.call, site.known(0), site.known(1)
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise GraphError(f"Gemm takes two matrices, not {text(a.shape)} and {text(b.shape)}")
    if call.integer("transA", 0):
        a = _turned(site, a)
    if isinstance(a, Value) and isinstance(b, Constant):
        weight = b.derived(b.shape[::-1], np.transpose) if call.integer("transB", 0) else b
        if alpha != 1.0:
            weight = weight.derived(weight.shape, lambda w: w * w.dtype.type(alpha))
        bias, rest = _gemm_bias(site, weight.shape[1], beta)
        made = site.result(
            linear(site, a.tensor if len(site.shape(a.tensor)) > 1 else site.sample(a), weight, bias),
            a.batched,
            a.element,
        )
    else:
        if call.integer("transB", 0):
            b = _turned(site, b)
        made, rest = product_of(site, a, b), site.known(2) if site.given(2) else None
        if alpha != 1.0:
            made = site.result(
                site.one(Elementwise("multiply", (alpha,)), made.tensor, part="alpha"), made.batched
            )
    return [made if rest is None else add_bias(site, made, rest, beta)]


def _turned(site: Site, known: Known) -> Known:
    if isinstance(known, Constant):
        return known.derived(known.shape[::-1], np.transpose)
    return site.result(site.permuted(site.sample(known), (0, 2, 1)), False, known.element)


def _gemm_bias(site: Site, outputs: int, beta: float) -> tuple[Constant | None, Known | None]:
    """The third input as a bias per output, or else as a tensor to add."""
    if not site.given(2):
        return None, None
    third = site.known(2)
    if (
        isinstance(third, Value)
        or third.elements not in (1, outputs)
        or third.shape[-1:] not in ((), (1,), (outputs,))
    ):
        return None, third
    if third.elements > 1 and third.shape[-1] != outputs:
        return None, third

    def load(array: Array) -> Array:
        return np.ascontiguousarray(np.broadcast_to(array.reshape(-1), (outputs,)) * array.dtype.type(beta))

    return third.derived((outputs,), load), None


def add_bias(site: Site, made: Value, other: Known, beta: float) -> Value:
    """Add a tensor that is no bias per output."""
    if beta != 1.0:
        if isinstance(other, Constant):
            other = other.derived(other.shape, lambda c: c * c.dtype.type(beta))
        else:
            scaled = site.one(Elementwise("multiply", (beta,)), other.tensor, part="beta")
            other = Value(scaled, other.shape, other.element, other.batched)
    tensors, batched = site.aligned((made, other))
    return site.result(site.one(Add(), *tensors, part="sum"), batched, made.element)


PRODUCTS: dict[tuple[str, int], Lower] = {
    ("Conv", 1): conv,
    ("ConvTranspose", 1): conv_transpose,
    ("DeformConv", 19): deform_conv,
    ("Gemm", 7): gemm,
    ("MatMul", 1): matmul,
}
