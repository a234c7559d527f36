"""Tails and maxima against exact sums over whole distributions, made of binomial coefficients."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest

from energysim.occupancy import expected_most, log_above, reserved


def beyond(population: int, kept: int, tile: int, held: int) -> Fraction:
    """Chance that a tile holds more than so many, counted."""
    ways = sum(
        comb(kept, k) * comb(population - kept, tile - k) for k in range(held + 1, min(tile, kept) + 1)
    )
    return Fraction(ways, comb(population, tile))


def tail(population: int, kept: int, tile: int, held: int) -> float:
    """The same for large numbers, by logarithms."""

    def log_comb(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    return sum(
        math.exp(log_comb(kept, k) + log_comb(population - kept, tile - k) - log_comb(population, tile))
        for k in range(held + 1, min(tile, held + 300) + 1)
    )


def test_logarithms_are_rounded_up() -> None:
    for number in (1, 2, 3, 7, 10, 1000, 10**6, 2**61 - 1):
        found = log_above(number)
        assert float(found) == pytest.approx(math.log(number), rel=1e-15, abs=1e-18)
    # ln 2 and ln 10 to 25 digits, as any table has them
    assert 0 <= log_above(2) - Fraction("0.6931471805599453094172321") < Fraction(1, 2**60)
    assert 0 <= log_above(10) - Fraction("2.3025850929940456840179914") < Fraction(1, 2**60)
    with pytest.raises(ValueError, match="not of 0"):
        log_above(0)


def test_reserves_are_enough_and_not_much_more() -> None:
    rng = random.Random(3)
    for _ in range(300):
        population = rng.randint(2, 400)
        kept, tile = rng.randint(0, population), rng.randint(1, population)
        one_in = rng.choice((2, 10, 1000, 10**6))
        found = int(reserved(population, kept, np.array([tile]), one_in)[0])
        assert beyond(population, kept, tile, found) <= Fraction(1, one_in)
        assert found <= min(tile, kept)
        log, v = math.log(one_in), min(tile, population - tile) * kept * (population - kept) / population**2
        assert found <= tile * kept / population + 2 * log / 3 + math.sqrt(2 * v * log) + 1


def test_the_reserve_of_a_large_tile_between_exact_quantile_and_worst_case() -> None:
    # 128 filters x 1 channel x 9 taps of a layer of 512 x 512 x 9, 4 of 9 weights kept: 512 on average.
    # Sparseloop reserves 512 words for a structured pattern and 1,152 for a random one (worst case).
    population, kept, tile = 512 * 512 * 9, 512 * 512 * 4, np.array([1152])
    exact = next(k for k in range(512, 1152) if tail(population, kept, 1152, k) <= 1e-3)
    found = int(reserved(population, kept, tile, 1000)[0])
    assert 512 < exact <= found <= exact + 20 < 600
    assert int(reserved(population, kept, tile, None)[0]) == 1152


def test_reserves_grow_with_the_tile_and_end_with_the_tensor() -> None:
    for population, kept in ((1000, 1), (1000, 30), (1000, 500), (1000, 970), (997, 996), (64, 64), (64, 0)):
        tiles = np.arange(1, population + 1)
        for one_in in (1, 2, 1000, 10**9, None):
            found = reserved(population, kept, tiles, one_in)
            assert (np.diff(found) >= 0).all() and found[-1] == kept
            assert (found >= -(-tiles * kept // population) - 1).all() or one_in == 1
    # a tensor without zeros, and one of zeros only, leave no doubt
    assert reserved(64, 64, np.array([5]), 1000).tolist() == [5]
    assert reserved(64, 0, np.array([5]), 1000).tolist() == [0]


def test_the_expected_maximum_is_that_of_all_outcomes() -> None:
    for draws, lanes, density in (
        (1, 3, "1/2"),
        (2, 2, "1/3"),
        (3, 2, "0.9"),
        (2, 3, "4/9"),
        (4, 2, "1/100"),
    ):
        p, mean = Fraction(density), Fraction(0)
        for outcome in product((0, 1), repeat=draws * lanes):
            chance = math.prod((p if hit else 1 - p) for hit in outcome)
            most = max(sum(outcome[lane * draws : (lane + 1) * draws]) for lane in range(lanes))
            mean += chance * most
        assert abs(expected_most(draws, p, lanes) - mean) < Fraction(1, 2**64)


def test_the_expected_maximum_at_its_ends() -> None:
    assert expected_most(100, Fraction(1, 3), 1) == Fraction(100, 3)
    assert expected_most(100, Fraction(1), 16) == 100
    assert expected_most(100, Fraction(0), 16) == 0
    assert expected_most(0, Fraction(1, 2), 16) == 0
    # one draw of many lanes: some lane has work unless none has
    assert abs(expected_most(1, Fraction(1, 4), 8) - (1 - Fraction(3, 4) ** 8)) < Fraction(1, 2**64)


def test_the_expected_maximum_of_many_draws() -> None:
    p = Fraction(49, 100)
    values = [expected_most(4608, p, lanes) for lanes in (1, 2, 4, 16, 256)]
    assert values == sorted(values) and len(set(values)) == 5
    # E of the larger of two normal numbers lies sigma / sqrt(pi) above the mean
    sigma = math.sqrt(4608 * 0.49 * 0.51)
    assert float(values[1] - values[0]) == pytest.approx(sigma / math.sqrt(math.pi), rel=1e-3)
    # and of sixteen 1.76599 sigma (table of normal order statistics)
    assert float(values[3] - values[0]) == pytest.approx(1.76599 * sigma, rel=5e-3)
    assert all(float(v) <= 4608 for v in values)
