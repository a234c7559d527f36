"""N:M: of each M consecutive weights N values with their places: ``n N/M (b + ceil(log2 M))`` bits.

2:4 stores two values and two places of two bits for every four weights (Mishra et al., "Accelerating
Sparse Deep Neural Networks", arXiv 2104.08378, 2021). A group with fewer than N weights is filled up with
zeros at its first free places, as hardware of fixed rows needs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.errors import FormatError
from energysim.formats.base import BaseFormat, IntArray, scattered
from energysim.formats.bits import BitWriter, bits_for
from energysim.formats.container import Container
from energysim.formats.layout import WeightLayout
from energysim.formats.parameters import choice, integer
from energysim.formats.protocol import BoolArray, Counts, StorageSize, Tensor
from energysim.orders import ORDERS, group_positions, grouped, line_length
from energysim.units import ceil_div

__all__ = ["NMFormat"]


@dataclass(frozen=True)
class NMFormat(BaseFormat):
    """Group by group: the places of its N weights, ascending, then their values.

    Parameters
    ----------
    kept, size : int
        N and M.
    order : str
        Along which weights groups are counted off; one of :data:`energysim.orders.ORDERS`.
    """

    name: ClassVar[str] = "nm"
    needs_mask: ClassVar[bool] = True
    kept: int = integer(2, 1, 64)
    size: int = integer(4, 1, 64)
    order: str = choice("channels", [order for order in ORDERS if order != "channels"])

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept > self.size:
            raise FormatError(f"storage format {self}: {self.kept} of {self.size} weights cannot be kept")

    def layer_bits(self, layout: WeightLayout, value_bits: int, mask: BoolArray | None = None) -> StorageSize:
        """Return ``G N b``, side ``G N ceil(log2 M)`` for G groups [bit]."""
        self._check(layout.shape)
        if mask is not None:
            self._present(mask)
        stored = math.prod(layout.shape) // self.size * self.kept
        return StorageSize(stored * value_bits, stored * bits_for(self.size))

    def tile_bits(
        self,
        nonzeros: Counts,
        kernels: Counts,
        positions: Counts,
        value_bits: int,
        layout: WeightLayout,
        rows: Counts | None = None,
    ) -> Counts:
        """Return the bits of the groups of so many positions, at least those of its nonzeros [bit]."""
        full = -(-positions * self.kept // self.size)
        stored = max(nonzeros, full) if isinstance(nonzeros, int) else np.maximum(nonzeros, full)
        return stored * (value_bits + bits_for(self.size))

    def _check(self, shape: tuple[int, ...]) -> None:
        line = line_length(shape, self.order)
        if line % self.size:
            raise FormatError(f"groups of {self.size} do not divide {line} {ORDERS[self.order]}")

    def _places(self, stored: BoolArray) -> IntArray:
        """The positions that are stored, (G, N), ascending in each group."""
        self._check(stored.shape)
        chosen = np.argsort(~self._present(stored), axis=1, kind="stable")[:, : self.kept]
        return np.asarray(np.sort(chosen, axis=1), dtype=np.int64)

    def _present(self, stored: BoolArray) -> BoolArray:
        """Which weights of each group hold a value, (G, M); at most N do."""
        present = grouped(stored, self.size, self.order)
        most = int(present.sum(axis=1, dtype=np.uint8).max()) if present.size else 0
        if most > self.kept:
            raise FormatError(f"a group of {self.size} holds {most} weights, {self.kept} at most are stored")
        return present

    def _write(self, payload: BitWriter, values: IntArray, stored: BoolArray, value_bits: int) -> list[int]:
        places = self._places(stored)
        groups = group_positions(stored.shape, self.size, self.order)
        payload.fields(places, bits_for(self.size))
        payload.fields(values.reshape(-1)[np.take_along_axis(groups, places, axis=1)], value_bits)
        return []

    def _read(self, box: Container) -> Tensor:
        self._check(box.shape)
        count = ceil_div(math.prod(box.shape), self.size) * self.kept
        payload = box.payload()
        payload.require(count * (bits_for(self.size) + box.value_bits))
        places = payload.fields(count, bits_for(self.size)).reshape(-1, self.kept)
        values = payload.values(count, box.value_bits)
        payload.finish()
        if places.size and (int(places.max()) >= self.size or bool((np.diff(places, axis=1) <= 0).any())):
            raise FormatError(f"the places of a group of {self.size} do not increase")
        at = np.take_along_axis(group_positions(box.shape, self.size, self.order), places, axis=1).reshape(-1)
        order = np.argsort(at, kind="stable")
        return scattered(box.shape, at[order], values[order])
