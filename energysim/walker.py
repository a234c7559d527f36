"""The walker: graph x scheme x hardware -> Report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from energysim.cost import COST_MODELS, OBJECTIVES, CostModel, LayerCost, Setting
from energysim.densities import apply_zeros, read_zeros
from energysim.errors import CapacityError, EnergysimError, UnknownOperatorError, UsageError, near_miss
from energysim.formats import get_format
from energysim.fusion import FUSIONS, Fused, fuse
from energysim.graph import BatchNorm, Conv2d, ConvTranspose2d, LayerGraph, Linear, MatMul, Node
from energysim.graph.shapes import text as shape_text
from energysim.hardware import Hardware, load_hardware
from energysim.mapping import Rules, parse_rules
from energysim.report import AccessRow, ConstantUse, LayerRow, Report, Run, Setup
from energysim.schemes import Origin, Rewrite, Scheme, parse_schemes
from energysim.workload import MacWorkload, Operand, StreamWorkload, Workload, lower
from energysim.zoo import load_model

__all__ = ["compare", "estimate"]

_PARTS = {Conv2d: "convolution", ConvTranspose2d: "convolution", Linear: "linear", MatMul: "matmul"}


def estimate(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme | Iterable[str | Scheme] = "dense",
    hardware: str | Path | Hardware = "edge45",
    *,
    input: Sequence[int] | None = None,
    classes: int | None = None,
    batch: int | None = None,
    bits: str | int | Mapping[str, int] | None = None,
    activations: str | float | Mapping[str, Any] | None = None,
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
        Widths: ``16``, ``"w=8,a=8,acc=32"`` or the same as a mapping; by default the hardware's.
    activations : str, float or mapping, optional
        Zero fractions of activations: see :mod:`energysim.densities`.
    format_weights, format_activations : str, optional
        Storage formats, e.g. ``"csr"``; see ``energysim list formats``.
    objective : {"energy", "dram", "delay", "edp"}
        What the mapping of each layer minimises.
    rules : str or Rules, optional
        Counting rules, e.g. ``"timeloop"`` or ``"overlap=none"``.
    fusion : {"epilogue", "pool", "none"}
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
    if activations is not None:
        graph = apply_zeros(graph, read_zeros(activations))
    schemes = parse_schemes(sparsity)
    spec = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    setting = _setting(spec, objective, rules, bits, format_weights, format_activations)
    if fusion not in FUSIONS:
        raise UsageError(f"unknown fusion {fusion!r}{near_miss(fusion, FUSIONS)} ({', '.join(FUSIONS)})")
    name = cost_model or spec.cost_model
    walker = _Walker(COST_MODELS.get(name)(), setting, fusion, allow_unknown)
    (reference,) = parse_schemes("dense")
    chosen = [reference, *(s for s in dict.fromkeys(schemes) if s != reference)]
    runs = tuple(walker.run(scheme, graph) for scheme in chosen)
    given = "all dense" if activations is None else _described(activations)
    return Report(_setup(graph, setting, name, fusion, given), runs)


def compare(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme | Iterable[str | Scheme],
    *arguments: Any,
    **options: Any,
) -> Any:
    """Return :meth:`Report.compare` of an estimate with the same arguments."""
    return estimate(model, sparsity, *arguments, **options).compare()


def _described(activations: Any) -> str:
    return (
        activations
        if isinstance(activations, str)
        else "given"
        if isinstance(activations, Mapping)
        else str(activations)
    )


@dataclass
class _Walker:
    """Walks a graph under one setting; equal workloads are evaluated once."""

    model: CostModel
    setting: Setting
    fusion: str
    allow_unknown: bool

    def __post_init__(self) -> None:
        self._known: dict[Workload, LayerCost] = {}

    def run(self, scheme: Scheme, graph: LayerGraph) -> Run:
        """Estimate one scheme."""
        rewrite = scheme.apply(graph)
        fused = fuse(rewrite.graph, self.fusion)
        layers: list[LayerRow] = []
        accesses: list[AccessRow] = []
        uncounted: list[str] = []
        for node in rewrite.graph.nodes:
            try:
                work = self._workload(rewrite.graph, node, fused)
            except UnknownOperatorError as error:
                if not self.allow_unknown:
                    raise UnknownOperatorError(
                        f"{error}; --allow-unknown leaves it out and says so"
                    ) from None
                uncounted.append(f"{node.name} ({node.op.kind})")
                continue
            cost = self._cost(node, work)
            layers.append(_layer_row(rewrite, node, fused, cost))
            accesses += [
                AccessRow(
                    node.name,
                    a.level,
                    a.tensor,
                    a.action,
                    a.elements,
                    a.bits,
                    a.energy_aj,
                    a.constant,
                    a.expected,
                )
                for a in cost.accesses
                if a.elements or a.bits
            ]
        left = tuple((entry.node, entry.reason) for entry in rewrite.left)
        return Run(str(scheme), tuple(layers), tuple(accesses), left, rewrite.assumed, tuple(uncounted))

    def _workload(self, graph: LayerGraph, node: Node, fused: Fused) -> Workload:
        """The workload of a node, with its tensors as they lie in memory."""
        work = lower(graph, node)
        if work is None:
            return StreamWorkload((), (), ())
        if node.name in fused.folded:
            folds_away = isinstance(node.op, BatchNorm) and _is_mac(graph, fused.folded[node.name])
            assert isinstance(work, StreamWorkload)
            return StreamWorkload((), (), (), 0 if folds_away else work.other_ops, 0)

        def stored(operand: Operand, tensor: str, written: bool) -> Operand:
            home = fused.stored[tensor]
            shape = home.shape if written else operand.shape
            return replace(operand, shape=shape, bits=home.bits or operand.bits, stored_density=home.density)

        outputs = tuple(stored(o, t, True) for o, t in zip(_outputs(work), node.outputs, strict=True))
        if isinstance(work, MacWorkload):
            inputs = stored(work.inputs, node.inputs[0], False)
            second = None if work.second is None else stored(work.second, node.inputs[1], False)
            return replace(work, inputs=inputs, outputs=outputs[0], second=second)
        read = tuple(stored(o, t, False) for o, t in zip(work.inputs, node.inputs, strict=True))
        return replace(work, inputs=read, outputs=outputs)

    def _cost(self, node: Node, work: Workload) -> LayerCost:
        if work not in self._known:
            try:
                (self._known[work],) = self.model.evaluate((work,), self.setting)
            except CapacityError as error:
                raise CapacityError(
                    f"layer {node.name!r} on {self.setting.hardware.name!r}: {error}"
                ) from None
            except OverflowError as error:
                raise EnergysimError(f"layer {node.name!r} is too large to count: {error}") from None
        return self._known[work]


def _outputs(work: Workload) -> tuple[Operand, ...]:
    return (work.outputs,) if isinstance(work, MacWorkload) else work.outputs


def _is_mac(graph: LayerGraph, name: str) -> bool:
    return bool(name) and graph.node(name).op.category == "mac"


def _layer_row(rewrite: Rewrite, node: Node, fused: Fused, cost: LayerCost) -> LayerRow:
    origin: Origin = rewrite.trace[node.name]
    return LayerRow(
        node.name,
        origin.node,
        origin.scheme,
        node.op.kind,
        _PARTS.get(type(node.op), "other"),
        "forward",
        fused.folded.get(node.name),
        " ".join(shape_text(s) for s in rewrite.graph.output_shapes(node)),
        cost.dense_macs,
        cost.macs,
        cost.effective_macs,
        cost.other_ops,
        cost.weight_bits,
        cost.side_bits,
        cost.compulsory_bits,
        cost.cycles,
        cost.bound,
        cost.utilisation,
        cost.mapping,
        cost.mappings,
        cost.optimal,
    )


def _setting(
    spec: Hardware,
    objective: str,
    rules: str | Rules | None,
    bits: str | int | Mapping[str, int] | None,
    format_weights: str | None,
    format_activations: str | None,
) -> Setting:
    if objective not in OBJECTIVES:
        raise UsageError(
            f"unknown objective {objective!r}{near_miss(objective, OBJECTIVES)} ({', '.join(OBJECTIVES)})"
        )
    for name in (format_weights, format_activations):
        if name is not None:
            get_format(name)
    base = parse_rules(",".join(f"{k}={v}" for k, v in spec.rules)) if spec.rules else Rules()
    if spec.buffer.double_buffered:
        base = replace(base, double_buffering="yes")
    used = rules if isinstance(rules, Rules) else base if rules is None else parse_rules(rules, base)
    native = (spec.weight_bits, spec.activation_bits, spec.accumulator_bits)
    return Setting(spec, used, objective, *_widths(bits, native), format_weights, format_activations)


def _widths(bits: str | int | Mapping[str, int] | None, native: tuple[int, int, int]) -> tuple[int, int, int]:
    """Widths of weights, activations and accumulators; accumulators are never narrower than operands."""
    keys = ("w", "a", "acc")
    values = dict(zip(keys, native, strict=True))
    accepted = "a whole number from 1 to 64, or w=8,a=8,acc=32"
    if bits is None:
        return native
    if isinstance(bits, Mapping):
        given = {str(k): str(v) for k, v in bits.items()}
    elif "=" in str(bits):
        pairs = [item.partition("=") for item in str(bits).split(",")]
        given = {k.strip(): v.strip() for k, _, v in pairs}
        if len(given) != len(pairs):
            raise UsageError(f"bits: a width is given twice in {bits!r}")
    else:
        given = {"w": str(bits).strip(), "a": str(bits).strip()}
    for key, value in given.items():
        if key not in keys:
            raise UsageError(f"bits: unknown key {key!r} ({', '.join(keys)}): {accepted}")
        if not (value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= 64):
            raise UsageError(f"bits: {accepted}, not {value!r}")
        values[key] = int(value)
    if "acc" not in given:
        values["acc"] = max(values.values())
    if values["acc"] < max(values["w"], values["a"]):
        raise UsageError(f"bits: an accumulator of {values['acc']} bit is narrower than its operands")
    return values["w"], values["a"], values["acc"]


def _setup(graph: LayerGraph, setting: Setting, cost_model: str, fusion: str, activations: str) -> Setup:
    spec = setting.hardware
    energies = tuple(
        ConstantUse(c.path, f"{float(c.value):.10g} {c.unit}", c.kind, c.source)
        for c in spec.constants
        if c.unit == "pJ"
    )
    formats = ", ".join(
        f"{what} {name}"
        for what, name in (("weights", setting.weight_format), ("activations", setting.activation_format))
        if name
    )
    return Setup(
        model=graph.name,
        input=shape_text(graph.tensors[graph.inputs[0]].shape[1:]),
        batch=graph.batch,
        parameters=graph.parameter_count(),
        hardware=spec.name,
        hardware_digest=spec.digest,
        hardware_description=spec.description,
        zeros=spec.zero_sentence,
        clock_hz=spec.clock_hz,
        cost_model=cost_model,
        objective=setting.objective,
        fusion=fusion,
        bits=f"w={setting.weight_bits},a={setting.activation_bits},acc={setting.accumulator_bits}",
        rules=str(setting.rules),
        activations=activations,
        formats=formats,
        constants=energies,
        assumed=tuple(
            f"{c.path} = {float(c.value):.10g} {c.unit}".strip()
            for c in spec.constants
            if c.kind == "assumed"
        ),
    )
