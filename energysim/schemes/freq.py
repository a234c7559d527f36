"""``freq``: of the cosine transform of a layer's weights only the lowest frequencies are stored.

Source: "Frequency Regularization", IEEE Access 11, 2023 (arXiv 2304.07973), and the authors' code.
The whole tensor (M, C, R, S), of a linear layer (M, F), is transformed along every axis (orthonormal
DCT-II); coefficients are ordered by the sum of their indices, and the first m are stored as 16-bit floats,
with one 32-bit count and no places. ``m = max(round(rate * N), 127)``, 255 for linear layers, 31 for
transposed convolutions. The inverse takes ``N (M + C + R + S)`` multiply-adds, one axis after the other
(derived). Multiply-adds of the layer itself stay what they are.

Assumed: that training leaves exactly a prefix, and that within equal sums the order is that of the
indices in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from energysim.errors import SchemeError
from energysim.extra import Extra, Generated
from energysim.graph import ConvTranspose2d, Linear
from energysim.graph.shapes import product
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block, Written
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, fraction, fraction_text, integer, read_parameters
from energysim.schemes.thinning import one_word

__all__ = ["KIND", "Freq", "from_prefix", "lowest", "parse", "to_prefix"]

_EXPAND = ("load", "chip")
#: Fewest coefficients of a tensor (buffers of the authors' code).
_FLOORS = {"conv": 127, "linear": 255, "transposed": 31}
_VALUE_BITS, _COUNT_BITS = 16, 32
_LARGEST = 1 << 20


def lowest(shape: tuple[int, ...], count: int) -> NDArray[np.bool_]:
    """Return where the ``count`` lowest frequencies are: least sum of indices, then first in memory."""
    sums = np.zeros(shape, np.int32)
    for index in np.indices(shape, dtype=np.int32, sparse=True):
        sums += index
    sums = sums.reshape(-1)
    below = np.cumsum(np.bincount(sums))
    edge = int(np.searchsorted(below, count))
    found = sums < edge
    found[np.flatnonzero(sums == edge)[: count - int(found.sum())]] = True
    return found.reshape(shape)


def _turned(x: Array, axis: int, inverse: bool) -> Array:
    """Orthonormal DCT-II of one axis, or its inverse, through a Fourier transform of the same length.

    Makhoul, "A fast cosine transform in one and two dimensions", IEEE Trans. ASSP 28(1), 1980.
    """
    x = np.moveaxis(x, axis, -1)
    n = x.shape[-1]
    order = np.concatenate([np.arange(0, n, 2), np.arange(1, n, 2)[::-1]])
    turn = np.exp(-0.5j * np.pi * np.arange(n) / n)
    scale = np.full(n, np.sqrt(2 / n))
    scale[0] = np.sqrt(1 / n)
    if not inverse:
        found = (np.fft.fft(x[..., order]) * turn).real * scale
    else:
        y = x / scale
        mirrored = np.concatenate([np.zeros_like(y[..., :1]), y[..., :0:-1]], axis=-1)
        found = np.empty_like(y)
        found[..., order] = np.fft.ifft((y - 1j * mirrored) / turn).real
    return np.moveaxis(found, -1, axis)


def to_prefix(weights: Array, count: int) -> Array:
    """Return the lowest coefficients of a tensor, in memory order, float64."""
    found = np.asarray(weights, np.float64)
    for axis in range(found.ndim):
        found = _turned(found, axis, inverse=False)
    return np.asarray(found[lowest(found.shape, count)])


def from_prefix(values: Array, shape: tuple[int, ...]) -> Array:
    """Return the tensor of which these are the lowest coefficients and all others 0, float64."""
    found = np.zeros(shape)
    found[lowest(shape, len(values))] = values
    for axis in range(found.ndim):
        found = _turned(found, axis, inverse=True)
    return found


@dataclass(frozen=True)
class Freq(RewritingScheme):
    """The lowest frequencies of a weight tensor.

    Parameters
    ----------
    rate : Fraction
        Share of the coefficients that is stored, above 0 and at most 1.
    expand : {"load", "chip"}
        Whether the weights are made once and written to DRAM, or on chip with every pass.
    floor : int or None
        Fewest coefficients of a tensor, 1 to 2**20; None: those of the authors' code.

    Raises
    ------
    SchemeError
        For any other value.
    """

    rate: Fraction = Fraction(1, 10)
    expand: str = "load"
    floor: int | None = None

    changes: ClassVar[tuple[str, ...]] = ("values",)

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise SchemeError(
                f"rate of scheme 'freq' is above 0 and at most 1, not {fraction_text(self.rate)}"
            )
        one_word("freq", "expand", self.expand, _EXPAND)
        if self.floor is not None:
            check_range("freq", "floor", self.floor, 1, _LARGEST)

    def __str__(self) -> str:
        expand = "" if self.expand == "load" else f",expand={self.expand}"
        floor = "" if self.floor is None else f",floor={self.floor}"
        return f"freq:rate={fraction_text(self.rate)}{expand}{floor}"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`: every dense layer is taken."""
        return "has a sparse kernel already" if layer.has_kernel else None

    def block(self, layer: Layer) -> Block | str:
        """Return the layer with the storage of its coefficients, or why it stays as it is."""
        op = layer.op
        kind = {Linear: "linear", ConvTranspose2d: "transposed"}.get(type(op), "conv")
        shape = tuple(op.parameters((layer.input_shape,))["weight"])
        size = product(shape)
        floor = _FLOORS[kind] if self.floor is None else self.floor
        count = max(round(self.rate * size), floor)
        if count >= size:
            return f"all {size} coefficients would be kept"

        def derive(dense: Arrays) -> dict[str, Array]:
            return {**dense, "weight": from_prefix(stored(dense["weight"]).astype(np.float64), shape)}

        def stored(weight: Array) -> Array:
            return to_prefix(weight, count).astype(np.float16)

        def equivalent(own: Arrays) -> dict[str, Array]:
            return dict(own)

        def written(own: Arrays) -> tuple[Written, ...]:
            values = stored(own["weight"]).view(np.uint16)
            return (
                Written("coefficients", values, _VALUE_BITS),
                Written("count", np.array([count]), _COUNT_BITS),
            )

        block = Block(layer, "E2", derive=derive, equivalent=equivalent, written=written)
        made = Generated(count, _VALUE_BITS, size * sum(shape), on_chip=self.expand == "chip")
        return block.end(op, layer.input, extra=Extra(table_bits=_COUNT_BITS, generated=made))

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        more = "; the inverse has room for the tensor on chip" if self.expand == "chip" else ""
        return (f"{self}: what training leaves is a prefix of the order of frequencies{more}",)


def parse(text: str) -> Freq:
    """Return the scheme written behind ``freq:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters(
        "freq", text, {"rate": "0..1", "expand": "|".join(_EXPAND), "floor": f"1..{_LARGEST}"}
    )
    rate = fraction("freq", "rate", given["rate"]) if "rate" in given else Freq.rate
    floor = integer("freq", "floor", given["floor"]) if "floor" in given else None
    return Freq(rate, given.get("expand", Freq.expand), floor)


KIND = SchemeKind(
    parse,
    "the lowest frequencies of the weights (Frequency Regularization, 2023)",
    ("freq:rate=0.1", "freq:rate=0.01,expand=chip"),
)
