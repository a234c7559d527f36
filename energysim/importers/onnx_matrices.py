"""Lowering of Gemm and MatMul.

Weights that follow from the file alone are parameters of a fully connected layer, turned to (M, F); else
they are a computed tensor, as in attention.
"""

from __future__ import annotations

import numpy as np

from energysim.errors import GraphError
from energysim.graph import Add, Elementwise, Expand, Linear, MatMul
from energysim.graph.shapes import product, text
from energysim.importers.onnx_sheet import Known, Lower, Site, Value
from energysim.importers.onnx_values import Array, Constant

__all__ = ["PRODUCTS", "linear", "matmul"]


def linear(site: Site, tensor: str, weight: Constant, bias: Constant | None) -> str:
    """Add a fully connected layer with weights (F, M), as MatMul has them, on the last axis."""
    features, outputs = weight.shape
    shape = site.shape(tensor)
    if shape[-1] != features:
        raise GraphError(f"weights of {weight.text} for {shape[-1]} features")
    # A layer takes vectors or one sequence of them: several axes are one, seen through views.
    flat = tensor if len(shape) <= 3 else site.view(tensor, (product(shape[1:-1]), features))
    made = site.one(Linear(outputs, bias is not None), flat)
    site.parameter(made, "weight", weight.derived((outputs, features), np.transpose))
    if bias is not None:
        site.parameter(made, "bias", bias)
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
    ("Gemm", 7): gemm,
    ("MatMul", 1): matmul,
}
