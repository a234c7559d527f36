"""Records as CSV: full precision, no totals."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

__all__ = ["csv_text"]


def csv_text(records: Sequence[dict[str, Any]]) -> str:
    """Return records of the same keys as CSV text with a header line; None is an empty field."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()
