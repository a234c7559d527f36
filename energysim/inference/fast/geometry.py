"""One convolution, prepared: folded weights, and the operand its products read.

Every flat path reads the input through an :class:`Operand`: element (channel c, tap t) of output
pixel p is ``base[c * channel + tap[t] + p]``. For stride 1 on a padded map that is the map itself.
Otherwise the map is first cut into one plane per phase of the stride, in which each tap is again a
constant offset (a copy of at most the map's own size).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from energysim.graph import Conv2d
from energysim.inference.fast.layout import Array, Plane, stride_of, window
from energysim.kernels import IntArray, Kernel

__all__ = ["Convolution", "Geometry", "Operand"]


@dataclass(frozen=True)
class Geometry:
    """Shapes of a convolution between two maps; what a choice of path depends on.

    Attributes
    ----------
    batch, channels, filters, groups : int
    source, target : Plane
        Layout of the input and of the output map.
    window, stride, dilation : (int, int)
    padding : (int, int)
        Top and left; what lies below and right follows from the output size.
    """

    batch: int
    channels: int
    filters: int
    groups: int
    source: Plane
    target: Plane
    window: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]

    @classmethod
    def of(cls, op: Conv2d, batch: int, channels: int, source: Plane, target: Plane) -> Geometry:
        """Return the geometry of an operator between two planes."""
        pads = op.padding[0], op.padding[2]
        return cls(
            *(batch, channels, op.out_channels, op.groups, source, target),
            *(op.window, op.stride, op.dilation, pads),
        )

    @property
    def taps(self) -> tuple[tuple[int, int], ...]:
        """Row and column of each tap relative to the top left one, dilation included."""
        return tuple(
            (i * self.dilation[0], j * self.dilation[1])
            for i in range(self.window[0])
            for j in range(self.window[1])
        )

    @property
    def pixels(self) -> int:
        """Output pixels of one image."""
        return self.target.height * self.target.width

    @property
    def flat(self) -> bool:
        """Whether the padded map is its own operand, with the row pitch of the output."""
        return self.stride == (1, 1) and self.source.pitch == self.target.pitch


@dataclass(frozen=True)
class Operand:
    """How a flat path addresses its input, all in floats from the start of one image's operand.

    Attributes
    ----------
    channel : int
        From a channel to the next.
    taps : int64 array of shape (R*S,)
        Offset of each tap for output pixel 0.
    pitch : int
        From an output row to the next.
    run : int
        Length of the run that holds all output pixels.
    size : int
        Floats of one image; 0 if the map itself is read.
    """

    channel: int
    taps: IntArray
    pitch: int
    run: int
    size: int
    phases: tuple[tuple[int, int, int, int, int], ...] = ()

    @classmethod
    def of(cls, g: Geometry) -> Operand:
        """Return the operand of a convolution."""
        rows, cols = g.target.height, g.target.width
        if g.flat:
            pitch = g.source.pitch
            start = g.source.head - g.padding[0] * pitch - g.padding[1]
            taps = np.array([start + i * pitch + j for i, j in g.taps], dtype=np.int64)
            return cls(g.source.stride, taps, pitch, (rows - 1) * pitch + cols, 0)
        reach: dict[tuple[int, int], tuple[int, int]] = {}
        for i, j in g.taps:
            phase = i % g.stride[0], j % g.stride[1]
            down, right = reach.get(phase, (0, 0))
            reach[phase] = max(down, i // g.stride[0]), max(right, j // g.stride[1])
        down, right = (max(r[axis] for r in reach.values()) for axis in (0, 1))
        pitch = g.target.pitch
        if pitch < cols + right:
            raise ValueError(
                f"the rows of the output, {pitch} apart, have no room for {cols + right} columns"
            )
        channel = stride_of((rows + down) * pitch)
        order = {phase: number for number, phase in enumerate(sorted(reach))}
        taps = np.array(
            [
                order[i % g.stride[0], j % g.stride[1]] * g.channels * channel
                + i // g.stride[0] * pitch
                + j // g.stride[1]
                for i, j in g.taps
            ],
            dtype=np.int64,
        )
        phases = tuple((*phase, order[phase], *reach[phase]) for phase in order)
        size = len(order) * g.channels * channel
        return cls(channel, taps, pitch, (rows - 1) * pitch + cols, size, phases)

    def loader(self, g: Geometry, source: Array, space: Array) -> Callable[[], None] | None:
        """Return the function that cuts one image (C, S) into phases in ``space``, None if none is needed."""
        if not self.phases:
            return None
        pairs = []
        flat = source.reshape(-1)
        for down, right, number, below, beside in self.phases:
            rows, cols = g.target.height + below, g.target.width + beside
            start = g.source.head + (down - g.padding[0]) * g.source.pitch + right - g.padding[1]
            strides = g.source.stride, g.stride[0] * g.source.pitch, g.stride[1]
            shape = g.channels, rows, cols
            taken = window(flat, start, shape, strides)
            place = window(space, number * g.channels * self.channel, shape, (self.channel, self.pitch, 1))
            pairs.append((place, taken))

        def load() -> None:
            for place, taken in pairs:
                place[...] = taken

        return load


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution with everything folded into it.

    Attributes
    ----------
    geometry : Geometry
    kernel : Kernel
        Which weights exist.
    weights : float32 array (M, C/G, R, S)
        Batch norm folded in; zero where no weight exists.
    bias : float32 array (M,)
    low, high : float
        The activation, as a clamp (-inf and inf for none).
    residual : bool
        Whether a second map is added before the activation.
    """

    geometry: Geometry
    kernel: Kernel
    weights: Array
    bias: Array
    low: float = -np.inf
    high: float = np.inf
    residual: bool = False
    operand: Operand = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operand", Operand.of(self.geometry))
