"""The lines below the tables: what was left dense, what was searched, what it all rests on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.scales import ATTO, joules
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["notes", "remarks"]


def notes(report: Report) -> list[str]:
    """Return the lines below the tables."""
    return [*remarks(report), *_assumptions(report)]


def remarks(report: Report) -> list[str]:
    """Return all of them but what is assumed."""
    return [
        *_uncounted(report),
        *_linear_hides(report),
        *_left(report),
        *_rewritten(report),
        *_told(report),
        *_reading(report),
        *_conditions(report),
        *_mappings(report),
    ]


def _uncounted(report: Report) -> Iterator[str]:
    for run in report.runs:
        if run.uncounted:
            yield f"NOT COUNTED in {run.scheme}, cost unknown: {', '.join(run.uncounted)}"


def _linear_hides(report: Report) -> Iterator[str]:
    """Say so where linear layers, which most schemes leave dense, hold most of the weights."""
    for run in report.runs[1:]:
        linear = report.totals(run.scheme, "linear").weight_bits
        every = report.totals(run.scheme).weight_bits
        if every and 2 * linear > every and report.totals(run.scheme, "convolution").macs:
            yield (
                f"{round(100 * linear / every)} % of the weight bits of {run.scheme} are in linear layers, "
                "which hide what sparse convolutions save: look at the line of the convolutions, or at "
                "the networks of the pSConv papers (vgg16-cifar10, resnet18-cifar10, vgg16-tiny, "
                "resnet18-tiny)"
            )


def _left(report: Report) -> Iterator[str]:
    for run in report.runs:
        reasons: dict[str, list[str]] = {}
        for node, reason in run.left_dense:
            reasons.setdefault(reason, []).append(node)
        if reasons:
            told = "; ".join(f"{_names(nodes)} ({reason})" for reason, nodes in reasons.items())
            yield f"left dense by {run.scheme}: {told}"


def _told(report: Report) -> Iterator[str]:
    """What runs have to tell; once, where it is true of all of several."""
    common = [n for n in report.runs[0].notes if all(n in run.notes for run in report.runs[1:])]
    common = common if len(report.runs) > 1 else []
    yield from common
    for run in report.runs:
        yield from (f"{run.scheme}: {note}" for note in run.notes if note not in common)


def _rewritten(report: Report) -> Iterator[str]:
    """What rewritten layers would cost unfused, and what is done once when the network is loaded."""
    for run in report.runs:
        sums = report.totals(run.scheme)
        fused = sums.total_dram_bits, sums.total_energy_aj
        apart = sums.unfused_dram_bits, sums.unfused_energy_aj
        if fused != apart:
            yield (
                f"{run.scheme}: the parts of a layer pass their tensors on chip (fused): DRAM "
                f"{engineering(fused[0], 'bit')}, {joules(fused[1] * ATTO)}; through DRAM (unfused, --fuse "
                f"split): {engineering(apart[0], 'bit')}, {joules(apart[1] * ATTO)}"
            )
        if sums.load_bits or sums.expansion_macs:
            yield (
                f"{run.scheme}: weights are made from what is stored with {engineering(sums.expansion_macs)} "
                f"multiply-adds; {engineering(sums.load_bits, 'bit')} cross DRAM when the network is loaded"
            )
    for name, reason in report.skipped:
        yield f"skipped: {name}: {reason}"


def _names(nodes: list[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= 4 else f"{len(nodes)} layers, {nodes[0]} to {nodes[-1]}"


def _reading(report: Report) -> Iterator[str]:
    """How the tables are to be read."""
    folded = Counter(row.kind for row in report.runs[0].layers if row.folded_into is not None)
    if folded:
        kinds = ", ".join(f"{count} {kind}" for kind, count in folded.items())
        yield (
            f"folded nodes: {kinds}; they run with the layer before them, on loading, or only change how a "
            "tensor is addressed: their operations are counted, they have no traffic of their own"
        )
    yield (
        "TOPS/W: 2 operations per MAC that costs energy; dense-equivalent: per MAC of the network with "
        "all its weights"
    )


def _conditions(report: Report) -> Iterator[str]:
    setup = report.setup
    yield f"activation zeros: {setup.activations}"
    if setup.formats:
        yield f"storage formats asked for: {setup.formats}"
    if any(access.expected for run in report.runs for access in run.accesses):
        yield "rows that depend on activation zeros are expected values, rounded up once a row"
    if any(_wasted(path) for path in setup.datapaths):
        yield (
            f"multipliers: {'; '.join(setup.datapaths)}, the narrowest of this hardware that holds both "
            "operands: narrower operands save storage and traffic there, but no energy of multiply-adds"
        )
    yield f"counting rules: {setup.rules.replace(',', ', ')}"
    yield from _lanes(setup.cost_model, setup.zeros)


def _lanes(cost_model: str, zeros: str) -> Iterator[str]:
    """Who waits for whom, as far as it does not go without saying."""
    waiting = [part.partition(":")[0].strip() for part in zeros.split(";") if "lanes wait" in part]
    if cost_model == "two-level" and "weights" in waiting:
        yield "array: consecutive filters side by side, all wait for the one with most weights by the mask"
    elif cost_model == "two-level":
        yield (
            "array: lanes packed over the whole layer, whatever the tile: the fewest cycles and operand "
            "reads such an array can need"
        )
    if "activations" in waiting:
        yield (
            "array: lanes wait for the one with the fewest zeros among its inputs: the expected maximum, "
            "zeros independent of each other (assumed)"
        )


def _wasted(path: str) -> bool:
    """Whether multipliers are wider than one of their operands."""
    weight, activation, multiplier = (int(number) for number in re.findall(r"\d+", path))
    return multiplier > min(weight, activation)


def _mappings(report: Report) -> Iterator[str]:
    searched = [row for run in report.runs for row in run.layers if row.mappings]
    if searched:
        open_ = [row for row in searched if not row.optimal]
        most = max((row.gap for row in open_), default=Fraction(0))
        proven = "proven best"
        if open_:
            proven = (
                f"{len(open_)} NOT proven best, a better one could save {float(100 * most):.3g} % of a "
                "layer's objective at most; all"
            )
        equals = max((row.gap for row in searched if row.optimal), default=Fraction(0))
        more = f"; one as good could save {float(100 * equals):.3g} % of a layer's energy at most"
        yield (
            f"mappings: {proven} of {engineering(sum(row.mappings for row in searched))} in the space "
            f"({len(searched)} layers){more if equals else ''}; DRAM traffic over the lower bound: "
            f"{', '.join(f'{_excess(report, scheme)} ({scheme})' for scheme in report.schemes)}"
        )


def _excess(report: Report, scheme: str) -> str:
    sums = report.totals(scheme)
    return f"{sums.total_dram_bits / sums.dram_bound_bits:.3f}" if sums.dram_bound_bits else "-"


def _assumptions(report: Report) -> Iterator[str]:
    setup = report.setup
    shares = ", ".join(f"{float(100 * report.assumed_share(s)):.3g} % ({s})" for s in report.schemes)
    yield (
        f"energy that rests on assumed energy constants: {shares}; "
        f"sources: energysim show hardware {setup.hardware} --sources"
    )
    if setup.assumed:
        yield f"assumed of the hardware: {'; '.join(setup.assumed)}"
    for statement in dict.fromkeys(s for run in report.runs for s in run.assumed):
        yield f"assumed by the scheme: {statement}"
