"""DRAM made of devices under a hierarchy: against a replay bit by bit, and by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import product as grid
from math import prod
from typing import Any

import pytest
from support import blocks

from energysim.mapping.dram_places import DramTensors
from energysim.mapping.dram_transfer import DramSizes
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.counts import count
from energysim.mapping.hierarchy.dram_stream import device_commands
from energysim.mapping.hierarchy.mapping import MappingError
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

from .base import random_hierarchy, random_mapping, random_nest, sizes_of
from .simulator import DEPENDS, Simulator

Words = set[tuple[int, ...]]


class Banks:
    """A row decoder with one open row per bank, asked bit by bit; each stream keeps its last burst."""

    def __init__(self, sizes: DramSizes) -> None:
        self.sizes = sizes
        self.row_bits = sizes.row_bits
        self.open: dict[int, int] = {}
        self.last: dict[str, int] = {}
        self.bursts: Counter[str] = Counter()
        self.activations: Counter[str] = Counter()

    def transfer(self, stream: str, ranges: Iterable[tuple[int, int]]) -> None:
        """Move ranges of bits in ascending order."""
        sizes = self.sizes
        for burst in sorted({bit // sizes.burst_bits for low, high in ranges for bit in range(low, high)}):
            if burst != self.last.get(stream):
                line = burst * sizes.burst_bits // sizes.row_bits
                row, bank = divmod(line, sizes.banks) if sizes.interleaved else divmod(line, sizes.rows)[::-1]
                self.activations[stream] += self.open.get(bank) != row
                self.open[bank] = row
                self.bursts[stream] += 1
            self.last[stream] = burst


class Recorder(Simulator):
    """A run that writes down what passes between DRAM and the levels inside, in order."""

    def run(self) -> Recorder:
        self.log: list[tuple[str, list[Words]]] = []
        state: dict[Any, Any] = {}
        for at in grid(*(range(self.loops[i][2]) for i in self.time)):
            now = dict(zip(self.time, at, strict=True))
            self.finish(state, now)
            self.fetch("weights", state, now)
            self.fetch("inputs", state, now)
            self.begin_outputs(state, now)
            self.multiply(state, now)
        self.finish(state, None)
        return self

    def together(self, tensor: str, outer: int, inner: int, got: list[Any]) -> list[Words]:
        """Words of copies that do not get them one by one, in the order of the copies."""
        shared = self.share(tensor, outer, inner)
        found: dict[tuple[int, ...], Words] = {}
        for instance, words in got:
            key = []
            for i, position in instance.items():
                place, dim = self.loops[i][:2]
                if dim not in DEPENDS[tensor]:
                    apart = place not in shared
                else:
                    windows = tensor == "inputs" and dim in "PQRS"
                    apart = windows and not (place in shared and self.nodes[place].diagonal)
                if apart:
                    key.append(position)
            found.setdefault(tuple(key), set()).update(words)
        return [found[key] for key in sorted(found)]

    def spread(self, tensor: str, outer: int, inner: int, got: list[Any]) -> None:
        super().spread(tensor, outer, inner, got)
        if outer == 0 and got:
            name = "sums read" if tensor == "outputs" else f"{tensor} read"
            self.log.append((name, self.together(tensor, outer, inner, got)))

    def arrive(self, state: Any, outer: int, inner: int, sums: list[Any], reading: bool) -> None:
        super().arrive(state, outer, inner, sums, reading)
        if outer == 0 and sums:
            self.log.append(("leave", [set().union(*(words for _, words in sums))]))


def replayed(
    run: Recorder, banks: Banks, nest: LoopNest, rules: Rules, bits: tuple[int, int, int, int]
) -> Banks:
    """The commands of a run: weights, inputs, outputs and sums of so many bits an element."""
    n, g, m, c = nest.batch, nest.groups, nest.filters, nest.channels
    p, q = nest.rows.outputs, nest.cols.outputs
    places, padded = [], rules.padding == "fetched"
    for axis in (nest.rows, nest.cols):
        last = (axis.outputs - 1) * axis.stride + (axis.window - 1) * axis.dilation - axis.before
        shift = axis.before if padded else 0
        places.append((shift, shift + max(axis.inputs, last + 1) if padded else axis.inputs))
    (down, height), (right, width) = places

    def rows_of(size: int) -> int:
        return -(-size // banks.row_bits) * banks.row_bits

    taps = nest.rows.window * nest.cols.window
    bases, at = [], 0
    elements = (g * m * c * taps, n * g * c * height * width, n * g * m * p * q)
    for number, size in zip((*elements, 0), bits, strict=True):
        bases.append(at)
        at += rows_of(number * size)

    lies: dict[frozenset[tuple[int, ...]], tuple[int, int]] = {}
    seen = 0

    def ranges(name: str, words: Words) -> Iterable[tuple[int, int]]:
        nonlocal seen
        if name == "weights read":
            key = frozenset(words)
            if key not in lies:
                lies[key] = seen, seen + len(words)
                seen += len(words)
            return [(lies[key][0] * bits[0], lies[key][1] * bits[0])]
        region = (
            ["inputs read", "outputs write"].index(name) + 1
            if name in ("inputs read", "outputs write")
            else 3
        )
        found = []
        for image, group, channel, y, x in words:
            if region == 1:
                number = (((image * g + group) * c + channel) * height + y + down) * width + x + right
            else:
                number = (((image * g + group) * m + channel) * p + y) * q + x
            found.append((bases[region] + number * bits[region], bases[region] + (number + 1) * bits[region]))
        return found

    last = {frozenset(parts[0]): i for i, (name, parts) in enumerate(run.log) if name == "leave"}
    for i, (name, parts) in enumerate(run.log):
        for words in parts:
            if name == "leave":
                name = "outputs write" if last[frozenset(words)] == i else "sums write"
            if words:
                banks.transfer(name, ranges(name, words))
    return banks


def compare(seed: int) -> bool:
    """Whether the mapping of a seed is one that a DRAM of devices takes; it is then compared."""
    rng = random.Random(seed)
    nest, hierarchy = random_nest(rng, 400, dense=True), random_hierarchy(rng)
    imperfect = rng.random() < 0.3
    mapping = random_mapping(rng, hierarchy, nest, imperfect)
    rules = Rules(
        padding=rng.choice(["skipped", "fetched"]),
        untouched=rng.choice(["skipped", "fetched"]),
        overlap=rng.choice(["one-axis", "one-axis", "none"]),
        first_read=rng.choice(["elided", "elided", "counted"]),
    )
    bits = rng.choice([4, 8, 16]), rng.choice([4, 8, 16]), rng.choice([4, 8, 16]), rng.choice([16, 32])
    burst = rng.choice([8, 32, 64])
    sizes = DramSizes(burst, burst * rng.choice([1, 2, 8]), rng.choice([1, 2, 4]), 10**6, rng.random() < 0.5)
    walk = checked(hierarchy, mapping, nest, rules, bits[:2] + bits[3:], imperfect=imperfect)
    tensors = DramTensors(
        0,
        prod(nest.kernel.shape) * bits[0],
        None,
        Fraction(bits[1]),
        Fraction(bits[2]),
        nest.output_elements,
        bits[3],
    )
    try:
        found, finished = device_commands(walk, tensors, sizes)
    except MappingError:
        return False
    layer = {
        "sizes": sizes_of(nest), "rows": nest.rows, "cols": nest.cols,
        "mask": nest.kernel.mask().reshape(nest.groups, nest.filters, *nest.kernel.shape[1:]),
    }  # fmt: skip
    flags = {r: getattr(rules, r) for r in ("padding", "untouched", "overlap", "first_read", "drain")}
    flags["returned_sums"] = dict(hierarchy.rules)["returned_sums"]
    blocks = {name: [(lp.dim, lp.trips) for lp in loops] for name, loops in mapping.blocks}
    run = Recorder(hierarchy.nodes, blocks, set(mapping.bypass), layer, flags, False, False).run()
    banks = replayed(
        run,
        Banks(sizes),
        nest,
        rules,
        bits,
    )
    names = {"right": "weights"}

    def by_name(counts: dict[tuple[str, str], int]) -> Counter[str]:
        return Counter({f"{names.get(what, what)} {action}": n for (what, action), n in counts.items() if n})

    text = f"seed {seed}: {nest} on {hierarchy} with {mapping} under {rules}"
    assert by_name(found.bursts) == +banks.bursts, text
    assert by_name(found.activations) == +banks.activations, text
    assert found.input_elements == count(walk).of("L0", "inputs").reads, text
    assert finished == nest.output_elements, text
    return True


@pytest.mark.parametrize("block", range(10))
def test_commands_are_those_of_a_replay(block: int) -> None:
    assert sum(compare(seed) for seed in range(block * 20, block * 20 + 20)) > 5


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks(range(40)))
def test_commands_are_those_of_a_replay_of_many(block: int) -> None:
    assert sum(compare(seed) for seed in range(1000 + block * 50, 1050 + block * 50)) > 5
