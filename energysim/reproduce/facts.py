"""Published values, each with where it is from and how it is known."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

__all__ = ["FACTS", "Fact", "read_facts"]

FACTS = Path(__file__).parent / "data" / "published.csv"


@dataclass(frozen=True)
class Fact:
    """One published value.

    Attributes
    ----------
    id, item, quantity, unit : str
    value : Fraction or None
        None if it is not given.
    conditions, source : str
    how_known : str
        ``read ...`` or ``derived ...``; values that were only remembered are not in the file.
    """

    id: str
    item: str
    quantity: str
    value: Fraction | None
    unit: str
    conditions: str
    source: str
    how_known: str


def read_facts(path: Path = FACTS) -> dict[str, Fact]:
    """Return all published values by their id."""
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            value = Fraction(Decimal(row["value"])) if row["value"] else None
            texts = (row[key] for key in ("unit", "conditions", "source", "how_known"))
            found[row["id"]] = Fact(row["id"], row["item"], row["quantity"], value, *texts)
    return found
