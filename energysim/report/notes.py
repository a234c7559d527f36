"""The lines below the tables: per-image figures, reductions, what was left dense, rules, assumptions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.rows import Run
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["notes"]


def notes(report: Report) -> list[str]:
    """Return the lines below the tables."""
    return [*_figures(report), *_reductions(report), *_left(report), *_conditions(report)]


def _figures(report: Report) -> Iterator[str]:
    images, clock = report.setup.batch, report.setup.clock_hz
    for run in report.runs:
        sums = report.totals(run.scheme)
        energy, seconds = sums.energy_j(images), sums.seconds(clock, images)
        if not energy or not seconds:
            continue
        per_watt = Fraction(2 * sums.effective_macs, images) / energy / 10**12
        yield (
            f"{run.scheme}: {engineering(energy, 'J')} per image, {engineering(seconds, 's')} "
            f"({engineering(1 / seconds)} frames/s), EDP {engineering(energy * seconds, 'Js')}, "
            f"{float(per_watt):.3g} TOPS/W (2 operations per executed MAC)"
        )


def _factor(before: int, after: int) -> str:
    return f"{before / after:.3g}x" if after else "all"


def _reductions(report: Report) -> Iterator[str]:
    reference = report.runs[0]
    for run in report.runs[1:]:
        texts = []
        for title, part in (("convolutions", "convolution"), ("all layers", None)):
            old, new = report.totals(reference.scheme, part), report.totals(run.scheme, part)
            weights = _factor(old.weight_bits + old.side_bits, new.weight_bits + new.side_bits)
            texts.append(
                f"{title}: MACs {_factor(old.macs, new.macs)}, stored weights {weights}, DRAM traffic "
                f"{_factor(old.total_dram_bits, new.total_dram_bits)}, energy "
                f"{_factor(old.total_energy_aj, new.total_energy_aj)}, "
                f"cycles {_factor(old.cycles, new.cycles)}"
            )
        yield f"{reference.scheme} / {run.scheme}: {'; '.join(texts)}"
        yield from _linear_hides(report, run)


def _linear_hides(report: Report, run: Run) -> Iterator[str]:
    """Say so where linear layers, which most schemes leave dense, hold most of the weights."""
    linear = report.totals(run.scheme, "linear").weight_bits
    every = report.totals(run.scheme).weight_bits
    if every and 2 * linear > every and report.totals(run.scheme, "convolution").macs:
        yield (
            f"{round(100 * linear / every)} % of the weight bits of {run.scheme} are in linear layers, "
            "which hide what sparse convolutions save: look at the line of the convolutions, or at the "
            "networks of the pSConv papers (vgg16-cifar10, resnet18-cifar10, vgg16-tiny, resnet18-tiny)"
        )


def _left(report: Report) -> Iterator[str]:
    for run in report.runs:
        reasons: dict[str, list[str]] = {}
        for node, reason in run.left_dense:
            reasons.setdefault(reason, []).append(node)
        if reasons:
            yield f"{run.scheme} leaves dense: {'; '.join(f'{_names(n)} ({r})' for r, n in reasons.items())}"
        if run.uncounted:
            yield f"{run.scheme}: NOT COUNTED, cost unknown: {', '.join(run.uncounted)}"


def _names(nodes: list[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= 4 else f"{', '.join(nodes[:2])}, ... {len(nodes)} layers"


def _conditions(report: Report) -> Iterator[str]:
    setup = report.setup
    yield f"activation zeros: {setup.activations}" + (f"; formats: {setup.formats}" if setup.formats else "")
    if any(access.expected for run in report.runs for access in run.accesses):
        yield "rows that depend on activation zeros are expected values, rounded up once a row"
    yield f"counting rules: {setup.rules}"
    searched = [row for run in report.runs for row in run.layers if row.mappings]
    if searched:
        proven = "proven best" if all(row.optimal for row in searched) else "NOT all proven best"
        yield (
            f"mappings: {proven} of {engineering(sum(row.mappings for row in searched))} in the space "
            f"({len(searched)} layers); DRAM traffic over compulsory: "
            f"{', '.join(f'{_excess(report, run.scheme)} ({run.scheme})' for run in report.runs)}"
        )
    shares = ", ".join(f"{float(100 * report.assumed_share(s)):.3g} % ({s})" for s in report.schemes)
    yield (
        f"energy that rests on assumed energy constants: {shares}; "
        f"sources: energysim show hardware {setup.hardware} --sources"
    )
    if setup.assumed:
        yield f"assumed: {'; '.join(setup.assumed)}"
    for run in report.runs:
        for statement in run.assumed:
            yield f"assumed: {statement}"


def _excess(report: Report, scheme: str) -> str:
    sums = report.totals(scheme)
    return f"{sums.total_dram_bits / sums.compulsory_bits:.3f}" if sums.compulsory_bits else "-"
