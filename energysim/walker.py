"""The walker: graph x scheme x hardware -> Report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from energysim.cost import COST_MODELS, CostModel, LayerCost, Setting
from energysim.densities import ZerosSource, apply_zeros, read_zeros
from energysim.errors import CapacityError, EnergysimError, SchemeError, UnknownOperatorError
from energysim.fusion import FUSIONS, Fused, fuse
from energysim.graph import BatchNorm, Conv2d, ConvTranspose2d, LayerGraph, Linear, MatMul, Node
from energysim.graph.shapes import text as shape_text
from energysim.hardware import Hardware, load_hardware
from energysim.mapping import Rules
from energysim.report import AccessRow, LayerRow, Report, Run
from energysim.schemes import Rewrite, Scheme, parse_schemes
from energysim.setting import Bits, one_of, read_setting, setup_of
from energysim.workload import MacWorkload, Operand, StreamWorkload, Workload, lower
from energysim.zoo import load_model

__all__ = ["estimate"]

_PARTS = {Conv2d: "convolution", ConvTranspose2d: "convolution", Linear: "linear", MatMul: "matmul"}


def estimate(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme | Iterable[str | Scheme] = "dense",
    hardware: str | Path | Hardware = "edge45",
    *,
    input: Sequence[int] | None = None,
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
) -> Report:
    """Estimate a network on a piece of hardware, the dense form first, then each scheme.

    Parameters
    ----------
    model : str, Path or LayerGraph
        Zoo name, builder file or graph.
    sparsity : str, Scheme or several
        Schemes to estimate beside the dense form, e.g. ``"psconv"`` or ``"dense,psconv:PSD1_P16"``.
    hardware : str, Path or Hardware
        Name or file of a specification.
    input : sequence of int, optional
        Shape of one sample (C, H, W).
    classes, batch : int, optional
    bits : str, int or mapping, optional
        Widths [bit]: ``16``, ``"w=8,a=8,acc=32"`` or the same as a mapping; by default the hardware's.
    activations : number, str, Path or mapping, optional
        Zero fractions of activations: see :mod:`energysim.densities`.
    format_weights, format_activations : str, optional
        Storage formats, e.g. ``"csr"``; see ``energysim list formats``.
    objective : {"energy", "dram", "delay", "edp"}
        What the mapping of each layer minimises.
    rules : str or Rules, optional
        Counting rules, e.g. ``"timeloop"`` or ``"overlap=none"``.
    fusion : {"epilogue", "pool", "none"}
        What runs in place: see :mod:`energysim.fusion`.
    cost_model : str, optional
        By default the one the hardware is written for.
    allow_unknown : bool
        Whether operators of unknown cost are left out (and listed) instead of an error.

    Returns
    -------
    Report

    Raises
    ------
    EnergysimError
        For anything that cannot be used; the message says where and what would be.
    """
    graph = load_model(model, input, classes, batch)
    zeros = () if activations is None else read_zeros(activations)
    graph = apply_zeros(graph, zeros) if zeros else graph
    schemes = parse_schemes(sparsity)
    spec = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    setting = read_setting(spec, objective, rules, bits, format_weights, format_activations)
    one_of("fusion", fusion, FUSIONS)
    name = cost_model or spec.cost_model
    walker = _Walker(COST_MODELS.get(name)(), setting, fusion, allow_unknown)
    (reference,) = parse_schemes("dense")
    chosen = [reference, *(s for s in dict.fromkeys(schemes) if s != reference)]
    runs = tuple(walker.run(scheme, graph) for scheme in chosen)
    return Report(setup_of(graph, setting, name, fusion, zeros), runs)


class _Walker:
    """Walks graphs under one setting; equal workloads are evaluated once."""

    def __init__(self, model: CostModel, setting: Setting, fusion: str, allow_unknown: bool) -> None:
        self.model, self.setting, self.fusion, self.allow_unknown = model, setting, fusion, allow_unknown
        self._known: dict[Workload, LayerCost] = {}

    def run(self, scheme: Scheme, graph: LayerGraph) -> Run:
        """Estimate one scheme."""
        try:
            rewrite = scheme.apply(graph)
        except MemoryError:
            raise SchemeError(f"{scheme} needs more memory than there is for {graph.name!r}") from None
        fused = fuse(rewrite.graph, self.fusion)
        layers: list[LayerRow] = []
        accesses: list[AccessRow] = []
        uncounted: list[str] = []
        for node in rewrite.graph.nodes:
            try:
                work = _workload(rewrite.graph, node, fused)
            except UnknownOperatorError as error:
                if not self.allow_unknown:
                    raise UnknownOperatorError(
                        f"{error}; --allow-unknown leaves it out and says so"
                    ) from None
                uncounted.append(f"{node.name} ({node.op.kind})")
                continue
            cost = self._cost(node, work)
            layers.append(_layer_row(rewrite, node, fused, cost))
            accesses += _access_rows(node, cost)
        left = tuple((entry.node, entry.reason) for entry in rewrite.left)
        return Run(str(scheme), tuple(layers), tuple(accesses), left, rewrite.assumed, tuple(uncounted))

    def _cost(self, node: Node, work: Workload) -> LayerCost:
        if work not in self._known:
            try:
                (self._known[work],) = self.model.evaluate((work,), self.setting)
            except CapacityError as error:
                raise CapacityError(
                    f"layer {node.name!r} on {self.setting.hardware.name!r}: {error}"
                ) from None
            except (OverflowError, MemoryError) as error:
                raise EnergysimError(f"layer {node.name!r} is too large to count: {error}") from None
        return self._known[work]


def _workload(graph: LayerGraph, node: Node, fused: Fused) -> Workload:
    """The workload of a node, with its tensors as they lie in memory."""
    work = lower(graph, node)
    if work is None:
        return StreamWorkload((), (), ())
    if node.name in fused.folded:
        into = fused.folded[node.name]
        folds_away = isinstance(node.op, BatchNorm) and into and graph.node(into).op.category == "mac"
        return StreamWorkload((), (), (), 0 if folds_away else work.other_ops)

    def read(operand: Operand, tensor: str) -> Operand:
        home = fused.stored[tensor]
        return replace(operand, bits=home.bits or operand.bits, stored_density=home.density)

    def written(operand: Operand, tensor: str) -> Operand:
        return replace(read(operand, tensor), shape=fused.stored[tensor].shape)

    if isinstance(work, MacWorkload):
        return replace(
            work,
            inputs=read(work.inputs, node.inputs[0]),
            second=None if work.second is None else read(work.second, node.inputs[1]),
            outputs=written(work.outputs, node.outputs[0]),
        )
    return replace(
        work,
        inputs=tuple(map(read, work.inputs, node.inputs)),
        outputs=tuple(map(written, work.outputs, node.outputs)),
    )


def _layer_row(rewrite: Rewrite, node: Node, fused: Fused, cost: LayerCost) -> LayerRow:
    origin = rewrite.trace[node.name]
    return LayerRow(
        node=node.name,
        origin=origin.node,
        scheme=origin.scheme,
        kind=node.op.kind,
        part=_PARTS.get(type(node.op), "other"),
        phase="forward",
        folded_into=fused.folded.get(node.name),
        output_shape=" ".join(shape_text(s) for s in rewrite.graph.output_shapes(node)),
        dense_macs=cost.dense_macs,
        macs=cost.macs,
        effective_macs=cost.effective_macs,
        other_ops=cost.other_ops,
        weight_bits=cost.weight_bits,
        side_bits=cost.side_bits,
        compulsory_bits=cost.compulsory_bits,
        cycles=cost.cycles,
        bound=cost.bound,
        utilisation=cost.utilisation,
        mapping=cost.mapping,
        mappings=cost.mappings,
        optimal=cost.optimal,
    )


def _access_rows(node: Node, cost: LayerCost) -> list[AccessRow]:
    return [
        AccessRow(
            node=node.name,
            level=access.level,
            tensor=access.tensor,
            action=access.action,
            elements=access.elements,
            bits=access.bits,
            energy_aj=access.energy_aj,
            constant=access.constant,
            expected=access.expected,
        )
        for access in cost.accesses
        if access.elements or access.bits
    ]
