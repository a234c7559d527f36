"""How levels on chip hold the inputs of a layer: plain, or compressed with room for the tail.

Where zeros are random, traffic is that of the mean: every element takes its share of the bits that the
whole tensor is expected to take. Room is that of the tail: a tile gets what the fullest of as many tiles
as the hardware states would take (:mod:`energysim.occupancy`), but no more than plain values would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from energysim.cost.base import Setting
from energysim.cost.storage import as_matrix, formatted_bits, stored_operand
from energysim.formats import get_format
from energysim.formats.layout import iid_layout
from energysim.kernels import IntArray
from energysim.occupancy import reserved
from energysim.units import ceil_fraction
from energysim.workload import Operand

__all__ = ["HeldInputs", "held_inputs"]


@dataclass(frozen=True)
class HeldInputs:
    """A computed tensor as a level on chip holds it.

    Attributes
    ----------
    operand : Operand
    width : int
        Bits of a plain element.
    bits : Fraction
        Bits of an element here, on average.
    format : str or None
        None: plain.
    tail : int or None
        One tile in so many may have more nonzeros than it has room for; None: none.
    again : Fraction
        How often a tile is fetched for each time that it is needed.
    """

    operand: Operand
    width: int
    bits: Fraction
    format: str | None = None
    tail: int | None = None
    again: Fraction = Fraction(1)

    @property
    def expected(self) -> bool:
        """Whether ``bits`` is an expectation."""
        return self.format is not None and self.operand.stored_density not in (0, 1)

    def room(self, elements: IntArray, planes: IntArray) -> IntArray:
        """Return the bits that tiles get.

        Parameters
        ----------
        elements, planes : int64 arrays
            Positions of each tile, and of how many images and channels they are.
        """
        plain: IntArray = elements * self.width
        if self.format is None:
            return plain
        whole, density = self.operand.elements, self.operand.stored_density
        kept = ceil_fraction(whole * density)
        most = reserved(whole, kept, np.minimum(elements, whole), self.tail)
        layout = iid_layout(as_matrix(self.operand), density)
        form = get_format(self.format)
        found = form.tile_bits(most, elements, elements, self.width, layout, planes)
        return np.minimum(found, plain)


def held_inputs(operand: Operand, setting: Setting, number: int, inner: Sequence[str]) -> HeldInputs:
    """Return how a level on chip holds a computed tensor.

    Plain values are held where they take no more bits (as the encoder of DRAM is bypassed), and of
    tensors that have a form of their own in DRAM.

    Parameters
    ----------
    operand : Operand
    setting : Setting
    number : int
        Of the level, among those inside DRAM.
    inner : sequence of str
        The names of these, outermost first.
    """
    own = setting.hardware.activations
    width = stored_operand(operand, setting).width
    plain = HeldInputs(operand, width, Fraction(width))
    placed = own.decompressed_at
    if not own.stored_compressed or placed is None or placed in inner[: number + 1]:
        return plain
    if operand.packed is not None or operand.elements == 0:
        return plain
    stated = dict(own.formats)
    names = [stated[name] for name in inner[: number + 1] if name in stated]
    name = names[-1] if names else setting.activation_format or own.format
    assert name is not None
    bits = formatted_bits(operand, name, width)
    if bits >= width:
        return plain
    reserve = setting.hardware.reserve
    tail = None if reserve is None else reserve.tail
    again = Fraction(1)
    if reserve is not None and tail is not None and reserve.overflow == "refetched":
        random = operand.stored_density not in (0, 1)
        again += Fraction(1, tail) if random else 0
    return HeldInputs(operand, width, bits, name, tail, again)
