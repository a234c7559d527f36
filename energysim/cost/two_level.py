"""The cost model ``two-level``: DRAM, one buffer, an array of multipliers. Checkable by hand.

DRAM and buffer fills follow from the mapping (:mod:`energysim.mapping`); the rest from the layer:

* a stored weight leaves the buffer once per group of ``pixels`` output positions (batch included);
* an input leaves it once per position, (channel, tap) row and group of ``filters`` filters that
  hold a weight for that row;
* an output's accumulator is written once per ``products`` products of its sum and read each time
  but the first; cutting the sums by a C tile adds a drain and a fill, no update;
* one cycle multiplies one row of up to ``filters`` filters with up to ``pixels`` positions, and
  the time of a layer is the largest of compute, DRAM transfer and buffer transfer.

``pixels``, ``filters`` and ``products`` are the ``array`` of the hardware; with all three at one,
every multiply-add reads the buffer itself, as in the two-level cases of Timeloop (Parashar et al.,
ISPASS 2019). The reuse of operands in rows follows the loop-unrolling model of Ma et al., IEEE
TVLSI 26(7), 2018 (weights shared by the unrolled pixels, inputs by the unrolled filters).

Activation zeros that the hardware gates cost no multiplication and no register access but the
reading of the input; those it skips cost no cycle either.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from energysim.cost.base import Access, LayerCost, Setting, charge
from energysim.cost.storage import StoredWeights, stored_bits
from energysim.cost.streams import evaluate_stream
from energysim.errors import CapacityError
from energysim.kernels import DenseKernel, Kernel
from energysim.mapping import Choice, Fetches, Goal, Linear, Room, search
from energysim.units import KIB, ceil_div, ceil_fraction
from energysim.workload import MacWorkload, Workload

__all__ = ["TwoLevel"]


class TwoLevel:
    """DRAM + one buffer + an array: the whole space of tilings is searched."""

    description = "DRAM, one buffer, a multiplier array; proven-best tiling, checkable by hand"

    def evaluate(self, segment: tuple[Workload, ...], setting: Setting) -> tuple[LayerCost, ...]:
        """Return the cost of each workload; see :class:`energysim.cost.base.CostModel`."""
        return tuple(
            _Layer(work, setting).cost() if isinstance(work, MacWorkload) else evaluate_stream(work, setting)
            for work in segment
        )


@dataclass(frozen=True)
class _Layer:
    """One loop nest on one piece of hardware: everything a mapping's cost is made of."""

    work: MacWorkload
    setting: Setting

    @cached_property
    def weights(self) -> StoredWeights:
        second = self.work.second
        bits = self.setting.weight_bits
        if second is not None:
            bits = second.bits or self.setting.activation_bits
        return StoredWeights(self.work.nest.kernel, bits, self.setting)

    @cached_property
    def second_ratio(self) -> Fraction:
        """DRAM bits per stored bit of the weights' place: below 1 for a compressed second operand."""
        second = self.work.second
        return Fraction(1) if second is None else stored_bits(second, self.setting) / self.weights.bits

    @cached_property
    def input_bits(self) -> int:
        return self.work.inputs.bits or self.setting.activation_bits

    @cached_property
    def stored_input(self) -> Fraction:
        return stored_bits(self.work.inputs, self.setting)

    @cached_property
    def stored_output(self) -> Fraction:
        return stored_bits(self.work.outputs, self.setting)

    @cached_property
    def executed(self) -> Kernel:
        """The kernel whose rows the array walks: the dense one unless it skips weight zeros."""
        kernel = self.work.nest.kernel
        return kernel if self.setting.hardware.weights.compute == "skip" else DenseKernel(kernel.shape)

    @cached_property
    def density(self) -> Fraction:
        """Share of products whose activations the hardware does not leave out."""
        operands = [self.work.inputs] + ([self.work.second] if self.work.second else [])
        result = Fraction(1)
        if self.setting.hardware.activations.compute != "none":
            for operand in operands:
                result *= operand.density
        return result

    @cached_property
    def effective_macs(self) -> int:
        nest = self.work.nest
        saved = self.setting.hardware.weights.compute != "none"
        return ceil_fraction((nest.macs if saved else nest.dense_macs) * self.density)

    @cached_property
    def compute_cycles(self) -> int:
        nest, array = self.work.nest, self.setting.hardware.array
        rows = sum(
            n * ceil_div(used, array.filters) for used, n in self.executed.filters_per_row(nest.groups)
        )
        cycles = ceil_div(nest.positions, array.pixels) * rows
        skips = self.setting.hardware.activations.compute == "skip"
        return ceil_fraction(cycles * self.density) if skips else cycles

    @cached_property
    def fixed(self) -> tuple[Access, ...]:
        """The accesses that no mapping changes: array, registers, operand reads of the buffer."""
        hw, nest, work = self.setting.hardware, self.work.nest, self.work
        word, level = hw.buffer.word_bits, "buffer"
        random = self.density != 1
        acc, right = self.setting.accumulator_bits, "weights" if work.second is None else "inputs_2"
        groups = ceil_div(nest.positions, hw.array.pixels)
        input_reads = nest.positions * sum(
            n * ceil_div(used, hw.array.filters) for used, n in self.executed.filters_per_row(nest.groups)
        )
        outputs = nest.output_elements
        if nest.rows.transposed:
            updates = ceil_div(nest.macs, hw.array.products)
        else:
            sums = sum(
                n * ceil_div(size, hw.array.products) for size, n in self.executed.weights_per_filter()
            )
            updates = nest.positions * sums
        updates = max(updates, outputs)
        reads = updates - (outputs if self.setting.rules.first_read == "elided" else 0)
        weight_reads = groups * self.weights.elements
        found = [
            charge(
                level, right, "read", weight_reads, groups * self.weights.stream_bits, hw.buffer.read, word
            ),
            charge(level, "inputs", "read", input_reads, input_reads * self.input_bits, hw.buffer.read, word),
            charge(level, "partial_sums", "update", updates, updates * acc, hw.buffer.write, word),
            charge(level, "partial_sums", "read", reads, reads * acc, hw.buffer.read, word),
        ]
        if self.setting.rules.drain == "counted":
            found.append(charge(level, "outputs", "drain", outputs, outputs * acc, hw.buffer.read, word))
        macs, every = self.effective_macs, nest.macs if hw.weights.compute != "none" else nest.dense_macs
        mac = hw.mac_energy(self.weights.bits, self.input_bits)
        found.append(charge("mac", "", "compute", macs, 0, mac, expected=random))
        if hw.register:
            use = hw.register_accesses
            for tensor, action, count, bits, random_row in (
                (right, "read", use.weight_reads * macs, self.weights.bits, random),
                ("inputs", "read", use.input_reads * every, self.input_bits, False),
                ("partial_sums", "read", use.psum_reads * macs, acc, random),
                ("partial_sums", "update", use.psum_writes * macs, acc, random),
            ):
                energy = hw.register_energy(bits)[action == "update"]
                found.append(
                    charge("register", tensor, action, count, count * bits, energy, expected=random_row)
                )
        if work.other_ops:
            found.append(charge("vector", "", "compute", work.other_ops, 0, hw.vector_op))
        return tuple(found)

    def moved(self, fetched: Fetches) -> tuple[Access, ...]:
        """The accesses of a mapping: DRAM, and the fills and drains of the buffer that go with it."""
        hw, nest, acc = self.setting.hardware, self.work.nest, self.setting.accumulator_bits
        right = "weights" if self.work.second is None else "inputs_2"
        dram, buffer = hw.dram, hw.buffer
        weight_bits = fetched.weight_passes * self.weights.stream_bits + self.weights.table_bits
        weight_count = fetched.weight_passes * self.weights.elements
        inputs, outputs = fetched.input_elements, nest.output_elements
        spilled = (fetched.output_visits - 1) * outputs
        returned = spilled + (outputs if self.setting.rules.first_read == "counted" else 0)
        random_in = self.work.inputs.stored_density != 1 and self.stored_input != self.input_bits
        random_out = self.work.outputs.stored_density != 1
        rows = [
            charge(
                "dram",
                right,
                "read",
                weight_count,
                weight_bits * self.second_ratio,
                dram.read,
                dram.word_bits,
            ),
            charge(
                "dram",
                "inputs",
                "read",
                inputs,
                inputs * self.stored_input,
                dram.read,
                dram.word_bits,
                random_in,
            ),
            charge(
                "dram",
                "outputs",
                "write",
                self.work.outputs.elements,
                self.work.outputs.elements * self.stored_output,
                dram.write,
                dram.word_bits,
                random_out,
            ),
            charge("buffer", right, "fill", weight_count, weight_bits, buffer.write, buffer.word_bits),
            charge(
                "buffer", "inputs", "fill", inputs, inputs * self.input_bits, buffer.write, buffer.word_bits
            ),
        ]
        if spilled:
            rows += [
                charge("dram", "partial_sums", "write", spilled, spilled * acc, dram.write, dram.word_bits),
                charge(
                    "buffer", "partial_sums", "drain", spilled, spilled * acc, buffer.read, buffer.word_bits
                ),
            ]
        if returned:
            rows += [
                charge("dram", "partial_sums", "read", returned, returned * acc, dram.read, dram.word_bits),
                charge(
                    "buffer", "partial_sums", "fill", returned, returned * acc, buffer.write, buffer.word_bits
                ),
            ]
        return tuple(rows)

    def times(self, accesses: tuple[Access, ...]) -> tuple[tuple[str, int], ...]:
        """Cycles of compute and of each memory that has a bandwidth."""
        found = [("compute", self.compute_cycles)]
        for level in (self.setting.hardware.dram, self.setting.hardware.buffer):
            if level.bandwidth is not None:
                bits = sum(access.bits for access in accesses if access.level == level.name)
                found.append((level.name, ceil_fraction(bits / level.bandwidth.value)))
        return tuple(found)

    def exact(self, fetched: Fetches) -> tuple[int, ...]:
        """The exact numbers by which mappings are compared, for the objective of the setting."""
        moved = self.moved(fetched)
        energy = sum(a.energy_aj for a in moved) + self.fixed_energy
        dram = sum(a.bits for a in moved if a.level == "dram")
        cycles = max(t for _, t in self.times(self.fixed + moved))
        return {
            "energy": (energy, dram, cycles),
            "dram": (dram, energy, cycles),
            "delay": (cycles, energy, dram),
            "edp": (energy * cycles, energy, dram),
        }[self.setting.objective]

    @cached_property
    def fixed_energy(self) -> int:
        return sum(a.energy_aj for a in self.fixed)

    def goal(self) -> Goal:
        """The objective for the search: linear terms in float64, exact numbers for the last word."""
        hw, acc = self.setting.hardware, self.setting.accumulator_bits
        stream, outputs = float(self.weights.stream_bits), float(self.work.nest.output_elements)
        w_ratio, stored = float(self.second_ratio), float(self.stored_input)

        def linear(read: float, write: float, fill: float, drain: float, constant: float) -> Linear:
            """Cost per bit of DRAM reads and writes, buffer fills and drains."""
            return Linear(
                constant,
                stream * (w_ratio * read + fill),
                stored * read + self.input_bits * fill,
                outputs * acc * (read + write + fill + drain),
            )

        def per_bit(level: Any, action: str) -> float:
            return float(getattr(level, action).energy_aj) / float(level.word_bits)

        once = self.moved(Fetches(0, 0, 1))
        energy = linear(
            per_bit(hw.dram, "read"),
            per_bit(hw.dram, "write"),
            per_bit(hw.buffer, "write"),
            per_bit(hw.buffer, "read"),
            float(self.fixed_energy + sum(a.energy_aj for a in once)),
        )
        energy = Linear(
            energy.constant - energy.per_visit, energy.per_pass, energy.per_input, energy.per_visit
        )

        def transfer(name: str, read: float, fill: float) -> Linear:
            level = getattr(hw, name)
            scale = 1 / float(level.bandwidth.value)
            rows = self.fixed + once
            base = float(sum(a.bits for a in rows if a.level == name)) * scale
            term = linear(read * scale, read * scale, fill * scale, fill * scale, base)
            return Linear(term.constant - term.per_visit, term.per_pass, term.per_input, term.per_visit)

        if self.setting.objective == "energy":
            return Goal((energy,), lambda terms: terms[0], self.exact)
        if self.setting.objective == "dram":
            bits = float(sum(a.bits for a in once if a.level == "dram"))
            term = linear(1.0, 1.0, 0.0, 0.0, bits)
            term = Linear(term.constant - term.per_visit, term.per_pass, term.per_input, term.per_visit)
            return Goal((term,), lambda terms: terms[0], self.exact)
        transfers = [
            transfer(name, read, fill)
            for name, read, fill in (("dram", 1.0, 0.0), ("buffer", 0.0, 1.0))
            if getattr(hw, name).bandwidth is not None
        ]
        compute = float(self.compute_cycles)

        def delay(terms: list[Any]) -> Any:
            longest: Any = compute
            for term in terms:
                longest = np.maximum(term, longest)
            return longest

        if self.setting.objective == "delay":
            return Goal((*transfers, energy), lambda terms: delay(terms[:-1]) + 0 * terms[-1], self.exact)
        return Goal((*transfers, energy), lambda terms: delay(terms[:-1]) * terms[-1], self.exact)

    def room(self) -> Room:
        """What must fit into the buffer."""
        buffer = self.setting.hardware.buffer
        parts = buffer.partitions
        capacity = buffer.capacity_bits
        if capacity is None:
            capacity = 1 << 62
        return Room(
            capacity,
            None if parts is None else (parts.weights, parts.inputs, parts.outputs),
            self.weights.table_bits,
            self.weights.tile_bits,
            self.input_bits,
            self.setting.accumulator_bits,
        )

    def cost(self) -> LayerCost:
        """The cost of the best mapping."""
        nest, work = self.work.nest, self.work
        choice = search(nest, self.setting.rules, self.room(), self.goal())
        if choice.tiling is None or choice.moved is None:
            raise CapacityError(self._misfit(choice))
        accesses = self.fixed + self.moved(choice.moved)
        times = self.times(accesses)
        compulsory = (
            ceil_fraction(self.weights.size.total_bits * self.second_ratio)
            + ceil_fraction(nest.touched_inputs * self.stored_input)
            + ceil_fraction(work.outputs.elements * self.stored_output)
        )
        tiles = " ".join(f"{d}{n}" for d, n in choice.tiling.tiles(nest).items())
        stored = work.second is None
        useful = nest.macs if self.setting.hardware.weights.compute == "skip" else nest.dense_macs
        busy = self.compute_cycles * self.setting.hardware.array.macs_per_cycle
        return LayerCost(
            nest.dense_macs,
            nest.macs,
            self.effective_macs,
            work.other_ops,
            self.weights.size.value_bits if stored else 0,
            self.weights.size.side_bits if stored else 0,
            accesses,
            max(t for _, t in times),
            times,
            Fraction(useful, busy) if busy else Fraction(0),
            compulsory,
            f"tile {tiles}, loops {choice.tiling.order}",
            choice.mappings,
        )

    def _misfit(self, choice: Choice) -> str:
        buffer, parts = self.setting.hardware.buffer, self.setting.hardware.buffer.partitions
        names = ("weights", "inputs", "outputs")
        if parts is None:
            need = sum(choice.smallest)
            shown = ", ".join(f"{n} {b} bit" for n, b in zip(names, choice.smallest, strict=True))
            return (
                f"no tile fits the buffer of {(buffer.capacity_bits or 0) / 8 / KIB:g} KiB; the smallest "
                f"takes {need} bit ({shown}): a buffer of {ceil_div(need, 8)} B would do"
            )
        short = [
            f"{n} need {ceil_div(b, 8)} B and have {have / 8:g} B"
            for n, b, have in zip(
                names, choice.smallest, (parts.weights, parts.inputs, parts.outputs), strict=True
            )
            if b > have
        ]
        return f"no tile fits the split buffer: {'; '.join(short)}"
