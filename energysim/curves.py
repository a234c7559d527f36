"""DRAM traffic against the size of the buffer, with the lower bound beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.errors import CapacityError, UnknownNameError, UsageError
from energysim.graph import LayerGraph
from energysim.hardware import Hardware, Partitions, load_hardware
from energysim.mapping import enlarged
from energysim.report import totals
from energysim.schemes import Rewrite, Scheme, parse_schemes
from energysim.units import KIB
from energysim.walker import estimate
from energysim.zoo import load_model

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFAULT_SIZES",
    "BufferPoint",
    "LargerPoint",
    "buffer_curve",
    "curve_frame",
    "curve_records",
    "resized",
]

#: Sizes of a curve if none are given: powers of two [bit].
DEFAULT_SIZES = tuple(n * KIB * 8 for n in (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096))


@dataclass(frozen=True)
class BufferPoint:
    """One scheme with one size of the buffer.

    Attributes
    ----------
    scheme : str
    capacity_bits : int
    compulsory_bits, dram_bound_bits, dram_bits : int or None
        DRAM traffic if every tensor moved once; the traffic that no mapping goes below (see
        :mod:`energysim.mapping.bounds`); that of the mappings with the least of it. None if some
        layer has no mapping that fits.
    """

    scheme: str
    capacity_bits: int
    compulsory_bits: int | None
    dram_bound_bits: int | None
    dram_bits: int | None


@dataclass(frozen=True)
class LargerPoint(BufferPoint):
    """A point with the larger space of mappings beside that of even tiles.

    Attributes
    ----------
    larger_dram_bits : int or None
        Traffic of the mappings with the least of it in the larger space (rules ``larger``, see
        :mod:`energysim.mapping.larger`). None if some layer has none that fits.
    """

    larger_dram_bits: int | None


def buffer_curve(
    model: str | Path | LayerGraph,
    sparsity: str | Scheme | Iterable[str | Scheme] = "dense",
    hardware: str | Path | Hardware = "edge45",
    capacities_bits: Iterable[int] = DEFAULT_SIZES,
    *,
    layer: str | None = None,
    larger: bool = False,
    **options: Any,
) -> tuple[BufferPoint, ...]:
    """Return the least DRAM traffic of a network, or of one layer, for several sizes of the buffer.

    Parameters
    ----------
    model, sparsity, hardware
        As for :func:`energysim.estimate`. The energies of the hardware do not matter here. The parts
        of a split buffer keep their shares.
    capacities_bits : iterable of int
        Sizes of the buffer [bit].
    layer : str, optional
        Name of one layer; all layers with multiply-adds if not given.
    larger : bool
        Whether the larger space of mappings is searched as well: points are :class:`LargerPoint`.
    **options
        Passed to :func:`energysim.estimate`.

    Returns
    -------
    tuple of BufferPoint
        By scheme, then by size, ascending.

    Raises
    ------
    UsageError
        If the hardware is not one with a single buffer.
    EnergysimError
        As :func:`energysim.estimate`.
    """
    spec = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    if spec.cost_model != "two-level":
        raise UsageError(
            f"the curve needs hardware with one buffer (cost model two-level); {spec.name!r} is written "
            f"for {spec.cost_model!r}"
        )
    sizes = sorted(set(capacities_bits))
    if not sizes or sizes[0] < 1:
        raise UsageError("the curve needs sizes of the buffer, each 1 bit or more")
    given = {name: options.pop(name, None) for name in ("input", "classes", "batch")}
    graph = load_model(model, **given)
    if layer is not None and layer not in {node.name for node in graph.nodes}:
        raise UnknownNameError("layer", layer, [node.name for node in graph.nodes])
    points: list[BufferPoint] = []
    for scheme in dict.fromkeys(parse_schemes(sparsity)):
        rewrite = scheme.apply(graph)
        for size in sizes:
            point = _point(rewrite, scheme, resized(spec, size), layer, options)
            if larger:
                rules = enlarged(options.get("rules"))
                other = _point(rewrite, scheme, resized(spec, size), layer, {**options, "rules": rules})
                # What fits in the smaller space fits in the larger one; its bound is the same.
                point = LargerPoint(
                    **{**vars(other), "dram_bits": point.dram_bits}, larger_dram_bits=other.dram_bits
                )
            points.append(point)
    return tuple(points)


def resized(hardware: Hardware, capacity_bits: int) -> Hardware:
    """Return the hardware with another size of its buffer; the parts of a split one keep their shares."""
    buffer = hardware.buffer
    parts = buffer.partitions
    if parts is not None:
        whole = parts.weights + parts.inputs + parts.outputs
        weights, inputs = (part * capacity_bits // whole for part in (parts.weights, parts.inputs))
        parts = Partitions(weights, inputs, capacity_bits - weights - inputs)
    return replace(hardware, buffer=replace(buffer, capacity_bits=capacity_bits, partitions=parts))


def curve_records(points: Iterable[BufferPoint]) -> list[dict[str, Any]]:
    """Return a record per point; ``dram_over_bound`` is the traffic in units of its lower bound.

    Of points with the larger space of mappings, ``larger_dram_bits`` and ``larger_over_bound`` follow.
    """
    records = []
    for point in points:
        record = {name: getattr(point, name) for name in BufferPoint.__dataclass_fields__}
        record["dram_over_bound"] = _over(point.dram_bits, point.dram_bound_bits)
        if isinstance(point, LargerPoint):
            record["larger_dram_bits"] = point.larger_dram_bits
            record["larger_over_bound"] = _over(point.larger_dram_bits, point.dram_bound_bits)
        records.append(record)
    return records


def _over(bits: int | None, bound: int | None) -> float | None:
    return round(bits / bound, 6) if bits and bound else None


def curve_frame(points: Iterable[BufferPoint]) -> pd.DataFrame:
    """Return :func:`curve_records` as a frame; a traffic that is not known is missing."""
    from energysim.report.columns import TABLES
    from energysim.report.frames import typed

    records = curve_records(points)
    table = "larger_curve" if any("larger_dram_bits" in record for record in records) else "curve"
    return typed(records, table, [column.name for column in TABLES[table].columns])


def _point(
    rewrite: Rewrite, scheme: Scheme, hardware: Hardware, layer: str | None, options: dict[str, Any]
) -> BufferPoint:
    size = hardware.buffer.capacity_bits or 0
    try:
        # The rewritten graph by itself: whether the dense form fits as well does not matter here.
        report = estimate(rewrite.graph, "dense", hardware, objective="dram", **options)
    except CapacityError:
        return BufferPoint(str(scheme), size, None, None, None)
    (run,) = report.runs
    kept = {name for name, origin in rewrite.trace.items() if layer in (None, origin.node)}
    sums = totals(run, lambda row: row.node in kept and (layer is not None or row.part != "other"))
    return BufferPoint(str(scheme), size, sums.compulsory_bits, sums.dram_bound_bits, sums.total_dram_bits)
