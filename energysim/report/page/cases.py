"""The finished reports of one page, set side by side: a case per hardware and set of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from energysim.errors import UsageError
from energysim.report.report import Report
from energysim.report.rows import Run, Setup
from energysim.report.totals import Totals

__all__ = ["Case", "Column", "columns_of", "gathered"]

#: What cases must have in common: the network as it was run.
_NETWORK = ("model", "input", "batch", "parameters")
#: What a case is told by where cases share their hardware's name.
_TOLD = ("cost_model", "objective", "fusion", "bits", "rules", "activations", "formats")


@dataclass(frozen=True)
class Case:
    """Schemes on one piece of hardware under one set of rules.

    Attributes
    ----------
    label : str
        The hardware, and what else tells this case from the others.
    report : Report
        Its runs are those of all reports with this setup.
    sums : dict of str to Totals
        Of each scheme, in order; the first one is the reference.
    """

    label: str
    report: Report
    sums: dict[str, Totals]

    @property
    def first(self) -> Totals:
        """The sums that the others are compared with."""
        return next(iter(self.sums.values()))


@dataclass(frozen=True)
class Column:
    """One run of the page.

    Attributes
    ----------
    case : int
        Its number among the cases.
    run : int
        Its number in the case.
    label : str
        The scheme, with the case where there are several.
    """

    case: int
    run: int
    label: str


def gathered(reports: Sequence[Report]) -> tuple[Case, ...]:
    """Return the cases of some reports: those with the same setup become one, equal runs stand once.

    Raises
    ------
    UsageError
        If there is no report, they are of different networks, or contradict each other.
    """
    if not reports:
        raise UsageError("a page needs at least one report")
    merged: dict[Setup, Report] = {}
    for report in reports:
        _check_network(reports[0], report)
        # Which datapaths are used depends on the schemes: no setting of its own.
        key = replace(report.setup, datapaths=())
        merged[key] = _together(merged[key], report) if key in merged else report
    found = list(merged.values())
    return tuple(
        Case(label, one, {scheme: one.totals(scheme) for scheme in one.schemes})
        for label, one in zip(_labels(found), found, strict=True)
    )


def columns_of(cases: Sequence[Case]) -> tuple[Column, ...]:
    """Return every run of the page, in order."""
    return tuple(
        Column(number, place, f"{case.label}: {scheme}" if len(cases) > 1 else scheme)
        for number, case in enumerate(cases)
        for place, scheme in enumerate(case.report.schemes)
    )


def _check_network(first: Report, other: Report) -> None:
    for name in _NETWORK:
        if getattr(first.setup, name) != getattr(other.setup, name):
            raise UsageError(
                "reports of different networks do not go on one page: "
                f"{_network(first)}, and {_network(other)}"
            )
    layers = [{row.origin for row in report.runs[0].layers} for report in (first, other)]
    if first.schemes[0] == other.schemes[0] == "dense" and layers[0] != layers[1]:
        name = min(layers[0] ^ layers[1])
        raise UsageError(
            f"reports of different networks do not go on one page: only one {first.setup.model!r} has a "
            f"layer {name!r}"
        )


def _network(report: Report) -> str:
    setup = report.setup
    return f"{setup.model} {setup.input}, batch {setup.batch}, {setup.parameters:,} parameters"


def _together(one: Report, other: Report) -> Report:
    runs: dict[str, Run] = {run.scheme: run for run in one.runs}
    for run in other.runs:
        if runs.setdefault(run.scheme, run) != run:
            raise UsageError(
                f"two reports differ on {run.scheme} on {one.setup.hardware} under the same setup: they were "
                "made by different versions or with mappings given by hand; leave one of them out"
            )
    datapaths = dict.fromkeys((*one.setup.datapaths, *other.setup.datapaths))
    setup = replace(one.setup, datapaths=tuple(datapaths))
    skipped = tuple(dict.fromkeys((*one.skipped, *other.skipped)))
    return Report(setup, tuple(runs.values()), skipped)


def _labels(reports: Sequence[Report]) -> list[str]:
    """The hardware of each; where that is not enough, what differs besides."""
    found = []
    for report in reports:
        own = report.setup
        alike = [r.setup for r in reports if r.setup.hardware == own.hardware]
        label = own.hardware
        if len(alike) > 1:
            told = [f"{n.replace('_', ' ')} {getattr(own, n) or 'none'}" for n in _TOLD if _differ(alike, n)]
            if _differ(alike, "hardware_digest") or not told:
                told.append(f"digest {own.hardware_digest[:8]}")
            label = f"{label} ({'; '.join(told)})"
        found.append(label)
    return found


def _differ(setups: Sequence[Setup], name: str) -> bool:
    return len({getattr(setup, name) for setup in setups}) > 1
