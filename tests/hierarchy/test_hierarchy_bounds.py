"""Bounds of the search against all mappings, and a search that stops after so much work."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from itertools import product
from math import prod

import pytest

from energysim.cost import hierarchy_search
from energysim.cost.base import Setting
from energysim.cost.hierarchy_layer import HierarchyLayer
from energysim.cost.hierarchy_search import best_cost
from energysim.hardware.hierarchy import TENSORS, Hierarchy, HierarchyHardware, SpatialAxis
from energysim.mapping import Rules
from energysim.mapping.hierarchy.check import checked
from energysim.mapping.hierarchy.counts import count
from energysim.mapping.hierarchy.floor import least_of_any
from energysim.mapping.hierarchy.mapping import MappingError, parse_mapping
from energysim.mapping.hierarchy.prices import Prices
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.run import Run
from energysim.mapping.hierarchy.sharing import assignments

from .base import conv, level
from .brute_force import all_mappings, total
from .test_hierarchy_search import check_gap, goal, random_prices, random_problem, random_rules
from .test_hierarchy_timeloop import work


@pytest.mark.parametrize("places", [1, 2, 3, 7, 12, 16, 40, 168])
def test_ways_to_share_cover_all(places: int) -> None:
    for most in ((4, 30), (16, 16, 16), (1, 9, 50), (places, places, 1), (places,)):
        found = assignments(places, most)
        assert len(set(found)) == len(found)
        assert all(a <= b for one in found for a, b in zip(one, most, strict=True))
        for chosen in product(*(range(1, min(limit, 20) + 1) for limit in most)):
            if prod(chosen) <= places:
                assert any(all(a >= b for a, b in zip(one, chosen, strict=True)) for one in found), chosen


def test_ways_to_share_are_exact_for_few_copies() -> None:
    assert assignments(4, (4, 4)) == ((1, 4), (2, 2), (4, 1))
    assert assignments(6, (2, 3, 6)) == ((1, 1, 6), (1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1))


@pytest.mark.parametrize("block", range(4))
def test_no_mapping_is_below_a_bound(block: int) -> None:
    for seed in range(block * 15, block * 15 + 15):
        rng = random.Random(9000 + seed)
        hierarchy, nest = random_problem(rng, 400, deep=seed % 3 == 0)
        rules, prices = random_rules(rng), random_prices(rng, hierarchy)
        table = Prices({key: (float(price),) for key, price in prices.items()}, (-1,))
        problem = Problem(
            hierarchy, nest, rules, (16, 16, 16), table, lambda cost, _: cost[:, 0], products=nest.dense_macs
        )
        least = {bypass: Run(problem, bypass).least for bypass in problem.bypasses}
        lowest = least_of_any(problem)
        for mapping in all_mappings(hierarchy, nest):
            with suppress(MappingError):
                value = total(count(checked(hierarchy, mapping, nest, rules, (16, 16, 16))), prices)
                assert lowest <= value * (1 + 1e-12), f"seed {seed}: {mapping}"
                bound = least[tuple(sorted(mapping.bypass, key=_order(hierarchy)))]
                assert bound <= value * (1 + 1e-12), f"seed {seed}: {mapping}"


def _order(hierarchy: Hierarchy):
    names = [node.name for node in hierarchy.nodes]
    return lambda pair: (names.index(pair[0]), TENSORS.index(pair[1]))


def test_sums_of_products_that_no_axis_shares() -> None:
    # Sums go from the multipliers to DRAM over an axis that only spreads filters: each crosses once.
    hierarchy = Hierarchy((level("dram", None, 1), SpatialAxis("X", 4, "M", ("inputs",)), level("rf", 64, 1)))
    nest, rules = conv(4, 4, 2, window=1), Rules(tiles="divisors", first_read="counted")
    prices = {
        ("X", "outputs", "transfer"): 100,
        ("rf", "outputs", "drain"): 1000,
        ("dram", "outputs", "update"): 1,
    }
    table = Prices({key: (float(price),) for key, price in prices.items()}, (-1,))
    problem = Problem(
        hierarchy, nest, rules, (16, 16, 16), table, lambda cost, _: cost[:, 0], products=nest.dense_macs
    )
    (alone,) = [b for b in problem.bypasses if b == (("rf", "outputs"),)]
    assert Run(problem, alone).least <= 101 * nest.dense_macs


def four_levels(two_levels: HierarchyHardware, *, open_bypasses: bool) -> HierarchyHardware:
    """Four memories and two axes, anything anywhere."""
    keep = () if open_bypasses else TENSORS
    nodes = (
        level("dram", None, 200),
        level("l2", 2**19, 12, keep=keep),
        SpatialAxis("X", 16),
        level("l1", 2**15, 6, keep=keep),
        SpatialAxis("Y", 16),
        level("rf", 256, 1, keep=keep),
    )
    return replace(two_levels, hierarchy=Hierarchy(nodes))


@pytest.mark.parametrize("open_bypasses", [False, True])
def test_a_search_that_stops_says_the_same_anywhere(
    open_bypasses: bool, two_levels: HierarchyHardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    hardware = four_levels(two_levels, open_bypasses=open_bypasses)
    layer = HierarchyLayer(
        work(conv(8, 12, 6)), Setting(hardware, Rules(tiles="divisors"), "energy", 16, 16, 16)
    )
    monkeypatch.setattr(hierarchy_search, "_WORK", 2000)
    stopped = best_cost(layer)
    assert not stopped.optimal and 0 < stopped.gap < 1
    assert best_cost(layer) == stopped
    if not open_bypasses:
        proven = best_cost(layer, seconds=600.0)
        assert proven.optimal
        assert stopped.energy_aj * (1 - stopped.gap) <= proven.energy_aj <= stopped.energy_aj
        monkeypatch.setattr(hierarchy_search, "_WORK", 10**12)
        assert best_cost(layer) == proven


def test_the_least_energy_among_equals_is_said_apart(
    two_levels: HierarchyHardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    hardware = four_levels(two_levels, open_bypasses=False)
    layer = HierarchyLayer(
        work(conv(4, 6, 6)), Setting(hardware, Rules(tiles="divisors"), "dram", 16, 16, 16)
    )
    proven = best_cost(layer, seconds=600.0)
    assert proven.optimal and not proven.gap
    monkeypatch.setattr(hierarchy_search, "_WORK", 1000)
    stopped = best_cost(layer)
    assert stopped.optimal and stopped.gap > 0
    check_gap(stopped, "dram", goal(proven, "dram"))


@pytest.mark.slow
@pytest.mark.parametrize("open_bypasses", [False, pytest.param(True, marks=pytest.mark.release)])
@pytest.mark.parametrize("objective", ["energy", "dram", "delay", "edp"])
def test_four_levels_and_two_axes(objective: str, open_bypasses: bool, two_levels: HierarchyHardware) -> None:
    hardware = four_levels(two_levels, open_bypasses=open_bypasses)
    gemm = conv(3072, 768, 1, window=1)
    gemm = replace(gemm, rows=replace(gemm.rows, outputs=197, inputs=197))
    depthwise = replace(conv(1, 1, 56), groups=144, kernel=conv(144, 1, 56).kernel)
    for nest in (gemm, depthwise, conv(512, 256, 28, window=1, stride=2), conv(64, 64, 56)):
        given = Setting(hardware, Rules(tiles="divisors"), objective, 16, 16, 16)
        cost = best_cost(HierarchyLayer(work(nest), given))
        assert cost.optimal or cost.gap > 0
        assert 0 <= cost.gap < 1 and (objective in ("dram", "delay") or cost.optimal == (cost.gap == 0))
        assert cost.energy_aj == HierarchyLayer(work(nest), given).cost(parse_mapping(cost.mapping)).energy_aj
