"""Options as people write them -> the :class:`~energysim.cost.Setting` of an estimate, and back in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from energysim.cost import OBJECTIVES, Setting
from energysim.densities import Zeros, describe
from energysim.errors import UsageError, near_miss
from energysim.formats import get_format
from energysim.fusion import fuse
from energysim.graph import LayerGraph
from energysim.graph.shapes import text as shape_text
from energysim.hardware import Hardware, describe_constants
from energysim.hardware.hierarchy import HierarchyHardware
from energysim.mapping import Rules, parse_rules
from energysim.mapping.hierarchy.rules import HIERARCHY_RULES, hierarchy_rules
from energysim.report import ConstantUse, Setup
from energysim.widths import Bits, Widths, read_widths

__all__ = ["one_of", "read_setting", "setup_of"]


def one_of(what: str, name: str, accepted: Iterable[str]) -> str:
    """Return a name that is one of a few; raise UsageError with the nearest one otherwise."""
    names = tuple(accepted)
    if name not in names:
        raise UsageError(f"unknown {what} {name!r}{near_miss(str(name), names)} ({', '.join(names)})")
    return name


def read_setting(
    hardware: Hardware,
    objective: str = "energy",
    rules: str | Rules | None = None,
    bits: Bits | Widths | None = None,
    weight_format: str | None = None,
    activation_format: str | None = None,
) -> Setting:
    """Return what the cost of a workload depends on besides the workload.

    Parameters
    ----------
    hardware : Hardware
        Gives the rules and widths that are not given.
    objective, rules, bits, weight_format, activation_format
        See :func:`energysim.estimate`.

    Raises
    ------
    UsageError
        If an option cannot be used; says what would be.
    """
    for name in (weight_format, activation_format):
        if name is not None:
            get_format(name)
    if isinstance(hardware, HierarchyHardware) and isinstance(rules, str):
        hardware, rules = _own_rules(hardware, rules)
    return Setting(
        hardware,
        _rules(hardware, rules),
        one_of("objective", objective, OBJECTIVES),
        *read_widths(bits, (hardware.weight_bits, hardware.activation_bits, hardware.accumulator_bits)),
        weight_format,
        activation_format,
    )


def _own_rules(hardware: HierarchyHardware, rules: str) -> tuple[Hardware, str | None]:
    """The hardware with the rules that only hierarchies have, and the others."""
    items = [item.strip() for item in rules.split(",")]
    own = [item.partition("=") for item in items if item.partition("=")[0].strip() in HIERARCHY_RULES]
    found = {**dict(hardware.hierarchy.rules), **{name.strip(): value.strip() for name, _, value in own}}
    hierarchy_rules(tuple(found.items()))
    rest = [item for item in items if item.partition("=")[0].strip() not in HIERARCHY_RULES]
    hierarchy = replace(hardware.hierarchy, rules=tuple(sorted(found.items())))
    return replace(hardware, hierarchy=hierarchy), ",".join(rest) or None


def _rules(hardware: Hardware, rules: str | Rules | None) -> Rules:
    """The rules given, over those of the hardware."""
    if isinstance(rules, Rules):
        return rules
    base = Rules()
    if hardware.rules:
        base = parse_rules(",".join(f"{name}={value}" for name, value in hardware.rules))
    if hardware.buffer.double_buffered:
        base = replace(base, double_buffering="yes")
    return base if rules is None else parse_rules(rules, base)


def _shown_rules(setting: Setting) -> str:
    hardware = setting.hardware
    if not isinstance(hardware, HierarchyHardware):
        return str(setting.rules)
    return f"{setting.rules},{hierarchy_rules(hardware.hierarchy.rules)}"


def setup_of(
    graph: LayerGraph,
    setting: Setting,
    cost_model: str,
    fusion: str,
    zeros: tuple[Zeros, ...],
    widths: Widths,
    datapaths: tuple[str, ...],
) -> Setup:
    """Return all that the numbers of an estimate depend on, in words for its report."""
    spec = setting.hardware
    formats = (("weights", setting.weight_format), ("activations", setting.activation_format))
    constants = describe_constants(spec)
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
        bits=f"w={setting.weight_bits},a={setting.activation_bits},acc={setting.accumulator_bits}{widths}",
        datapaths=datapaths,
        rules=_shown_rules(setting),
        activations=_described(zeros, graph, fusion),
        formats=", ".join(f"{what} {name}" for what, name in formats if name),
        constants=tuple(ConstantUse(row.path, row.value, row.kind, row.source) for row in constants),
        assumed=tuple(f"{row.path} = {row.value}" for row in constants if row.kind == "assumed"),
    )


def _described(zeros: tuple[Zeros, ...], graph: LayerGraph, fusion: str) -> str:
    """What zeros were given, and which of them change nothing: their tensors never lie in memory."""
    fused = fuse(graph, fusion)
    used: set[str] = set()
    for node in graph.nodes:
        if node.name not in fused.folded:
            used.update(fused.stored[t].name for t in (*node.inputs, *node.outputs))
        if node.op.category == "mac":
            used.update(node.inputs)
    idle = [z.pattern for z in zeros if z.pattern in graph.tensors and z.pattern not in used]
    shown = idle if len(idle) <= 3 else [*idle[:3], f"{len(idle) - 3} more"]
    note = f"; without effect, as folded away: {', '.join(shown)}" if idle else ""
    return f"{describe(zeros)}{note}"
