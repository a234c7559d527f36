"""The layer table as CSV: full precision, one row per scheme and node, no totals."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from energysim.report.frames import layer_records

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["to_csv"]


def to_csv(report: Report) -> str:
    """Return the layer table as CSV text with a header line."""
    records = layer_records(report)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()
