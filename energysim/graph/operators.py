"""The operator base, and the operators that multiply and accumulate.

An operator is a frozen value: what it does, never its weights. Shapes are inferred from
its inputs' shapes; parameter tensors are named by suffix (``weight``, ``bias``, ...).

Every operator belongs to a category, which decides how it is costed:

``mac``       a loop nest of multiply-adds
``stream``    reads its inputs once, writes its outputs once (pooling, add, concat, softmax)
``epilogue``  applied in place to its producer's output (batch norm, activation, dropout)
``view``      changes how a tensor is addressed, moves nothing (flatten, split, shuffle)
``unknown``   not costed: an error unless the user allows it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from energysim.errors import GraphError, ShapeError
from energysim.graph.shapes import (
    Pads,
    Pair,
    Shape,
    need_count,
    need_integers,
    need_rank,
    product,
    text,
    window_outputs,
)
from energysim.kernels import DenseKernel, Kernel

__all__ = ["Category", "Conv2d", "ConvTranspose2d", "Linear", "MatMul", "Operator"]

Category = Literal["mac", "stream", "epilogue", "view", "unknown"]


@dataclass(frozen=True)
class Operator:
    """Base of all operators. A subclass that sets no category is *unknown* to the cost models."""

    category: ClassVar[Category] = "unknown"
    #: Whether a view moves data once its output has to lie in memory (a shift, not a split).
    moves: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """The operator's name in messages and reports."""
        return type(self).__name__

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Return the output shapes for the given input shapes; raise ShapeError if they do not fit."""
        raise ShapeError(f"{self.kind} does not say its output shape")

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        """Return the shapes of the parameter tensors by suffix."""
        return {}

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        """Return the number of elementary operations that are no multiply-adds."""
        return 0


def _channels(shape: Shape, groups: int, out_channels: int) -> int:
    channels = shape[1]
    if channels % groups or out_channels % groups:
        raise ShapeError(f"{groups} groups do not divide {channels} input and {out_channels} output channels")
    return channels // groups


@dataclass(frozen=True)
class Conv2d(Operator):
    """Two-dimensional convolution (cross-correlation) of (N, C, H, W).

    Parameters
    ----------
    out_channels : int
        M, output channels over all groups.
    window : (int, int)
        R, S: kernel rows and columns.
    stride, dilation : (int, int)
        Rows, columns.
    padding : (int, int, int, int)
        Top, bottom, left, right.
    groups : int
        G; ``groups == C`` is depthwise.
    bias : bool
        Whether a bias of M elements is added.
    kernel : Kernel, optional
        Which weights of the (M, C/G, R, S) tensor exist; None means all of them.
    """

    out_channels: int
    window: Pair
    stride: Pair = (1, 1)
    padding: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True
    kernel: Kernel | None = None

    category: ClassVar[Category] = "mac"

    def __post_init__(self) -> None:
        need_count(self.out_channels, "out_channels")
        need_count(self.groups, "groups")
        need_integers(self.window, 2, "window")
        need_integers(self.stride, 2, "stride")
        need_integers(self.padding, 4, "padding", 0)
        need_integers(self.dilation, 2, "dilation")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "a convolution")
        (batch, _, height, width) = shapes[0]
        self.layout(shapes)
        top, bottom, left, right = self.padding
        rows = window_outputs(height, self.window[0], self.stride[0], top, bottom, self.dilation[0])
        cols = window_outputs(width, self.window[1], self.stride[1], left, right, self.dilation[1])
        return ((batch, self.out_channels, rows, cols),)

    def layout(self, shapes: tuple[Shape, ...]) -> Kernel:
        """Return the kernel, dense if none was given; raise ShapeError if its shape does not fit."""
        weight = (self.out_channels, _channels(shapes[0], self.groups, self.out_channels), *self.window)
        if self.kernel is None:
            return DenseKernel(weight)
        if self.kernel.shape != weight:
            raise ShapeError(
                f"the kernel is laid out for weights {text(self.kernel.shape)}, "
                f"the convolution has {text(weight)}"
            )
        return self.kernel

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        found: dict[str, Shape] = {"weight": self.layout(shapes).shape}
        if self.bias:
            found["bias"] = (self.out_channels,)
        return found

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0]) if self.bias else 0


@dataclass(frozen=True)
class ConvTranspose2d(Operator):
    """Transposed convolution of (N, C, H, W): the adjoint of :class:`Conv2d`.

    The weight tensor is stored as (M, C/G, R, S) like that of a convolution, so that filters
    are rows; importers transpose frameworks' (C, M/G, R, S).

    Parameters
    ----------
    out_channels, window, stride, padding, dilation, groups, bias
        As for :class:`Conv2d`; the padding is cropped from the output.
    output_padding : (int, int)
        Rows and columns added at the bottom and right of the output.
    """

    out_channels: int
    window: Pair
    stride: Pair = (1, 1)
    padding: Pads = (0, 0, 0, 0)
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True

    category: ClassVar[Category] = "mac"

    def __post_init__(self) -> None:
        need_count(self.out_channels, "out_channels")
        need_count(self.groups, "groups")
        need_integers(self.window, 2, "window")
        need_integers(self.stride, 2, "stride")
        need_integers(self.padding, 4, "padding", 0)
        need_integers(self.dilation, 2, "dilation")
        need_integers(self.output_padding, 2, "output_padding", 0)
        if any(
            o and o >= max(s, d)
            for o, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True)
        ):
            raise GraphError("output_padding must be smaller than the stride or the dilation")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (4,), "a transposed convolution")
        (batch, _, height, width) = shapes[0]
        _channels(shapes[0], self.groups, self.out_channels)
        top, bottom, left, right = self.padding
        sizes = []
        for axis, (size, crop) in enumerate(((height, top + bottom), (width, left + right))):
            full = (size - 1) * self.stride[axis] + self.dilation[axis] * (self.window[axis] - 1) + 1
            sizes.append(full - crop + self.output_padding[axis])
        if min(sizes) < 1:
            raise ShapeError(f"the padding {self.padding} crops the whole output")
        return ((batch, self.out_channels, sizes[0], sizes[1]),)

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        channels = _channels(shapes[0], self.groups, self.out_channels)
        found: dict[str, Shape] = {"weight": (self.out_channels, channels, *self.window)}
        if self.bias:
            found["bias"] = (self.out_channels,)
        return found

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0]) if self.bias else 0


@dataclass(frozen=True)
class Linear(Operator):
    """Fully connected layer on the last axis of (N, F) or (N, L, F): a weight of (M, F).

    Parameters
    ----------
    out_features : int
        M.
    bias : bool
        Whether a bias of M elements is added.
    kernel : Kernel, optional
        Which weights exist, laid out as (M, F, 1, 1); None means all of them.
    """

    out_features: int
    bias: bool = True
    kernel: Kernel | None = None

    category: ClassVar[Category] = "mac"

    def __post_init__(self) -> None:
        need_count(self.out_features, "out_features")

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        need_rank(shapes, 1, (2, 3), "a linear layer")
        self.layout(shapes)
        return ((*shapes[0][:-1], self.out_features),)

    def layout(self, shapes: tuple[Shape, ...]) -> Kernel:
        """Return the kernel, dense if none was given; raise ShapeError if its shape does not fit."""
        weight = (self.out_features, shapes[0][-1], 1, 1)
        if self.kernel is None:
            return DenseKernel(weight)
        if self.kernel.shape != weight:
            raise ShapeError(
                f"the kernel is laid out for weights {text(self.kernel.shape)}, "
                f"the linear layer has {text(weight)}"
            )
        return self.kernel

    def parameters(self, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        found: dict[str, Shape] = {"weight": (self.out_features, shapes[0][-1])}
        if self.bias:
            found["bias"] = (self.out_features,)
        return found

    def other_ops(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> int:
        return product(outputs[0]) if self.bias else 0


@dataclass(frozen=True)
class MatMul(Operator):
    """Product of two computed tensors (..., P, C) x (..., C, M) -> (..., P, M): attention.

    All axes before the last two are batch axes and must be equal.
    """

    category: ClassVar[Category] = "mac"

    def infer(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if len(shapes) != 2 or len(shapes[0]) != len(shapes[1]) or len(shapes[0]) < 3:
            raise ShapeError("a matrix product takes two tensors of the same rank, at least 3")
        left, right = shapes
        if left[:-2] != right[:-2] or left[-1] != right[-2]:
            raise ShapeError(f"matrices {text(left)} and {text(right)} cannot be multiplied")
        return ((*left[:-1], right[-1]),)
