"""Every mapping of small random layers, run loop by loop, against evaluator, search and cost model."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from support import blocks

from energysim.cost import OBJECTIVES
from energysim.cost.two_level import TwoLevel
from energysim.errors import CapacityError
from energysim.mapping import Tiling, fetches

from .brute_force import every_mapping, run, steps
from .independent_cost import IndependentCost, ranking
from .random_layers import random_rules, random_setting, random_work


def check(seed: int) -> bool:
    """Compare everything on one layer; False if it is too large to run all its mappings."""
    draw = Random(seed)
    work, rules = random_work(draw), random_rules(draw)
    nest = work.nest
    if steps(nest, rules) > 15_000:
        return False
    setting = random_setting(draw, work, rules)
    own = IndependentCost(work, setting)
    fitting = set()
    nonzeros, outputs = nest.kernel.nonzeros, nest.output_elements
    for sizes, tiles, orders in every_mapping(nest, rules):
        fits = own.fits(tiles)
        for order in orders:
            counts = run(tiles, order)
            moved = fetches(nest, Tiling(sizes, order), rules)
            assert counts.weights == moved.weight_passes * nonzeros, (seed, sizes, order)
            assert counts.inputs == moved.input_elements, (seed, sizes, order)
            assert counts.sums_out == counts.sums_in == (moved.output_visits - 1) * outputs, (seed, order)
            assert counts.finished == counts.first_reads == outputs, (seed, sizes, order)
            if fits:
                fitting.add(counts)
    for objective in OBJECTIVES:
        best = min((ranking(objective, own.of(counts)) for counts in fitting), default=None)
        try:
            (cost,) = TwoLevel().evaluate((work,), replace(setting, objective=objective))
        except CapacityError:
            assert best is None, (seed, objective)
            continue
        dram = sum(row.bits for row in cost.accesses if row.level == "dram")
        found = {"energy": cost.energy_aj, "dram": dram, "cycles": cost.cycles}
        assert ranking(objective, found) == best, (seed, objective, cost.mapping)
        assert cost.optimal
    return True


@pytest.mark.parametrize("batch", range(10))
def test_the_search_finds_the_best_of_all_mappings(batch: int) -> None:
    assert sum(check(seed) for seed in range(25 * batch, 25 * batch + 25)) > 15


@pytest.mark.slow
@pytest.mark.parametrize("batch", blocks(range(10, 30), 2))
def test_the_search_finds_the_best_of_all_mappings_of_many_layers(batch: int) -> None:
    assert sum(check(seed) for seed in range(100 * batch, 100 * batch + 100)) > 60
