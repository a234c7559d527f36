"""Shapes and the arithmetic of windows: pure functions on integers.

A shape is a tuple of positive integers with the batch first: (N, C, H, W) for maps,
(N, L, D) for sequences, (N, F) for vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from energysim.errors import GraphError, ShapeError

__all__ = [
    "Pads",
    "Pair",
    "Shape",
    "as_pads",
    "as_pair",
    "need_count",
    "need_integers",
    "need_rank",
    "product",
    "text",
    "window_outputs",
]

Shape = tuple[int, ...]
Pair = tuple[int, int]
#: Padding (top, bottom, left, right).
Pads = tuple[int, int, int, int]


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
        wanted = " or ".join(map(str, ranks))
        raise ShapeError(f"{what} needs an input of {wanted} dimensions, not {text(shapes[0])}")
