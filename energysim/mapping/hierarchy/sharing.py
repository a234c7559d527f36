"""How copies along an axis can share the words of all tensors at once.

Each loop along an axis lets its copies share the words of one tensor: that over N, P, Q weights, over M
inputs, over C, R, S sums. So if w, i and o copies share a word of each, w * i * o are no more than there are.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["assignments"]

#: Up to so many copies every number is looked at, beyond that ranges of numbers.
_EXACT = 8


@lru_cache(maxsize=256)
def assignments(places: int, most: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return copies that share a word of each tensor, such that no way to share has more of all.

    Parameters
    ----------
    places : int
        Copies there are.
    most : tuple of int
        Copies that can share a word of each tensor.

    Returns
    -------
    tuple of tuples of int
        For any whole numbers up to ``most`` whose product is at most ``places``, one is as large in all.
    """
    left: dict[tuple[int, ...], int] = {(): places}
    for limit in most[:-1]:
        more: dict[tuple[int, ...], int] = {}
        for chosen, room in left.items():
            for least, largest in _ranges(min(limit, room)):
                key = (*chosen, largest)
                more[key] = max(more.get(key, 0), room // least)
        left = more
    found = {(*chosen, min(most[-1], room)) for chosen, room in left.items()}
    return tuple(sorted(one for one in found if not any(one != two and _within(one, two) for two in found)))


def _within(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    return all(a <= b for a, b in zip(one, two, strict=True))


def _ranges(limit: int) -> list[tuple[int, int]]:
    """Ranges (least, largest) of 1 .. limit."""
    found = [(n, n) for n in range(1, min(limit, _EXACT) + 1)]
    last = _EXACT
    while last < limit:
        largest = min(limit, last * 3 // 2)
        found.append((last + 1, largest))
        last = largest
    return found
