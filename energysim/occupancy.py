"""How full tiles and lanes get where only a density is known: the tail and the maximum, not the mean.

Nonzeros lie anywhere, each arrangement as likely as any other (assumed; zeros of real maps cluster).

* A tile of n of the N positions of a tensor with K nonzeros holds hypergeometrically many. Room is
  reserved for so many that at most one tile in T holds more. With L = ln T and the variance
  v = min(n, N - n) (K / N) (1 - K / N), ``n K / N + L / 3 + sqrt(L^2 / 9 + 2 v L)`` is enough: the
  inequality of Bernstein, which holds for draws without replacement as well (Hoeffding, "Probability
  Inequalities for Sums of Bounded Random Variables", J. Am. Stat. Assoc. 58, 1963, theorem 4), for the
  positions inside the tile or, by K less their nonzeros, for those outside it.
* Lanes that wait for the slowest take the largest of as many binomial numbers of products:
  ``E[max] = sum over k of 1 - P(X <= k)^lanes``.

Both are the same on every machine: the first uses float64 sums, products, quotients and square roots
alone, which IEEE 754 rounds correctly, and is rounded up by more than their error; the second uses
integers.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_most", "log_above", "reserved"]

IntArray = NDArray[np.int64]

#: Fractional bits of the integers in which probabilities are kept.
_PLACES = 192
#: More than the relative error of a dozen float64 operations.
_SLACK = 1 + 1e-12


@lru_cache(maxsize=64)
def log_above(number: int) -> Fraction:
    """Return a fraction that is not below the natural logarithm of a number, by less than 2**-60.

    Raises
    ------
    ValueError
        If the number is less than 1.
    """
    if number < 1:
        raise ValueError(f"the logarithm is taken of 1 or more, not of {number}")
    doublings = number.bit_length() - 1
    power = 1 << doublings
    found = doublings * _twice_artanh(1, 3) + _twice_artanh(number - power, number + power)
    return Fraction(found, 1 << 80)


def _twice_artanh(above: int, below: int) -> int:
    """2 artanh of a quotient up to 1 / 3 in units of 2**-80, rounded up; of 1 / 3 it is ln 2."""
    total, term, n = 0, -(-(above << 81) // below), 1
    while term > 1:
        total += -(-term // n)
        term = -(-term * above * above // (below * below))
        n += 2
    # All further terms together are below two units.
    return total + 2 if above else 0


def reserved(population: int, kept: int, tiles: IntArray, one_in: int | None) -> IntArray:
    """Return for how many nonzeros tiles reserve room.

    Parameters
    ----------
    population : int
        N, positions of the tensor.
    kept : int
        K, its nonzeros.
    tiles : int64 array
        n, positions of each tile, 1 to N.
    one_in : int or None
        T: at most one tile in T holds more; None: none does.

    Returns
    -------
    int64 array
        At most n and at most K; it does not decrease with n.
    """
    most = np.minimum(tiles, kept)
    if one_in is None or kept in (0, population):
        return np.asarray(most, dtype=np.int64)
    share = kept / population
    log = float(log_above(one_in))
    inside = tiles.astype(np.float64)
    spread = np.minimum(inside, population - inside) * (share * (1 - share))
    third = log / 3
    likely = inside * share + (third + np.sqrt(third * third + 2 * log * spread))
    return np.minimum(np.ceil(likely * _SLACK), most).astype(np.int64)


@lru_cache(maxsize=4096)
def expected_most(draws: int, density: Fraction, lanes: int) -> Fraction:
    """Return the expected maximum, over lanes, of how many of their draws are nonzeros.

    Parameters
    ----------
    draws : int
        Of each lane, independent of each other and of those of other lanes.
    density : Fraction
        Chance of a nonzero, 0 to 1.
    lanes : int

    Returns
    -------
    Fraction
        Within 2**-64 of the exact number (exact for one lane and for a density of 0 or 1).
    """
    if lanes == 1 or density in (0, 1) or draws == 0:
        return draws * density
    first, weights = _binomial(draws, density)
    total, below = sum(weights), 0
    found = first << _PLACES  # the sum over numbers that are next to never not reached
    for weight in weights:
        below += weight
        found += (1 << _PLACES) - _power((below << _PLACES) // total, lanes)
    return Fraction(found, 1 << _PLACES)


def _binomial(draws: int, density: Fraction) -> tuple[int, list[int]]:
    """The first number that may occur, and the chances of it and those after it, to a common factor."""
    hit, miss = density.numerator, density.denominator - density.numerator
    mode = min(draws, (draws + 1) * hit // (hit + miss))
    peak = 1 << _PLACES
    lower, upper = [], [peak]
    weight = peak
    for k in range(mode, 0, -1):
        weight = weight * k * miss // ((draws - k + 1) * hit)
        if not weight:
            break
        lower.append(weight)
    weight = peak
    for k in range(mode, draws):
        weight = weight * (draws - k) * hit // ((k + 1) * miss)
        if not weight:
            break
        upper.append(weight)
    return mode - len(lower), [*reversed(lower), *upper]


def _power(base: int, exponent: int) -> int:
    """A power of a number below 1, both in units of 2**-_PLACES."""
    result = 1 << _PLACES
    while exponent:
        if exponent & 1:
            result = result * base >> _PLACES
        base = base * base >> _PLACES
        exponent >>= 1
    return result
