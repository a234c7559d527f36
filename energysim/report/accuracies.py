"""Accuracies that are known of a network: measured with the weights that ship, or published.

Nothing here is computed from anything: a scheme without a measurement has no accuracy.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError
from energysim.report.rows import Setup
from energysim.resources import data_folder

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["Accuracies", "known_accuracies"]

#: Published accuracies, each with its source and how it is known.
PUBLISHED = Path(__file__).parent / "data" / "accuracies.csv"


@dataclass(frozen=True)
class Accuracies:
    """Accuracies of the schemes of one network.

    Attributes
    ----------
    percent : dict of str to float
        By scheme; only schemes that the report has.
    label : str
        What they are: ``"top-1 accuracy [%]"``.
    source : str
        Where they are from, and how they are known.
    """

    percent: dict[str, float]
    label: str
    source: str


def known_accuracies(report: Report) -> Accuracies:
    """Return the accuracies that are known of a report's network and schemes.

    A network is known by its name, the shape of its input and its number of parameters. Measured ones
    come before published ones; the two are never mixed.

    Raises
    ------
    UsageError
        If none is known.
    """
    found = _measured(report.setup, report.schemes) or _published(report.setup, report.schemes)
    if found is None:
        raise UsageError(
            f"no accuracy of {report.setup.model} is known for {', '.join(report.schemes)}: give them, "
            "scheme by scheme in percent; those of digits_cnn and of the pSConv paper's networks are known"
        )
    return found


def _measured(setup: Setup, schemes: tuple[str, ...]) -> Accuracies | None:
    """Those recorded beside weights that ship with a model."""
    for path in sorted(data_folder("models").glob("*_weights/accuracy.json")):
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if record["model"] == setup.model:
            entries = record["schemes"]
            percent = {name: entries[name]["test_percent"]["mean"] for name in schemes if name in entries}
            data, setting = record["data"], record["setting"]
            source = (
                f"measured with the weights that ship with {setup.model}, in floating point: mean of "
                f"{setting['seeds']} seeds on {data['images']['test']} test images of {data['source']}"
            )
            return Accuracies(percent, "accuracy [%]", source) if percent else None
    return None


def _published(setup: Setup, schemes: tuple[str, ...]) -> Accuracies | None:
    """Those of papers; a random scheme has that of its kind, whatever its seed."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if _is_of(row, setup)]
    known = {row["scheme"]: row for row in rows}
    used = {name: known[key] for name in schemes if (key := name.partition(",seed=")[0]) in known}
    if not used:
        return None
    (metric,) = {row["metric"] for row in used.values()}
    told = dict.fromkeys(f"{row['source']}; {row['how_known']}" for row in used.values())
    return Accuracies(
        {name: float(row["percent"]) for name, row in used.items()},
        f"{metric} accuracy [%]",
        "; ".join(told),
    )


def _is_of(row: dict[str, str], setup: Setup) -> bool:
    return (row["model"], row["input"], row["parameters"]) == (
        setup.model,
        setup.input,
        str(setup.parameters),
    )
