"""A validation for people: plain text, or the same as markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.layout import Page, Table
from energysim.report.scales import joules
from energysim.report.tables import Column, cell_text
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.validate.result import LayerCheck, SchemeCheck, Trial, Validation

__all__ = ["render"]

_LEFT = ("layer", "kernel", "format", "scheme", "weights", "")


def render(found: Validation, markdown: bool = False) -> str:
    """Return the whole result as text."""
    page = Page(_title(found), _heading(found), list(_tables(found)), list(_notes(found)))
    return page.render(markdown)


def _title(found: Validation) -> str:
    setup = found.setup
    return (
        f"{setup.model} {setup.input}: {setup.path} against dense, {setup.mode}, {setup.images} images: "
        f"{'everything agrees' if found.passed else f'{len(found.problems)} DISAGREEMENTS'}"
    )


def _heading(found: Validation) -> list[tuple[str, str]]:
    setup = found.setup
    rule = "bit for bit"
    if setup.tolerance:
        other = f" ({setup.transform_tolerance:g} behind a transform)" if setup.transform_tolerance else ""
        rule = (
            f"a layer's outputs within {setup.tolerance:g}{other} of the reference's standard deviation, "
            f"the network's within {setup.network_tolerance:g}"
        )
    return [
        ("data", f"{setup.data}; {setup.normalisation}"),
        ("weights", setup.weights),
        ("reference", "the dense network by definition, zeros where a kernel keeps no weight"),
        ("tolerance", rule),
        ("estimate", f"on {setup.hardware}, bits {setup.bits}; all counts are for one image"),
    ]


def _tables(found: Validation) -> Iterator[Table]:
    for scheme in found.schemes:
        if scheme.layers:
            made = any(row.weight_error is not None for row in scheme.layers)
            rows = (_layer(row, made) for row in scheme.layers)
            yield Table(f"{scheme.scheme}, layer by layer", _columns(rows))
    yield Table("Network", _columns(_network(found, scheme) for scheme in found.schemes))
    if len({trial.weights for scheme in found.schemes for trial in scheme.trials}) > 1:
        rows = (_trial(found, s, t) for s in found.schemes for t in s.trials)
        yield Table("Sets of weights", _columns(rows))


def _columns(records: Iterable[dict[str, str]]) -> list[Column]:
    rows = list(records)
    return [Column(title, tuple(row[title] for row in rows), left=title in _LEFT) for title in rows[0]]


def _layer(row: LayerCheck, made: bool) -> dict[str, str]:
    off = "-" if row.weight_error is None else f"{100 * row.weight_error:.2g} %"
    return {
        "layer": cell_text(row.node),
        "kernel": row.scheme,
        "max error": _error(row.max_error),
        "error / std": _error(row.relative_error),
        **({"weights off": off} if made else {}),
        "MACs executed": "transform" if row.executed_macs is None else f"{row.executed_macs:,}",
        "estimated": f"{row.estimated_macs:,}",
        "overhead": f"{row.overhead_macs:,}" if row.overhead_macs else "-",
        "format": row.format or "-",
        "bits encoded": f"{row.encoded_bits:,}",
        "bits estimated": f"{row.estimated_bits:,}",
        "": "FAILED" if row.problems else "ok",
    }


def _network(found: Validation, scheme: SchemeCheck) -> dict[str, str]:
    images = found.setup.images
    errors = [t.relative_error for t in scheme.trials]
    worst = None if not errors or None in errors else max(e for e in errors if e is not None)
    row = {"scheme": scheme.scheme, "error / std": _error(worst) if errors else "-"}
    for title, counts in (
        ("top-1 same", [t.top1_same for t in scheme.trials]),
        ("top-5 same", [t.top5_same for t in scheme.trials]),
    ):
        known = [count for count in counts if count is not None]
        row[title] = f"{min(known)}/{images}" if known else "-"
    shares = scheme.top1(images)
    if any(s.top1(images) for s in found.schemes):
        row["top-1"] = "-" if shares is None else _percent(shares[0])
        row["spread"] = "-" if shares is None else f"{_percent(shares[1])} to {_percent(shares[2])}"
    row |= {
        "MACs": engineering(scheme.macs),
        "weights stored": engineering(scheme.stored_bits, "bit"),
        "DRAM": engineering(scheme.dram_bits, "bit"),
        "energy": joules(Fraction(scheme.energy_aj, 10**18)),
        "": "ok" if scheme.passed else "FAILED",
    }
    return row


def _trial(found: Validation, scheme: SchemeCheck, one: Trial) -> dict[str, str]:
    images = found.setup.images
    right = one.top1_correct
    return {
        "scheme": scheme.scheme,
        "weights": cell_text(one.weights),
        "error / std": _error(one.relative_error),
        "top-1 same": "-" if one.top1_same is None else f"{one.top1_same}/{images}",
        "top-1": "-" if right is None else _percent(Fraction(right, images)),
        "": "FAILED" if one.problems else "ok",
    }


def _notes(found: Validation) -> Iterator[str]:
    yield (
        "Executed multiply-adds are counted where the products are made, for outputs and weights that "
        "exist, taps on padding included; overhead are products beside these (padding columns, tails). "
        "Encoded bits are the payload of the bytes that were written and read back."
    )
    if any(row.weight_error is not None for scheme in found.schemes for row in scheme.layers):
        yield (
            "Weights off: norm of the difference between the weights that a layer is equal to and the dense "
            "ones they were made from, over the norm of these: what the scheme costs before any training."
        )
    for scheme in found.schemes:
        if scheme.layers and scheme.scheme != "dense" and all(row.scheme == "dense" for row in scheme.layers):
            yield f"{scheme.scheme} leaves every layer dense: nothing sparse was run."
        if scheme.allowed > found.setup.network_tolerance:
            yield (
                f"{scheme.scheme}: an error of rounding grows (activations in steps, or a network that makes "
                f"much of the last bit of its inputs): its outputs within {scheme.allowed:.2g}."
            )
        if scheme.transforms:
            yield f"{scheme.scheme}: on a transform path, MACs not counted: {', '.join(scheme.transforms)}."
    yield from (f"DISAGREES: {problem}" for problem in found.problems)


def _error(value: float | None) -> str:
    if value is None:
        return "no number"
    return f"{value:.1e}" if value else "0"


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.2f} %"
