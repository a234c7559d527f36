"""How each level of a hierarchy holds weights and inputs, and which of its accesses zeros spare.

Values are decompressed where they enter a level, behind the axes outside it: what passes an axis has the
form of the next level outside. It depends on the place alone, not on which levels a mapping lets a
tensor bypass.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from energysim.cost.base import Setting
from energysim.cost.held import HeldInputs, held_inputs
from energysim.cost.storage import StoredWeights
from energysim.hardware.hierarchy import Hierarchy, TemporalLevel
from energysim.mapping.hierarchy.held import ALIKE, Held
from energysim.workload import MacWorkload

__all__ = ["Forms"]


@dataclass(frozen=True)
class Forms:
    """The tensors of one layer in the levels of one hierarchy.

    Attributes
    ----------
    work : MacWorkload
    setting : Setting
    hierarchy : Hierarchy
    stored : StoredWeights
        The weights in DRAM.
    """

    work: MacWorkload
    setting: Setting
    hierarchy: Hierarchy
    stored: StoredWeights

    @cached_property
    def _inner(self) -> list[str]:
        return [level.name for level in self.hierarchy.levels[1:]]

    @cached_property
    def _levels(self) -> tuple[int, ...]:
        """Number of the level that each node is, or lies below; the outermost is 0."""
        found, last = [], -1
        for node in self.hierarchy.nodes:
            last += isinstance(node, TemporalLevel)
            found.append(last)
        return tuple(found)

    @cached_property
    def weights(self) -> tuple[StoredWeights, ...]:
        """The weights at each level or axis."""
        each = [self.stored, *(self.stored.at(n, self._inner) for n in range(len(self._inner)))]
        return tuple(each[number] for number in self._levels)

    @cached_property
    def inputs(self) -> tuple[HeldInputs, ...]:
        """The inputs at each level or axis; outside the first level on chip they are as in it."""
        names = self._inner
        each = [held_inputs(self.work.inputs, self.setting, n, names) for n in range(len(names))]
        return tuple(each[max(0, number - 1)] for number in self._levels)

    def value_bits(self, place: int) -> Fraction:
        """Bits of each weight that is stored at a place, indices included."""
        form = self.weights[place]
        return Fraction(form.stream_bits, max(1, form.elements))

    def again(self, place: int) -> Fraction:
        """How often input tiles of a level are fetched for each time that they are needed."""
        return self.inputs[place].again

    @cached_property
    def held(self) -> Held:
        """What the mapping has to know: where levels do not hold tensors alike."""
        nodes, nonzeros = self.hierarchy.nodes, self.work.nest.kernel.nonzeros
        inside = [p for p, node in enumerate(nodes) if p and isinstance(node, TemporalLevel)]
        weights = {}
        for place in inside:
            form = self.weights[place]
            if form is not self.stored or form.elements not in (nonzeros, self._all):
                plain = form.elements == self._all
                share = self.value_bits(place) if plain else Fraction(form.stream_bits, max(1, nonzeros))
                weights[place] = not plain, share
        values = tuple(form.elements for form in self.weights)
        inputs = {place: self.inputs[place].room for place in inside if self.inputs[place].format}
        again = {place: self.again(place) for place in inputs if self.again(place) != 1}
        alike = not (weights or inputs) and len(set(values)) == 1
        return ALIKE if alike and values[0] == self._moved else Held(weights, values, inputs, again)

    @property
    def _moved(self) -> int:
        """Values of the weights if a walk is told no more than whether those that exist are stored alone."""
        kernel = self.work.nest.kernel
        return kernel.nonzeros if self.stored.elements == kernel.nonzeros else self._all

    @property
    def _all(self) -> int:
        m, c, r, s = self.work.nest.kernel.shape
        return m * c * r * s

    def bits_per_moved(self, place: int) -> Fraction:
        """Bits at a place for each weight that the search moves."""
        return Fraction(self.weights[place].stream_bits, max(1, self._moved))

    def made(self, name: str, tensor: str) -> Fraction:
        """Share of the accesses of a level for and from the multipliers that zeros do not spare."""
        hardware, found = self.setting.hardware, Fraction(1)
        if tensor != "inputs" and name in hardware.activations.spared:
            found *= self.work.inputs.density
            if tensor == "outputs" and self.work.second is not None:
                found *= self.work.second.density
        if tensor != "weights" and name in hardware.weights.spared:
            found *= Fraction(self.work.nest.kernel.nonzeros, self._all)
        return found

    def random(self, name: str, tensor: str) -> bool:
        """Whether that share is an expectation."""
        own = self.setting.hardware.activations
        return tensor != "inputs" and name in own.spared and self.made(name, tensor) not in (0, 1)

    def fed(self) -> dict[tuple[str, str], float]:
        """What words of multipliers cost at levels and axes, as shares of the price of other words."""
        found = {}
        for place, node in enumerate(self.hierarchy.nodes):
            for tensor in ("weights", "inputs", "outputs"):
                share = self.made(node.name, tensor) if isinstance(node, TemporalLevel) else Fraction(1)
                if tensor == "weights":  # one value each, not as many as there are for a weight moved
                    share *= Fraction(self._moved, max(1, self.weights[place].elements))
                if share != 1:
                    found[node.name, tensor] = float(share)
        return found
