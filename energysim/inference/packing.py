"""Weights of a convolution packed for execution: existing weights only, and the tables of their rows.

Works from nothing but ``Kernel.pack`` (the stored values) and ``Kernel.classes`` (which filters share
which rows), so a new kind of kernel is executed as soon as it has these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from energysim.inference.reference.types import Array
from energysim.kernels import IntArray, Kernel

__all__ = ["Run", "Unit", "pack_units", "rows_per_filter"]

#: What picks channels or filters: a slice if they are evenly spaced (a view), else their numbers.
Chosen = slice | IntArray


@dataclass(frozen=True)
class Run:
    """Consecutive rows of a unit that share one tap: ``first`` to ``last - 1``, their channels."""

    tap: int
    first: int
    last: int
    channels: Chosen


@dataclass(frozen=True)
class Unit:
    """Filters computed by one matrix product, or by a batch of B products of equal size.

    Attributes
    ----------
    filters : int64 array of shape (B, F)
        Output channels.
    channels : int64 array of shape (B, K)
        Input channels of the rows; they differ between the B by the group's offset only.
    taps : int64 array of shape (K,)
        Taps of the rows, ascending.
    weights : array of shape (B, F, K)
        The weights that exist, and no others.
    """

    filters: IntArray
    channels: IntArray
    taps: IntArray
    weights: Array

    def runs(self) -> Iterator[Run]:
        """Yield the rows tap by tap."""
        edges = [0, *(np.flatnonzero(np.diff(self.taps)) + 1).tolist(), len(self.taps)]
        for first, last in pairwise(edges):
            if first < last:
                yield Run(int(self.taps[first]), first, last, chosen(self.channels[:, first:last]))


def chosen(numbers: IntArray) -> Chosen:
    """Return (1, n) evenly spaced ascending numbers as a slice, any other (B, n) as they are."""
    row = numbers[0]
    if len(numbers) == 1 and len(row):
        step = int(row[1] - row[0]) if len(row) > 1 else 1
        if step > 0 and bool((np.diff(row) == step).all()):
            return slice(int(row[0]), int(row[-1]) + 1, step)
    return numbers


def rows_per_filter(kernel: Kernel) -> IntArray:
    """Return how many weights each filter has, from the classes, shape (M,)."""
    counts = np.zeros(kernel.shape[0], dtype=np.int64)
    for each in kernel.classes():
        counts[each.filters] = len(each.channels)
    return counts


def pack_units(kernel: Kernel, groups: int, values: Array, dtype: np.dtype[Any]) -> list[Unit]:
    """Return the units of a convolution.

    Parameters
    ----------
    kernel : Kernel
        Over all groups: shape (M, C/G, R, S).
    groups : int
    values : array of shape (nonzeros,)
        In storage order, as ``Kernel.pack`` gives them.
    dtype : numpy type
        What the products are computed in.

    Notes
    -----
    A class whose filters lie in several groups becomes one unit for the groups that have equally many
    of them: they meet different channels, but with the same rows. A filter without weights is in
    none.
    """
    per_group = kernel.shape[0] // groups
    counts = rows_per_filter(kernel)
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    units: list[Unit] = []
    for each in kernel.classes():
        if not len(each.channels):
            continue
        order = np.argsort(each.taps, kind="stable")
        by_count: dict[int, list[IntArray]] = {}
        for part in np.split(each.filters, np.flatnonzero(np.diff(each.filters // per_group)) + 1):
            by_count.setdefault(len(part), []).append(part)
        for parts in by_count.values():
            filters = np.stack(parts)
            offsets = filters[:, :1] // per_group * kernel.shape[1]
            rows = starts[filters][:, :, None] + order
            weights = np.ascontiguousarray(values[rows], dtype=dtype)
            units.append(Unit(filters, offsets + each.channels[order], each.taps[order], weights))
    return units
