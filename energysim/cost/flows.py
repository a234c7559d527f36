"""What passes between DRAM and the buffer: linear in what a mapping fetches.

Weights, inputs and partial sums that are read from DRAM fill the buffer; partial sums that leave
it are drained. Finished outputs are written in the form they are stored in (their drain is a count
of the layer). The tables of a storage format are read once and stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from energysim.cost.base import Access, charge
from energysim.cost.layer_counts import LayerCounts
from energysim.hardware import Constant, Hardware, MemoryLevel
from energysim.mapping import Fetches

__all__ = ["Flow", "flows"]


@dataclass(frozen=True)
class Flow:
    """One row of the table of accesses, before the mapping is known.

    ``once + per_pass * weight_passes + per_input * input_elements + per_spill * (output_visits - 1)``,
    each coefficient a pair of elements and bits.

    Attributes
    ----------
    level : MemoryLevel
    tensor, action : str
        As in :class:`energysim.cost.base.Access`.
    once, per_pass, per_input, per_spill : (int, int or Fraction)
    expected : bool
    """

    level: MemoryLevel
    tensor: str
    action: Literal["read", "write", "fill", "drain", "expand"]
    once: tuple[int, Fraction | int] = (0, 0)
    per_pass: tuple[int, Fraction | int] = (0, 0)
    per_input: tuple[Fraction | int, Fraction | int] = (0, 0)
    per_spill: tuple[int, Fraction | int] = (0, 0)
    expected: bool = False

    def at(self, moved: Fetches) -> Access:
        """The row of a mapping."""
        elements, bits = (
            self.once[i]
            + self.per_pass[i] * moved.weight_passes
            + self.per_input[i] * moved.input_elements
            + self.per_spill[i] * (moved.output_visits - 1)
            for i in (0, 1)
        )
        name, word = self.level.name, self.level.word_bits
        if self.action == "expand":  # operations, no bits
            return charge(name, self.tensor, self.action, elements, 0, self.energy)
        return charge(name, self.tensor, self.action, elements, bits, self.energy, word, self.expected)

    @property
    def energy(self) -> Constant:
        """Energy of a word."""
        return self.level.write if self.action in ("write", "fill") else self.level.read

    @property
    def bits(self) -> tuple[float, float, float, float]:
        """Bits once, per pass, per input and per spill, in float64."""
        return (
            float(self.once[1]),
            float(self.per_pass[1]),
            float(self.per_input[1]),
            float(self.per_spill[1]),
        )


def flows(layer: LayerCounts) -> tuple[Flow, ...]:
    """Return all that passes between DRAM and the buffer for one layer."""
    dram, buffer = layer.setting.hardware.dram, layer.setting.hardware.buffer
    weights, second, right = layer.weights, layer.second, layer.right
    # A computed right-hand side may lie in DRAM in another form than in the buffer.
    ratio = Fraction(1) if second is None else second.bits / second.width
    random = second is not None and second.expected
    outputs = layer.work.nest.output_elements
    sums = (outputs, outputs * layer.setting.accumulator_bits)
    zeros = sums if layer.setting.rules.first_read == "counted" else (0, 0)
    written = layer.work.outputs.elements
    held, lying = layer.held, layer.held_inputs
    passed = (held.elements, held.stream_bits)
    fetched, fetched_bits = weights.fetched
    read = (fetched, fetched_bits * ratio) if second is None or second.in_dram else (0, 0)
    again = lying.again
    filled = (again, again * lying.bits)
    stored = (again * int(layer.inputs.in_dram), again * layer.inputs.bits)
    random_inputs = layer.inputs.expected or lying.expected
    finished = (written * layer.outputs.in_dram, written * layer.outputs.bits)
    tables = weights.table_bits
    return (
        *_expansion(layer),
        Flow(dram, right, "read", once=(0, tables * ratio), per_pass=read, expected=random),
        Flow(dram, "inputs", "read", per_input=stored, expected=random_inputs),
        Flow(dram, "outputs", "write", once=finished, expected=layer.outputs.expected),
        Flow(dram, "partial_sums", "write", per_spill=sums),
        Flow(dram, "partial_sums", "read", once=zeros, per_spill=sums),
        Flow(buffer, right, "fill", once=(0, held.table_bits), per_pass=passed),
        Flow(buffer, "inputs", "fill", per_input=filled, expected=lying.expected),
        Flow(buffer, "partial_sums", "drain", per_spill=sums),
        Flow(buffer, "partial_sums", "fill", once=zeros, per_spill=sums),
    )


def _expansion(layer: LayerCounts) -> tuple[Flow, ...]:
    """The multiply-adds that make weights on chip, once with every pass over them."""
    if layer.second is not None or not layer.weights.made_on_chip or not layer.weights.expansion_macs:
        return ()
    macs = layer.weights.expansion_macs
    # As many bits as operations: a level of words of one bit prices each operation.
    return (Flow(_multipliers(layer.setting.hardware, layer), "weights", "expand", per_pass=(macs, macs)),)


def _multipliers(hardware: Hardware, layer: LayerCounts) -> MemoryLevel:
    """The multipliers as a level whose words are single operations."""
    energy = hardware.mac_energy(layer.weights.bits, layer.weights.bits)
    return MemoryLevel("mac", None, 1, energy, energy)
