"""Energy, DRAM bits and cycles of a layer from counts of elements, written a second time.

It shares no code with ``energysim.cost``: the array's work is counted on the mask, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import ceil
from typing import Any

from .brute_force import Counts, Tiles

__all__ = ["IndependentCost", "ranking"]


class IndependentCost:
    """One layer under one setting; weights are stored densely, as a periodic table or with a bitmap."""

    def __init__(self, work: Any, setting: Any) -> None:
        self.work, self.setting, self.hw = work, setting, setting.hardware
        self.nest, self.mask = work.nest, work.nest.kernel.mask()
        self.w_bits = setting.weight_bits if work.second is None else setting.activation_bits
        self.a_bits, self.acc = setting.activation_bits, setting.accumulator_bits
        sparse = not self.mask.all()
        if not sparse or not self.hw.weights.stored_compressed:
            self.kind, self.table = "dense", 0
        elif self.nest.kernel.period is not None:
            taps = self.mask.shape[2] * self.mask.shape[3]
            self.kind, self.table = "periodic", self.nest.kernel.period * taps
        else:
            self.kind, self.table = "bitmap", 0
        self.fixed_energy, self.fixed_buffer_bits = self._fixed()

    def weight_bits(self, existing: int, positions: int) -> int:
        """Bits of some weights as they are stored, tables not counted."""
        if self.kind == "dense":
            return positions * self.w_bits
        return existing * self.w_bits + (positions if self.kind == "bitmap" else 0)

    def fits(self, tiles: Tiles) -> bool:
        """Whether a tiling fits the buffer."""
        existing, positions, inputs, outputs = tiles.footprint()
        times = 2 if self.setting.rules.double_buffering == "yes" else 1
        weights = times * self.weight_bits(existing, positions) + self.table
        needs = weights, times * inputs * self.a_bits, times * outputs * self.acc
        parts = self.hw.buffer.partitions
        if parts is None:
            return sum(needs) <= self.hw.buffer.capacity_bits
        return needs[0] <= parts.weights and needs[1] <= parts.inputs and needs[2] <= parts.outputs

    def _row(self, level: Any, write: bool, bits: Any) -> int:
        energy = (level.write if write else level.read).value * 10**6
        return ceil(energy * Fraction(bits) / level.word_bits)

    def _share(self) -> Fraction:
        share = self.work.inputs.density
        return share * self.work.second.density if self.work.second is not None else share

    def _sums(self, walked: Any) -> Iterator[int]:
        """The number of products in the sum of each output."""
        nest = self.nest
        if not nest.rows.transposed:
            places = nest.batch * nest.rows.outputs * nest.cols.outputs
            for one_filter in walked:
                yield from [int(one_filter.sum())] * places
            return
        hits = []
        for axis in (nest.rows, nest.cols):
            at = [
                i * axis.stride + k * axis.dilation - axis.before
                for i in range(axis.inputs)
                for k in range(axis.window)
            ]
            hits.append([at.count(o) for o in range(axis.outputs)])
        for down, across in product(*hits):
            yield from [nest.channels * down * across] * (nest.batch * nest.groups * nest.filters)

    def _fixed(self) -> tuple[int, int]:
        hw, nest, array = self.hw, self.nest, self.hw.array
        skip, share = hw.weights.compute == "skip", self._share()
        walked = self.mask if skip else self.mask | True
        positions = nest.batch
        for axis in (nest.rows, nest.cols):
            positions *= axis.inputs if axis.transposed else axis.outputs
        rows = 0  # (channel, tap) rows times groups of filters
        for g in range(nest.groups):
            block = walked[g * nest.filters : (g + 1) * nest.filters]
            for c, r, s in product(*map(range, block.shape[1:])):
                rows += ceil(int(block[:, c, r, s].sum()) / array.filters)
        updates = sum(max(1, ceil(size / array.products)) for size in self._sums(walked))
        outputs = nest.batch * nest.groups * nest.filters * nest.rows.outputs * nest.cols.outputs
        firsts = 0 if self.setting.rules.first_read == "counted" else outputs
        pixel_groups = ceil(positions / array.pixels)
        stored = self.weight_bits(int(self.mask.sum()), self.mask.size)
        buffer_rows = [
            (False, pixel_groups * stored),
            (False, positions * rows * self.a_bits),
            (True, updates * self.acc),
            (False, (updates - firsts) * self.acc),
        ]
        if self.setting.rules.drain == "counted":
            buffer_rows.append((False, outputs * self.acc))
        energy = sum(self._row(hw.buffer, write, bits) for write, bits in buffer_rows)
        every = positions * (int(self.mask.sum()) if hw.weights.compute != "none" else self.mask.size)
        macs = every if hw.activations.compute == "none" else ceil(every * share)
        energy += ceil(macs * hw.mac[0][1].value * 10**6)
        if hw.register:
            use = hw.register_accesses

            def register(bits: int, write: bool) -> Fraction:
                _, read, written = next(row for row in hw.register if row[0] >= bits)
                return Fraction((written if write else read).value) * 10**6

            energy += ceil(use.weight_reads * macs * register(self.w_bits, False))
            energy += ceil(use.input_reads * every * register(self.a_bits, False))
            energy += ceil(use.psum_reads * macs * register(self.acc, False))
            energy += ceil(use.psum_writes * macs * register(self.acc, True))
        energy += ceil(self.work.other_ops * hw.vector_op.value * 10**6)
        cycles = Fraction(pixel_groups * rows)
        self.cycles = ceil(cycles * share if hw.activations.compute == "skip" else cycles)
        return energy, sum(bits for _, bits in buffer_rows)

    def of(self, counts: Counts) -> dict[str, int]:
        """Energy [aJ], DRAM bits and cycles of what a mapping moves."""
        dram, buffer = self.hw.dram, self.hw.buffer
        weights = self.weight_bits(counts.weights, counts.places) + self.table
        back = counts.sums_in + (counts.first_reads if self.setting.rules.first_read == "counted" else 0)
        rows = [
            (dram, False, weights),
            (dram, False, counts.inputs * self.a_bits),
            (dram, True, counts.finished * self.a_bits),
            (dram, True, counts.sums_out * self.acc),
            (dram, False, back * self.acc),
            (buffer, True, weights),
            (buffer, True, counts.inputs * self.a_bits),
            (buffer, False, counts.sums_out * self.acc),
            (buffer, True, back * self.acc),
        ]
        energy = self.fixed_energy + sum(self._row(*row) for row in rows)
        times = [Fraction(self.cycles)]
        moved = {level.name: sum(bits for at, _, bits in rows if at is level) for level in (dram, buffer)}
        moved["buffer"] += self.fixed_buffer_bits
        for level in (dram, buffer):
            if level.bandwidth is not None:
                times.append(Fraction(moved[level.name]) / level.bandwidth.value)
        return {"energy": energy, "dram": moved["dram"], "cycles": max(map(ceil, times))}


def ranking(objective: str, cost: dict[str, int]) -> tuple[int, ...]:
    """What an objective compares, in order."""
    energy, dram, cycles = cost["energy"], cost["dram"], cost["cycles"]
    return {
        "energy": (energy, dram, cycles),
        "dram": (dram, energy, cycles),
        "delay": (cycles, energy, dram),
        "edp": (energy * cycles, energy, dram),
    }[objective]
