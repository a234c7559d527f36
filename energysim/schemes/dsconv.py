"""``dsconv``: integers of b bits with a scale for each block of input channels, and shared exponents.

Source: Nascimento, Fawcett, Prisacariu, "DSConv: Efficient Convolution Operator", ICCV 2019
(arXiv 1901.01928), and the authors' code. Of the weights of a filter at one tap each B consecutive channels
are a block w: with m its value of largest magnitude, ``q = round(-2**(b-1) / m * w)`` and
``alpha = <w, q> / <q, q>`` (least squares). The layer computes integer products with q, and one
multiply-add in floating point for each block's sum: it equals the dense layer with weights ``alpha * q``.
Stored are b bits a weight and one float a block. (The additive bias of the first version and the scale per
channel, which a batch norm absorbs, are left out: both are off by default in the code.)

A value opposite in sign to m may round to 2**(b-1), one more than b bits hold. ``clamp=yes`` cuts it to
2**(b-1) - 1; ``clamp=no`` keeps it, as the code does, and stores b + 1 bits.

With ``mantissa=m`` activations are block floating point too: the channels of a block at one pixel share an
exponent E, the largest floor(log2|x|) of them within what ``exponent`` bits hold, and are rounded to steps
of ``2**(E - m + 2)``, m bits with the sign. Such a layer equals its own reference only (E3).

On a layer that has a kernel, weights that do not exist are 0; a block without any has no scale (assumed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from energysim.extra import Extra
from energysim.graph import Conv2d, Linear
from energysim.graph.shapes import product
from energysim.schemes.base import RewritingScheme
from energysim.schemes.block import Array, Arrays, Block, Written
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.layers import Layer
from energysim.schemes.parameters import check_range, integer, read_parameters
from energysim.schemes.thinning import one_word
from energysim.units import ceil_div

__all__ = ["KIND", "DSConv", "blocked", "parse"]

_LARGEST = 1 << 16
_ACCEPTED = {
    "bits": "2..16",
    "block": f"1..{_LARGEST}",
    "clamp": "yes|no",
    "scale": "32|16",
    "layers": "conv|all",
}


def blocked(weights: Array, block: int) -> Array:
    """Return weights (M, C, R, S) as blocks (M, ceil(C/B), B, R, S), the last one filled up with 0."""
    m, c, r, s = weights.shape
    count = ceil_div(c, block)
    full = np.zeros((m, count * block, r, s))
    full[:, :c] = weights
    return full.reshape(m, count, block, r, s)


def quantised(weights: Array, bits: int, block: int, clamp: bool) -> tuple[Array, Array]:
    """Return the integers q, shape (M, blocks, B, R, S), and the scales alpha, (M, blocks, 1, R, S).

    Parameters
    ----------
    weights : array of shape (M, C, R, S)
    bits, block : int
        b and B.
    clamp : bool
    """
    w = blocked(weights, block)
    place = np.abs(w).argmax(axis=2, keepdims=True)
    peak = np.take_along_axis(w, place, axis=2)
    half = 1 << (bits - 1)
    q = np.rint(np.divide(-half * w, peak, out=np.zeros_like(w), where=peak != 0))
    if clamp:
        q = np.minimum(q, half - 1)
    squares = (q * q).sum(axis=2, keepdims=True)
    alpha = np.divide(
        (w * q).sum(axis=2, keepdims=True), squares, out=np.zeros_like(squares), where=squares != 0
    )
    return q, alpha


@dataclass(frozen=True)
class DSConv(RewritingScheme):
    """Integers of few bits, and a scale a block.

    Parameters
    ----------
    bits : int
        b, 2 to 16.
    channels : int
        B, 1 to 65536.
    clamp : {"yes", "no"}
        Whether q stays within b bits.
    scale : {32, 16}
        Width of a scale [bit]; the source has 32.
    layers : {"conv", "all"}
        Convolutions (the first and 1x1 too), or linear layers as well.

    Raises
    ------
    SchemeError
        For any other value.
    """

    bits: int = 4
    channels: int = 64
    clamp: str = "yes"
    scale: int = 32
    layers: str = "conv"

    changes: ClassVar[tuple[str, ...]] = ("values",)

    def __post_init__(self) -> None:
        check_range("dsconv", "bits", self.bits, 2, 16)
        check_range("dsconv", "block", self.channels, 1, _LARGEST)
        one_word("dsconv", "clamp", self.clamp, ("yes", "no"))
        one_word("dsconv", "scale", str(self.scale), ("32", "16"))
        one_word("dsconv", "layers", self.layers, ("conv", "all"))

    def __str__(self) -> str:
        given = (("clamp", self.clamp, "yes"), ("scale", self.scale, 32), ("layers", self.layers, "conv"))
        more = "".join(f",{key}={value}" for key, value, default in given if value != default)
        return f"dsconv:bits={self.bits},block={self.channels}{more}"

    def refuses(self, layer: Layer) -> str | None:
        """See :meth:`RewritingScheme.refuses`: the first convolution, 1x1 and sparse ones are taken."""
        if isinstance(layer.op, Linear):
            return None if self.layers == "all" else "linear layer"
        if not isinstance(layer.op, Conv2d):
            return "transposed convolution"
        if layer.weight_shape[1] == 1 and layer.op.groups > 1:
            return "depthwise"
        return None

    def block(self, layer: Layer) -> Block:
        """Return the layer with the storage of its integers and scales."""
        op, shape = layer.op, layer.weight_shape
        assert isinstance(op, Conv2d | Linear)
        mask = op.layout((layer.input_shape,)).mask() if layer.has_kernel else np.ones(shape, np.bool_)
        there = blocked(mask, self.channels).any(axis=2, keepdims=True)
        scales = int(np.count_nonzero(there))
        real = np.float32 if self.scale == 32 else np.float16
        word = np.uint32 if self.scale == 32 else np.uint16

        def parts(weight: Array) -> tuple[Array, Array]:
            kept = np.where(mask, weight.reshape(shape), 0)
            q, alpha = quantised(kept, self.bits, self.channels, self.clamp == "yes")
            return q, alpha.astype(real)

        def derive(dense: Arrays) -> dict[str, Array]:
            q, alpha = parts(dense["weight"])
            made = (q * alpha).reshape(shape[0], -1, *shape[2:])[:, : shape[1]]
            return {**dense, "weight": made.reshape(dense["weight"].shape)}

        def equivalent(own: Arrays) -> dict[str, Array]:
            return dict(own)

        def written(own: Arrays) -> tuple[Written, ...]:
            _, alpha = parts(own["weight"])
            return (Written("scales", np.ascontiguousarray(alpha[there]).view(word), self.scale),)

        block = Block(layer, "E2", derive=derive, equivalent=equivalent, written=written)
        positions = product(layer.output_shape) // shape[0]
        extra = Extra(
            weight_bits=self.bits + (self.clamp == "no"),
            side_bits=scales * self.scale,
            float_macs=scales * positions,
            float_bits=self.scale,
        )
        return block.end(op, layer.input, extra=extra)

    def assumptions(self) -> tuple[str, ...]:
        """Return what rests on no source."""
        found = ["where a kernel leaves weights out, blocks are still B consecutive channels"]
        if self.clamp == "yes":
            found.append(
                f"values that round to {1 << (self.bits - 1)} are cut, to stay within {self.bits} bits"
            )
        if self.scale != 32:
            found.append(f"scales of {self.scale} bits; the source has 32")
        return tuple(f"{self}: {text}" for text in found)


def parse(text: str) -> DSConv:
    """Return the scheme written behind ``dsconv:``.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    given = read_parameters("dsconv", text, _ACCEPTED)
    numbers = {key: integer("dsconv", key, given[key]) for key in ("bits", "block", "scale") if key in given}
    return DSConv(
        numbers.get("bits", DSConv.bits),
        numbers.get("block", DSConv.channels),
        given.get("clamp", DSConv.clamp),
        numbers.get("scale", DSConv.scale),
        given.get("layers", DSConv.layers),
    )


KIND = SchemeKind(
    parse,
    "integers of b bits and a scale for each block of channels (Nascimento et al. 2019)",
    ("dsconv:bits=4,block=64", "dsconv:bits=2,block=16,clamp=no,layers=all"),
)
