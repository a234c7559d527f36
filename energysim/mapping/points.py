"""Mappings beyond even tiles as columns of numbers, for a search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.room import Room

__all__ = ["Points", "fitting"]

#: Instead of a capacity that is not limited [bit].
_UNLIMITED = 2**60


@dataclass(frozen=True)
class Points:
    """Some mappings of one kind; arrays of shape (points,).

    Attributes
    ----------
    read : int64 array
        Weights read per group, in 2D kernels.
    inputs, visits : int64 arrays
        Input elements, and visits of outputs.
    family : int
        What kind of mapping they are.
    where : tuple of four int64 arrays
        What tells them apart.
    """

    read: IntArray
    inputs: IntArray
    visits: IntArray
    family: int
    where: tuple[IntArray, IntArray, IntArray, IntArray]


def fitting(room: Room, weights: IntArray, inputs: IntArray, outputs: IntArray) -> NDArray[np.bool_]:
    """Return whether weights, inputs and outputs of so many bits fit, broadcast against each other."""
    if room.parts is not None:
        return (weights <= room.parts[0]) & (inputs <= room.parts[1]) & (outputs <= room.parts[2])
    needed: NDArray[np.bool_] = weights + inputs + outputs <= (
        _UNLIMITED if room.capacity is None else room.capacity
    )
    return needed
