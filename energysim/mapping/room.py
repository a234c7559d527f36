"""What the tiles of a mapping take in the buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.axes import tile_inputs
from energysim.mapping.nest import Tiling
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Room", "copies", "footprint", "smallest_footprint"]


@dataclass(frozen=True)
class Room:
    """What must fit, in bits.

    Attributes
    ----------
    capacity : int or None
        Of a buffer shared by all tensors; None: unbounded. Not used if there are ``parts``.
    parts : (int, int, int) or None
        Capacities for weights, inputs and outputs of a split buffer.
    resident : int
        Side tables that stay in the buffer, once, counted with the weights.
    weight_bits : callable
        (filters, channels of a tile as int64 arrays) -> bits that the fullest such tile takes, at
        any position of the tensor. Must not decrease with either.
    input_bits, output_bits : int
        Bits of an input element and of an accumulator in the buffer.
    weight_range : callable, optional
        The arguments of ``weight_bits`` -> two arrays between which it lies, found quickly.
    input_room : callable, optional
        (elements of an input tile, images times channels of it as int64 arrays) -> its bits, where
        they are not ``input_bits`` each but fewer. Must not decrease with either.
    """

    capacity: int | None
    parts: tuple[int, int, int] | None
    resident: int
    weight_bits: Callable[[IntArray, IntArray], IntArray]
    input_bits: int
    output_bits: int
    weight_range: Callable[[IntArray, IntArray], tuple[IntArray, IntArray]] | None = None
    input_room: Callable[[IntArray, IntArray], IntArray] | None = None

    def inputs(self, elements: IntArray, planes: IntArray) -> IntArray:
        """Bits that input tiles take."""
        return elements * self.input_bits if self.input_room is None else self.input_room(elements, planes)

    def holds(self, needs: tuple[int, int, int]) -> bool:
        """Whether weights, inputs and outputs of so many bits fit."""
        if self.parts is not None:
            return all(need <= part for need, part in zip(needs, self.parts, strict=True))
        return self.capacity is None or sum(needs) <= self.capacity


def copies(rules: Rules) -> int:
    """Return how many tiles of each tensor are held at a time."""
    return 2 if rules.double_buffering == "yes" else 1


def footprint(nest: LoopNest, tiling: Tiling, rules: Rules, room: Room) -> tuple[int, int, int]:
    """Return the bits that the largest tiles of weights, inputs and outputs take."""
    n, m, c, p, q = tiling.tiles
    rows, cols = (
        int(tile_inputs(axis, np.array([tile]), rules).largest[0])
        for axis, tile in ((nest.rows, p), (nest.cols, q))
    )
    weights = int(room.weight_bits(np.array([m]), np.array([c]))[0])
    held = copies(rules)
    return (
        held * weights + room.resident,
        held * int(room.inputs(np.array([n * c * rows * cols]), np.array([n * c]))[0]),
        held * room.output_bits * n * m * p * q,
    )


def smallest_footprint(nest: LoopNest, rules: Rules, room: Room) -> tuple[int, int, int]:
    """Return what tiles of one output of one channel take: no mapping does with less of anything."""
    return footprint(nest, Tiling((1, 1, 1, 1, 1), "NMCPQ"), rules, room)
