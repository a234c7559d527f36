"""When a structure counts as found: the significance argument, and its logarithms.

A structure is claimed if it shortens the description of the mask. Let ``P0`` be a distribution of masks
without that structure, and ``L`` the length [bit] of any prefix code that first names the structure, then
the mask. For every k

    P0(L(mask) <= -log2 P0(mask) - k) <= 2^-k

because a prefix code makes the sum of 2^-L at most 1 (Kraft; the "no hypercompression inequality",
Gruenwald, The Minimum Description Length Principle, 2007, section 3.3). So a random mask is called
structured with a probability of at most 2^-k, whatever was searched: the number of candidates is part of
``L``. k is :data:`CLAIM_BITS`.

Two distributions are held against a claim, and it must be shorter than under both by k bits:

* every mask with this shape and number of nonzeros is equally likely: ``log2 C(n, nonzeros)`` bits. This is
  unstructured pruning, of any density;
* the supports of the windows are those that occur, in an order drawn at random: ``log2 (W! / prod n_i!)``
  bits for W windows of which n_i have support i. This covers schemes that draw the support of each window,
  as random pSConv does.

Both condition on what they take from the mask, so nothing is fitted. A table almost as large as the mask
never shortens its description: that is why a random mask has no period.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["CLAIM_BITS", "arrangements", "choices", "claimed", "hypergeometric_tail"]

#: A claim is wrong with a probability of at most 2^-40, about 1e-12 (assumed: small enough for any use).
CLAIM_BITS = 40


def claimed(saved_bits: float) -> bool:
    """Return whether a description is shorter by enough to claim its structure."""
    return saved_bits >= CLAIM_BITS


def choices(n: int, k: int) -> float:
    """Return ``log2 C(n, k)`` [bit]: what it takes to say which k of n."""
    if not 0 < k < n:
        return 0.0
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)


def arrangements(counts: Iterable[int]) -> float:
    """Return ``log2 (sum! / prod count!)`` [bit]: what it takes to say which window has which support."""
    listed = list(counts)
    return (math.lgamma(sum(listed) + 1) - sum(math.lgamma(n + 1) for n in listed)) / math.log(2)


def hypergeometric_tail(n: int, k: int, draws: int, at_most: int) -> float:
    """Return the probability that ``draws`` of n positions, k of them set, hold more than ``at_most``.

    Exact integers up to the last division.
    """
    whole = math.comb(n, draws)
    tail = sum(
        math.comb(k, i) * math.comb(n - k, draws - i)
        for i in range(max(at_most + 1, 0), min(draws, k) + 1)
        if draws - i <= n - k
    )
    return tail / whole
