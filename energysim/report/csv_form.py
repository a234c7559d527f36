"""Records as CSV: full precision, no totals."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from typing import Any

__all__ = ["MISSING_TEXT", "csv_text"]

#: A text that is missing: an empty one is something else.
MISSING_TEXT = "NA"


def csv_text(
    records: Sequence[dict[str, Any]], texts: Collection[str] = (), names: Sequence[str] = ()
) -> str:
    """Return records of the same keys as CSV text with a header line.

    None is an empty field, or ``NA`` in the columns named in ``texts``. ``names`` are those of all columns,
    for when there may be no record.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0] if records else names), lineterminator="\n")
    writer.writeheader()
    for record in records:
        missing = {name: MISSING_TEXT for name in texts if record.get(name, "") is None}
        writer.writerow({**record, **missing})
    return file.getvalue()
