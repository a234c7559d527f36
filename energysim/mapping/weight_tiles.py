"""Which tiles of weights fit: bounds first, the exact fullest tile only where they do not decide.

The fullest tile of an irregular mask costs a pass over the whole tensor for each size of tile; for a
large linear layer there are ten thousand sizes, and nearly all of them are far from the capacity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.room import Room

__all__ = ["WeightTiles"]

Floats = NDArray[np.float64]


class WeightTiles:
    """The room that tiles of weights take, as a table over candidate tile sizes.

    Parameters
    ----------
    filters, channels : int64 arrays of shape (m,), (c,)
        Candidate sizes.
    room : Room
    held : int
        Tiles held at a time.
    """

    def __init__(self, filters: IntArray, channels: IntArray, room: Room, held: int) -> None:
        self._filters, self._channels, self._room, self._held = filters, channels, room, held
        sizes = filters[:, None], channels
        low, high = room.weight_range(*sizes) if room.weight_range else (room.weight_bits(*sizes),) * 2
        # Sums of these are compared with capacities: exact below 2**53 bits, a pebibyte.
        self._low, self._high = self._taken(low), self._taken(high)

    def _taken(self, bits: IntArray) -> Floats:
        return (self._held * bits + self._room.resident).astype(float)

    def fit(self, filters: IntArray, channels: IntArray, limit: Floats | float) -> NDArray[np.bool_]:
        """Return whether tiles, by their numbers in the table, take at most ``limit`` bits.

        The arguments are broadcast against each other.
        """
        fits = np.asarray(self._high[filters, channels] <= limit)
        unsure = ~fits & (self._low[filters, channels] <= limit)
        if unsure.any():
            size = len(self._channels)
            flat = np.broadcast_to(filters * size + channels, unsure.shape)[unsure]
            m, c = np.divmod(np.unique(flat), size)
            exact = self._taken(self._room.weight_bits(self._filters[m], self._channels[c]))
            self._low[m, c] = self._high[m, c] = exact
            fits = self._high[filters, channels] <= limit
        return fits
