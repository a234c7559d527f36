"""What an inspection found, as a page for people, as CSV and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from energysim.graph.shapes import text as shape_text
from energysim.inspection.words import findings, value_words
from energysim.kernels import PeriodicKernel
from energysim.report.csv_form import csv_text
from energysim.report.json_form import SCHEMA_VERSION, dump
from energysim.report.layout import Page, Table
from energysim.report.tables import Column, cell_text
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.inspection import Layer, Stored

__all__ = ["layer_record", "render"]


def render(model: str, weights: str, width: int, layers: Sequence[Layer], form: str) -> str:
    """Return an inspection as table, markdown, csv or json text."""
    if form == "json":
        return "".join(dump(_json(model, weights, width, layers))) + "\n"
    if form == "csv":
        return csv_text([_flat(layer) for layer in layers])
    page = Page(
        f"{model}: the structure of its weights",
        [("weights", weights), ("values", f"of {width} bit where sizes are given")],
        list(_tables(layers)),
        list(_notes(layers)),
    )
    return page.render(markdown=form == "markdown")


def _tables(layers: Sequence[Layer]) -> Iterator[Table]:
    yield Table("Weights", _columns([_weights(layer) for layer in layers]))
    yield Table(
        "What was found",
        _columns(
            [
                {"layer": cell_text(layer.name) if not number else "", "finding": words}
                for layer in layers
                for number, words in enumerate(findings(layer))
            ]
        ),
    )
    sparse = [layer for layer in layers if 0 < layer.nonzeros < layer.weights]
    windows = [layer for layer in sparse if layer.support.taps > 1]
    if windows:
        yield Table(
            "Density by kernel position, row by row [%]",
            _columns([{"layer": cell_text(layer.name), "positions": _positions(layer)} for layer in windows]),
        )
    stored = [layer for layer in layers if layer.storage]
    if stored:
        yield Table("Cheapest lossless storage", _columns([_storage(layer) for layer in stored]))


def _columns(rows: list[dict[str, str]]) -> list[Column]:
    left = ("layer", "shape", "structure", "values", "finding", "positions", "format", "runner-up")
    return [Column(title, tuple(row[title] for row in rows), left=title in left) for title in rows[0]]


def _percent(part: int, whole: int) -> str:
    text = f"{100 * part / whole:.4g}"
    return "<100" if text == "100" and part < whole else text


def _weights(layer: Layer) -> dict[str, str]:
    each = layer.weights // layer.support.shape[0]
    low, high = min(layer.per_filter), max(layer.per_filter)
    spread = _percent(low, each) if low == high else f"{_percent(low, each)} to {_percent(high, each)}"
    windows = layer.repeats.windows
    return {
        "layer": cell_text(layer.name),
        "shape": shape_text(layer.shape),
        "weights": f"{layer.weights:,}",
        "density [%]": _percent(layer.nonzeros, layer.weights),
        "by filter [%]": spread,
        "structure": layer.structure,
        "patterns": f"{layer.patterns:,}" if layer.support.taps > 1 else "-",
        "values": value_words(layer.values),
        "repeated filters": f"{layer.repeats.filters:,}" if layer.repeats.filters else "-",
        "repeated kernels": f"{windows:,}" if windows else "-",
    }


def _positions(layer: Layer) -> str:
    cells = [_percent(n, layer.support.windows) for n in layer.per_tap]
    across = layer.support.shape[3]
    return " / ".join(" ".join(cells[i : i + across]) for i in range(0, len(cells), across))


def _storage(layer: Layer) -> dict[str, str]:
    best, dense = layer.storage[0], layer.weights * layer.width
    row = {
        "layer": cell_text(layer.name),
        "format": _format(best, layer),
        "bits": f"{best.bits:,}",
        "of dense [%]": _percent(best.bits, dense),
        "runner-up": "-",
        "its bits": "-",
    }
    if len(layer.storage) > 1:
        row |= {"runner-up": _format(layer.storage[1], layer), "its bits": f"{layer.storage[1].bits:,}"}
    return row


def _format(stored: Stored, layer: Layer) -> str:
    """The format; where it matters, that zeros inside a periodic table are stored or not."""
    if layer.kernel is None or layer.kernel.nonzeros == layer.nonzeros:
        return stored.format
    table = isinstance(stored.kernel, PeriodicKernel)
    return f"{stored.format} ({'whole table' if table else 'nonzeros'})"


def _notes(layers: Sequence[Layer]) -> Iterator[str]:
    weights, nonzeros = sum(x.weights for x in layers), sum(x.nonzeros for x in layers)
    yield (
        f"{len(layers)} layers, {engineering(weights)} weights, {weights - nonzeros:,} of them 0: "
        f"density {_percent(nonzeros, weights)} %"
    )
    kinds = Counter(layer.structure for layer in layers)
    yield f"structure: {', '.join(f'{kind} {count}' for kind, count in kinds.items())}"
    named = Counter(
        x.scheme for x in layers if x.scheme is not None and x.periodic is not None and x.periodic.exact
    )
    for scheme, count in named.items():
        yield f"exactly {scheme}: {count} layer{'s' if count > 1 else ''}"
    stored = sum(layer.storage[0].bits for layer in layers if layer.storage)
    dense = sum(layer.weights * layer.width for layer in layers)
    if stored and stored < dense:
        yield (
            f"cheapest storage of all layers: {engineering(stored, 'bit')}, dense "
            f"{engineering(dense, 'bit')} ({dense / stored:.3g}x)"
        )
    yield (
        "a structure is claimed if a random mask of as many nonzeros, or of the same kernel patterns in "
        "another order, had it with a probability below 2^-40 (docs/inspect.md)"
    )


def layer_record(layer: Layer) -> dict[str, Any]:
    """Return all that was found in a layer, as plain values for JSON."""
    periodic, low_high = layer.periodic, layer.window_counts
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape),
        "groups": layer.groups,
        "weights": layer.weights,
        "nonzeros": layer.nonzeros,
        "structure": layer.structure,
        "findings": list(findings(layer)),
        "periodic": None
        if periodic is None
        else {
            "scheme": layer.scheme,
            "exact": periodic.exact,
            "rule": str(periodic.rule),
            "period": periodic.period,
            "kss": periodic.kss,
            "dense_slots": list(periodic.dense_slots),
            "slots": [list(slot) for slot in periodic.slots],
            "outside": periodic.outside,
            "zeros_inside": periodic.zeros,
            "repeated": periodic.repeated,
            "saved_bits": periodic.saved_bits,
        },
        "n_of_m": None if layer.nm is None else asdict(layer.nm) | {"exact": layer.nm.exact},
        "blocks": None if layer.blocks is None else asdict(layer.blocks) | {"exact": layer.blocks.exact},
        "empty_filters": list(layer.channels.filters),
        "empty_channels": list(layer.channels.channels),
        "patterns": layer.patterns,
        "fewest_in_a_window": low_high[0],
        "most_in_a_window": low_high[1],
        "nonzeros_by_filter": list(layer.per_filter),
        "nonzeros_by_position": list(layer.per_tap),
        "values": asdict(layer.values),
        "repeated_filters": layer.repeats.filters,
        "repeated_windows": layer.repeats.windows,
        "storage": [
            {
                "format": stored.format,
                "stores": "periodic table" if isinstance(stored.kernel, PeriodicKernel) else "nonzeros",
                "value_bits": stored.value_bits,
                "side_bits": stored.side_bits,
            }
            for stored in layer.storage
        ],
    }


def _json(model: str, weights: str, width: int, layers: Sequence[Layer]) -> dict[str, Any]:
    from energysim import __version__

    return {
        "schema_version": SCHEMA_VERSION,
        "energysim": __version__,
        "model": model,
        "weights": weights,
        "value_bits": width,
        "layers": [layer_record(layer) for layer in layers],
    }


def _flat(layer: Layer) -> dict[str, Any]:
    periodic = layer.periodic
    stored = [*layer.storage[:2], None, None]
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "shape": shape_text(layer.shape),
        "weights": layer.weights,
        "nonzeros": layer.nonzeros,
        "structure": layer.structure,
        "scheme": layer.scheme,
        "period": None if periodic is None else periodic.period,
        "kss": None if periodic is None else periodic.kss,
        "outside": None if periodic is None else periodic.outside,
        "zeros_inside": None if periodic is None else periodic.zeros,
        "n_of_m": None if layer.nm is None else str(layer.nm),
        "blocks": None if layer.blocks is None else str(layer.blocks),
        "empty_filters": len(layer.channels.filters),
        "empty_channels": len(layer.channels.channels),
        "patterns": layer.patterns,
        "distinct_values": layer.values.distinct,
        "value_kind": layer.values.kind,
        "repeated_filters": layer.repeats.filters,
        "repeated_windows": layer.repeats.windows,
        "dense_bits": layer.weights * layer.width,
        "format": None if stored[0] is None else stored[0].format,
        "format_bits": None if stored[0] is None else stored[0].bits,
        "runner_up": None if stored[1] is None else stored[1].format,
        "runner_up_bits": None if stored[1] is None else stored[1].bits,
        "findings": "; ".join(findings(layer)),
    }
