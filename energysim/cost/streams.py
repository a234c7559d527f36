"""Layers that only stream: pooling, addition, concatenation, softmax, normalisation.

Every needed input element is read from DRAM once and every output written once, through the
buffer (filled, read once, updated, drained). Windows that overlap are served from rows kept on
chip (assumed: a few rows of one channel always fit). Elementary operations run on as many lanes
as the array has multipliers (assumed).
"""

from __future__ import annotations

from fractions import Fraction

from energysim.cost.base import Access, LayerCost, Setting, charge, transfer_times
from energysim.cost.beside import spill
from energysim.cost.dram_commands import device_dram, idle_rows, streamed
from energysim.cost.storage import stored_operand
from energysim.units import ceil_div
from energysim.workload import StreamWorkload

__all__ = ["evaluate_stream"]


def evaluate_stream(work: StreamWorkload, setting: Setting) -> LayerCost:
    """Return the cost of a stream."""
    hw = setting.hardware
    dram, buffer = hw.dram, hw.buffer
    rows: list[Access] = []
    for number, (operand, count) in enumerate(zip(work.inputs, work.touched, strict=True), start=1):
        name = "inputs" if number == 1 else f"inputs_{number}"
        stored = stored_operand(operand, setting)
        bits, wide = count * stored.bits, count * stored.width
        rows += [
            charge(
                "dram", name, "read", count * stored.in_dram, bits, dram.read, dram.word_bits, stored.expected
            ),
            charge("buffer", name, "fill", count, wide, buffer.write, buffer.word_bits),
            charge("buffer", name, "read", count, wide, buffer.read, buffer.word_bits),
        ]
    if work.parameters:
        count = work.parameters if work.fetched is None else work.fetched
        wide = count * (work.extra.weight_bits or setting.weight_bits)
        rows += [
            charge("dram", "weights", "read", count, wide, dram.read, dram.word_bits),
            charge("buffer", "weights", "fill", count, wide, buffer.write, buffer.word_bits),
            charge("buffer", "weights", "read", count, wide, buffer.read, buffer.word_bits),
        ]
    for operand in work.outputs:
        stored, count = stored_operand(operand, setting), operand.elements
        bits, wide = count * stored.bits, count * stored.width
        rows += [
            charge(
                "dram",
                "outputs",
                "write",
                count * stored.in_dram,
                bits,
                dram.write,
                dram.word_bits,
                stored.expected,
            ),
            charge("buffer", "outputs", "update", count, wide, buffer.write, buffer.word_bits),
            charge("buffer", "outputs", "drain", count, wide, buffer.read, buffer.word_bits),
        ]
    if work.extra.gathers:
        count, width = work.extra.gathers, stored_operand(work.inputs[0], setting).width
        rows.append(charge("buffer", "inputs", "gather", count, count * width, buffer.read, buffer.word_bits))
    if work.extra.spilled:
        rows += spill(work.extra.spilled, stored_operand(work.inputs[0], setting).width, setting)
    if work.other_ops:
        rows.append(charge("vector", "", "compute", work.other_ops, 0, hw.vector_op))
    compulsory = sum(access.bits for access in rows if access.level == "dram")
    devices = device_dram(hw)
    moved = rows if devices is None else streamed(rows, devices)
    times = (("compute", ceil_div(work.other_ops, hw.array.macs_per_cycle)), *transfer_times(hw, moved))
    cycles = max(t for _, t in times)
    return LayerCost(
        dense_macs=0,
        macs=0,
        effective_macs=0,
        other_ops=work.other_ops,
        weight_bits=work.parameters * (work.extra.weight_bits or setting.weight_bits),
        side_bits=0,
        accesses=(*moved, *idle_rows(hw, cycles)),
        cycles=cycles,
        times=times,
        utilisation=Fraction(0),
        compulsory_bits=compulsory,
        dram_bound_bits=compulsory,
        gathers=work.extra.gathers,
    )
