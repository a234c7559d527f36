"""Every mapping of the default space, one by one, each counted by the evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from math import ceil, prod

from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.counts import Counts, count
from energysim.mapping.hierarchy.mapping import Loop, Mapping, MappingError
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

from .base import DIMS, sizes_of


def splits(number: int, slots: int) -> Iterator[tuple[int, ...]]:
    """All ordered factorisations."""
    if slots == 0:
        if number == 1:
            yield ()
        return
    for first in range(1, number + 1):
        if number % first == 0:
            for rest in splits(number // first, slots - 1):
                yield (first, *rest)


def all_bypasses(hierarchy: Hierarchy) -> Iterator[tuple[tuple[str, str], ...]]:
    free = [
        (level.name, tensor)
        for level in hierarchy.levels[1:]
        for tensor in TENSORS
        if tensor not in level.keep and tensor not in level.bypass
    ]
    for chosen in product((False, True), repeat=len(free)):
        out = tuple(pair for pair, gone in zip(free, chosen, strict=True) if gone)
        unused = [
            level
            for level in hierarchy.levels[1:]
            if len(level.bypass) + sum(name == level.name for name, _ in out) == 3
        ]
        if not unused:
            yield out


def cuts(size: int, first: bool, inner: int, imperfect: bool) -> Iterator[tuple[int, ...]]:
    """Trips of the outermost level (if it may have any), and of all others, over one dimension."""
    if not imperfect or not first:
        yield from splits(size, inner + first)
        return
    for tile in sorted({ceil(size / trips) for trips in range(1, size + 1)}):
        for rest in splits(tile, inner):
            yield (ceil(size / tile), *rest)


def all_mappings(hierarchy: Hierarchy, nest: LoopNest, imperfect: bool = False) -> Iterator[Mapping]:
    """All factors, orders and bypasses, those that do not fit included; loops of one trip have no order."""
    size = sizes_of(nest)
    slots = {dim: [node.name for node in hierarchy.nodes if dim in node.loops] for dim in DIMS}
    outermost = hierarchy.nodes[0]
    ways = []
    for dim in DIMS:
        first = dim in outermost.loops
        ways.append(list(cuts(size[dim], first, len(slots[dim]) - first, imperfect)))
    for factors in product(*ways):
        blocks: dict[str, list[Loop]] = {node.name: [] for node in hierarchy.nodes}
        for dim, trips in zip(DIMS, factors, strict=True):
            for name, n in zip(slots[dim], trips, strict=True):
                if n > 1:
                    blocks[name].append(Loop(dim, n))
        if any(prod(loop.trips for loop in blocks[axis.name]) > axis.size for axis in hierarchy.axes):
            continue
        orders = [
            [tuple(blocks[node.name])] if isinstance(node, SpatialAxis) else permutations(blocks[node.name])
            for node in hierarchy.nodes
        ]
        for order in product(*(list(o) for o in orders)):
            named = tuple(zip((node.name for node in hierarchy.nodes), order, strict=True))
            for out in all_bypasses(hierarchy):
                yield Mapping(named, out)


def best_of_all(hierarchy: Hierarchy, nest: LoopNest, rules: Rules, value) -> tuple[object, int]:
    """The least value of all mappings that fit, and how many do; None if none does."""
    least, fitting = None, 0
    for mapping in all_mappings(hierarchy, nest):
        try:
            walk = checked(hierarchy, mapping, nest, rules, (16, 16, 16))
        except MappingError:
            continue
        fitting += 1
        found = value(count(walk), walk)
        if least is None or found < least:
            least = found
    return least, fitting


def number_of_mappings(hierarchy: Hierarchy, nest: LoopNest, imperfect: bool = False) -> int:
    """The size of the space, counted: every level orders all loops it may have."""
    size = sizes_of(nest)
    total = 1
    for dim in DIMS:
        inner = sum(dim in node.loops for node in hierarchy.nodes[1:])
        total *= sum(1 for _ in cuts(size[dim], dim in hierarchy.nodes[0].loops, inner, imperfect))
    for node in hierarchy.nodes:
        if isinstance(node, TemporalLevel):
            loops = [dim for dim in node.loops if size[dim] > 1]
            total *= sum(1 for _ in permutations(loops))
    return total * sum(1 for _ in all_bypasses(hierarchy))


def total(counts: Counts, prices: dict[tuple[str, str, str], int]) -> int:
    """The sum of all counts, each times its price."""
    result = 0
    for t in counts.traffic:
        for action, n in (("read", t.reads), ("fill", t.fills), ("update", t.updates), ("drain", t.drains)):
            result += n * prices.get((t.level, t.tensor, action), 0)
    for c in counts.crossings:
        result += c.elements * prices.get((c.axis, c.tensor, "transfer"), 0)
    return result
