"""What the array does for one layer, whatever the mapping: products, cycles, reads and updates.

``pixels``, ``filters`` and ``products`` are the ``array`` of the hardware:

* a stored weight leaves the buffer once per group of ``pixels`` output positions (batch included);
* an input leaves it once per position, (channel, tap) row and group of ``filters`` filters that
  hold a weight for that row;
* an output's accumulator is written once per ``products`` products of its sum, at least once, and
  read each time but the first; cutting the sums by a tile of C adds a drain and a fill, no update;
* one cycle multiplies one row of up to ``filters`` filters with up to ``pixels`` positions. Where the
  hardware says that lanes wait, each of ``filters`` consecutive filters has a lane of its own that walks
  its weights, and all wait for the one with most; an input is read once per set of filters that has any
  weight for its row, and kept for the lanes that need it later (assumed).

With all three at one, every multiply-add reads the buffer itself, as in the two-level cases of
Timeloop (Parashar et al., ISPASS 2019). The reuse of operands in rows follows the loop-unrolling
model of Ma et al., IEEE TVLSI 26(7), 2018 (weights shared by the unrolled pixels, inputs by the
unrolled filters).

Weight zeros that the hardware gates or skips cost no multiplication and no register access; those
it skips cost no cycle, no input read and no update either. Activation zeros that it gates cost no
multiplication and no register access but the reading of the input; those it skips cost no cycle
either. Padding is an input like any other here: only DRAM and the filling of the buffer know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from energysim.cost.base import Access, Setting, charge
from energysim.cost.beside import read_beside
from energysim.cost.held import HeldInputs, held_inputs
from energysim.cost.storage import StoredOperand, StoredWeights, stored_operand
from energysim.cost.waiting import expected_steps, filter_rounds, row_groups, shared_out
from energysim.extra import Extra
from energysim.kernels import DenseKernel, Histogram, Kernel
from energysim.units import ceil_div, ceil_fraction
from energysim.windows import Axis, window_pairs
from energysim.workload import LoopNest, MacWorkload

__all__ = ["LayerCounts", "products", "sum_sizes"]


@dataclass(frozen=True)
class LayerCounts:
    """One loop nest on one piece of hardware."""

    work: MacWorkload
    setting: Setting

    @cached_property
    def inputs(self) -> StoredOperand:
        return stored_operand(self.work.inputs, self.setting)

    @cached_property
    def outputs(self) -> StoredOperand:
        return stored_operand(self.work.outputs, self.setting)

    @cached_property
    def second(self) -> StoredOperand | None:
        """The computed tensor in the place of the weights, if there is one."""
        operand = self.work.second
        return None if operand is None else stored_operand(operand, self.setting)

    @cached_property
    def weights(self) -> StoredWeights:
        extra = self.work.extra
        bits = (extra.weight_bits or self.setting.weight_bits) if self.second is None else self.second.width
        return StoredWeights(self.work.nest.kernel, bits, self.setting, extra)

    @cached_property
    def held(self) -> StoredWeights:
        """The weights as the buffer holds them."""
        return self.weights.at(0, ["buffer"])

    @cached_property
    def held_inputs(self) -> HeldInputs:
        """The inputs as the buffer holds them."""
        return held_inputs(self.work.inputs, self.setting, 0, ["buffer"])

    @property
    def right(self) -> str:
        """Name of the tensor in the place of the weights."""
        return "weights" if self.second is None else "inputs_2"

    @cached_property
    def multiplied(self) -> Kernel:
        """The kernel whose rows the array walks: the dense one unless it skips weight zeros."""
        kernel = self.work.nest.kernel
        return kernel if self.setting.hardware.weights.compute == "skip" else DenseKernel(kernel.shape)

    @cached_property
    def density(self) -> Fraction:
        """Share of products whose activations the hardware does not leave out."""
        if self.setting.hardware.activations.compute == "none":
            return Fraction(1)
        second = self.work.second
        return self.work.inputs.density * (Fraction(1) if second is None else second.density)

    @cached_property
    def charged_macs(self) -> int:
        """Multiply-adds with weights that the hardware does not leave out."""
        nest = self.work.nest
        return nest.dense_macs if self.setting.hardware.weights.compute == "none" else nest.macs

    @cached_property
    def effective_macs(self) -> int:
        """Multiply-adds that cost energy."""
        return ceil_fraction(self.charged_macs * self.density)

    @property
    def _fixed(self) -> bool:
        """Whether each lane works on a filter of its own and waits for the slowest."""
        return self.setting.hardware.weights.lanes == "waiting"

    @cached_property
    def _row_groups(self) -> int:
        """Groups of ``filters`` filters, over all (channel, tap) rows: input reads per position."""
        if self._fixed:
            return row_groups(self.work.nest, self.multiplied, self.setting.hardware.array.filters)
        used = self.multiplied.filters_per_row(self.work.nest.groups)
        return sum(rows * ceil_div(n, self.setting.hardware.array.filters) for n, rows in used)

    @cached_property
    def _pixel_groups(self) -> int:
        return ceil_div(self.work.nest.positions, self.setting.hardware.array.pixels)

    @cached_property
    def _timed(self) -> Fraction:
        """Share of the products that take time."""
        return self.density if self.setting.hardware.activations.compute == "skip" else Fraction(1)

    @cached_property
    def _steps(self) -> Fraction:
        """Steps of the lanes that work on one group of ``pixels`` positions, over all filters."""
        nest, hardware, kernel = self.work.nest, self.setting.hardware, self.multiplied
        array, wait = hardware.array, hardware.activations.lanes == "waiting"
        if not (self._fixed or wait):
            return self._row_groups * self._timed
        if self._fixed:
            rounds = filter_rounds(nest, kernel, array.filters)
        else:
            rounds = shared_out(self._row_groups, nest.groups * ceil_div(nest.filters, array.filters))
        if not wait:
            return sum(most * times for most, times in rounds) * self._timed
        # Filters side by side share their inputs, but wait for others of them where weights are skipped.
        lanes = array.pixels if kernel.is_dense or not self._fixed else array.macs_per_cycle
        return expected_steps(rounds, self._timed, lanes)

    @cached_property
    def compute_cycles(self) -> int:
        """Cycles of the array; floating point takes as long as integers (assumed)."""
        floats = ceil_div(self.work.extra.float_macs, self.setting.hardware.array.macs_per_cycle)
        return ceil_fraction(self._pixel_groups * self._steps) + floats

    @cached_property
    def utilisation(self) -> Fraction:
        """Products that take time, per multiplier and compute cycle."""
        places = self.compute_cycles * self.setting.hardware.array.macs_per_cycle
        timed = self.work.nest.positions * self.multiplied.nonzeros * self._timed + self.work.extra.float_macs
        return timed / places if places else Fraction(0)

    @cached_property
    def updates(self) -> int:
        """Writes of an accumulator in the buffer."""
        products = self.setting.hardware.array.products
        sums = sum_sizes(self.work.nest, self.multiplied)
        return sum(outputs * max(1, ceil_div(size, products)) for size, outputs in sums)

    @cached_property
    def accesses(self) -> tuple[Access, ...]:
        """All that no mapping changes."""
        found = self._buffer() + self._array() + read_beside(self.work, self.setting)
        if self.work.other_ops:
            vector = self.setting.hardware.vector_op
            found.append(charge("vector", "", "compute", self.work.other_ops, 0, vector))
        return tuple(found)

    def _buffer(self) -> list[Access]:
        buffer, rules = self.setting.hardware.buffer, self.setting.rules
        word, acc, nest = buffer.word_bits, self.setting.accumulator_bits, self.work.nest
        weights = self._pixel_groups * self.held.elements
        weight_bits = self._pixel_groups * self.held.stream_bits
        input_bits, random = self.held_inputs.bits, self.held_inputs.expected
        inputs, outputs, updates = nest.positions * self._row_groups, nest.output_elements, self.updates
        reads = updates if rules.first_read == "counted" else updates - outputs
        found = [
            charge("buffer", self.right, "read", weights, weight_bits, buffer.read, word),
            charge("buffer", "inputs", "read", inputs, inputs * input_bits, buffer.read, word, random),
            charge("buffer", "partial_sums", "update", updates, updates * acc, buffer.write, word),
            charge("buffer", "partial_sums", "read", reads, reads * acc, buffer.read, word),
        ]
        gathers = self.work.extra.gathers
        if gathers:
            bits = gathers * self.inputs.width
            found.append(charge("buffer", "inputs", "gather", gathers, bits, buffer.read, word))
        if rules.drain == "counted":
            found.append(charge("buffer", "outputs", "drain", outputs, outputs * acc, buffer.read, word))
        return found

    def _array(self) -> list[Access]:
        hw, macs, acc = self.setting.hardware, self.effective_macs, self.setting.accumulator_bits
        wide, random = self.weights.bits, self.density not in (0, 1)
        found = products(self.work.extra, self.setting, macs, (wide, self.inputs.width), random)
        if hw.register:
            use = hw.register_accesses
            for tensor, action, count, bits, guess in (
                (self.right, "read", use.weight_reads * macs, wide, random),
                ("inputs", "read", use.input_reads * self.charged_macs, self.inputs.width, False),
                ("partial_sums", "read", use.psum_reads * macs, acc, random),
                ("partial_sums", "update", use.psum_writes * macs, acc, random),
            ):
                energy = hw.register_energy(bits)[action == "update"]
                found.append(charge("register", tensor, action, count, count * bits, energy, expected=guess))
        return found


def products(
    extra: Extra, setting: Setting, macs: int, widths: tuple[int, int], expected: bool
) -> list[Access]:
    """Return what the multipliers do: products of the loop nest, and those in floating point.

    Products with weights of -1, 0 and 1 are additions and cost an elementary operation each.
    """
    hw = setting.hardware
    if extra.additions:
        found = [charge("mac", "", "add", macs, 0, hw.vector_op, expected=expected)]
    else:
        found = [charge("mac", "", "compute", macs, 0, hw.mac_energy(*widths), expected=expected)]
    if extra.float_macs:
        energy = hw.mac_energy(extra.float_bits, extra.float_bits)
        found.append(charge("mac", "", "compute_float", extra.float_macs, 0, energy))
    return found


def sum_sizes(nest: LoopNest, kernel: Kernel) -> Histogram:
    """Return how many products the sum of an output has: (products, outputs) pairs; a copy has none.

    An output of a transposed convolution sums what falls on it; products that fall beside the
    map (cropped by its padding) are multiplied but summed nowhere.
    """
    if not nest.rows.transposed:
        sums = tuple((size, count * nest.positions) for size, count in kernel.weights_per_filter())
        return (*sums, (0, nest.copies)) if nest.copied else sums
    if not kernel.is_dense:
        raise ValueError("the sums of a sparse transposed convolution are not known")
    maps = nest.batch * nest.groups * nest.filters
    return tuple(
        (nest.channels * down * across, maps * rows * cols)
        for down, rows in _meetings(nest.rows)
        for across, cols in _meetings(nest.cols)
    )


def _meetings(axis: Axis) -> Histogram:
    """How many inputs an output position meets: (inputs, outputs) pairs."""
    met = np.bincount(window_pairs(axis)[0], minlength=axis.outputs)
    found, counts = np.unique(met, return_counts=True)
    return tuple((int(n), int(times)) for n, times in zip(found, counts, strict=True))
