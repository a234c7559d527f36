"""All that can be said about the weights of one layer from its array alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.errors import WeightsError
from energysim.inspection.blocks import Blocks, Channels, find_blocks, find_channels
from energysim.inspection.groups import Groups, find_groups
from energysim.inspection.periodic import Periodic, find_period
from energysim.inspection.storage import Stored, rank_formats
from energysim.inspection.support import Support, four_axes
from energysim.inspection.values import Repeats, Values, find_repeats, find_values
from energysim.kernels import PeriodicKernel

__all__ = ["Layer", "inspect_layer", "support_of"]


@dataclass(frozen=True, eq=False)
class Layer:
    """The weights of one layer.

    Attributes
    ----------
    name, kind : str
    shape : tuple of int
        Of the array as given.
    groups : int
    width : int
        Bits of a value in ``storage``.
    support : Support
    periodic : Periodic or None
    nm : Groups or None
    blocks : Blocks or None
    channels : Channels
    values : Values
    repeats : Repeats
    storage : tuple of Stored
        Ways to store it, cheapest first.
    scheme : str or None
        The named scheme with exactly this periodic table; given by whoever knows names.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    groups: int
    width: int
    support: Support
    periodic: Periodic | None
    nm: Groups | None
    blocks: Blocks | None
    channels: Channels
    values: Values
    repeats: Repeats
    storage: tuple[Stored, ...]
    scheme: str | None = None

    @property
    def weights(self) -> int:
        """Weights of the layer, zeros included."""
        return int(self.support.mask.size)

    @property
    def nonzeros(self) -> int:
        return self.support.nonzeros

    @cached_property
    def per_filter(self) -> tuple[int, ...]:
        """Nonzeros of each filter."""
        return tuple(self.support.per_window.sum(axis=1, dtype=np.int64).tolist())

    @cached_property
    def per_tap(self) -> tuple[int, ...]:
        """Nonzeros of each kernel position, row by row, over all windows."""
        mask = self.support.mask
        if self.support.taps == 1:
            return (self.nonzeros,)
        return tuple(int(np.count_nonzero(mask[:, :, tap])) for tap in range(self.support.taps))

    @property
    def patterns(self) -> int:
        """Distinct 2D supports, the empty and the full one included."""
        return len(self.support.pattern_counts)

    @cached_property
    def window_counts(self) -> tuple[int, int]:
        """Fewest and most nonzeros of a window."""
        counts = self.support.per_window
        return int(counts.min()), int(counts.max())

    @property
    def kernel(self) -> PeriodicKernel | None:
        """The periodic kernel that holds all nonzeros, if there is one by the rule of pSConv."""
        if self.periodic is None or self.periodic.outside:
            return None
        return self.periodic.kernel(self.support.shape)

    @property
    def structure(self) -> str:
        """The structure in a word: the most telling one that is exact, else one with exceptions."""
        if self.nonzeros == 0:
            return "empty"
        if self.nonzeros == self.weights:
            return "dense"
        if self.channels and self.channels.rest_dense:
            return "channels"
        named = (("periodic", self.periodic), ("blocks", self.blocks), ("N:M", self.nm))
        for exact in (True, False):
            for word, found in named:
                if found is not None and found.exact == exact:
                    return word
        low, high = self.window_counts
        return "fixed count" if low == high and self.support.taps > 1 else "unstructured"


def support_of(name: str, weights: NDArray[Any]) -> Support:
    """Return where an array is not zero.

    Raises
    ------
    WeightsError
        NaN or infinity, or an array that holds no numbers or is no weight tensor; names the layer.
    """
    if weights.dtype.kind not in "fiub":
        raise WeightsError(f"layer {name!r}: weights of type {weights.dtype} are no real numbers")
    shape = four_axes(weights.shape)
    if weights.dtype.kind == "f":
        # A sum is not finite if an element is not; only if it overflowed the elements are looked at.
        with np.errstate(all="ignore"):
            total = weights.sum(dtype=np.float64)
        if not np.isfinite(total) and not np.isfinite(weights).all():
            bad = np.argwhere(~np.isfinite(weights))[0]
            raise WeightsError(
                f"layer {name!r}: its weight at {tuple(map(int, bad))} is {weights[tuple(bad)]}"
            )
    return Support(shape, (weights != 0).reshape(shape[0], shape[1], -1))


def inspect_layer(
    name: str,
    weights: NDArray[Any],
    *,
    kind: str = "",
    groups: int = 1,
    width: int = 8,
) -> Layer:
    """Return what is found in the weights of a layer.

    Parameters
    ----------
    name : str
    weights : real array of shape (M, C, R, S), or (M, C)
        Filters, input channels of a group, kernel rows and columns.
    kind : str
        The operator, for people.
    groups : int
        Groups that share axis 0 in equal parts.
    width : int
        Bits of a stored value [bit].

    Raises
    ------
    WeightsError
        See :func:`support_of`.
    ShapeError
        If the array has another number of axes.
    """
    support = support_of(name, weights)
    if groups < 1 or support.shape[0] % groups:
        raise WeightsError(f"layer {name!r}: {support.shape[0]} filters do not make {groups} groups")
    periodic = find_period(support)
    windows = weights.reshape(support.shape[0], support.shape[1], support.taps)
    kernel = periodic.kernel(support.shape) if periodic is not None and not periodic.outside else None
    return Layer(
        name=name,
        kind=kind,
        shape=tuple(int(n) for n in weights.shape),
        groups=groups,
        width=width,
        support=support,
        periodic=periodic,
        nm=find_groups(support),
        blocks=find_blocks(support),
        channels=find_channels(support, groups),
        values=find_values(weights),
        repeats=find_repeats(windows),
        storage=rank_formats(support, kernel, width) if support.nonzeros else (),
    )
