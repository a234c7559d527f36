"""Hardware with round numbers, and small layers, for numbers derived by hand.

DRAM word 8 bit, read 100, write 200 pJ. Buffer word 8 bit, read 10, write 20 pJ. MAC 1 pJ. Registers
of 8 bit 0.1 and 0.2 pJ, of 32 bit 0.4 and 0.8 pJ (read, write). An elementary operation 3 pJ.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from energysim.cost import LayerCost, Setting
from energysim.hardware import Array, Constant, Hardware, RegisterAccesses, ZeroHandling, load_hardware
from energysim.kernels import DenseKernel, Kernel
from energysim.mapping import Rules
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

__all__ = ["conv", "hardware", "pj", "rows", "setting"]


def constant(value: str | int, unit: str = "pJ", path: str = "test") -> Constant:
    return Constant(Fraction(value), unit, "", "assumed", None, path=path)


def hardware(
    pixels: int = 1,
    filters: int = 1,
    products: int = 1,
    weights: str = "skip",
    activations: str = "none",
    registers: bool = False,
    **changes: Any,
) -> Hardware:
    base = load_hardware("teaching")
    memories = {
        "dram": replace(
            base.dram, word_bits=8, read=constant(100, path="d.read"), write=constant(200, path="d.write")
        ),
        "buffer": replace(
            base.buffer,
            word_bits=8,
            read=constant(10, path="b.read"),
            write=constant(20, path="b.write"),
            capacity_bits=None,
        ),
    }
    for name in memories:
        if f"{name}_bandwidth" in changes:
            rate = constant(changes.pop(f"{name}_bandwidth"), "bit/cycle")
            memories[name] = replace(memories[name], bandwidth=rate)
    return replace(
        base,
        **memories,
        mac=((8, constant(1, path="mac.8")),),
        register=(
            ((8, constant("0.1"), constant("0.2")), (32, constant("0.4"), constant("0.8")))
            if registers
            else ()
        ),
        register_accesses=RegisterAccesses(),
        vector_op=constant(3, path="vector_op"),
        array=Array(pixels, filters, products),
        weights=ZeroHandling(True, weights),  # type: ignore[arg-type]
        activations=ZeroHandling(False, activations),  # type: ignore[arg-type]
        **changes,
    )


def setting(hw: Hardware | None = None, **changes: Any) -> Setting:
    """Eight-bit operands, 32-bit sums."""
    values: dict[str, Any] = {"rules": Rules(), "objective": "energy"} | changes
    objective, rules = values.pop("objective"), values.pop("rules")
    return Setting(hw or hardware(), rules, objective, 8, 8, 32, **values)


def conv(
    filters: int,
    channels: int,
    rows: Axis,
    cols: Axis,
    kernel: Kernel | None = None,
    groups: int = 1,
    batch: int = 1,
    density: Fraction = Fraction(1),
    other_ops: int = 0,
) -> MacWorkload:
    shape = (groups * filters, channels, rows.window, cols.window)
    nest = LoopNest(batch, groups, filters, channels, rows, cols, kernel or DenseKernel(shape))
    return MacWorkload(
        nest,
        Operand((batch, groups * channels, rows.inputs, cols.inputs), None, density, density),
        Operand((batch, groups * filters, rows.outputs, cols.outputs)),
        other_ops=other_ops,
    )


def rows(cost: LayerCost) -> dict[str, tuple[int, int]]:
    """Elements and bits by ``level tensor action``."""
    found = {f"{a.level} {a.tensor} {a.action}": (a.elements, a.bits) for a in cost.accesses}
    assert len(found) == len(cost.accesses), "a row twice"
    return found


def pj(cost: LayerCost, name: str) -> Fraction:
    """Energy of a row [pJ]."""
    (row,) = (a for a in cost.accesses if f"{a.level} {a.tensor} {a.action}" == name)
    return Fraction(row.energy_aj, 10**6)
