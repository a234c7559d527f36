"""Patterns: a few nodes that together are one operator of ours, and reshapes that come to nothing.

Exporters write SiLU, GELU, layer normalisation, biases of sequences and class tokens out in smaller
operators. Each is recognised by what it computes, not by names; what else reads a part keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from energysim.graph import (
    Activation,
    Add,
    BinaryElementwise,
    ChannelShuffle,
    Concat,
    Conv2d,
    Elementwise,
    ExpandBatch,
    LayerNorm,
    LearnedToken,
    Linear,
    Multiply,
    Node,
    Operator,
    Permute,
    Reduce,
    Reshape,
)
from energysim.graph import Constant as ConstantNode
from energysim.importers.onnx_sheet import Sheet
from energysim.importers.onnx_values import Array

__all__ = ["simplify"]

#: Constants of patterns are compared as numbers of single precision, or of half.
_CLOSE = 1e-3


def simplify(sheet: Sheet, returned: tuple[str, ...]) -> tuple[list[Node], dict[str, str]]:
    """Return the nodes with patterns replaced and without dead ones, and new names of tensors."""
    rewriter = _Rewriter(sheet, returned)
    for number in range(len(rewriter.nodes)):
        for rule in _RULES:
            found = rewriter.nodes[number]
            if found is not None and rule(rewriter, found, number):
                break
    return rewriter.living(), rewriter.renamed


class _Rewriter:
    """Nodes in walk order, some replaced; who makes and who reads a tensor."""

    def __init__(self, sheet: Sheet, returned: tuple[str, ...]) -> None:
        self.sheet, self.returned = sheet, returned
        self.nodes: list[Node | None] = list(sheet.nodes)
        self.made = {t: i for i, node in enumerate(sheet.nodes) for t in node.outputs}
        self.readers: dict[str, int] = {}
        for node in sheet.nodes:
            for tensor in node.inputs:
                self.readers[tensor] = self.readers.get(tensor, 0) + 1
        self.renamed: dict[str, str] = {}

    def tensor(self, name: str) -> str:
        """The name that a tensor has now."""
        while name in self.renamed:
            name = self.renamed[name]
        return name

    def inputs(self, node: Node) -> tuple[str, ...]:
        return tuple(map(self.tensor, node.inputs))

    def producer(self, tensor: str) -> Node | None:
        number = self.made.get(self.tensor(tensor))
        return None if number is None else self.nodes[number]

    def only_reader(self, tensor: str) -> bool:
        return self.readers.get(tensor, 0) == 1 and tensor not in self.returned

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.sheet.shapes[tensor]

    def put(
        self, number: int, op: Operator, *inputs: str, name: str = "", instead: Node | None = None
    ) -> bool:
        """Let a node compute its output as another operator.

        It keeps its name, unless one is given, or a node in whose place it stands.
        """
        node = self.nodes[number]
        assert node is not None
        outputs = node.outputs
        if instead is not None:
            self.nodes[self.made[instead.outputs[0]]] = None
            self.made[instead.name] = number
            self.rename(outputs[0], instead.name)
            outputs = instead.outputs
        elif name and name != node.name:
            name = self.sheet.name(name)
            self.sheet.shapes[name] = self.shape(outputs[0])
            self.made[name] = number
            self.rename(outputs[0], name)
            outputs = (name,)
        self.nodes[number] = Node(outputs[0], op, inputs, outputs)
        for tensor in inputs:
            self.readers[tensor] = self.readers.get(tensor, 0) + 1
        return True

    def rename(self, old: str, new: str) -> None:
        """Let one tensor stand for another."""
        self.renamed[old] = new
        self.readers[new] = self.readers.get(new, 0) + self.readers.get(old, 0)
        self.returned = tuple(new if t == old else t for t in self.returned)

    def constant(self, tensor: str) -> tuple[str, tuple[int, ...]] | None:
        """Parameter and shape of a tensor that is a constant, repeated for the batch or not."""
        node = self.producer(tensor)
        if node is not None and isinstance(node.op, ExpandBatch):
            node = self.producer(node.inputs[0])
        if node is None or not isinstance(node.op, ConstantNode):
            return None
        return f"{node.name}.value", self.shape(node.outputs[0])

    def living(self) -> list[Node]:
        """The nodes that lead to what the network returns."""
        needed = set(map(self.tensor, self.returned))
        found: list[Node] = []
        for node in reversed(self.nodes):
            if node is not None and needed & set(node.outputs):
                inputs = self.inputs(node)
                needed.update(inputs)
                found.append(replace(node, inputs=inputs))
        return found[::-1]


# ---------------------------------------------------------------- parts of patterns


def _scaled(rewriter: _Rewriter, tensor: str, factor: float) -> str | None:
    """x, if the tensor is x times a factor."""
    node = rewriter.producer(tensor)
    if node is None or not isinstance(node.op, Elementwise):
        return None
    if node.op.function == "multiply" and math.isclose(node.op.arguments[0], factor, rel_tol=_CLOSE):
        return rewriter.inputs(node)[0]
    if node.op.function == "divide" and math.isclose(node.op.arguments[0], 1 / factor, rel_tol=_CLOSE):
        return rewriter.inputs(node)[0]
    return None


def _applied(rewriter: _Rewriter, tensor: str, op: Operator) -> str | None:
    """x, if the tensor is the operator applied to x."""
    node = rewriter.producer(tensor)
    return rewriter.inputs(node)[0] if node is not None and node.op == op else None


def _through(rewriter: _Rewriter, tensor: str | None, *ops: Operator | float) -> str | None:
    """What a tensor was made of by several steps, the last one first; a number is a factor."""
    for op in ops:
        if tensor is None:
            return None
        tensor = _scaled(rewriter, tensor, op) if isinstance(op, float) else _applied(rewriter, tensor, op)
    return tensor


def _factors(rewriter: _Rewriter, node: Node) -> Iterator[tuple[str, str]]:
    """Both orders of the factors of a product of two tensors."""
    if isinstance(node.op, Multiply) and len(node.inputs) == 2:
        a, b = rewriter.inputs(node)
        yield a, b
        yield b, a


# ---------------------------------------------------------------- rules


def _reshapes(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """A reshape of a reshape is one; one to the shape that was there is none."""
    if not isinstance(node.op, Reshape):
        return False
    (source,) = rewriter.inputs(node)
    before = rewriter.producer(source)
    while before is not None and isinstance(before.op, Reshape):
        (source,) = rewriter.inputs(before)
        before = rewriter.producer(source)
    shape = rewriter.shape(node.outputs[0])
    if rewriter.shape(source) == shape and before is not None and node.outputs[0] not in rewriter.returned:
        rewriter.rename(node.outputs[0], source)
        rewriter.nodes[number] = None
        return True
    if before is not None and isinstance(before.op, Permute) and _shuffle(rewriter, before, node, number):
        return True
    return source != node.inputs[0] and rewriter.put(number, Reshape(shape[1:]), source)


def _shuffle(rewriter: _Rewriter, turned: Node, node: Node, number: int) -> bool:
    """Channels as a table, turned, and back (Zhang et al., CVPR 2018)."""
    table = rewriter.producer(rewriter.inputs(turned)[0])
    if table is None or not isinstance(table.op, Reshape) or turned.op != Permute((0, 2, 1, 3, 4)):
        return False
    (source,) = rewriter.inputs(table)
    before = rewriter.producer(source)
    if before is not None and isinstance(before.op, Reshape):
        (source,) = rewriter.inputs(before)
    shape, rows = rewriter.shape(source), rewriter.shape(table.outputs[0])
    if shape != rewriter.shape(node.outputs[0]) or len(shape) != 4 or rows[3:] != shape[2:]:
        return False
    return rewriter.put(number, ChannelShuffle(rows[1]), source)


def _gated(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """x times a gate of x: SiLU, hard swish."""
    for x, gate in _factors(rewriter, node):
        if _applied(rewriter, gate, Activation("sigmoid")) == x:
            return rewriter.put(number, Activation("silu"), x)
        third = _through(rewriter, gate, 1 / 6, Activation("relu6"), Elementwise("add", (3.0,)))
        if _applied(rewriter, gate, Activation("hardsigmoid")) == x or third == x:
            return rewriter.put(number, Activation("hardswish"), x)
    inner = rewriter.producer(_scaled(rewriter, node.outputs[0], 1 / 6) or "")
    for x, gate in _factors(rewriter, inner) if inner is not None else ():
        if _through(rewriter, gate, Activation("relu6"), Elementwise("add", (3.0,))) == x:
            return rewriter.put(number, Activation("hardswish"), x)
    return False


def _gate(rewriter: _Rewriter, tensor: str | None) -> tuple[str, Operator] | None:
    """x and the form of GELU whose gate 1 + erf(x / sqrt 2), or 1 + tanh(...), a tensor is."""
    inside = _through(rewriter, tensor, Elementwise("add", (1.0,)))
    x = _through(rewriter, inside, Elementwise("erf"), math.sqrt(0.5))
    if x is not None:
        return x, Activation("gelu")
    total = rewriter.producer(_through(rewriter, inside, Activation("tanh"), math.sqrt(2 / math.pi)) or "")
    if total is None or not isinstance(total.op, Add) or len(total.inputs) != 2:
        return None
    a, b = rewriter.inputs(total)
    for x, other in ((a, b), (b, a)):
        if _through(rewriter, other, 0.044715, Elementwise("power", (3.0,))) == x:
            return x, Elementwise("gelu_tanh")
    return None


def _gelu(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """x / 2 times its gate, the half wherever it stands (Hendrycks and Gimpel, arXiv 1606.08415)."""
    inner = rewriter.producer(_scaled(rewriter, node.outputs[0], 0.5) or "")
    for x, gate in _factors(rewriter, inner) if inner is not None else ():
        found = _gate(rewriter, gate)
        if found is not None and found[0] == x:
            return rewriter.put(number, found[1], x)
    for x, gate in _factors(rewriter, node):
        for whole, other in ((_scaled(rewriter, x, 0.5), gate), (x, _scaled(rewriter, gate, 0.5))):
            found = _gate(rewriter, other)
            if found is not None and found[0] == whole:
                return rewriter.put(number, found[1], found[0])
    return False


def _standardised(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """(x - mean) / sqrt(variance + epsilon) along the last axis: a layer norm without parameters."""
    if node.op == BinaryElementwise("divide"):
        centred, root = rewriter.inputs(node)
        pairs = [(centred, _applied(rewriter, root, Elementwise("sqrt")))]
    else:
        pairs = [
            (a, _through(rewriter, b, Elementwise("reciprocal"), Elementwise("sqrt")))
            for a, b in _factors(rewriter, node)
        ]
    for centred, shifted in pairs:
        inner = rewriter.producer(shifted or "")
        if inner is None or not isinstance(inner.op, Elementwise) or inner.op.function != "add":
            continue
        rank = len(rewriter.shape(centred))
        mean = Reduce("mean", (rank - 1,), True)
        square = rewriter.producer(_applied(rewriter, rewriter.inputs(inner)[0], mean) or "")
        minus = rewriter.producer(centred)
        if square is None or minus is None or minus.op != BinaryElementwise("subtract"):
            continue
        squared = square.op in (Elementwise("power", (2.0,)), Multiply())
        x, middle = rewriter.inputs(minus)
        if squared and set(rewriter.inputs(square)) == {centred} and _applied(rewriter, middle, mean) == x:
            epsilon = float(str(np.float32(inner.op.arguments[0])))
            return rewriter.put(number, LayerNorm(affine=False, epsilon=epsilon), x)
    return False


def _scaled_norm(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """Scale and shift behind a layer norm without parameters become its own."""
    if not isinstance(node.op, Add) or len(node.inputs) != 2:
        return False
    a, b = rewriter.inputs(node)
    for product, shift in ((a, b), (b, a)):
        scaled, bias = rewriter.producer(product), rewriter.constant(shift)
        for inner, scale in _factors(rewriter, scaled) if scaled is not None and bias is not None else ():
            norm, weight = rewriter.producer(inner), rewriter.constant(scale)
            if (
                norm is None
                or weight is None
                or bias is None
                or not isinstance(norm.op, LayerNorm)
                or norm.op.affine
            ):
                continue
            size = rewriter.shape(inner)[-1]
            if any(s[-1] != size or math.prod(s) != size for s in (weight[1], bias[1])):
                continue
            parameters = rewriter.sheet.parameters
            instead = scaled if rewriter.only_reader(product) else None
            rewriter.put(number, replace(norm.op, affine=True), rewriter.inputs(norm)[0], instead=instead)
            made = rewriter.nodes[number]
            assert made is not None
            for suffix, (key, _) in (("weight", weight), ("bias", bias)):
                parameters[f"{made.name}.{suffix}"] = parameters[key].derived((size,), _flat)
            return True
    return False


def _flat(array: Array) -> Array:
    return array.reshape(-1)


def _layer(rewriter: _Rewriter, tensor: str) -> Node | None:
    """What made a tensor; of the view of a linear layer over several axes, the layer."""
    node = rewriter.producer(tensor)
    if node is None or not isinstance(node.op, Reshape):
        return node
    (source,) = rewriter.inputs(node)
    inner = rewriter.producer(source)
    same = rewriter.shape(source)[-1] == rewriter.shape(tensor)[-1] and rewriter.only_reader(source)
    return inner if inner is not None and isinstance(inner.op, Linear) and same else None


def _bias(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """A constant per output, added behind a layer without a bias, is its bias."""
    if not isinstance(node.op, Add) or len(node.inputs) != 2:
        return False
    a, b = rewriter.inputs(node)
    for tensor, other in ((a, b), (b, a)):
        layer, constant = _layer(rewriter, tensor), rewriter.constant(other)
        if layer is None or constant is None or not isinstance(layer.op, Linear | Conv2d) or layer.op.bias:
            continue
        shape = rewriter.shape(tensor)
        axis = len(shape) - 1 if isinstance(layer.op, Linear) else 1
        fits = constant[1] == tuple(s if i == axis else 1 for i, s in enumerate(shape))
        if not fits or not rewriter.only_reader(tensor) or rewriter.shape(node.outputs[0]) != shape:
            continue
        parameters = rewriter.sheet.parameters
        parameters[f"{layer.name}.bias"] = parameters[constant[0]].derived((shape[axis],), _flat)
        place = rewriter.made[layer.outputs[0]]
        rewriter.nodes[place] = replace(layer, op=replace(layer.op, bias=True))
        rewriter.nodes[number] = None
        rewriter.rename(node.outputs[0], tensor)
        return True
    return False


def _token(rewriter: _Rewriter, node: Node, number: int) -> bool:
    """A learned vector joined before a sequence."""
    if node.op != Concat(1) or len(node.inputs) != 2:
        return False
    first, x = rewriter.inputs(node)
    constant = rewriter.constant(first)
    if (
        constant is None
        or len(constant[1]) != 3
        or constant[1][:2] != (1, 1)
        or rewriter.constant(x) is not None
    ):
        return False
    shape = constant[1][1:]
    parameters = rewriter.sheet.parameters
    origin = parameters[constant[0]].name
    name = origin.removesuffix(".weight") if origin.endswith(".weight") else ""
    rewriter.put(number, LearnedToken(), x, name=name)
    made = rewriter.nodes[number]
    assert made is not None
    parameters[f"{made.name}.weight"] = parameters[constant[0]].derived(shape, lambda a: a.reshape(shape))
    return True


_RULES: tuple[Callable[[_Rewriter, Node, int], bool], ...] = (
    _reshapes,
    _gated,
    _gelu,
    _standardised,
    _scaled_norm,
    _bias,
    _token,
)
