"""What a layer moves besides the tensors of its loop nest: further operands, values that are spilled."""

from __future__ import annotations

from fractions import Fraction

from energysim.cost.base import Access, Setting, charge
from energysim.cost.storage import stored_operand
from energysim.units import ceil_fraction
from energysim.workload import MacWorkload

__all__ = ["beside_bits", "read_beside", "spill"]


def read_beside(work: MacWorkload, setting: Setting) -> list[Access]:
    """Return what it takes to read them: from DRAM into the buffer, and out of it once."""
    dram, buffer = setting.hardware.dram, setting.hardware.buffer
    rows: list[Access] = []
    for number, operand in enumerate(work.beside, start=2):
        name, count = f"inputs_{number}", operand.elements
        stored = stored_operand(operand, setting)
        bits, wide = count * stored.bits, count * stored.width
        rows += [
            charge("dram", name, "read", count, bits, dram.read, dram.word_bits, stored.expected),
            charge("buffer", name, "fill", count, wide, buffer.write, buffer.word_bits),
            charge("buffer", name, "read", count, wide, buffer.read, buffer.word_bits),
        ]
    return rows + spill(work.extra.spilled, stored_operand(work.inputs, setting).width, setting)


def spill(count: int, width: int, setting: Setting) -> list[Access]:
    """Return what it takes to write so many values of a width [bit] to DRAM and read them back."""
    if not count:
        return []
    dram, buffer = setting.hardware.dram, setting.hardware.buffer
    bits = count * width
    return [
        charge("buffer", "spilled", "drain", count, bits, buffer.read, buffer.word_bits),
        charge("dram", "spilled", "write", count, bits, dram.write, dram.word_bits),
        charge("dram", "spilled", "read", count, bits, dram.read, dram.word_bits),
        charge("buffer", "spilled", "fill", count, bits, buffer.write, buffer.word_bits),
    ]


def beside_bits(work: MacWorkload, setting: Setting) -> int:
    """Return their DRAM bits."""
    found = (operand.elements * stored_operand(operand, setting).bits for operand in work.beside)
    return sum(ceil_fraction(Fraction(bits)) for bits in found)
