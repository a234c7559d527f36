"""A validated specification becomes the plain `Hardware` of the core."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from energysim.hardware.core import (
    Array,
    Constant,
    Hardware,
    MemoryLevel,
    Partitions,
    RegisterAccesses,
    ZeroHandling,
)
from energysim.hardware.tables import capacity_text, chosen_row

if TYPE_CHECKING:
    from energysim.hardware.spec_model import ConstantPart, Level, Spec, Zeros

__all__ = ["build"]


def build(spec: Spec) -> Hardware:
    """Return the hardware of a specification that has been validated."""
    return _Builder(spec).hardware()


class _Builder:
    """Collects the constants in the order in which they are made, which is fixed."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.constants: list[Constant] = []

    def constant(self, part: ConstantPart, path: str, **changes: Any) -> Constant:
        source = self.spec.sources[part.source] if part.source is not None else None
        given: dict[str, Any] = {
            "value": part.value.value,
            "unit": part.value.unit,
            "source": source.citation if source else "",
            "kind": part.kind,
            "node_nm": part.node_nm or (source.node_nm if source else None),
            "note": part.note,
        }
        made = Constant(**(given | changes), path=path)
        self.constants.append(made)
        return made

    def hardware(self) -> Hardware:
        spec = self.spec
        clock = self.constant(spec.clock, "clock").value
        dram = self.level(spec.levels.dram, "dram", clock)
        buffer = self.level(spec.levels.buffer, "buffer", clock)
        mac = tuple((w, self.constant(part, f"mac.{w}")) for w, part in sorted(spec.mac.items()))
        register = tuple(
            (
                w,
                self.constant(row.read, f"registers.{w}.read"),
                self.constant(row.write, f"registers.{w}.write"),
            )
            for w, row in sorted(spec.registers.items())
        )
        vector_op = self.constant(spec.vector_op, "vector_op")
        lanes = tuple(
            self.constant(getattr(spec.array, name), f"array.{name}")
            for name in ("pixels", "filters", "products")
        )
        return Hardware(
            name=spec.name,
            description=spec.description,
            cost_model=spec.cost_model,
            node_nm=spec.node_nm,
            clock_hz=clock,
            weight_bits=spec.bits.weights,
            activation_bits=spec.bits.activations,
            accumulator_bits=spec.bits.accumulators,
            dram=dram,
            buffer=buffer,
            mac=mac,
            register=register,
            register_accesses=RegisterAccesses(**dict(spec.register_accesses)),
            vector_op=vector_op,
            array=Array(*(int(lane.value) for lane in lanes), constants=lanes),
            weights=_zeros(spec.zeros.weights),
            activations=_zeros(spec.zeros.activations),
            rules=tuple(sorted(spec.rules.items())),
            constants=tuple(self.constants),
        )

    def level(self, part: Level, name: str, clock_hz: Fraction) -> MemoryLevel:
        path = f"levels.{name}"
        capacity = None
        if part.capacity is not None:
            capacity = int(self.constant(part.capacity, f"{path}.capacity").value)
        read, write = self.energies(part, path, capacity)
        partitions = None
        if part.partitions is not None:
            given = part.partitions
            partitions = Partitions(
                *(int(size.value) for size in (given.weights, given.inputs, given.outputs))
            )
        return MemoryLevel(
            name=name,
            capacity_bits=capacity,
            word_bits=part.word_bits,
            read=read,
            write=write,
            bandwidth=self.bandwidth(part, path, clock_hz),
            partitions=partitions,
            double_buffered=part.double_buffered,
        )

    def energies(self, part: Level, path: str, capacity: int | None) -> tuple[Constant, Constant]:
        """Return read and write energy: as given, else from the table row that holds the capacity."""
        if part.read is not None and part.write is not None:
            return self.constant(part.read, f"{path}.read"), self.constant(part.write, f"{path}.write")
        if part.energy_table is None or capacity is None:
            raise AssertionError("the models let no such level through")
        sizes = [int(row.capacity.value) for row in part.energy_table]
        index = chosen_row(capacity, sizes)
        row, size = part.energy_table[index], sizes[index]
        made = []
        for action, energy in (("read", row.read), ("write", row.write)):
            changes = {}
            if size != capacity:
                bound = f"the row of {capacity_text(size)}, the next larger one: an upper bound"
                note = f"{bound}; {energy.note}" if energy.note else bound
                changes = {"kind": "assumed" if energy.kind == "assumed" else "derived", "note": note}
            made.append(self.constant(energy, f"{path}.{action}", **changes))
        return made[0], made[1]

    def bandwidth(self, part: Level, path: str, clock_hz: Fraction) -> Constant | None:
        """Return the bandwidth per cycle; one given per second is divided by the clock."""
        if part.bandwidth is None:
            return None
        value, unit = part.bandwidth.value.value, part.bandwidth.value.unit
        per_cycle = value / clock_hz if unit == "bit/s" else value
        return self.constant(part.bandwidth, f"{path}.bandwidth", value=per_cycle, unit="bit/cycle")


def _zeros(part: Zeros) -> ZeroHandling:
    return ZeroHandling(part.stored_compressed, part.compute, part.format)
