"""The cost of a transposed convolution on a hierarchy: its phases, one after the other.

Each is an ordinary convolution under its own best mapping
(:mod:`energysim.mapping.hierarchy.phases`); nothing stays on chip from one to the next. Counts, energy
and time add up, so that the best of each is the best of all, but for the product of energy and time:
by Cauchy and Schwarz (sum E)(sum T) is at least the square of the sum of sqrt(E T), which bounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from math import isqrt, prod

from energysim.cost.base import Access, LayerCost
from energysim.cost.bound import compulsory_and_bound
from energysim.cost.dram_commands import device_dram
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.errors import CapacityError, LayerError
from energysim.mapping.hierarchy.phases import Phase, phases

__all__ = ["in_phases"]


def in_phases(layer: HierarchyLayer, best: Callable[[HierarchyLayer, int], LayerCost]) -> LayerCost:
    """Return the cost of a transposed convolution.

    Parameters
    ----------
    layer : HierarchyLayer
        Of the whole layer.
    best : callable
        From a phase, and how many there are, to its cost under the mapping of the least objective.

    Raises
    ------
    LayerError
        If its kernel is not dense.
    CapacityError
        If a phase does not fit; names it.
    """
    if not layer.work.nest.kernel.is_dense:
        raise LayerError("transposed convolutions with sparse kernels cannot be mapped onto a hierarchy")
    if device_dram(layer.setting.hardware) is not None:
        raise LayerError(
            "transposed convolutions run in phases on a hierarchy, and where outputs would lie in a DRAM "
            "of devices is not defined: state its energies by the word, or take hardware of 'two-level'"
        )
    parts = phases(layer.work.nest)
    shares = _shares(layer, parts)
    costs, count = [], sum(share is not None for share in shares)
    for part, share in zip(parts, shares, strict=True):
        if share is not None:
            try:
                costs.append((part, best(share, count)))
            except CapacityError as error:
                raise CapacityError(f"phase {part} of a transposed convolution: {error}") from error
    found = _sum(layer, costs, _unmet(layer, shares))
    optimal, gap = _proof([cost for _, cost in costs], layer.setting.objective)
    return replace(found, optimal=optimal, gap=gap)


def _shares(layer: HierarchyLayer, parts: tuple[Phase, ...]) -> list[HierarchyLayer | None]:
    """Each phase as a layer, with its share of what belongs to the whole; None without products."""
    work = layer.work
    found: list[HierarchyLayer | None] = []
    written = _split(work.outputs.elements, [part.outputs for part in parts])
    beside = _split(work.extra.side_bits, [part.weights for part in parts])
    once = True
    for part, elements, side_bits in zip(parts, written, beside, strict=True):
        if part.nest is None:
            found.append(None)
            continue
        extra = replace(work.extra, side_bits=side_bits)
        if not once:
            extra = replace(extra, table_bits=0, float_macs=0, other_ops=0, spilled=0)
        share = replace(
            work,
            nest=part.nest,
            outputs=replace(work.outputs, shape=(elements,)),
            other_ops=work.other_ops if once else 0,
            extra=extra,
        )
        found.append(replace(layer, work=share, stored_outputs=layer.outputs))
        once = False
    return found


def _split(total: int, sizes: list[int]) -> list[int]:
    """A whole number shared out in proportion, the parts whole and of the same sum."""
    every, done, found, before = max(1, sum(sizes)), 0, [], 0
    for size in sizes:
        done += size
        found.append(total * done // every - before)
        before += found[-1]
    return found


def _unmet(layer: HierarchyLayer, shares: list[HierarchyLayer | None]) -> int:
    """Outputs that are written although nothing is summed up in them."""
    return layer.work.outputs.elements - sum(s.work.outputs.elements for s in shares if s is not None)


def _sum(layer: HierarchyLayer, costs: list[tuple[Phase, LayerCost]], unmet: int) -> LayerCost:
    """The whole layer."""
    work, each = layer.work, [cost for _, cost in costs]
    rows = _added([*(access for cost in each for access in cost.accesses), *layer.written(unmet)])
    times: dict[str, int] = {}
    for cost in each:
        for name, time in cost.times:
            times[name] = times.get(name, 0) + time
    products = [part.nest.dense_macs for part, _ in costs if part.nest is not None]
    places = sum(
        count / cost.utilisation for count, cost in zip(products, each, strict=True) if cost.utilisation
    )
    compulsory, bound = compulsory_and_bound(layer, layer.hierarchy.on_chip_bits)
    return LayerCost(
        dense_macs=work.nest.dense_macs,
        macs=work.nest.macs + work.extra.float_macs,
        effective_macs=sum(cost.effective_macs for cost in each),
        other_ops=work.other_ops,
        weight_bits=layer.weights.size.value_bits,
        side_bits=layer.weights.size.side_bits,
        accesses=rows,
        cycles=sum(cost.cycles for cost in each),
        times=tuple(times.items()),
        utilisation=sum(products) / places if places else Fraction(0),
        compulsory_bits=compulsory,
        dram_bound_bits=bound,
        mapping=" | ".join(f"{part} > {cost.mapping}" for part, cost in costs),
        mappings=prod(cost.mappings for cost in each),
        searched=_counted(each),
        float_macs=work.extra.float_macs,
        additions=work.nest.macs if work.extra.additions else 0,
    )


def _added(rows: Iterable[Access]) -> tuple[Access, ...]:
    """Rows that are about the same become one."""
    found: dict[tuple[object, ...], Access] = {}
    for row in rows:
        key = (row.level, row.tensor, row.action, row.constant, row.expected)
        old = found.get(key)
        found[key] = (
            row
            if old is None
            else replace(
                old,
                elements=old.elements + row.elements,
                bits=old.bits + row.bits,
                energy_aj=old.energy_aj + row.energy_aj,
            )
        )
    return tuple(found.values())


def _counted(costs: list[LayerCost]) -> tuple[tuple[str, int], ...]:
    """What became of all partial mappings."""
    found: dict[str, int] = {}
    for cost in costs:
        for name, count in cost.searched:
            found[name] = found.get(name, 0) + count
    return tuple(found.items())


def _proof(costs: list[LayerCost], objective: str) -> tuple[bool, Fraction]:
    """Whether the sum is proven the least, and the share that better mappings of the phases could save."""
    if objective != "edp":
        optimal = all(cost.optimal for cost in costs)
        return optimal, max((cost.gap for cost in costs if cost.optimal == optimal), default=Fraction(0))
    value = sum(cost.energy_aj for cost in costs) * sum(cost.cycles for cost in costs)
    least = sum(isqrt(int(cost.energy_aj * cost.cycles * (1 - cost.gap))) for cost in costs) ** 2
    gap = max(Fraction(0), 1 - Fraction(least, value)) if value else Fraction(0)
    return not gap, gap
