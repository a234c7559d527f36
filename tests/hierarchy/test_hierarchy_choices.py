"""Which tiles loops lead to, and which loops are worth it, against plain loops over all pairs."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from math import inf, prod

import numpy as np
import pytest

from energysim.hardware.hierarchy import TENSORS, Hierarchy
from energysim.kernels import DenseKernel
from energysim.mapping import Rules
from energysim.mapping.hierarchy import choices, lattice, run
from energysim.mapping.hierarchy.choices import Choices
from energysim.mapping.hierarchy.lattice import Lattice
from energysim.mapping.hierarchy.space import divisors, prime_exponents
from energysim.mapping.hierarchy.states import DIMS
from energysim.mapping.hierarchy.steps import FREE
from energysim.windows import Axis
from energysim.workload import LoopNest

from .base import level
from .test_hierarchy_search import random_prices, random_problem, random_rules, searched


@pytest.mark.parametrize("number", [1, 2, 12, 97, 360, 25088, 2**13])
def test_primes(number: int) -> None:
    found = prime_exponents(number)
    assert prod(prime**exponent for prime, exponent in found) == number
    assert prod(exponent + 1 for _, exponent in found) == len(divisors(number))
    assert [prime for prime, _ in found] == sorted(prime for prime, _ in found)


@pytest.mark.parametrize("bits", [62, 9])
@pytest.mark.parametrize("seed", range(6))
def test_points_that_loops_reach(seed: int, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattice, "_BITS", bits)  # few: several words
    rng = random.Random(seed)
    found = Lattice(tuple(rng.choice([1, 1, 2, 2, 3, 4, 6]) for _ in DIMS))
    points = [tuple(int(n) for n in row) for row in found.extents]
    assert points == list(product(*(divisors(size) for size in found.sizes)))
    dims = "".join(dim for dim in DIMS if rng.random() < 0.6)

    def leads(ours: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
        each = zip(DIMS, ours, theirs, strict=True)
        return all(b % a == 0 if dim in dims else a == b for dim, a, b in each)

    ours, theirs = (np.array(sorted(rng.sample(range(len(points)), min(len(points), n)))) for n in (40, 150))
    expected = [[leads(points[a], points[b]) for b in theirs] for a in ours]
    np.testing.assert_array_equal(found.reaches(ours, theirs, dims), expected)

    table = np.array([rng.randrange(100) for _ in points])
    above = [[leads(points[a], other) for other in points] for a in ours]
    np.testing.assert_array_equal(found.count_above(ours, dims), [sum(row) for row in above])
    np.testing.assert_array_equal(found.total_above(table, dims)[ours], [table[row].sum() for row in above])
    least = found.least_above(table[:, None].astype(float), dims)[ours, 0]
    np.testing.assert_array_equal(least, [table[row].min() for row in above])
    some = np.array([rng.random() < 0.1 for _ in points])
    reached = [any(leads(points[a], other) for a in np.flatnonzero(some)) for other in points]
    np.testing.assert_array_equal(found.grown(some, dims), reached)


def choices_of(monkeypatch: pytest.MonkeyPatch, *problem: object, **more: int) -> list[Choices]:
    """All choices that a search meets."""
    met: list[Choices] = []

    def noted(*args: object) -> Choices:
        met.append(Choices(*args))
        return met[-1]

    with monkeypatch.context() as patch:
        patch.setattr(run, "Choices", noted)
        searched(*problem, **more)
    return met


def all_choices(seed: int, monkeypatch: pytest.MonkeyPatch) -> list[Choices]:
    """Those of a random problem."""
    rng = random.Random(seed)
    hierarchy, nest = random_problem(rng, 2500, deep=seed % 2 == 0)
    rules, prices = random_rules(rng), random_prices(rng, hierarchy)
    return choices_of(monkeypatch, hierarchy, nest, rules, prices, per_step=rng.choice([0, 7]))


@pytest.mark.parametrize("seed", range(12))
def test_nothing_worth_it_is_left_out(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BLOCK", "_PAIRS"):
        monkeypatch.setattr(choices, name, 24)
    for found in all_choices(seed, monkeypatch):
        points, outside = found.bounds.lattice.extents, found.bounds.outside(found.place)[:, 0]
        every: dict[tuple[int, int], np.ndarray] = {}
        made = lost = 0
        for row, ours in enumerate(found.states.extent):
            free = [i for i, dim in enumerate(DIMS) if dim in found.dims]
            closed = [i for i, dim in enumerate(DIMS) if dim not in found.dims]
            reached = (points[:, free] % ours[free] == 0).all(axis=1)
            reached &= (points[:, closed] == ours[closed]).all(axis=1)
            for point in np.flatnonzero(reached):
                made, lost = made + 1, lost + int(not np.isfinite(outside[point]))
                if np.isfinite(outside[point]):
                    pair = np.array([row]), np.array([point])
                    every[row, int(point)] = found.values(found._each, *pair)[:, 0]
        assert found.counted(0, len(found)) == (made, lost)
        values = sorted({float(v) for value in every.values() for v in value})
        for limit in [inf, *values[:: max(1, len(values) // 5)], -1.0]:
            met: dict[tuple[int, int], np.ndarray] = {}
            last = 0
            for block in found.blocks(lambda: limit):  # noqa: B023
                groups = found._points.searchsorted(found._at[block.rows])
                assert (groups.min(), groups.max()) == (block.begin, block.end - 1)
                assert block.begin >= last - 1
                last = block.end
                rows = np.broadcast_to(block.rows, block.points.shape)
                for row, point, value in zip(rows, block.points, block.values.T, strict=True):
                    assert (int(row), int(point)) not in met
                    met[int(row), int(point)] = value
            for pair, value in met.items():
                np.testing.assert_array_equal(value, every[pair])
            assert {pair for pair, v in every.items() if v.min() <= limit} <= met.keys()
        if values:
            assert found.least(0) <= values[0]
            check_few(found, every)


def check_few(found: Choices, every: dict[tuple[int, int], np.ndarray]) -> None:
    """The least of each tensor are among the few, if they are not too many."""
    few = found.few(inf, 3)
    assert len(few.rows) <= 4 * 3 or len(few.rows) == len(every)
    met = {
        (int(row), int(point)): value
        for row, point, value in zip(few.rows, few.points, few.values.T, strict=True)
    }
    for pair, value in met.items():
        assert all(v in (every[pair][i], inf) for i, v in enumerate(value))
    for number in range(len(TENSORS)):
        least = min(value[number] for value in every.values())
        alike = [pair for pair, value in every.items() if value[number] == least]
        if len(alike) == 1 and least == min(value.min() for value in every.values()):
            assert alike[0] in met


def test_products_that_float64_rounds_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops that are free for one tensor alone leave it open, however large the layer."""
    images, filters, channels, outputs = 9973 * 9, 9967, 9949, 9941 * 3
    assert images * filters * channels * outputs > 2**53
    kernel = DenseKernel((filters, channels, 1, 1))
    nest = LoopNest(images, 1, filters, channels, Axis(outputs, outputs), Axis(1, 1), kernel)
    hierarchy = Hierarchy(tuple(level(name, None, 1) for name in ("dram", "buffer", "rf")))
    tested = 0
    for found in choices_of(
        monkeypatch, hierarchy, nest, Rules(tiles="divisors"), {}
    ):  # nothing costs anything
        lattice, each = found.bounds.lattice, found._each
        costs = replace(each, freed=np.ones_like(each.freed), rest=np.zeros_like(each.rest))
        tiles = np.flatnonzero(np.isfinite(found.bounds.outside(found.place)[:, 0]))
        for number, tensor in enumerate(TENSORS):
            rows, points = np.nonzero(lattice.reaches(found._at, tiles, FREE[tensor]))
            values = found.values(costs, rows, tiles[points])[number]
            np.testing.assert_array_equal(values, 1 / each.most[number, rows])
            tested += len(rows)
    assert tested > 1000
