"""A transposed convolution as ordinary convolutions, one after the other.

An output o of a transposed axis meets input i under tap k where ``o = i*stride + k*dilation - before``.
So the outputs of one *phase*, those with the same remainder of o by the stride, meet the same taps,
and an input one further on for an output one stride further on: a convolution of stride 1 with some of
the taps, last tap first (Shi et al., "Is the deconvolution layer the same as a convolutional layer?",
arXiv 1609.07009, 2016). Phases whose windows lie on the same inputs are filters of one convolution.

Every product of an input and a tap that falls on the output map is made once; what falls beside it is
not made; windows beyond the edge of the input meet padding, as those of any convolution do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from energysim.kernels import DenseKernel
from energysim.windows import Axis
from energysim.workload import LoopNest

__all__ = ["Phase", "phases"]


@dataclass(frozen=True)
class Phase:
    """Some outputs of a transposed convolution.

    Attributes
    ----------
    rows, cols : tuple of int
        Remainders of their row and of their column by the stride.
    outputs : int
        How many there are, for the whole batch.
    weights : int
        Weights that they meet.
    nest : LoopNest or None
        The convolution that makes them; its filters are those of all remainders, one set behind the
        other. None: they meet no input.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    outputs: int
    weights: int
    nest: LoopNest | None

    def __str__(self) -> str:
        return f"rows {_numbers(self.rows)} columns {_numbers(self.cols)}"


def _numbers(remainders: tuple[int, ...]) -> str:
    return "+".join(map(str, remainders))


def phases(nest: LoopNest) -> tuple[Phase, ...]:
    """Return all phases of a transposed convolution with a dense kernel, those of the first outputs first."""
    found = []
    for (rows, down), (cols, across) in product(_axis(nest.rows), _axis(nest.cols)):
        filters = nest.filters * len(rows) * len(cols)
        outputs = nest.batch * nest.groups * filters * down.outputs * across.outputs
        part = None
        if down.window and across.window:
            shape = (nest.groups * filters, nest.channels, down.window, across.window)
            part = replace(nest, filters=filters, rows=down, cols=across, kernel=DenseKernel(shape))
        weights = part.kernel.nonzeros if part else 0
        found.append(Phase(rows, cols, outputs, weights, part))
    return tuple(found)


def _axis(axis: Axis) -> list[tuple[tuple[int, ...], Axis]]:
    """Remainders that have the same windows, with an axis of stride 1 (of no window if there are none)."""
    found: dict[Axis, list[int]] = {}
    for remainder in range(min(axis.stride, axis.outputs)):
        outputs = len(range(remainder, axis.outputs, axis.stride))
        at = [remainder + axis.before - k * axis.dilation for k in range(axis.window)]
        # Inputs that the first of these outputs meets, ascending; beyond the map they are padding.
        inputs = sorted(i // axis.stride for i in at if i % axis.stride == 0)
        meets = [i for i in inputs if i < axis.inputs and i + outputs > 0]
        found.setdefault(_ordinary(meets, outputs, axis.inputs), []).append(remainder)
    return [(tuple(remainders), part) for part, remainders in found.items()]


def _ordinary(meets: list[int], outputs: int, inputs: int) -> Axis:
    """The axis whose first output meets some equally distant inputs."""
    if not meets:
        return Axis(outputs, inputs, 0)
    distance = meets[1] - meets[0] if len(meets) > 1 else 1
    skipped = max(meets[0], 0)  # inputs that no output of the phase meets
    return Axis(outputs, inputs - skipped, len(meets), 1, distance, max(-meets[0], 0))
