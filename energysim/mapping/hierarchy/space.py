"""The default space of mappings of a layer, and its size in closed form.

Every dimension is cut into divisors over all levels and axes that may have loops over it, the
loops of each level stand in any order, and every tensor that may bypass a level does or does not.
The size counts mappings that do not fit as well: it is the space before anything is pruned.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from math import comb, factorial, prod

from energysim.hardware.hierarchy import TENSORS, Hierarchy, TemporalLevel
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.workload import LoopNest

__all__ = ["all_mappings", "bypasses", "divisors", "factorisations", "space_size"]


def divisors(number: int) -> list[int]:
    """Return all divisors, ascending."""
    return [d for d in range(1, number + 1) if number % d == 0] if number < 10**4 else _many(number)


def _many(number: int) -> list[int]:
    low = [d for d in range(1, int(number**0.5) + 2) if d * d <= number and number % d == 0]
    return sorted({*low, *(number // d for d in low)})


def factorisations(number: int, slots: int) -> int:
    """Return in how many ways a number is a product of so many factors, order kept.

    Notes
    -----
    The exponent e of each prime is spread over the slots: binomial(e + slots - 1, slots - 1) ways.
    """
    if slots == 0:
        return int(number == 1)
    ways, prime = 1, 2
    while number > 1:
        exponent = 0
        while number % prime == 0:
            number, exponent = number // prime, exponent + 1
        ways *= comb(exponent + slots - 1, slots - 1)
        prime = prime + 1 if prime * prime <= number else max(number, prime + 1)
    return ways


def bypasses(hierarchy: Hierarchy) -> Iterator[tuple[tuple[str, str], ...]]:
    """All choices of (level, tensor) pairs that a mapping may let bypass; no level is left unused."""
    each = []
    for level in hierarchy.levels[1:]:
        free = [t for t in TENSORS if t not in level.keep and t not in level.bypass]
        options = []
        for chosen in product((False, True), repeat=len(free)):
            out = tuple((level.name, t) for t, gone in zip(free, chosen, strict=True) if gone)
            if len(out) + len(level.bypass) < len(TENSORS):
                options.append(out)
        each.append(options)
    for choice in product(*each):
        yield tuple(pair for level in choice for pair in level)


def space_size(hierarchy: Hierarchy, nest: LoopNest) -> int:
    """Return the number of mappings of the space."""
    slots = {dim: sum(dim in node.loops for node in hierarchy.nodes) for dim in sizes(nest)}
    tilings = prod(factorisations(size, slots[dim]) for dim, size in sizes(nest).items())
    orders = prod(
        factorial(sum(size > 1 and dim in node.loops for dim, size in sizes(nest).items()))
        for node in hierarchy.nodes
        if isinstance(node, TemporalLevel)
    )
    return tilings * orders * sum(1 for _ in bypasses(hierarchy))


def all_mappings(hierarchy: Hierarchy, nest: LoopNest) -> Iterator[Mapping]:
    """All mappings of the space, one by one, those that do not fit included.

    Loops of one trip have no order: there are fewer mappings than :func:`space_size` counts.
    """
    slots = [[node.name for node in hierarchy.nodes if dim in node.loops] for dim in sizes(nest)]
    ways = [list(_ways(size, len(names))) for size, names in zip(sizes(nest).values(), slots, strict=True)]
    for factors in product(*ways):
        blocks: dict[str, list[Loop]] = {node.name: [] for node in hierarchy.nodes}
        for dim, names, trips in zip(sizes(nest), slots, factors, strict=True):
            for name, n in zip(names, trips, strict=True):
                if n > 1:
                    blocks[name].append(Loop(dim, n))
        if any(prod(loop.trips for loop in blocks[axis.name]) > axis.size for axis in hierarchy.axes):
            continue
        orders = [
            list(permutations(blocks[node.name]))
            if isinstance(node, TemporalLevel)
            else [tuple(blocks[node.name])]
            for node in hierarchy.nodes
        ]
        for order in product(*orders):
            named = tuple(zip((node.name for node in hierarchy.nodes), order, strict=True))
            for bypass in bypasses(hierarchy):
                yield Mapping(named, bypass)


def _ways(number: int, slots: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as a product of so many factors."""
    if slots < 2:
        if slots or number == 1:
            yield (number,) * slots
        return
    for first in divisors(number):
        for rest in _ways(number // first, slots - 1):
            yield (first, *rest)
