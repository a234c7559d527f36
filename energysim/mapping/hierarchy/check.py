"""Whether a mapping is one of the layer and the hardware can run it: one clear message if not."""

from __future__ import annotations

from math import prod

from energysim.errors import near_miss
from energysim.hardware.hierarchy import TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.hardware.tables import capacity_text
from energysim.mapping.hierarchy.footprint import Widths, needs
from energysim.mapping.hierarchy.held import ALIKE, Held
from energysim.mapping.hierarchy.loops import loop_tree, sizes
from energysim.mapping.hierarchy.mapping import Mapping, MappingError
from energysim.mapping.hierarchy.rules import hierarchy_rules
from energysim.mapping.hierarchy.walk import Walk
from energysim.mapping.rules import Rules
from energysim.units import ceil_div
from energysim.workload import LoopNest

__all__ = ["check_places", "check_room", "check_sizes", "checked"]

_WORDS = {
    "N": "images of the batch",
    "G": "groups",
    "M": "filters of a group",
    "C": "channels of a group",
    "P": "output rows",
    "Q": "output columns",
    "R": "kernel rows",
    "S": "kernel columns",
}


def checked(
    hierarchy: Hierarchy,
    mapping: Mapping,
    nest: LoopNest,
    rules: Rules,
    bits: Widths,
    *,
    imperfect: bool = False,
    stored_only: bool = False,
    skips: bool = False,
    held: Held = ALIKE,
) -> Walk:
    """Return a mapping laid over a hierarchy, ready to be counted.

    Parameters
    ----------
    hierarchy : Hierarchy
    mapping : Mapping
    nest : LoopNest
    rules : Rules
    bits : (int or Fraction, int, int)
        Of a weight (with its share of indices), an input and an accumulator as they are held.
    imperfect : bool
        Whether loops of the outermost level may end with a smaller tile.
    stored_only, skips : bool
        Whether weights that do not exist are neither stored nor moved; whether their products
        take no cycle.
    held : Held
        What levels hold in another way.

    Raises
    ------
    MappingError
        If anything does not fit; the message says what and where.
    """
    if nest.rows.transposed or nest.cols.transposed:
        raise MappingError(
            "a transposed convolution runs in phases, each with a mapping of its own: it takes no mapping"
        )
    check_places(hierarchy, mapping)
    check_sizes(hierarchy, mapping, nest, imperfect)
    tree = loop_tree(hierarchy, mapping, nest)
    own = hierarchy_rules(hierarchy.rules)
    walk = Walk(nest, tree, rules, own, stored_only, skips and not nest.kernel.is_dense, held.values)
    check_room(walk, bits, held)
    return walk


def check_places(hierarchy: Hierarchy, mapping: Mapping) -> None:
    """Loops stand where the hardware has a level or axis for them, and bypasses where it allows them."""
    nodes = {node.name: node for node in hierarchy.nodes}
    for name in [*(name for name, _ in mapping.blocks), *(name for name, _ in mapping.bypass)]:
        if name not in nodes:
            hint = near_miss(name, nodes) or f" (it has {', '.join(nodes)})"
            raise MappingError(f"the hardware has no level or axis {name!r}{hint}")
    for name, loops in mapping.blocks:
        node = nodes[name]
        for loop in loops:
            if loop.dim not in node.loops:
                allowed = " ".join(node.loops) or "none"
                raise MappingError(f"{name!r} takes no loop over {loop.dim} (loops allowed there: {allowed})")
        if isinstance(node, SpatialAxis):
            need = prod(loop.trips for loop in loops)
            if need > node.size:
                text = " x ".join(map(str, loops))
                raise MappingError(f"axis {name!r} has {node.size} places; {text} needs {need}")
    for name, tensor in mapping.bypass:
        node = nodes[name]
        if not isinstance(node, TemporalLevel):
            raise MappingError(f"{name!r} is an axis; it holds nothing that could bypass it")
        if node is hierarchy.nodes[0]:
            raise MappingError(f"{tensor} cannot bypass {name!r}: it is the last level")
        if tensor in node.keep:
            raise MappingError(f"{tensor} cannot bypass {name!r}: this hardware always holds them there")
    for level in hierarchy.levels:
        out = {
            tensor for tensor in TENSORS if tensor in level.bypass or (level.name, tensor) in mapping.bypass
        }
        if out == set(TENSORS):
            raise MappingError(f"nobody uses level {level.name!r}: all three tensors bypass it")


def check_sizes(hierarchy: Hierarchy, mapping: Mapping, nest: LoopNest, imperfect: bool) -> None:
    """The loops over each dimension multiply to its size; at the outermost level it may be less."""
    outermost = hierarchy.nodes[0].name
    outer = {loop.dim: loop.trips for loop in mapping.loops(outermost)}
    for dim, size in sizes(nest).items():
        found = mapping.factor(dim)
        if found == size:
            continue
        parts = [
            f"{name} {loop.trips}" for name, loops in mapping.blocks for loop in loops if loop.dim == dim
        ]
        text = f" ({', '.join(parts)})" if parts else ""
        what = f"the loops over {dim} multiply to {found}{text}; the layer has {size} {_WORDS[dim]}"
        trips = outer.get(dim, 1)
        tile = found // trips
        if not imperfect:
            raise MappingError(what)
        if tile > size or trips != ceil_div(size, tile):
            raise MappingError(
                f"{what}: {outermost!r} needs {ceil_div(size, tile)} trips over tiles of {tile}"
                if tile <= size
                else f"{what}: a tile of {tile} is too large"
            )


def check_room(walk: Walk, bits: Widths, held: Held = ALIKE) -> None:
    """The tiles fit their levels."""
    found = needs(walk, bits, held)
    for level in walk.tree.hierarchy.levels[1:]:
        own = [need for need in found if need.level == level.name]
        if level.partitions is not None:
            for need in own:
                have = level.part_bits(need.tensor) or 0
                if need.bits > have:
                    raise MappingError(
                        f"the tile of {need.tensor} in level {level.name!r} needs "
                        f"{capacity_text(need.bits)} and has {capacity_text(have)}"
                    )
            continue
        total = sum(need.bits for need in own)
        if level.capacity_bits is not None and total > level.capacity_bits:
            if len(own) == 1:
                what = f"the tile of {own[0].tensor} in level {level.name!r} needs"
            else:
                each = ", ".join(f"{need.tensor} {capacity_text(need.bits)}" for need in own)
                what = f"the tiles in level {level.name!r} ({each}) need"
            verb = "has" if len(own) == 1 else "have"
            most = capacity_text(level.capacity_bits)
            raise MappingError(f"{what} {capacity_text(total)} and {verb} {most}")
