"""What every column of every frame is: its kind, its unit, its meaning. Frames are built from this.

Kinds are the same in every frame:

``text``
    The text type of pandas: ``str``, before pandas 3 ``object``. Missing only where it is said.
``count``
    ``int64``; if one value of the column is outside of it, the whole column holds Python integers
    (``object``): a count is never rounded, and never unsigned.
``maybe count``
    As ``count`` but ``Int64``, pandas' integers that can be missing.
``real``
    ``float64``: the exact value rounded once. Missing (NaN) only where it is said.
``flag``
    ``bool``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from energysim.errors import UsageError, near_miss

__all__ = ["COMPARED", "KINDS", "TABLES", "ColumnSpec", "TableSpec", "columns_of", "table_spec"]

KINDS = ("text", "count", "maybe count", "real", "flag")


@dataclass(frozen=True)
class ColumnSpec:
    """One column.

    Attributes
    ----------
    name : str
        ``<level>`` in it stands for every level of the hardware.
    kind : str
        One of :data:`KINDS`.
    unit : str
        Empty for texts and truth values; ``1`` for plain numbers.
    meaning : str
    missing : str
        When there is no value; empty if there always is one.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    missing: str = ""


@dataclass(frozen=True)
class TableSpec:
    """One frame.

    Attributes
    ----------
    name : str
    made_by : str
        The calls that return it.
    rows : str
        What a row is.
    columns : tuple of ColumnSpec
        In order.
    """

    name: str
    made_by: str
    rows: str
    columns: tuple[ColumnSpec, ...]


def _text(name: str, meaning: str, missing: str = "") -> ColumnSpec:
    return ColumnSpec(name, "text", "", meaning, missing)


def _count(name: str, unit: str, meaning: str) -> ColumnSpec:
    return ColumnSpec(name, "count", unit, meaning)


def _real(name: str, unit: str, meaning: str, missing: str = "") -> ColumnSpec:
    return ColumnSpec(name, "real", unit, meaning, missing)


def _flag(name: str, meaning: str) -> ColumnSpec:
    return ColumnSpec(name, "flag", "", meaning)


_SCHEME = _text("scheme", "The scheme of the run; `dense` is the network as it is.")
_ELEMENTS = _count("elements", "1", "Values moved; at the levels `mac` and `vector` operations.")
_BITS = _count("bits", "bit", "Bits moved, side information included.")
_ENERGY = _real("energy_pj", "pJ", "Energy.")

#: Counts and energies of layers, which comparisons sum.
_AMOUNTS = (
    _count("dense_macs", "MAC", "Multiply-adds with all weights."),
    _count("macs", "MAC", "Multiply-adds with the weights that exist."),
    _count("effective_macs", "MAC", "Multiply-adds that cost energy on this hardware."),
    _count("other_ops", "1", "Operations that are no multiply-adds."),
    _count("weight_bits", "bit", "Stored weights, without side information."),
    _count("side_bits", "bit", "Tables, indices, pointers and bitmaps stored beside the weights."),
    _count("float_macs", "MAC", "Those of `macs` in floating point beside integers."),
    _count("additions", "1", "Those of `macs` that only add: weights of -1, 0 and 1."),
    _count("gathers", "1", "Elements read from the buffer at computed addresses."),
    _count("expansion_macs", "MAC", "Multiply-adds that make weights from stored values; no part of `macs`."),
    _count("load_bits", "bit", "DRAM traffic when the network is loaded; no part of a run."),
)

