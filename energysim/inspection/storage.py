"""What storing the real weights of a layer takes, format by format, the cheapest first.

A periodic layer can be stored as its table, weights that happen to be 0 inside it included, or as its
nonzeros alone: both are tried in every lossless format at its default parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from energysim.errors import FormatError
from energysim.formats import FORMATS, WeightLayout, get_format
from energysim.inspection.support import Support
from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel

__all__ = ["Stored", "kernel_of", "rank_formats"]


@dataclass(frozen=True)
class Stored:
    """A way to store the weights of a layer.

    Attributes
    ----------
    format : str
    kernel : Kernel
        Whose weights are stored.
    value_bits, side_bits : int
    """

    format: str
    kernel: Kernel
    value_bits: int
    side_bits: int

    @property
    def bits(self) -> int:
        """Values and side information together [bit]."""
        return self.value_bits + self.side_bits


def kernel_of(support: Support) -> Kernel:
    """Return the nonzeros as a kernel."""
    if support.nonzeros == support.mask.size:
        return DenseKernel(support.shape)
    return MaskKernel(support.mask.reshape(support.shape))


def rank_formats(support: Support, periodic: PeriodicKernel | None, width: int) -> tuple[Stored, ...]:
    """Return the ways to store a layer, cheapest first.

    Parameters
    ----------
    support : Support
    periodic : PeriodicKernel, optional
        A kernel that holds all nonzeros; of ways of equal size those that store it come first.
    width : int
        Bits of a value.
    """
    found: list[Stored] = []
    if periodic is not None:
        found += _stored(periodic, _layout(periodic), width)
    nonzeros = kernel_of(support)
    if periodic is None or periodic.nonzeros != support.nonzeros:
        counts = support.per_window
        low = int(counts.min())
        layout = WeightLayout(
            support.shape,
            support.nonzeros,
            distinct_patterns=len(support.pattern_counts),
            uniform_count=low if low == int(counts.max()) else None,
        )
        found += _stored(nonzeros, layout, width)
    return tuple(sorted(found, key=lambda stored: stored.bits))  # stable: equal ones keep their order


def _layout(kernel: PeriodicKernel) -> WeightLayout:
    counts = kernel.weights_per_window()
    return WeightLayout(
        kernel.shape,
        kernel.nonzeros,
        kernel.period,
        kernel.distinct_patterns,
        counts[0][0] if len(counts) == 1 else None,
    )


def _stored(kernel: Kernel, layout: WeightLayout, width: int) -> Sequence[Stored]:
    found = []
    for info in FORMATS.list():
        storage = get_format(info.name)
        if not storage.lossless:
            continue
        try:
            size = storage.layer_bits(layout, width, kernel.mask() if storage.needs_mask else None)
        except FormatError:
            continue  # a format that cannot hold this tensor, as ``periodic`` without a period
        found.append(Stored(str(storage), kernel, size.value_bits, size.side_bits))
    # The form made for a periodic support comes before others of the same size, then the simplest.
    return sorted(found, key=lambda stored: (stored.format != "periodic", stored.format != "dense"))
