"""The cost model ``hierarchy``: any memories, any spatial axes; explicit mappings or the best one."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import replace
from pathlib import Path

from energysim.cost.base import LayerCost, Setting
from energysim.cost.hierarchy_layer import HierarchyLayer, hierarchy_of
from energysim.cost.streams import evaluate_stream
from energysim.errors import LayerError, UsageError, near_miss
from energysim.graph import LayerGraph
from energysim.mapping import is_larger
from energysim.mapping.hierarchy.files import read_mappings
from energysim.mapping.hierarchy.mapping import Mapping, MappingError
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, StreamWorkload, Workload, lower

__all__ = ["HierarchyModel", "evaluate_mapping"]

#: What two layers have in common that can run the same mapping, whatever weights they keep.
Shape = tuple[int, int, int, int, Axis, Axis]


class HierarchyModel:
    """Levels and axes as the hardware says, each layer under a given mapping or the proven best.

    Parameters
    ----------
    mappings : dict of LoopNest to Mapping, optional
        Mappings of layers; the kernel of a loop nest is not looked at. The best mappings of all
        other layers are searched.
    search_seconds : float, optional
        Time for the search of one layer; by default it stops after so much work, the same anywhere.
    """

    description = "any memory hierarchy and spatial axes; proven-best or explicit mappings"

    def __init__(
        self, mappings: Dict[LoopNest, Mapping] | None = None, search_seconds: float | None = None
    ) -> None:
        self._mappings: dict[Shape, Mapping] = {}
        self._seconds = search_seconds
        for nest, mapping in (mappings or {}).items():
            known = self._mappings.setdefault(_shape(nest), mapping)
            if known != mapping:
                raise MappingError(f"two mappings for layers of one shape: {known} and {mapping}")

    @classmethod
    def for_graph(
        cls,
        graph: LayerGraph,
        mappings: Dict[str, Mapping] | str | Path,
        search_seconds: float | None = None,
    ) -> HierarchyModel:
        """Return the model for the layers of a graph.

        Parameters
        ----------
        graph : LayerGraph
        mappings : dict of str to Mapping, or path
            By node name, or a mapping file. Layers of one shape have one mapping.
        search_seconds : float, optional
            Time for the search of one layer that has no mapping.

        Raises
        ------
        UsageError
            If a name is no layer with multiplications.
        """
        given = mappings if isinstance(mappings, Dict) else read_mappings(mappings)
        nests = {}
        for node in graph.nodes:
            if node.op.category == "mac":
                work = lower(graph, node)
                assert isinstance(work, MacWorkload)
                nests[node.name] = work.nest
        for name in given:
            if name not in nests:
                hint = near_miss(name, nests) or f" (it has {', '.join(nests)})"
                raise UsageError(f"{graph.name!r} has no layer {name!r} to map{hint}")
        found: dict[LoopNest, tuple[str, Mapping]] = {}
        for name, mapping in given.items():
            first, known = found.setdefault(nests[name], (name, mapping))
            if known != mapping:
                raise MappingError(
                    f"layers {first!r} and {name!r} are alike and are evaluated once, but their mappings "
                    f"differ: {known} and {mapping}"
                )
        return cls({nest: mapping for nest, (_, mapping) in found.items()}, search_seconds)

    def evaluate(self, segment: tuple[Workload, ...], setting: Setting) -> tuple[LayerCost, ...]:
        """Return the cost of each workload; see :class:`energysim.cost.base.CostModel`."""
        return tuple(self._one(work, setting) for work in segment)

    def _one(self, work: Workload, setting: Setting) -> LayerCost:
        if is_larger(setting.rules):
            raise UsageError(
                "the rules 'residence=uneven' and 'overlap=both-axes' are those of the cost model two-level: "
                "hierarchies are searched with even tiles"
            )
        if isinstance(work, StreamWorkload):
            return _stream(work, setting)
        if work.beside:
            raise LayerError(
                "the cost model hierarchy does not know layers that read further tensors (offsets)"
            )
        layer = HierarchyLayer(work, setting)
        mapping = self._mappings.get(_shape(work.nest))
        if mapping is not None:
            return layer.cost(mapping, commands=True)
        from energysim.cost.hierarchy_search import best_cost

        if not work.nest.rows.transposed:
            return best_cost(layer, self._seconds)
        from energysim.cost.hierarchy_phases import in_phases

        return in_phases(layer, lambda part, parts: best_cost(part, self._seconds, parts))


def evaluate_mapping(work: MacWorkload, setting: Setting, mapping: Mapping) -> LayerCost:
    """Return the cost of one explicit mapping.

    Raises
    ------
    MappingError
        If it is none of this layer, or the hardware cannot run it.
    """
    return HierarchyLayer(work, setting).cost(mapping, commands=True)


def _shape(nest: LoopNest) -> Shape:
    return nest.batch, nest.groups, nest.filters, nest.channels, nest.rows, nest.cols


def _stream(work: StreamWorkload, setting: Setting) -> LayerCost:
    """A layer that only streams, through the two outermost levels, under their names."""
    cost = evaluate_stream(work, setting)
    names = dict(
        zip(("dram", "buffer"), (level.name for level in hierarchy_of(setting).levels), strict=False)
    )
    return replace(
        cost,
        accesses=tuple(replace(row, level=names.get(row.level, row.level)) for row in cost.accesses),
        times=tuple((names.get(name, name), time) for name, time in cost.times),
    )
