"""Operators that move or re-address data without arithmetic.

Axes are numbered with the batch as axis 0; the batch itself is never moved, cut or merged,
so every graph can be re-shaped to another batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError, ShapeError
from energysim.graph.operators import Category, Operator
from energysim.graph.shapes import Pair, Shape, need_integers, need_rank, product, sample_axis, text

__all__ = [
    "ChannelShuffle",
    "Concat",
    "Flatten",
    "LearnedToken",
    "Permute",
    "Reshape",
    "SpatialShift",
    "Split",
    "Upsample",
]


@dataclass(frozen=True)
class Concat(Operator):
    """Concatenation along an axis."""

    axis: int = 1

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if not shapes:
            raise ShapeError("concatenation takes at least one input")
        axis = sample_axis(self.axis, shapes[0], "concatenation")
        for shape in shapes[1:]:
            if len(shape) != len(shapes[0]) or any(
                a != b for i, (a, b) in enumerate(zip(shape, shapes[0], strict=True)) if i != axis
            ):
                raise ShapeError(f"concatenation of {' and '.join(map(text, shapes))} along axis {axis}")
        return ((*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]),)


@dataclass(frozen=True)
class Split(Operator):
    """Cuts an axis into parts of the given sizes: one output per part; a size may not be 0."""

    sizes: tuple[int, ...]
    axis: int = 1

    category: ClassVar[Category] = "view"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 1:
            raise ShapeError(f"split takes 1 input, not {len(shapes)}")
        axis = sample_axis(self.axis, shapes[0], "split")
        if min(self.sizes, default=0) < 1 or sum(self.sizes) != shapes[0][axis]:
            raise ShapeError(
                f"parts of {', '.join(map(str, self.sizes))} do not make up axis {axis} of {text(shapes[0])}"
            )
        return tuple((*shapes[0][:axis], size, *shapes[0][axis + 1 :]) for size in self.sizes)


@dataclass(frozen=True)
class Flatten(Operator):
    """Joins all axes from ``start`` on into one."""

    start: int = 1

    category: ClassVar[Category] = "view"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 1:
            raise ShapeError(f"flatten takes 1 input, not {len(shapes)}")
        start = sample_axis(self.start, shapes[0], "flatten")
        return ((*shapes[0][:start], product(shapes[0][start:])),)


@dataclass(frozen=True)
class Reshape(Operator):
    """Another shape of one sample (without the batch); at most one length may be -1."""

    shape: tuple[int, ...]

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        if self.shape.count(-1) > 1 or any(s < 1 and s != -1 for s in self.shape):
            raise GraphError(f"a reshape takes positive lengths and at most one -1, not {self.shape}")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 1:
            raise ShapeError(f"reshape takes 1 input, not {len(shapes)}")
        size = product(shapes[0][1:])
        known = product([s for s in self.shape if s != -1])
        if size % known or (-1 not in self.shape and size != known):
            raise ShapeError(f"{text(shapes[0])} cannot be reshaped to Nx{text(self.shape)}")
        return ((shapes[0][0], *(size // known if s == -1 else s for s in self.shape)),)


@dataclass(frozen=True)
class Permute(Operator):
    """Another order of the axes; ``order[0]`` must be 0, the batch."""

    order: tuple[int, ...]

    category: ClassVar[Category] = "view"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 1:
            raise ShapeError(f"permute takes 1 input, not {len(shapes)}")
        if sorted(self.order) != list(range(len(shapes[0]))) or self.order[0] != 0:
            raise ShapeError(f"order {self.order} does not permute {text(shapes[0])} with the batch first")
        return (tuple(shapes[0][i] for i in self.order),)


@dataclass(frozen=True)
class ChannelShuffle(Operator):
    """Channel c of g groups of n goes to position (c mod n)*g + c div n (Zhang et al., CVPR 2018)."""

    groups: int

    category: ClassVar[Category] = "view"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "a channel shuffle")
        if self.groups < 1 or shapes[0][1] % self.groups:
            raise ShapeError(f"{self.groups} groups do not divide {shapes[0][1]} channels")
        return (shapes[0],)


@dataclass(frozen=True)
class SpatialShift(Operator):
    """Moves each channel by a whole number of pixels (Wu et al., CVPR 2018, "Shift").

    Channels are cut into equal consecutive sets, one per displacement of a ``window``, in
    row-major order; channels left over stay in place. Pixels moved in from outside are zero.
    """

    window: Pair = (3, 3)

    category: ClassVar[Category] = "view"

    def __post_init__(self) -> None:
        need_integers(self.window, 2, "window")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "a spatial shift")
        return (shapes[0],)


@dataclass(frozen=True)
class Upsample(Operator):
    """Enlarges (N, C, H, W) by whole factors; bilinear costs 4 operations an output, nearest none."""

    factor: Pair = (2, 2)
    mode: Literal["nearest", "bilinear"] = "nearest"

    category: ClassVar[Category] = "stream"

    def __post_init__(self) -> None:
        if self.mode not in ("nearest", "bilinear"):
            raise GraphError(f"an upsampling mode is nearest or bilinear, not {self.mode!r}")
        need_integers(self.factor, 2, "factor")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "upsampling")
        batch, channels, height, width = shapes[0]
        return ((batch, channels, height * self.factor[0], width * self.factor[1]),)

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return 4 * product(outputs[0]) if self.mode == "bilinear" else 0


@dataclass(frozen=True)
class LearnedToken(Operator):
    """Puts one learned vector before a sequence: (N, L, D) -> (N, L + 1, D) (a class token)."""

    category: ClassVar[Category] = "stream"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (3,), "a learned token")
        batch, length, depth = shapes[0]
        return ((batch, length + 1, depth),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return {"weight": (1, shapes[0][2])}
