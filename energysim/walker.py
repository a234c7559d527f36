"""The walker: graph x scheme x hardware -> Report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from energysim.cost import COST_MODELS, CostModel, LayerCost, Setting
from energysim.cost.dram_words import dram_notes, need_dram_capacity
from energysim.densities import ZerosSource, apply_zeros, read_zeros
from energysim.errors import (
    CapacityError,
    EnergysimError,
    LayerError,
    SchemeError,
    SpecError,
    UnknownOperatorError,
    UsageError,
)
from energysim.extra import Extra, Table
from energysim.fusion import FUSIONS, Fused, fuse
from energysim.graph import (
    Conv2d,
    LayerGraph,
    Linear,
)
from energysim.hardware import Hardware, load_hardware
from energysim.kernels import StoredKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy.mapping import MappingError
from energysim.model_weights import WeightsSource, weights_of
from energysim.placing import Placed
from energysim.report import AccessRow, LayerRow, Report, Run
from energysim.row_making import access_rows, layer_row, seen_from_origin, table_row
from energysim.schemes import Rewrite, Scheme, need_all_changed, parse_schemes
from energysim.schemes.family import expanded, why_nothing
from energysim.setting import one_of, read_setting, setup_of
from energysim.widths import Bits, Widths, read_bits
from energysim.workload import MacWorkload, StreamWorkload, Workload
from energysim.zoo import load_model

__all__ = ["estimate"]


def estimate(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme | Iterable[str | Scheme] = "dense",
    hardware: str | Path | Hardware = "edge45",
    *,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    classes: int | None = None,
    batch: int | None = None,
    bits: Bits | None = None,
    activations: ZerosSource | None = None,
    format_weights: str | None = None,
    format_activations: str | None = None,
    objective: str = "energy",
    rules: str | Rules | None = None,
    fusion: str = "epilogue",
    cost_model: str | None = None,
    allow_unknown: bool = False,
    weights: WeightsSource | None = None,
    mapping: str | Path | Mapping[str, Any] | None = None,
    search_seconds: float | None = None,
    strict: bool = False,
) -> Report:
    """Estimate a network on a piece of hardware, the dense form first, then each scheme.

    Parameters
    ----------
    model : str, Path or LayerGraph
        Zoo name, builder file, ONNX file or graph.
    sparsity : str, Scheme or several
        Schemes to estimate beside the dense form, e.g. ``"psconv"`` or ``"dense,psconv:PSD1_P16"``;
        ``"all"``: every scheme that applies, the others are listed with the reason.
    hardware : str, Path or Hardware
        Name or file of a specification.
    input : sequence of int, or mapping of str to sequence of int, optional
        Shape of one sample (C, H, W); of an ONNX file also whole shapes by input.
    classes, batch : int, optional
    bits : str, int or mapping, optional
        Widths [bit]: ``16``, ``"w=8,a=8,acc=32"``, with layers ``"w=8,a=8;features.*:w=4"``, or the same as
        a mapping; by default what the graph states, else the hardware's.
    activations : number, str, Path or mapping, optional
        Zero fractions of activations: see :mod:`energysim.densities`.
    format_weights, format_activations : str, optional
        Storage formats, e.g. ``"csr"``; see ``energysim list formats``.
    objective : {"energy", "dram", "delay", "edp"}
        What the mapping of each layer minimises.
    rules : str or Rules, optional
        Counting rules, e.g. ``"timeloop"`` or ``"overlap=none"``.
    fusion : {"epilogue", "pool", "split", "none"}
        What runs in place: see :mod:`energysim.fusion`.
    cost_model : str, optional
        By default the one the hardware is written for.
    allow_unknown : bool
        Whether operators of unknown cost are left out (and listed) instead of an error.
    weights : str, Path or mapping of str to array, optional
        What the scheme ``auto`` looks at; by default the weights that come with the model.
    mapping : str, Path or mapping of str to Mapping, optional
        Mappings of layers by name, or a file of them (cost model ``hierarchy``); the mappings of all
        other layers are searched.
    search_seconds : float, optional
        Time for the search of one layer's mapping (cost model ``hierarchy``). When it is over the best
        that is known is taken, with how much a better one could save.
    strict : bool
        Whether a layer that a scheme, or the rule for it, leaves as it is is an error.

    Returns
    -------
    Report

    Raises
    ------
    EnergysimError
        For anything that cannot be used; the message says where and what would be.
    """
    graph = load_model(model, input, classes, batch, allow_unknown)
    zeros = () if activations is None else read_zeros(activations)
    graph = apply_zeros(graph, zeros) if zeros else graph
    schemes, optional, skipped = expanded(parse_schemes(sparsity))
    spec = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    widths = read_bits(bits)
    widths.check(graph)
    setting = read_setting(spec, objective, rules, widths, format_weights, format_activations)
    one_of("fusion", fusion, FUSIONS)
    name = cost_model or spec.cost_model
    cost = _cost_model(name, graph, mapping, search_seconds)
    walker = _Walker(cost, setting, fusion, allow_unknown, widths, strict)
    schemes = _with_weights(schemes, graph, model, weights, widths, setting)
    (reference,) = parse_schemes("dense")
    chosen = [reference, *(s for s in dict.fromkeys(schemes) if s != reference)]
    runs: list[Run] = []
    for scheme in chosen:
        found = _run_or_reason(walker, scheme, graph) if scheme in optional else walker.run(scheme, graph)
        if isinstance(found, Run):
            runs.append(found)
        else:
            skipped = (*skipped, (str(scheme), found))
    setup = setup_of(graph, setting, name, fusion, zeros, widths, walker.datapaths)
    return Report(setup, tuple(runs), skipped)


def _run_or_reason(walker: _Walker, scheme: Scheme, graph: LayerGraph) -> Run | str:
    """The estimate of a scheme, or why there is none."""
    try:
        found = walker.run(scheme, graph)
    except EnergysimError as error:
        return str(error)
    if any(row.scheme != "dense" for row in found.layers):
        return found
    return why_nothing(reason for _, reason in found.left_dense)


def _cost_model(
    name: str,
    graph: LayerGraph,
    mapping: str | Path | Mapping[str, Any] | None,
    search_seconds: float | None,
) -> CostModel:
    """The cost model, with mappings and a time limit if any are given."""
    kind = COST_MODELS.get(name)
    if mapping is None and search_seconds is None:
        model: CostModel = kind()
        return model
    if not hasattr(kind, "for_graph"):
        raise UsageError(
            f"the cost model {name!r} takes neither mappings nor a time for their search; 'hierarchy' does"
        )
    if search_seconds is not None and not 0 <= search_seconds < float("inf"):
        raise UsageError(f"the seconds for a search are zero or more, not {search_seconds}")
    given: CostModel = kind.for_graph(graph, mapping or {}, search_seconds)
    return given


def _with_weights(
    schemes: tuple[Scheme, ...],
    graph: LayerGraph,
    model: str | Path | LayerGraph,
    weights: WeightsSource | None,
    widths: Widths,
    setting: Setting,
) -> tuple[Scheme, ...]:
    """The schemes, those that look at weights with them."""
    from energysim.schemes.bind import bound, wants_weights

    if not any(map(wants_weights, schemes)):
        if weights is not None:
            raise UsageError("weights are given, but no scheme looks at them: that is what auto does")
        return schemes
    arrays, _ = weights_of(graph, model, weights)

    def width(name: str) -> int:
        return widths.setting(graph, graph.node(name), name, setting).weight_bits

    return tuple(bound(scheme, arrays, width) for scheme in schemes)


class _Walker:
    """Walks graphs under one setting; equal workloads are evaluated once."""

    def __init__(
        self,
        model: CostModel,
        setting: Setting,
        fusion: str,
        allow_unknown: bool,
        widths: Widths,
        strict: bool = False,
    ) -> None:
        self.model, self.setting, self.fusion, self.allow_unknown = model, setting, fusion, allow_unknown
        self.widths, self.strict = widths, strict
        self._known: dict[tuple[Workload, int, int], LayerCost] = {}
        self._datapaths: dict[tuple[int, int, int], None] = {}

    @property
    def datapaths(self) -> tuple[str, ...]:
        """On which datapath multiply-adds ran: the narrowest that holds their operands."""
        return tuple(f"w={w},a={a} on {d} bit" for w, a, d in sorted(self._datapaths))

    def run(self, scheme: Scheme, graph: LayerGraph) -> Run:
        """Estimate one scheme."""
        try:
            rewrite = scheme.apply(graph)
        except MemoryError:
            raise SchemeError(f"{scheme} needs more memory than there is for {graph.name!r}") from None
        if self.strict:
            need_all_changed(scheme, rewrite)
        original = graph
        graph, fused = self._with_widths(rewrite)
        apart = fuse(graph, "split", rewrite.internal) if fused.in_step and rewrite.internal else fused
        together, split = Placed(rewrite, graph, fused), Placed(rewrite, graph, apart)
        layers: list[LayerRow] = []
        accesses: list[AccessRow] = []
        uncounted: list[str] = []
        for node in graph.nodes:
            try:
                work, alone = together.workload(node), split.workload(node)
            except UnknownOperatorError as error:
                if not self.allow_unknown:
                    raise UnknownOperatorError(
                        f"{error}; --allow-unknown leaves it out and says so"
                    ) from None
                uncounted.append(f"{node.name} ({node.op.kind})")
                continue
            setting = self.widths.setting(graph, node, rewrite.trace[node.name].node, self.setting)
            cost = self._cost(node.name, work, setting)
            row = layer_row(rewrite, node, fused, cost, self._cost(node.name, alone, setting))
            layers.append(seen_from_origin(row, original))
            accesses += access_rows(node.name, cost)
        for table in rewrite.tables:
            row, moved = self._table(table, str(scheme))
            layers.append(row)
            accesses += moved
        left = tuple((entry.node, entry.reason) for entry in rewrite.left)
        hardware = self.setting.hardware
        need_dram_capacity(hardware, sum(row.weight_bits + row.side_bits for row in layers))
        notes = (*_storage_notes(rewrite.graph, self.setting), *dram_notes(hardware))
        return Run(
            str(scheme), tuple(layers), tuple(accesses), left, rewrite.assumed, tuple(uncounted), notes
        )

    def _with_widths(self, rewrite: Rewrite) -> tuple[LayerGraph, Fused]:
        """The graph with the widths given for tensors, and what of it is folded."""
        graph, internal = rewrite.graph, rewrite.internal
        fused = fuse(graph, self.fusion, internal)
        origins = {name: origin.node for name, origin in rewrite.trace.items()}
        changed = self.widths.tensors(graph, origins, fused)
        if not changed:
            return graph, fused
        graph = graph.with_tensors(changed)
        return graph, fuse(graph, self.fusion, internal)

    def _table(self, table: Table, scheme: str) -> tuple[LayerRow, list[AccessRow]]:
        """The row of a table that layers share, read once in a run or only when the network is loaded."""
        name = f"shared.{table.name}"
        extra = Extra(weight_bits=table.value_bits)
        cost = self._cost(name, StreamWorkload((), (), (), 0, table.values, extra=extra), self.setting)
        if table.at_load:
            idle = self._cost(name, StreamWorkload((), (), ()), self.setting)
            cost = replace(idle, weight_bits=cost.weight_bits, load_bits=table.bits(self.setting.weight_bits))
        row = table_row(name, scheme, table, cost)
        return row, access_rows(name, cost)

    def _cost(self, node: str, work: Workload, setting: Setting) -> LayerCost:
        key = work, setting.weight_bits, setting.accumulator_bits
        if key not in self._known:
            try:
                (self._known[key],) = self.model.evaluate((work,), setting)
                if isinstance(work, MacWorkload) and not work.extra.additions:
                    self._datapaths[_datapath(work, setting)] = None
            except (CapacityError, LayerError, MappingError, SpecError) as error:
                where = f"layer {node!r} on {setting.hardware.name!r}"
                raise type(error)(f"{where}: {error}") from None
            except (OverflowError, MemoryError) as error:
                raise EnergysimError(f"layer {node!r} is too large to count: {error}") from None
        return self._known[key]


def _storage_notes(graph: LayerGraph, setting: Setting) -> tuple[str, ...]:
    """Which storage was chosen for real weights, layer by layer, and what was next to it."""
    told = []
    for node in graph.nodes:
        kernel = node.op.kernel if isinstance(node.op, Conv2d | Linear) else None
        if isinstance(kernel, StoredKernel) and kernel.reason:
            told.append(f"{node.name}: {kernel.reason}")
    if not told:
        return ()
    unused = ""
    if setting.weight_format is not None:
        unused = f" (not used: {setting.weight_format} was asked for)"
    elif not setting.hardware.weights.stored_compressed:
        unused = f" (not used: {setting.hardware.name} stores all weights densely)"
    elif setting.hardware.weights.format is not None:
        own = setting.hardware
        unused = f" (not used: {own.name} stores weights as {own.weights.format})"
    return (f"cheapest lossless storage of the weights{unused}: {'; '.join(told)}",)


def _datapath(work: MacWorkload, setting: Setting) -> tuple[int, int, int]:
    """Widths of weights, activations and the multipliers that take both."""
    weight = work.extra.weight_bits or setting.weight_bits
    if work.second is not None:
        weight = work.second.bits or setting.activation_bits
    activation = work.inputs.bits or setting.activation_bits
    return weight, activation, setting.hardware.mac_width(weight, activation)
