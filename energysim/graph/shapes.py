"""Shapes and the arithmetic of windows: pure functions on integers.

A shape is a tuple of positive integers with the batch first: (N, C, H, W) for maps,
(N, L, D) for sequences, (N, F) for vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from energysim.errors import GraphError, ShapeError

__all__ = [
    "ANY_RANK",
    "Pads",
    "Pair",
    "Shape",
    "as_pads",
    "as_pair",
    "broadcast",
    "need_count",
    "need_integers",
    "need_rank",
    "product",
    "sample_axis",
    "text",
    "window_outputs",
]

Shape = tuple[int, ...]
Pair = tuple[int, int]
#: Padding (top, bottom, left, right).
Pads = tuple[int, int, int, int]
#: Numbers of dimensions that operators on tensors of any shape take.
ANY_RANK = tuple(range(1, 9))


def product(values: Sequence[int]) -> int:
    """Return the product of integers (1 for none)."""
    result = 1
    for value in values:
        result *= value
    return result


def text(shape: Shape) -> str:
    """Return ``"1x64x56x56"``."""
    return "x".join(map(str, shape))


def _integers(value: object, name: str, lowest: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(type(v) is int and v >= lowest for v in values):
        raise GraphError(f"{name} must be integers of at least {lowest}, not {value!r}")
    return values


def as_pair(value: int | Sequence[int], name: str, lowest: int = 1) -> Pair:
    """Return (rows, columns) from one number or two.

    Raises
    ------
    GraphError
        If it is neither, or a number is below ``lowest``.
    """
    values = _integers(value, name, lowest)
    if len(values) == 1:
        return values[0], values[0]
    if len(values) == 2:
        return values[0], values[1]
    raise GraphError(f"{name} takes one or two integers (rows, columns), not {value!r}")


def as_pads(value: int | Sequence[int], name: str = "padding") -> Pads:
    """Return (top, bottom, left, right) from one number, two (rows, columns) or all four.

    Raises
    ------
    GraphError
        If it is none of these, or negative.
    """
    values = _integers(value, name, 0)
    if len(values) == 4:
        return values[0], values[1], values[2], values[3]
    if len(values) not in (1, 2):
        raise GraphError(
            f"{name} takes one integer, two (rows, columns) or four (top, bottom, left, right), not {value!r}"
        )
    return values[0], values[0], values[-1], values[-1]


def need_integers(values: object, count: int, name: str, lowest: int = 1) -> None:
    """Check a field of an operator: a tuple of ``count`` integers of at least ``lowest``.

    Raises
    ------
    GraphError
        If it is anything else.
    """
    if not isinstance(values, tuple) or len(_integers(values, name, lowest)) != count:
        raise GraphError(f"{name} must be a tuple of {count} integers, not {values!r}")


def window_outputs(
    size: int, window: int, stride: int, before: int, after: int, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """Return the number of window positions along one axis.

    ``floor((size + before + after - dilation*(window-1) - 1) / stride) + 1``; with ``ceil_mode``
    a last window may hang over the end if it starts inside the input or its left padding
    (the rule of PyTorch's pooling).

    Raises
    ------
    ShapeError
        If the window does not fit.
    """
    span = dilation * (window - 1) + 1
    room = size + before + after - span
    if room < 0:
        raise ShapeError(
            f"a window of {window} (dilation {dilation}) does not fit {size} elements with padding "
            f"{before} + {after}"
        )
    count = room // stride + 1
    if ceil_mode and room % stride and count * stride < size + before:
        count += 1
    return count


def need_count(value: object, name: str) -> None:
    """Check a field of an operator: one integer of at least 1.

    Raises
    ------
    GraphError
        If it is anything else.
    """
    if type(value) is not int or value < 1:
        raise GraphError(f"{name} must be an integer of at least 1, not {value!r}")


def need_rank(shapes: tuple[Shape, ...], count: int, ranks: tuple[int, ...], what: str) -> None:
    """Check the number of input tensors and the rank of the first.

    Raises
    ------
    ShapeError
        If either differs.
    """
    if len(shapes) != count:
        raise ShapeError(f"{what} takes {count} input(s), not {len(shapes)}")
    if len(shapes[0]) not in ranks:
        many = len(ranks) > 3
        wanted = f"{ranks[0]} to {ranks[-1]}" if many else " or ".join(map(str, ranks))
        raise ShapeError(f"{what} needs an input of {wanted} dimensions, not {text(shapes[0])}")


def sample_axis(axis: int, shape: Shape, what: str) -> int:
    """Return an axis counted from the front; the batch axis is not allowed.

    Raises
    ------
    ShapeError
        If there is no such axis, or it is the batch.
    """
    resolved = axis + len(shape) if axis < 0 else axis
    if not 1 <= resolved < len(shape):
        raise ShapeError(f"{what} along axis {axis} of {text(shape)} (the batch axis is not allowed)")
    return resolved


def broadcast(shapes: tuple[Shape, ...], what: str) -> Shape:
    """Return the shape of an element-wise operation on two or more tensors; axes of 1 are repeated.

    Raises
    ------
    ShapeError
        If there are fewer than two, or their lengths differ elsewhere.
    """
    if len(shapes) < 2:
        raise ShapeError(f"{what} takes at least two inputs, not {len(shapes)}")
    rank = len(shapes[0])
    result = list(shapes[0])
    for shape in shapes[1:]:
        fits = len(shape) == rank and all(a == b or 1 in (a, b) for a, b in zip(result, shape, strict=True))
        if not fits:
            raise ShapeError(f"{what} of shapes {' and '.join(map(text, shapes))}")
        result = [max(a, b) for a, b in zip(result, shape, strict=True)]
    return tuple(result)
