"""Operators that cut, pad or repeat tensors along their axes; the batch axis stays as it is.

What only picks elements by their place (a slice, constant indices, depth to space) is addressing
like a split: it moves nothing. A padded or repeated tensor is written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import ANY_RANK, Shape, need_count, need_rank, sample_axis, text

__all__ = ["DepthToSpace", "Expand", "Pad", "Slice", "SpaceToDepth", "Take", "Tile"]

_PADDINGS = ("constant", "reflect", "edge", "wrap")


def _need_whole(values: Sequence[object], what: str) -> None:
    if not isinstance(values, tuple) or not all(type(v) is int for v in values):
        raise GraphError(f"{what} must be a tuple of whole numbers, not {values!r}")


def _with_length(shape: Shape, axis: int, length: int) -> Shape:
    return (*shape[:axis], length, *shape[axis + 1 :])


@dataclass(frozen=True)
class Slice(Operator):
    """Every ``step``-th element from ``start`` to before ``stop`` along some axes, as Python slices do.

    Negative starts and stops count from the end, those beyond an end are clamped; a negative step
    goes backwards, to a stop before the first element by way of a very negative number (ONNX's rule).
    """

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]
    axes: tuple[int, ...]

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        for name in ("starts", "stops", "steps", "axes"):
            _need_whole(getattr(self, name), name)
        if len({len(self.starts), len(self.stops), len(self.steps), len(self.axes)}) != 1:
            raise GraphError("a slice takes as many starts, stops and steps as axes")
        if 0 in self.steps:
            raise GraphError("the step of a slice may not be 0")

    def ranges(self, shape: Shape) -> dict[int, range]:
        """Return which elements of each axis are kept."""
        found: dict[int, range] = {}
        for start, stop, step, axis in zip(self.starts, self.stops, self.steps, self.axes, strict=True):
            at = sample_axis(axis, shape, "slicing")
            if at in found:
                raise ShapeError(f"a slice names axis {at} twice")
            size = shape[at]
            low, high = (0, size) if step > 0 else (-1, size - 1)
            first, last = (min(max(v + size if v < 0 else v, low), high) for v in (start, stop))
            found[at] = range(first, last, step)
        return found

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "a slice")
        result = shapes[0]
        for axis, kept in self.ranges(shapes[0]).items():
            if not kept:
                raise ShapeError(f"the slice keeps nothing of axis {axis} of {text(shapes[0])}")
            result = _with_length(result, axis, len(kept))
        return (result,)


@dataclass(frozen=True)
class Take(Operator):
    """The elements with constant ``indices`` along an axis, in that order; negative ones from the end."""

    axis: int
    indices: tuple[int, ...]

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        _need_whole(self.indices, "indices")
        if not self.indices:
            raise GraphError("at least one index must be taken")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "taking by index")
        axis = sample_axis(self.axis, shapes[0], "taking by index")
        size = shapes[0][axis]
        beyond = [i for i in self.indices if not -size <= i < size]
        if beyond:
            raise ShapeError(f"axis {axis} of {text(shapes[0])} has no element {beyond[0]}")
        return (_with_length(shapes[0], axis, len(self.indices)),)


@dataclass(frozen=True)
class Pad(Operator):
    """Puts elements before and after each axis; negative numbers crop instead.

    Parameters
    ----------
    before, after : tuple of int
        One number per axis; 0 for the batch.
    mode : {"constant", "reflect", "edge", "wrap"}
        ``reflect`` does not repeat the element at the edge.
    value : float
        What a constant padding consists of.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    mode: Literal["constant", "reflect", "edge", "wrap"] = "constant"
    value: float = 0.0

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.mode not in _PADDINGS:
            raise GraphError(f"a padding mode is one of {', '.join(_PADDINGS)}, not {self.mode!r}")
        _need_whole(self.before, "before")
        _need_whole(self.after, "after")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "padding")
        (shape,) = shapes
        if not len(self.before) == len(self.after) == len(shape) or self.before[0] or self.after[0]:
            raise ShapeError(
                f"padding of {text(shape)} takes {len(shape)} numbers before and after, 0 for the batch, "
                f"not {self.before} and {self.after}"
            )
        result = []
        for size, before, after in zip(shape, self.before, self.after, strict=True):
            kept = size + min(before, 0) + min(after, 0)
            if kept < 1:
                raise ShapeError(f"padding by {before} and {after} leaves nothing of {size} elements")
            if self.mode == "reflect" and kept == 1 and max(before, after) > 0:
                raise ShapeError("a single element cannot be padded by reflection")
            result.append(size + before + after)
        return (tuple(result),)


@dataclass(frozen=True)
class Tile(Operator):
    """The whole tensor ``repeats`` times along each axis, once along the batch."""

    repeats: tuple[int, ...]

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        for count in self.repeats:
            need_count(count, "repeats")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "tiling")
        if len(self.repeats) != len(shapes[0]) or self.repeats[0] != 1:
            raise ShapeError(
                f"tiling of {text(shapes[0])} takes {len(shapes[0])} repeats, 1 for the batch, "
                f"not {self.repeats}"
            )
        return (tuple(size * count for size, count in zip(shapes[0], self.repeats, strict=True)),)


@dataclass(frozen=True)
class Expand(Operator):
    """Repeats axes of length 1 to another shape of one sample (without the batch)."""

    shape: tuple[int, ...]

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        for size in self.shape:
            need_count(size, "shape")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, ANY_RANK, "expansion")
        sample = shapes[0][1:]
        if len(sample) != len(self.shape) or any(
            a not in (1, b) for a, b in zip(sample, self.shape, strict=True)
        ):
            raise ShapeError(f"{text(shapes[0])} cannot be expanded to Nx{text(self.shape)}")
        return ((shapes[0][0], *self.shape),)


@dataclass(frozen=True)
class DepthToSpace(Operator):
    """Turns blocks of b*b channels into squares of b rows and columns: (N, C, H, W) -> (N, C/b/b, bH, bW).

    The channel of output channel c, row i and column j of a square is ``(i*b + j)*C' + c`` in mode
    ``DCR`` and ``c*b*b + i*b + j`` in mode ``CRD`` (pixel shuffle; Shi et al., CVPR 2016).
    """

    block: int
    mode: Literal["DCR", "CRD"] = "DCR"

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        need_count(self.block, "block")
        if self.mode not in ("DCR", "CRD"):
            raise GraphError(f"a mode of depth to space is DCR or CRD, not {self.mode!r}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "depth to space")
        batch, channels, height, width = shapes[0]
        if channels % self.block**2:
            raise ShapeError(f"blocks of {self.block}x{self.block} do not divide {channels} channels")
        return ((batch, channels // self.block**2, height * self.block, width * self.block),)


@dataclass(frozen=True)
class SpaceToDepth(Operator):
    """Turns squares of b rows and columns into channels: (N, C, H, W) -> (N, C*b*b, H/b, W/b).

    The inverse of :class:`DepthToSpace` in mode ``DCR``.
    """

    block: int

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        need_count(self.block, "block")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "space to depth")
        batch, channels, height, width = shapes[0]
        if height % self.block or width % self.block:
            raise ShapeError(f"blocks of {self.block}x{self.block} do not divide a map of {height}x{width}")
        return ((batch, channels * self.block**2, height // self.block, width // self.block),)
