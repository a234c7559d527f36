"""Several reports side by side in one frame, with the factors against the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError
from energysim.report.comparison import GROUPS, QUANTITIES, check_groups, quantities
from energysim.report.frames import typed
from energysim.report.report import Report
from energysim.report.rows import PARTS, Run
from energysim.report.totals import Totals, grouped, totals

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare"]


def compare(
    *reports: Report,
    by: str = "network",
    names: Sequence[str] | None = None,
    reference: str | None = None,
) -> pd.DataFrame:
    """Return the schemes of several reports in one frame, each beside the first scheme of the first report.

    The same scheme estimated in the same way stands in it once: ``compare(dense, psconv)`` of
    ``dense = estimate("vgg16")`` and ``psconv = estimate("vgg16", "psconv")`` has two rows.

    Parameters
    ----------
    *reports : Report
        Of one batch size. Networks and hardware may differ; a layer that the first network has not has no
        factors.
    by : {"network", "part", "layer"}
        What is summed.
    names : sequence of str, optional
        What to call the reports; by default ``"1"``, ``"2"``, ...
    reference : str, optional
        Another scheme of the first report to divide by.

    Returns
    -------
    pandas.DataFrame
        See :mod:`energysim.report.columns`, table ``reports``.

    Raises
    ------
    UsageError
        If nothing is given, or the reports cannot be compared.
    """
    check_groups(by)
    _check(reports)
    called = [str(number) for number in range(1, len(reports) + 1)] if names is None else list(names)
    if len(called) != len(reports) or len(set(called)) != len(called):
        raise UsageError(f"{len(reports)} reports need as many different names, not {called!r}")
    base = _sums(reports[0].run(reference or reports[0].schemes[0]), by)
    records = []
    seen: list[tuple[Any, Run]] = []
    rows = []
    for name, report in zip(called, reports, strict=True):
        for run in report.runs:
            if (report.setup, run) in seen:
                continue
            seen.append((report.setup, run))
            who = {"report": name, "model": report.setup.model, "hardware": report.setup.hardware}
            rows.append(({**who, "scheme": run.scheme}, _sums(run, by)))
    for group in _groups([sums for _, sums in rows], by):
        for who, sums in rows:
            if group in sums:
                records.append({by: group, **who, **quantities(sums[group], base.get(group))})
    columns = [name for quantity in QUANTITIES for name in (quantity, f"{quantity}_factor")]
    found = typed(records, "reports", [by, "report", "model", "hardware", "scheme", *columns])
    found.attrs.update(batch=reports[0].setup.batch, reference=reference or reports[0].schemes[0])
    return found


def _check(reports: Sequence[Report]) -> None:
    for report in reports:
        if not isinstance(report, Report):
            raise UsageError(f"compare takes reports, not a {type(report).__name__}")
    if not reports:
        raise UsageError("compare needs one report or more")
    batches = sorted({report.setup.batch for report in reports})
    if len(batches) > 1:
        raise UsageError(
            f"reports of batches {', '.join(map(str, batches))}: counts are for the whole batch, so estimate "
            "all with one"
        )


def _sums(run: Run, by: str) -> dict[str, Totals]:
    """The sums of a run by layer, part or network; those of parts and networks with ``all``."""
    found = grouped(run, GROUPS[by])
    return found if by == "layer" else {**found, "all": totals(run)}


def _groups(sums: Sequence[dict[str, Totals]], by: str) -> list[str]:
    """All groups: layers in network order, parts in the order of the tables."""
    found = list(dict.fromkeys(name for one in sums for name in one))
    return [name for name in (*PARTS, "all") if name in found] if by == "part" else found
