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
from energysim.hardware import Constant, MemoryLevel
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
    action: Literal["read", "write", "fill", "drain"]
    once: tuple[int, Fraction | int] = (0, 0)
    per_pass: tuple[int, Fraction | int] = (0, 0)
    per_input: tuple[int, Fraction | int] = (0, 0)
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
    passed = (weights.elements, weights.stream_bits)
    read = (weights.elements, weights.stream_bits * ratio)
    width, stored = (1, layer.inputs.width), (1, layer.inputs.bits)
    finished = (written, written * layer.outputs.bits)
    tables = weights.table_bits
    return (
        Flow(dram, right, "read", once=(0, tables * ratio), per_pass=read, expected=random),
        Flow(dram, "inputs", "read", per_input=stored, expected=layer.inputs.expected),
        Flow(dram, "outputs", "write", once=finished, expected=layer.outputs.expected),
        Flow(dram, "partial_sums", "write", per_spill=sums),
        Flow(dram, "partial_sums", "read", once=zeros, per_spill=sums),
        Flow(buffer, right, "fill", once=(0, tables), per_pass=passed),
        Flow(buffer, "inputs", "fill", per_input=width),
        Flow(buffer, "partial_sums", "drain", per_spill=sums),
        Flow(buffer, "partial_sums", "fill", once=zeros, per_spill=sums),
    )
