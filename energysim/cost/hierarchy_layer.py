"""One layer on hardware with a hierarchy: accesses, times and energy of an explicit mapping.

Elements come from :mod:`energysim.mapping.hierarchy`; here they get bits and a price. In the
outermost level every tensor lies in its storage format; inside it, weights stay as they are
stored and inputs are plain, unless the hardware says otherwise (:mod:`energysim.cost.hierarchy_forms`),
and sums are as wide as accumulators. A row is priced as words of its
level, without rounding up to whole words. Levels and multipliers work at the same time, each
keeping its copies busy alike: the slowest sets the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from energysim.cost.base import Access, LayerCost, Setting, charge
from energysim.cost.bound import compulsory_and_bound
from energysim.cost.dram_commands import commanded, device_dram, dram_sizes, dram_tensors, idle_rows
from energysim.cost.hierarchy_forms import Forms
from energysim.cost.layer_counts import products
from energysim.cost.storage import StoredOperand, StoredWeights, stored_operand
from energysim.cost.waiting import expected_steps, hierarchy_rounds
from energysim.errors import LayerError, UsageError
from energysim.hardware.core import Constant
from energysim.hardware.dram_system import DeviceDram
from energysim.hardware.hierarchy import Hierarchy, HierarchyHardware, SpatialAxis, TemporalLevel
from energysim.mapping.dram_stream import Commands
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.counts import Counts, Traffic, count
from energysim.mapping.hierarchy.dram_stream import device_commands
from energysim.mapping.hierarchy.mapping import Mapping
from energysim.mapping.hierarchy.walk import Walk
from energysim.units import ceil_fraction
from energysim.workload import MacWorkload

__all__ = ["HierarchyLayer", "hierarchy_of"]


def hierarchy_of(setting: Setting) -> Hierarchy:
    """Return the hierarchy of the hardware.

    Raises
    ------
    UsageError
        If it has none.
    """
    hardware = setting.hardware
    if not isinstance(hardware, HierarchyHardware):
        raise UsageError(
            f"hardware {hardware.name!r} is written for the cost model {hardware.cost_model!r}; it has no "
            "hierarchy of levels and axes"
        )
    return hardware.hierarchy


@dataclass(frozen=True)
class HierarchyLayer:
    """One loop nest on one piece of hardware with a hierarchy.

    Attributes
    ----------
    work : MacWorkload
    setting : Setting
    stored_outputs : StoredOperand, optional
        How the outputs lie in DRAM where they are part of a tensor; by default on their own.
    """

    work: MacWorkload
    setting: Setting
    stored_outputs: StoredOperand | None = None

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """The hierarchy of the hardware."""
        return hierarchy_of(self.setting)

    @cached_property
    def inputs(self) -> StoredOperand:
        return stored_operand(self.work.inputs, self.setting)

    @cached_property
    def outputs(self) -> StoredOperand:
        return self.stored_outputs or stored_operand(self.work.outputs, self.setting)

    @cached_property
    def second(self) -> StoredOperand | None:
        """The computed tensor in the place of the weights, if there is one."""
        operand = self.work.second
        return None if operand is None else stored_operand(operand, self.setting)

    @cached_property
    def weights(self) -> StoredWeights:
        extra = self.work.extra
        bits = (extra.weight_bits or self.setting.weight_bits) if self.second is None else self.second.width
        if extra.gathers or (extra.generated is not None and extra.generated.on_chip):
            raise LayerError(
                "the cost model 'hierarchy' knows no gathered reads and no weights that are made on chip: "
                "take hardware of the model 'two-level'"
            )
        return StoredWeights(self.work.nest.kernel, bits, self.setting, extra)

    @cached_property
    def forms(self) -> Forms:
        """How each level holds weights and inputs."""
        return Forms(self.work, self.setting, self.hierarchy, self.weights)

    @cached_property
    def weight_bits(self) -> Fraction:
        """Bits of a stored weight in DRAM and, unless the hardware says otherwise, in every level."""
        return Fraction(self.weights.stream_bits, max(1, self.weights.elements))

    @property
    def held_bits(self) -> tuple[Fraction, int, int]:
        """Bits of a weight, an input and an accumulator as levels hold them."""
        return self.weight_bits, self.inputs.width, self.setting.accumulator_bits

    @property
    def stored_only(self) -> bool:
        """Whether weights that do not exist are not stored."""
        return self.weights.elements == self.work.nest.kernel.nonzeros

    @property
    def skips(self) -> bool:
        """Whether products of weights that do not exist take no cycle."""
        return self.setting.hardware.weights.compute == "skip"

    @cached_property
    def _skipped(self) -> tuple[str, ...]:
        """Tensors that multipliers which skip may read from DRAM themselves: no level has to keep them."""
        kept = {tensor for level in self.hierarchy.levels[1:] for tensor in level.keep}
        return tuple(tensor for tensor in ("weights", "inputs") if self.skips and tensor not in kept)

    @cached_property
    def density(self) -> Fraction:
        """Share of products whose activations the hardware does not leave out."""
        if self.setting.hardware.activations.compute == "none":
            return Fraction(1)
        second = self.work.second
        return self.work.inputs.density * (Fraction(1) if second is None else second.density)

    @property
    def waits(self) -> bool:
        """Whether lanes wait for the one with the fewest zeros among its inputs."""
        own, several = self.setting.hardware.activations, bool(self.hierarchy.axes)
        return several and own.compute == "skip" and own.lanes == "waiting" and self.density not in (0, 1)

    @cached_property
    def effective_macs(self) -> int:
        """Multiply-adds that cost energy: those whose zeros are neither skipped nor gated."""
        nest = self.work.nest
        macs = nest.dense_macs if self.setting.hardware.weights.compute == "none" else nest.macs
        return ceil_fraction(macs * self.density)

    def walk(self, mapping: Mapping) -> Walk:
        """A mapping laid over the hierarchy; see :func:`energysim.mapping.hierarchy.check.checked`."""
        setting = self.setting
        return checked(
            self.hierarchy,
            mapping,
            self.work.nest,
            setting.rules,
            self.held_bits,
            imperfect=setting.rules.tiles == "all",
            stored_only=self.stored_only,
            skips=self.skips,
            held=self.forms.held,
        )

    def cost(
        self, mapping: Mapping, mappings: int = 0, *, optimal: bool = False, commands: bool = False
    ) -> LayerCost:
        """Return the cost of a mapping.

        Parameters
        ----------
        mapping : Mapping
        mappings : int
            Size of the space it is from.
        optimal : bool
            Whether it is proven the best of it.
        commands : bool
            Whether DRAM made of devices is charged by its commands, not by the price of words.

        Raises
        ------
        MappingError
            If it is none of this layer, or does not fit.
        """
        walk = self.walk(mapping)
        counts = count(walk)
        moved = tuple(self._moved(walk, counts))
        dram = device_dram(self.setting.hardware) if commands else None
        if dram is not None:
            moved = commanded(dram, self.right, self._commands(walk, counts, dram), moved)
        times = self._times(walk, counts, moved)
        ramp_up = self._ramp_up(walk, moved)
        cycles = max(time for _, time in times) + sum(time for _, time in ramp_up)
        idle = idle_rows(self.setting.hardware, cycles)
        accesses = (*moved, *self.computed(), *self._leaked(cycles), *idle)
        nest, stored, own = self.work.nest, self.weights.size, self.second is None
        compulsory, bound = compulsory_and_bound(self, self.hierarchy.on_chip_bits, self._skipped)
        return LayerCost(
            dense_macs=nest.dense_macs,
            macs=nest.macs + self.work.extra.float_macs,
            effective_macs=self.effective_macs + self.work.extra.float_macs,
            other_ops=self.work.other_ops,
            weight_bits=stored.value_bits if own else 0,
            side_bits=stored.side_bits if own else 0,
            accesses=tuple(access for access in accesses if access.elements or access.bits),
            cycles=cycles,
            times=(*times, *ramp_up),
            utilisation=Fraction(counts.products, counts.steps * counts.lanes)
            if counts.steps
            else Fraction(0),
            compulsory_bits=compulsory,
            dram_bound_bits=bound,
            mapping=str(mapping),
            mappings=mappings,
            optimal=optimal,
            float_macs=self.work.extra.float_macs,
            additions=nest.macs if self.work.extra.additions else 0,
            expansion_macs=self.weights.expansion_macs,
            load_bits=self.weights.load_bits,
        )

    def _commands(self, walk: Walk, counts: Counts, dram: DeviceDram) -> Commands:
        """What the mapping tells a DRAM of devices to do."""
        found, written = device_commands(walk, dram_tensors(self), dram_sizes(dram))
        reads = counts.of(self.hierarchy.levels[0].name, "inputs").reads
        if (found.input_elements, written) != (reads, self.work.nest.output_elements):
            raise AssertionError(f"addresses and evaluator disagree: {found}, {written}, {reads}")
        return found

    def _moved(self, walk: Walk, counts: Counts) -> Iterable[Access]:
        """What levels and axes do."""
        for traffic in counts.traffic:
            place = self.hierarchy.place(traffic.level)
            level = self.hierarchy.nodes[place]
            assert isinstance(level, TemporalLevel)
            keepers = walk.tree.keepers[traffic.tensor]
            inside = (*keepers, walk.tree.end)[keepers.index(place) + 1]
            if traffic.tensor == "outputs":
                yield from self._sums(level, traffic, outermost=place == 0, feeds=inside == walk.tree.end)
            else:
                yield from self._operands(level, traffic, place, inside)
        axes = {axis.name: axis for axis in self.hierarchy.axes}
        for crossing in counts.crossings:
            axis = axes[crossing.axis]
            if axis.network is not None:
                yield self._crossed(axis, axis.network, crossing.tensor, crossing.elements)

    def _crossed(self, axis: SpatialAxis, energy: Constant, tensor: str, words: int) -> Access:
        place = self.hierarchy.place(axis.name)
        inputs = self.forms.inputs[place]
        bits: dict[str, Fraction] = {
            "weights": self.forms.value_bits(place),
            "inputs": inputs.bits,
            "outputs": Fraction(self.setting.accumulator_bits),
        }
        name = {"weights": self.right, "outputs": "partial_sums"}.get(tensor, tensor)
        random = tensor == "inputs" and inputs.expected
        size = words * bits[tensor]
        return charge(axis.name, name, "transfer", words, size, energy, axis.word_bits, random)

    @property
    def right(self) -> str:
        """Name of the tensor in the place of the weights."""
        return "weights" if self.second is None else "inputs_2"

    def _operands(self, level: TemporalLevel, traffic: Traffic, place: int, inside: int) -> Iterable[Access]:
        """Reads for the next place inside, and what comes from outside."""
        weights, outermost, forms = traffic.tensor == "weights", place == 0, self.forms
        name = self.right if weights else "inputs"
        held = forms.value_bits(place) if weights else forms.inputs[place].bits
        tables = self.weights.table_bits if weights else 0
        bits, expected = held, not weights and forms.inputs[place].expected
        reads, fills = Fraction(traffic.reads), Fraction(traffic.fills)
        if inside == len(self.hierarchy.nodes):
            reads *= forms.made(level.name, traffic.tensor)
            expected |= forms.random(level.name, traffic.tensor)
        elif not weights:
            reads *= forms.again(inside)
        if not (weights or outermost):
            fills *= forms.again(place)
        if outermost and weights and self.second is not None:
            bits, expected = held * self.second.bits / self.weights.bits, self.second.expected
        elif outermost and not weights:
            bits, expected = self.inputs.bits, self.inputs.expected
        # Tables are read from the outermost level once and stay where they are used.
        once = tables if outermost else 0
        stays = outermost and not (weights or self.inputs.in_dram)
        yield charge(
            level.name,
            name,
            "read",
            0 if stays else reads,
            reads * bits + once,
            level.read,
            level.word_bits,
            expected,
        )
        if not outermost:
            random = not weights and forms.inputs[place].expected
            yield charge(level.name, name, "fill", fills, fills * held, level.fill, level.word_bits, random)

    def _sums(
        self, level: TemporalLevel, traffic: Traffic, *, outermost: bool, feeds: bool
    ) -> Iterable[Access]:
        acc, word, name, sums = self.setting.accumulator_bits, level.word_bits, level.name, "partial_sums"
        if outermost:
            spilled = traffic.updates - traffic.finished
            yield from self.written(self.work.outputs.elements)
            yield charge(name, sums, "write", spilled, spilled * acc, level.update, word)
            yield charge(name, sums, "read", traffic.reads, traffic.reads * acc, level.read, word)
            return
        spilled = traffic.drains - traffic.finished
        made = self.forms.made(name, "outputs") if feeds else Fraction(1)
        random = feeds and self.forms.random(name, "outputs")
        for tensor, action, elements, energy, guess in (
            (sums, "update", traffic.updates * made, level.update, random),
            (sums, "read", traffic.reads * made, level.read, random),
            (sums, "fill", traffic.fills, level.fill, False),
            (sums, "drain", spilled, level.read, False),
            ("outputs", "drain", traffic.finished, level.read, False),
        ):
            yield charge(name, tensor, action, elements, elements * acc, energy, word, guess)

    def written(self, elements: int) -> Iterable[Access]:
        """Finished outputs that reach the outermost level."""
        outermost, stored = self.hierarchy.levels[0], self.outputs
        count = elements * stored.in_dram
        bits, word = count * stored.bits, outermost.word_bits
        yield charge(outermost.name, "outputs", "write", count, bits, outermost.update, word, stored.expected)

    def computed(self) -> Iterable[Access]:
        """What is calculated, whatever the mapping."""
        hw, random = self.setting.hardware, self.density not in (0, 1)
        widths = self.weights.bits, self.inputs.width
        yield from products(self.work.extra, self.setting, self.effective_macs, widths, random)
        if self.work.other_ops:
            yield charge("vector", "", "compute", self.work.other_ops, 0, hw.vector_op)

    def _leaked(self, cycles: int) -> Iterable[Access]:
        for place, node in enumerate(self.hierarchy.nodes):
            if isinstance(node, TemporalLevel) and node.leakage is not None:
                yield charge(node.name, "", "leak", cycles * self.hierarchy.instances(place), 0, node.leakage)
        if self.hierarchy.leakage is not None:
            yield charge("mac", "", "leak", cycles * self.hierarchy.lanes, 0, self.hierarchy.leakage)

    def _times(self, walk: Walk, counts: Counts, moved: tuple[Access, ...]) -> tuple[tuple[str, int], ...]:
        skipping = self.setting.hardware.activations.compute == "skip"
        timed = counts.steps * (self.density if skipping else Fraction(1))
        if self.waits:
            rounds, lanes = hierarchy_rounds(walk)
            timed = min(Fraction(counts.steps), expected_steps(rounds, self.density, lanes))
        timed += Fraction(self.work.extra.float_macs, max(1, counts.lanes))
        found = [("compute", ceil_fraction(timed))]
        for place, node in enumerate(self.hierarchy.nodes):
            if not isinstance(node, TemporalLevel):
                continue
            read = sum(a.bits for a in moved if a.level == node.name and a.action in ("read", "drain"))
            both = sum(a.bits for a in moved if a.level == node.name)
            longest = [
                Fraction(bits) / (limit.value * walk.tree.used(place))
                for bits, limit in (
                    (both, node.bandwidth),
                    (read, node.read_bandwidth),
                    (both - read, node.write_bandwidth),
                )
                if limit is not None
            ]
            if longest:
                found.append((node.name, ceil_fraction(max(longest))))
        return tuple(found)

    def _ramp_up(self, walk: Walk, moved: tuple[Access, ...]) -> tuple[tuple[str, int], ...]:
        """Cycles of the reads that are over before work goes on."""
        found = Fraction(0)
        for place, node in enumerate(self.hierarchy.nodes):
            for tensor, rate in node.ramp_up if isinstance(node, TemporalLevel) else ():
                name = self.right if tensor == "weights" else tensor
                wanted = (node.name, name, "read")
                bits = sum(a.bits for a in moved if (a.level, a.tensor, a.action) == wanted)
                found += Fraction(bits) / (rate.value * walk.tree.used(place))
        return (("ramp_up", ceil_fraction(found)),) if found else ()
