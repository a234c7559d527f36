"""Lowering of Einsum: two operands that share summed axes are a product of matrices.

Letters of an equation are of four kinds: in both operands and the result (batch), in both and not in the
result (summed), or in one operand and the result. Operands are turned and folded to (batch, rows, summed)
and (batch, summed, columns). Other forms (diagonals, sums over one operand, no summed axis, an ellipsis)
are unknown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from energysim.errors import GraphError
from energysim.graph.shapes import Shape, product
from energysim.importers.onnx_arrangement import to_shape, transpose
from energysim.importers.onnx_matrices import matmul
from energysim.importers.onnx_sheet import Known, Lower, Site, UnsupportedError, Value
from energysim.importers.onnx_values import Constant

__all__ = ["EINSUM", "einsum"]


def einsum(site: Site) -> list[Known]:
    """Einsum of two operands."""
    equation = site.call.string("equation").replace(" ", "")
    if len(site.inputs) != 2:
        raise UnsupportedError(f"{equation!r} takes another number of operands than 2: {len(site.inputs)}")
    a, b = site.known(0), site.known(1)
    left, right, result = _letters(equation)
    if isinstance(a, Constant):  # weights stand on the right
        a, b, left, right = b, a, right, left
    lengths = _lengths(equation, ((left, a.shape), (right, b.shape)))
    batch = [x for x in result if x in left and x in right]
    summed = [x for x in left if x in right and x not in result]
    rows = [x for x in result if x not in right]
    columns = [x for x in result if x not in left]
    if {*batch, *summed, *rows} != set(left) or {*batch, *summed, *columns} != set(right):
        raise UnsupportedError(f"{equation!r} sums one operand alone")
    if not summed:
        raise UnsupportedError(f"{equation!r} sums nothing: it is no product of matrices")

    def length(letters: list[str]) -> int:
        return product(tuple(lengths[x] for x in letters))

    outer = tuple(lengths[x] for x in batch)
    # A layer with weights takes several axes of rows as they are; a product of two tensors one.
    plain = isinstance(b, Constant) and not batch
    own = tuple(lengths[x] for x in rows) if plain else (length(rows),)
    first = _shaped(site, a, left, [*batch, *rows, *summed], (*outer, *own, length(summed)), "left")
    shape = (*outer, length(summed), length(columns))
    second = _shaped(site, b, right, [*batch, *summed, *columns], shape, "right")
    (found,) = matmul(Site(site.call, (first, second), site.sheet, site.name))
    made = [*batch, *rows, *columns]
    unfolded = _fold(site, found, tuple(lengths[x] for x in made), "result")
    return [_turned(site, unfolded, tuple(made.index(x) for x in result), "result")]


def _letters(equation: str) -> tuple[str, str, str]:
    """Letters of both operands and of the result."""
    given, arrow, result = equation.partition("->")
    left, _, right = given.partition(",")
    if "." in equation:
        raise UnsupportedError(f"{equation!r} has an ellipsis")
    if not arrow:  # letters that occur once, in the order of the alphabet
        result = "".join(sorted(x for x in set(left + right) if (left + right).count(x) == 1))
    for letters in (left, right, result):
        if len(set(letters)) != len(letters):
            raise UnsupportedError(f"{equation!r} takes a diagonal")
        if letters and not (letters.isascii() and letters.isalpha()):
            raise GraphError(f"equation {equation!r}: {letters!r} is no list of letters")
    if not set(result) <= set(left + right):
        raise GraphError(f"equation {equation!r}: its result has letters that no operand has")
    return left, right, result


def _lengths(equation: str, operands: tuple[tuple[str, Shape], ...]) -> dict[str, int]:
    """Letter -> length of the axis."""
    found: dict[str, int] = {}
    for letters, shape in operands:
        if len(letters) != len(shape):
            raise GraphError(f"equation {equation!r}: {letters!r} for an operand of {len(shape)} dimensions")
        for letter, size in zip(letters, shape, strict=True):
            if found.setdefault(letter, size) != size:
                raise GraphError(f"equation {equation!r}: {letter!r} is {found[letter]} and {size}")
    return found


def _shaped(site: Site, known: Known, letters: str, wanted: list[str], shape: Shape, part: str) -> Known:
    """An operand with its axes in another order, and neighbours among them folded."""
    return _fold(site, _turned(site, known, tuple(letters.index(x) for x in wanted), part), shape, part)


def _turned(site: Site, known: Known, order: tuple[int, ...], part: str) -> Known:
    if order == tuple(range(len(order))):
        return known
    if isinstance(known, Constant):
        shape = tuple(known.shape[i] for i in order)
        return known.derived(shape, lambda a: np.transpose(a, order))
    call = replace(site.call, attributes={"perm": order})
    (found,) = transpose(Site(call, (known,), site.sheet, f"{site.name}/{part}"))
    assert found is not None
    return found


def _fold(site: Site, known: Known | None, shape: Shape, part: str) -> Known:
    assert known is not None
    if known.shape == shape:
        return known
    if isinstance(known, Value):
        return to_shape(site, known, shape, f"{part}/view")
    return known.derived(shape, lambda a: a.reshape(shape))


EINSUM: dict[tuple[str, int], Lower] = {("Einsum", 12): einsum}