_LAYERS = (
    _SCHEME,
    _text("node", "Node of the network that runs."),
    _text("origin", "Node of the original network that it comes from."),
    _text("layer_scheme", "The scheme that made the node; `dense` where it was left alone."),
    _text("kind", "Operator."),
    _text("part", "`convolution`, `linear`, `matmul` (products of two computed tensors) or `other`."),
    _text("phase", "`forward`."),
    _text(
        "folded_into",
        "The node it runs with, without traffic of its own; empty for a view, or for what is applied when "
        "the network is loaded.",
        "for a node with traffic of its own",
    ),
    _count("batch", "1", "Images that all counts are for."),
    _text("output_shape", "Shape of the output, batch first."),
    *_AMOUNTS,
    _count("dram_bits", "bit", "Traffic between DRAM and chip."),
    _count("dram_weight_bits", "bit", "Of that, weights."),
    _count("dram_input_bits", "bit", "Of that, inputs."),
    _count("dram_output_bits", "bit", "Of that, outputs and partial sums."),
    _count("compulsory_bits", "bit", "DRAM traffic if every tensor moved once."),
    _count("dram_bound_bits", "bit", "DRAM traffic that no mapping goes below."),
    _count("buffer_bits", "bit", "Traffic of the buffer."),
    _real(
        "<level>_energy_pj",
        "pJ",
        "Energy of each level: `mac`, `register`, `buffer`, `dram`, `vector`, others.",
    ),
    _ENERGY,
    _count(
        "unfused_dram_bits",
        "bit",
        "`dram_bits` if the parts of a replaced layer passed tensors through DRAM.",
    ),
    _real("unfused_energy_pj", "pJ", "`energy_pj` likewise."),
    _count("cycles", "cycle", "The largest of compute and the transfers of each memory."),
    _text("bound", "The resource that takes these cycles."),
    _real("utilisation", "1", "Useful multiply-adds per multiplier and compute cycle."),
    _flag("expected", "Whether a count is an expectation over random zeros."),
    _text("mapping", "The mapping chosen; empty where there is none to choose."),
    _count("mappings", "1", "Mappings in the space searched."),
    _flag("optimal", "Whether the mapping is proven the best of that space."),
    _real(
        "gap",
        "1",
        "Where it is not: the share of the objective that a better one could save at most; where it is, and "
        "the objective is DRAM bits or cycles: the share of its energy that another as good could save.",
    ),
    _text("searched", "What became of the partial mappings of the search."),
    _count("stall_cycles", "cycle", "Of the cycles, those in which multipliers wait for memories."),
)

_ACCESSES = (
    _SCHEME,
    _text("node", "Node of the network that runs."),
    _text("level", "Memory level or axis of the hardware; `mac` and `vector` are the arithmetic."),
    _text("tensor", "Tensor that moves; empty for arithmetic."),
    _text("action", "What is done: `read`, `write`, `update`, `compute`, ..."),
    _ELEMENTS,
    _BITS,
    _ENERGY,
    _text("constant", "The constant of the hardware that the energy rests on."),
    _text("constant_kind", "`measured`, `published`, `derived` or `assumed`."),
    _flag("expected", "Whether the count is an expectation over random zeros."),
)

_LEVEL, _TENSOR, _ACTION = _ACCESSES[2:5]

#: What schemes are compared by, in order.
COMPARED = (
    "macs",
    "effective_macs",
    "weight_bits",
    "stored_weight_bits",
    "dram_bits",
    "buffer_bits",
    "energy_pj",
    "cycles",
    "float_macs",
    "additions",
    "gathers",
    "expansion_macs",
    "load_bits",
    "unfused_dram_bits",
    "unfused_energy_pj",
)


def _comparison(*first: ColumnSpec) -> tuple[ColumnSpec, ...]:
    """The columns before the quantities, and for each its value and its factor."""
    stored = _count("stored_weight_bits", "bit", "Stored weights with their side information.")
    known = {spec.name: spec for spec in (*_LAYERS, stored)}
    found = [
        _text("layer", "With `by='layer'`: node of the original network."),
        _text("part", "With `by='part'`: the part, or `all`."),
        _text("network", "With `by='network'`: `all`."),
        *first,
        _SCHEME,
    ]
    for name in COMPARED:
        told = f"`{name}` of the reference divided by that of the row, to six digits."
        missing = "where the value of the row is 0, or the reference has no such row"
        found += [known[name], _real(f"{name}_factor", "1", told, missing)]
    return tuple(found)


