"""A hierarchy whose DRAM is made of devices: its accesses as commands, and the mapping that takes least.

The search prices bits that are wanted as bits in bursts from open rows, and standby and refresh by
the cycle. What a mapping costs in commands is known once it is replayed, and is no less: so the
search's optimum is a bound for all, and of a few good mappings the one that takes least is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from energysim.cost.base import LayerCost
from energysim.cost.dram_commands import device_value
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.errors import CapacityError
from energysim.hardware.hierarchy import HierarchyHardware
from energysim.mapping.hierarchy.mapping import MappingError, parse_mapping

__all__ = ["best_in_commands"]

#: Dimensions that tiles in DRAM are not cut along, for each mapping that is tried: any tiles, those of
#: whole image rows, those of whole images. The longer the runs of addresses, the fewer bursts in part.
_WHOLE = ("", "Q", "PQ")


def best_in_commands(layer: HierarchyLayer, by_price: Callable[[HierarchyLayer], LayerCost]) -> LayerCost:
    """Return the least in DRAM commands of mappings that are each the best by price.

    Parameters
    ----------
    layer : HierarchyLayer
    by_price : callable
        From a layer to the cost of the mapping that is best by the price of words.

    Raises
    ------
    MappingError
        If none of them is one that a DRAM of devices takes; says why of the first.
    CapacityError
        If nothing fits.
    """
    first = by_price(layer)
    found, refusal = [], None
    for cost in (first, *_others(layer, by_price)):
        try:
            commanded = layer.cost(parse_mapping(cost.mapping), commands=True)
        except MappingError as error:
            refusal = refusal or error
            continue
        found.append(commanded)
    if not found:
        assert refusal is not None
        raise refusal
    objective = layer.setting.objective
    best = min(found, key=lambda cost: (device_value(cost, objective), cost.mapping))
    least = device_value(first, objective)[0] * (1 if first.optimal else 1 - first.gap)
    value = device_value(best, objective)[0]
    gap = max(Fraction(0), 1 - Fraction(least) / value) if value else Fraction(0)
    optimal = not gap
    if optimal and objective in ("dram", "delay") and best.energy_aj:
        # Those as good are as good by price as well, so the search's least energy holds for them.
        energy = device_value(first, "energy")[0] * (1 - first.gap)
        gap = max(Fraction(0), 1 - Fraction(energy) / best.energy_aj)
    return replace(best, mappings=first.mappings, searched=first.searched, optimal=optimal, gap=gap)


def _others(layer: HierarchyLayer, by_price: Callable[[HierarchyLayer], LayerCost]) -> Iterator[LayerCost]:
    """The best of tiles that are not cut along some dimensions."""
    hardware = layer.setting.hardware
    assert isinstance(hardware, HierarchyHardware)
    hierarchy = hardware.hierarchy
    dram, *inner = hierarchy.nodes
    for whole in _WHOLE[1:]:
        loops = "".join(dim for dim in dram.loops if dim not in whole)
        nodes = (replace(dram, loops=loops), *inner)
        other = replace(hardware, hierarchy=replace(hierarchy, nodes=nodes))
        try:
            yield by_price(replace(layer, setting=replace(layer.setting, hardware=other)))
        except CapacityError:
            return
