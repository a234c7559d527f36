"""Giving weights to the schemes that look at them, wherever they stand in rules and compositions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from energysim.schemes.auto import Auto
from energysim.schemes.base import Scheme
from energysim.schemes.compose import Composed
from energysim.schemes.grammar import Rules

__all__ = ["bound", "wants_weights"]


def wants_weights(scheme: Scheme) -> bool:
    """Return whether a scheme, or a part of it, has to be given weights."""
    if isinstance(scheme, Rules):
        return any(wants_weights(part) for _, part in scheme.rules)
    if isinstance(scheme, Composed):
        return any(wants_weights(part) for part in scheme.parts)
    return scheme.wants_weights or (isinstance(scheme, Auto) and scheme.weights is None)


def bound(scheme: Scheme, weights: Mapping[str, NDArray[Any]], width: Callable[[str], int]) -> Scheme:
    """Return the scheme with weights.

    Parameters
    ----------
    scheme : Scheme
    weights : mapping of str to array
        Arrays by name (``conv1.weight``).
    width : function
        Layer -> bits of a stored weight [bit].
    """
    if not wants_weights(scheme):
        return scheme
    if isinstance(scheme, Rules):
        return Rules(tuple((glob, bound(part, weights, width)) for glob, part in scheme.rules))
    if isinstance(scheme, Composed):
        return Composed(tuple(bound(part, weights, width) for part in scheme.parts))
    if isinstance(scheme, Auto):
        return replace(scheme, weights=weights, width=width)
    return scheme.with_weights(weights, width)