_NO_FIT = "if some layer has no mapping that fits"
_CURVE = (
    _SCHEME,
    _count("capacity_bits", "bit", "Size of the buffer."),
    ColumnSpec("compulsory_bits", "maybe count", "bit", "DRAM traffic if every tensor moved once.", _NO_FIT),
    ColumnSpec("dram_bound_bits", "maybe count", "bit", "DRAM traffic that no mapping goes below.", _NO_FIT),
    ColumnSpec("dram_bits", "maybe count", "bit", "Traffic of the mappings with the least of it.", _NO_FIT),
    _real("dram_over_bound", "1", "`dram_bits` / `dram_bound_bits`.", "where either is missing or 0"),
)
_LARGER_CURVE = (
    *_CURVE,
    ColumnSpec(
        "larger_dram_bits", "maybe count", "bit", "Likewise in the larger space of mappings.", _NO_FIT
    ),
    _real(
        "larger_over_bound", "1", "`larger_dram_bits` / `dram_bound_bits`.", "where either is missing or 0"
    ),
)
_SUMS = (_ELEMENTS, _BITS, _ENERGY)
_SHARE = _real("energy_share", "1", "Share of the energy of the scheme; 0 if that is 0.")
_REPORT = (
    _text("report", "Name of the report; by default its number."),
    _text("model", "Network."),
    _text("hardware", "Specification."),
)
_TABLES = (
    TableSpec("layers", "`report.to_frame()`, `report.per_layer(scheme)`", "a scheme and node", _LAYERS),
    TableSpec(
        "accesses", "`report.to_frame('accesses')`", "a scheme, node, level, tensor and action", _ACCESSES
    ),
    TableSpec(
        "levels",
        "`report.to_frame('levels')`, `report.per_level(scheme)`",
        "a scheme and level",
        (_SCHEME, _LEVEL, *_SUMS, _SHARE),
    ),
    TableSpec(
        "tensors",
        "`report.to_frame('tensors')`, `report.per_tensor(scheme)`",
        "a scheme, level and tensor",
        (_SCHEME, _LEVEL, _TENSOR, *_SUMS),
    ),
    TableSpec(
        "actions",
        "`report.to_frame('actions')`, `report.per_action(scheme)`",
        "a scheme, level and action",
        (_SCHEME, _LEVEL, _ACTION, *_SUMS),
    ),
    TableSpec("comparison", "`report.compare()`", "a layer, part or network, and a scheme", _comparison()),
    TableSpec(
        "reports",
        "`energysim.compare(report, report, ...)`",
        "a layer, part or network, a report and a scheme",
        _comparison(*_REPORT),
    ),
    TableSpec("curve", "`energysim.curves.curve_frame(points)`", "a scheme and size of the buffer", _CURVE),
    TableSpec(
        "larger_curve",
        "`energysim.curves.curve_frame(points)` of `buffer_curve(..., larger=True)`",
        "a scheme and size of the buffer",
        _LARGER_CURVE,
    ),
)

#: Every frame by its name.
TABLES: dict[str, TableSpec] = {table.name: table for table in _TABLES}


def table_spec(name: str) -> TableSpec:
    """Return a table by its name; raise UsageError for an unknown one."""
    if name not in TABLES:
        raise UsageError(f"unknown table {name!r}{near_miss(name, TABLES)} ({', '.join(TABLES)})")
    return TABLES[name]


def columns_of(table: str, names: Iterable[str]) -> list[ColumnSpec]:
    """Return what the columns of a frame are, by their names.

    Raises
    ------
    UsageError
        If the table has no such column.
    """
    spec = table_spec(table)
    known = {column.name: column for column in spec.columns}
    patterns = [column for column in spec.columns if "<" in column.name]
    found = []
    for name in names:
        fitting = [one for one in patterns if name.endswith(one.name.partition(">")[2]) and name not in known]
        if name in known:
            found.append(known[name])
        elif fitting:
            found.append(replace(fitting[0], name=name))
        else:
            raise UsageError(f"the table {table!r} has no column {name!r}{near_miss(name, known)}")
    return found
