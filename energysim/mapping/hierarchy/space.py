"""The spaces of mappings of a layer, and their sizes in closed form.

Every dimension is cut into divisors over all levels and axes that may have loops over it, the
loops of each level stand in any order, and every tensor that may bypass a level does or does not.
In the imperfect space the outermost level may take any number of trips over a dimension, over the
smallest tile that then does, the last one clipped. Sizes count mappings that do not fit as well:
they are those of the space before anything is pruned.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from math import comb, factorial, isqrt, prod

from energysim.hardware.hierarchy import TENSORS, Hierarchy, TemporalLevel
from energysim.mapping.hierarchy.loops import sizes
from energysim.mapping.hierarchy.mapping import Loop, Mapping
from energysim.units import ceil_div
from energysim.workload import LoopNest

__all__ = ["all_mappings", "bypasses", "divisors", "factorisations", "prime_exponents", "space_size", "tiles"]


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
    return prod(comb(exponent + slots - 1, slots - 1) for _, exponent in prime_exponents(number))


def prime_exponents(number: int) -> list[tuple[int, int]]:
    """Return the primes of a number, ascending, and how often each divides it."""
    found, prime = [], 2
    while number > 1:
        exponent = 0
        while number % prime == 0:
            number, exponent = number // prime, exponent + 1
        if exponent:
            found.append((prime, exponent))
        prime = prime + 1 if prime * prime <= number else max(number, prime + 1)
    return found


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


def tiles(size: int, imperfect: bool) -> list[int]:
    """Return the tiles that the outermost level may walk over, ascending."""
    if not imperfect:
        return divisors(size)
    few = range(1, min(size, isqrt(size) + 1) + 1)
    # Of the fewest trips the tiles; then the small tiles that no smaller one does as well as.
    found = {ceil_div(size, n) for n in few}
    found |= {t for t in few if t == 1 or ceil_div(size, t - 1) > ceil_div(size, t)}
    return sorted(found)


def space_size(hierarchy: Hierarchy, nest: LoopNest, *, imperfect: bool = False) -> int:
    """Return the number of mappings of the space."""
    tilings = 1
    for dim, size in sizes(nest).items():
        inner = sum(dim in node.loops for node in hierarchy.nodes[1:])
        outer = tiles(size, imperfect) if dim in hierarchy.nodes[0].loops else [size]
        tilings *= sum(factorisations(tile, inner) for tile in outer)
    orders = prod(
        factorial(sum(size > 1 and dim in node.loops for dim, size in sizes(nest).items()))
        for node in hierarchy.nodes
        if isinstance(node, TemporalLevel)
    )
    return tilings * orders * sum(1 for _ in bypasses(hierarchy))


def all_mappings(hierarchy: Hierarchy, nest: LoopNest, *, imperfect: bool = False) -> Iterator[Mapping]:
    """All mappings of the space, one by one, those that do not fit included.

    Loops of one trip have no order: there are fewer mappings than :func:`space_size` counts.
    """
    outermost = hierarchy.nodes[0]
    slots, ways = [], []
    for dim, size in sizes(nest).items():
        inner = [node.name for node in hierarchy.nodes[1:] if dim in node.loops]
        slots.append([outermost.name, *inner])
        outer = tiles(size, imperfect) if dim in outermost.loops else [size]
        ways.append([(ceil_div(size, tile), *way) for tile in outer for way in _ways(tile, len(inner))])
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
