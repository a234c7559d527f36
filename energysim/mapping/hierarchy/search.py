"""The best mapping of a layer onto a hierarchy, proven.

A first pass that keeps few partial mappings (:mod:`energysim.mapping.hierarchy.run`) finds a good
mapping, a second one everything that may be better. Costs are float64 here; what is found is
counted again by the evaluator of explicit mappings.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from energysim.errors import LayerError
from energysim.hardware.hierarchy import Hierarchy
from energysim.mapping.hierarchy.floor import least_of_any
from energysim.mapping.hierarchy.held import ALIKE, Held
from energysim.mapping.hierarchy.mapping import Mapping
from energysim.mapping.hierarchy.prices import Objective, Prices
from energysim.mapping.hierarchy.problem import Problem, Widths, Work
from energysim.mapping.hierarchy.rules import hierarchy_rules
from energysim.mapping.hierarchy.run import NEAR, LateError, ManyError, Pruned, Run
from energysim.mapping.hierarchy.space import space_size
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["Found", "Unsearchable", "check_searchable", "least_value", "search_mapping"]

#: Partial mappings kept at each node by the first pass, and by one more if too many are left.
_BEAMS = (50, 500)
#: Choices of bypasses that the first pass looks at, if it finds something.
_FIRST = 5
#: Loops added at one level that are too many, as long as there are means to know better mappings.
_MANY = 1 << 15


class Unsearchable(LayerError):
    """The search has no proof for this hardware or layer."""


@dataclass(frozen=True)
class Found:
    """The best mapping.

    Attributes
    ----------
    mapping : Mapping or None
        None if nothing fits (or the time was up before anything was found).
    ties : tuple of Mapping
        Mappings found with values within 1e-12 of the best, it among them.
    value : float
        The objective.
    least : float
        What no mapping of the space stays below: the value, if it is proven the best.
    mappings : int
        Size of the space.
    pruned : Pruned
    """

    mapping: Mapping | None
    ties: tuple[Mapping, ...]
    value: float
    least: float
    mappings: int
    pruned: Pruned


def search_mapping(
    hierarchy: Hierarchy,
    nest: LoopNest,
    rules: Rules,
    bits: Widths,
    prices: Prices,
    objective: Objective,
    *,
    whole: bool = False,
    known: tuple[float, Mapping] | None = None,
    lanes_count: bool = True,
    stored_only: bool = False,
    products: int | None = None,
    slack: float = 1.0,
    deadline: float | None = None,
    work: Work | None = None,
    held: Held = ALIKE,
) -> Found:
    """Return the best mapping of the default space.

    Parameters
    ----------
    hierarchy : Hierarchy
    nest : LoopNest
    rules : Rules
    bits : (int or Fraction, int, int)
        Of a weight, an input and an accumulator as they are held.
    prices : Prices
    objective : callable
    whole : bool
        Whether values of whole mappings are whole numbers: what is not better by one is no better.
    known : (float, Mapping), optional
        Value of a mapping and the mapping, to beat.
    lanes_count : bool
        Whether the objective depends on how many multipliers are used.
    stored_only : bool
        Whether weights that do not exist are neither stored nor moved.
    products : int, optional
        Multiplications that take words; by default all of the loops.
    slack : float
        Mappings with values up to so many times the best are among the ties; which, is not defined.
    deadline : float, optional
        Value of ``time.monotonic()`` at which to stop with what is known.
    work : Work, optional
        What has been done of what may be done before it stops with what is known; by default as
        much as it takes.
    held : Held
        What levels hold in another way than ``bits`` says.

    Raises
    ------
    Unsearchable
        If the search has no proof for what is asked.
    """
    check_searchable(hierarchy, nest)
    value, ties = (np.inf, {}) if known is None else (known[0], {known[1]: known[0]})
    pruned, least = Pruned(), np.inf
    made = nest.dense_macs if products is None else products
    done = Work() if work is None else work
    problem = Problem(
        hierarchy, nest, rules, bits, prices, objective, lanes_count, stored_only, made, held, done
    )
    may_stop = False

    def late() -> bool:
        return may_stop and (done.left < 0 or (deadline is not None and time.monotonic() > deadline))

    def tried(run: Run, beam: int | None, many: float = np.inf) -> bool:
        nonlocal value
        run.many, run.pruned, run.slack, run.late = many, Pruned(), slack, late
        found = run.best(value - 0.5 if whole else value * max(NEAR, slack), beam)
        for mapping, reached in found.items():
            value = min(value, reached)
            ties[mapping] = reached
        return bool(found)

    runs = _ordered(problem, deadline)
    for number, (_, run) in enumerate(runs):
        if late() or (may_stop and number >= _FIRST):
            break
        with suppress(LateError):
            found = tried(run, _BEAMS[0]) or (not may_stop and tried(run, _BEAMS[1]))
            may_stop |= found or known is not None
    for bound, run in runs:
        if late():
            least = min(least, bound)
            continue
        try:
            try:
                tried(run, None, _MANY)
            except ManyError:
                tried(run, _BEAMS[1])
                tried(run, None)
        except LateError as error:
            least = min(least, max(error.least, bound))
        pruned += run.pruned
    best = [m for m, v in sorted(ties.items(), key=lambda item: item[1]) if v <= value * max(NEAR, slack)]
    least = min(least, value)
    first = best[0] if best else None
    return Found(first, tuple(best), value, least, space_size(hierarchy, nest), pruned)


def _ordered(problem: Problem, deadline: float | None) -> list[tuple[float, Run]]:
    """All choices of bypasses with what none of their mappings stays below, the most promising first.

    Where these bounds alone would take up half of the work that may be done, or of the time, those of
    the choices that are left are the one that holds for all.
    """
    now = time.monotonic()
    half = np.inf if deadline is None else now + (deadline - now) / 2
    runs = [Run(problem, bypass) for bypass in problem.bypasses]
    found: list[tuple[float, Run]] = []
    rest: list[tuple[float, Run]] = []
    lowest, most = least_of_any(problem), problem.work.left / 2
    for run in runs:
        if problem.work.left < most or time.monotonic() > half:
            rest.append((lowest, run))
        else:
            found.append((max(run.least, lowest), run))
    return [*sorted(found, key=lambda one: one[0]), *rest]


def least_value(
    hierarchy: Hierarchy,
    nest: LoopNest,
    rules: Rules,
    bits: Widths,
    prices: Prices,
    objective: Objective,
    *,
    stored_only: bool = False,
    products: int | None = None,
    held: Held = ALIKE,
) -> float:
    """Return what no mapping stays below, without a search; parameters as for :func:`search_mapping`.

    If all tiles fit, it holds for mappings of the imperfect space as well: no tensor moves less
    often than once, and no word is shared by more copies than there are.
    """
    check_searchable(hierarchy, nest)
    made = nest.dense_macs if products is None else products
    problem = Problem(hierarchy, nest, rules, bits, prices, objective, True, stored_only, made, held)
    return min(Run(problem, bypass).least for bypass in problem.bypasses)


def check_searchable(hierarchy: Hierarchy, nest: LoopNest) -> None:
    """Raise :class:`Unsearchable` where the search has no proof."""
    if nest.rows.transposed or nest.cols.transposed:
        raise Unsearchable("a transposed convolution is searched in phases")
    if hierarchy_rules(hierarchy.rules).returned_sums != "one":
        for axis in hierarchy.axes:
            if "outputs" not in axis.shared and set(axis.loops) & set("CRS"):
                what = f"axis {axis.name!r} takes loops over C, R or S but does not add up outputs"
                raise Unsearchable(f"{what}; the search then needs the rule returned_sums=one")
